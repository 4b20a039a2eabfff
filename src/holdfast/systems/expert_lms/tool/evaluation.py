"""Whether routing pays: a table of who answers how well on labelled tasks that no expert was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.choice_rows import ChoiceRow
from holdfast.errors import InputError
from holdfast.systems.expert_lms.method import accuracy
from holdfast.systems.expert_lms.tool.library import ExpertLibrary

if TYPE_CHECKING:
    import pandas as pd


def evaluate_routing(
    library: ExpertLibrary, tasks: Mapping[str, Sequence[ChoiceRow]], *, n_queries: int = 32, top_k: int = 1,
    vote: str = "majority",
) -> pd.DataFrame:  # fmt: skip
    """Accuracy in % on labelled tasks.

    Args:
        library: with experts.
        tasks: name -> labelled rows, the first `n_queries` of which vote by their texts.
        n_queries, top_k, vote: as for `ExpertLibrary.route`.

    Returns:
        A row a task, then "mean": base, mt (NaN without a multitask model), random (mean over all experts), roe, oracle
        (the best expert, chosen by these labels: a bound), expert (found), best (of the oracle), oracle_rank (place of
        what was found among experts by accuracy, from 1), abstain (the reason, or "").

    Raises:
        InputError: no tasks, no experts, rows without targets.
    """
    import pandas as pd

    if not tasks:
        raise InputError("tasks", "must hold at least one", "none")
    lines: dict[str, dict[str, Any]] = {}
    for name, rows in tasks.items():
        if any(row.target is None for row in rows):
            raise InputError("tasks", "must have a target in every row", name)
        inputs, choices = [row.input for row in rows], [row.choices for row in rows]
        route = library.route(inputs, choices, n_queries, top_k, vote)
        each = {expert: accuracy(library.scores(rows, expert), rows) for expert in library.experts}
        best = max(each, key=each.__getitem__)
        mt = np.nan if library.multitask is None else accuracy(library.scores(rows, library.multitask), rows)
        lines[name] = {
            "base": accuracy(library.scores(rows), rows), "mt": mt, "random": float(np.mean(list(each.values()))),
            "roe": each[route.expert], "oracle": each[best], "expert": route.expert, "best": best,
            "oracle_rank": 1 + sum(value > each[route.expert] for value in each.values()), "abstain": route.abstain,
        }  # fmt: skip
    table = pd.DataFrame.from_dict(lines, orient="index")
    numbers = ["base", "mt", "random", "roe", "oracle", "oracle_rank"]
    means = {**table[numbers].mean().to_dict(), "expert": "", "best": "", "abstain": ""}
    return pd.concat([table, pd.DataFrame([means], index=["mean"])])


def routing_figure(table: pd.DataFrame) -> Any:
    """Accuracy of each way to answer, a row a task."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1.2 + 0.45 * len(table)), layout="constrained")
    axes, place = figure.subplots(), np.arange(len(table))[::-1]
    marks = {"base": "o", "mt": "s", "random": "x", "roe": "D", "oracle": "|"}
    for name, mark in marks.items():
        if table[name].notna().any():
            size, colour = (90, "C3") if name == "roe" else (50, "0.35")
            axes.scatter(table[name], place, marker=mark, s=size, color=colour, label=name, zorder=3)
    axes.set_yticks(place, [f"{task}: {expert}" if expert else str(task) for task, expert in table["expert"].items()])
    axes.set_xlabel("accuracy (%)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(ncols=len(marks), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return figure


__all__ = ["evaluate_routing", "routing_figure"]
