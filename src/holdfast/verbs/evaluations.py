"""How good a classifier is, shown on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.verbs.showing import fits, show, show_table

if TYPE_CHECKING:
    from holdfast.metrics.classification import Evaluation, Share


def show_evaluation(result: Evaluation) -> None:
    """Print accuracy, a table of the classes, and what is taken for what: all of it, or the most frequent mistakes."""
    show(f"accuracy {_shown(result.accuracy)} ({result.accuracy.k} of {result.accuracy.n})")
    present = result.present()
    names = [result.classes[k] for k in present]
    heads: tuple[str, ...] = ("class", "images", "recognised (recall)", "right when predicted (precision)")
    shares = [(result.recall(k), result.precision(k)) for k in present]
    rows = [
        (name, recall.n, _shown(recall), _shown(precision))
        for name, (recall, precision) in zip(names, shares, strict=True)
    ]
    show_table(heads, rows)
    heads, rows = ("true \\ predicted", *names), [(result.classes[i], *result.matrix[i, present]) for i in present]
    if fits(heads, rows):  # else names would be cut until nobody can tell them apart
        show_table(heads, rows)
    else:
        show_table(("true", "predicted", "times"), result.confusions()[:12], "most frequent mistakes")


def _shown(share: Share) -> str:
    if not share.n:
        return "-"
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"


__all__ = ["show_evaluation"]
