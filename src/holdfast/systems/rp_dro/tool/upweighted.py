"""What an adversary weighted up: every value that is more frequent, or larger, under the weights than without them.

A ratio depends on the label, so each label is looked at by itself: the share of a category (or of texts with a word)
among its rows, and the mean of a column of numbers, each without the weights and with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from holdfast.data.readers.labelled_rows import Rows
from holdfast.data.vocabulary import words_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATEGORIES = 20  # a column with more different values than this is no category
WORDS = 200  # the most frequent words of a label's texts are looked at
COMMON = 0.01  # what fewer rows of a label have is left out


def upweighted(rows: Rows, weights: np.ndarray) -> pd.DataFrame:
    """A line per label, and per label and value, those that changed most first.

    Args:
        rows: N of them, with labels.
        weights: (N,) with mean 1.

    Returns:
        label, what (a column, `column = category` or `word "..."`; "all rows" for the label itself), plain, weighted
        (share or mean), change (log2 of the shares' ratio for shares; difference in standard deviations for numbers).
    """
    assert rows.label is not None
    found = []
    for label in np.unique(rows.label):
        mine = rows.label == label
        found.append((label, "all rows", float(mine.mean()), float((weights * mine).mean())))
        w = weights[mine] / weights[mine].sum()
        for what, has in _shares(rows, mine):
            plain = float(has.mean())
            if COMMON <= plain <= 1 - COMMON or plain == 1:
                found.append((label, what, plain, float(w @ has)))
    shares = pd.DataFrame(found, columns=["label", "what", "plain", "weighted"])
    shares["change"] = np.log2(shares["weighted"].clip(lower=1e-12) / shares["plain"])
    numbers = pd.DataFrame(list(_means(rows, weights)), columns=[*shares.columns])
    both = pd.concat([shares, numbers], ignore_index=True) if len(numbers) else shares
    both = both[(both["what"] == "all rows") | (both["plain"] != 1) | (both["weighted"] != 1)]
    order = both["change"].abs().sort_values(ascending=False, kind="stable").index
    return both.loc[order].reset_index(drop=True)


def _shares(rows: Rows, mine: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Every category of every column, and every frequent word, with which rows of a label have it."""
    columns = [(name, rows.frame[name]) for name in rows.frame.columns]
    if rows.group is not None:
        columns.append((str(rows.group_name), pd.Series(rows.group)))
    for name, column in columns:
        values = column[mine].astype("string").fillna("(none)").to_numpy(dtype=object)
        kinds = np.unique(values)
        few = len(kinds) <= CATEGORIES and not (pd.api.types.is_float_dtype(column) or name in _text(rows))
        for kind in kinds if few and len(kinds) > 1 else ():
            yield f"{name} = {kind}", (values == kind).astype(float)
    for name in _text(rows):
        texts = [set(words_of(text)) for text in rows.frame[name][mine]]
        counts = Counter(word for text in texts for word in text)
        for word, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:WORDS]:
            yield f'word "{word}"', np.array([word in text for text in texts], float)


def _text(rows: Rows) -> tuple[str, ...]:
    return rows.features if isinstance(rows.X, list) else ()


def _means(rows: Rows, weights: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Mean of every column of numbers that is no category, per label."""
    assert rows.label is not None
    for name in rows.frame.columns:
        if not pd.api.types.is_numeric_dtype(rows.frame[name]) or pd.api.types.is_bool_dtype(rows.frame[name]):
            continue
        values = rows.frame[name].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        there = np.isfinite(values)
        spread = values[there].std() if there.any() else 0.0
        if not spread or (pd.api.types.is_integer_dtype(rows.frame[name]) and len(np.unique(values)) <= CATEGORIES):
            continue
        for label in np.unique(rows.label):
            mine = there & (rows.label == label)
            if mine.any() and weights[mine].sum() > 0:
                plain, weighted = values[mine].mean(), np.average(values[mine], weights=weights[mine])
                yield label, name, float(plain), float(weighted), float((weighted - plain) / spread)


def draw(summary: pd.DataFrame, weights: np.ndarray, most: int = 12) -> Figure:
    """The distribution of the weights, and what changed most under them."""
    from matplotlib.figure import Figure

    shown = summary[summary["what"] != "all rows"].head(most)[::-1]
    figure = Figure(figsize=(8, 1.8 + 0.22 * max(len(shown), 4)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    left.hist(np.log10(np.maximum(weights, 1e-6)), bins=40, color="#0072B2")
    left.axvline(0, color="0.3", linewidth=1)
    left.set(xlabel="log10 of a row's weight (mean 1)", ylabel="rows", title="weights")
    left.title.set_fontsize(10)
    names = [
        f"{_cut(f'{label}', 16)}: {_cut(what, 28)}" for label, what in zip(shown["label"], shown["what"], strict=True)
    ]
    colours = np.where(shown["change"] > 0, "#D55E00", "#56B4E9")
    right.barh(range(len(shown)), shown["change"], color=colours)
    right.set_yticks(range(len(shown)), names, fontsize=8)
    right.axvline(0, color="0.3", linewidth=1)
    right.set(xlabel="log2 ratio of shares, or sd of a mean", title="under the weights, per label")
    right.title.set_fontsize(10)
    return figure


def _cut(text: str, length: int) -> str:
    text = " ".join(text.split()).replace("$", r"\$")
    return text if len(text) <= length else text[: length - 1] + "…"


__all__ = ["draw", "upweighted"]
