"""A table of runs: what each cost and gave, which are on the frontier, how loss falls with size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from holdfast.data.readers.records import Role, read_records
from holdfast.errors import InputError
from holdfast.metrics.pareto import pareto


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs in the order of the file.

    Attributes:
        name: texts; numbers "1", "2", ... where the file has none.
        cost, quality: (N,).
        upstream: (N,) pre-training losses, or None.
    """

    name: list[str]
    cost: np.ndarray
    quality: np.ndarray
    upstream: np.ndarray | None


def read_runs(path: Path, columns: Sequence[str] = ()) -> Runs:
    """A table with the columns cost and quality, and if there are, name and upstream.

    Args:
        path: of the table, in any format that holdfast reads.
        columns: others, as "cost=params" or "quality=superglue".

    Raises:
        InputError: no such table or column; a cell that is no number.
    """
    roles = [
        Role("cost", kind="number"), Role("quality", kind="number"), Role("name", required=False),
        Role("upstream", kind="number", required=False),
    ]  # fmt: skip
    found = read_records(path, roles, columns)
    names = [str(value) for value in found["name"]] if "name" in found else [str(i + 1) for i in range(len(found))]
    upstream = np.asarray(found["upstream"], np.float64) if "upstream" in found else None
    cost, quality = (np.asarray(found[role], np.float64) for role in ("cost", "quality"))
    if (cost <= 0).any():
        raise InputError(str(path), "must have positive costs", float(cost.min()))
    return Runs(names, cost, quality, upstream)


def frontier(runs: Runs, maximize: bool = True) -> pd.DataFrame:
    """A row a run: name, cost, quality, on the frontier or not, the cost that could be saved, and its share."""
    mask, gaps = pareto(runs.cost, runs.quality, maximize)
    return pd.DataFrame(
        {"name": runs.name, "cost": runs.cost, "quality": runs.quality, "frontier": mask, "saved": gaps,
         "share saved": gaps / runs.cost}
    )  # fmt: skip


def warning(runs: Runs, maximize: bool = True) -> str:
    """What the runs say of the paper's warning, that upstream loss is a bad guide; "" without upstream losses."""
    if runs.upstream is None or len(runs.cost) < 4:
        return ""
    rho = float(spearmanr(runs.upstream, runs.quality)[0])
    agrees = -rho if maximize else rho
    if not np.isfinite(agrees):
        return "upstream loss or quality is the same in all runs"
    kind = "orders these runs well" if agrees > 0.8 else "is a bad guide to quality in these runs"
    return f"upstream loss {kind}: rank correlation {agrees:.2f}"


def pareto_figure(runs: Runs, table: pd.DataFrame) -> Any:
    """Quality against cost, the frontier as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    on = table["frontier"].to_numpy()
    axes.scatter(runs.cost[~on], runs.quality[~on], color="0.6", label="dominated")
    best = table[on].sort_values("cost")
    axes.plot(best["cost"], best["quality"], "o-", color="C3", label="frontier", drawstyle="steps-post")
    for row in best.itertuples():
        axes.annotate(row.name, (row.cost, row.quality), xytext=(4, -10), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("cost (logarithmic)")
    axes.set_ylabel("quality")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


__all__ = ["Runs", "frontier", "pareto_figure", "read_runs", "warning"]
