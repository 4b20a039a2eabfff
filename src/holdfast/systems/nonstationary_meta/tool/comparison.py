"""Real series as sequences of 0 and 1: did the value rise? What a predictor is worth on them, in bits per symbol."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from holdfast.data.series.rises import rises
from holdfast.errors import InputError
from holdfast.metrics.block_interval import block_interval
from holdfast.metrics.code_lengths import code_lengths, per_case
from holdfast.systems.nonstationary_meta.tool.predictors import open_predictor
from holdfast.systems.nonstationary_meta.tool.regret import expected_regret
from holdfast.validation import check_integer

if TYPE_CHECKING:
    import pandas as pd


class Bits(NamedTuple):
    """What a predictor needs for a series.

    Attributes:
        name: of the predictor.
        bits: per symbol; 1 is what tossing a coin needs.
        low, high: ends of the interval.
    """

    name: str
    bits: float
    low: float
    high: float


def compare(predictors: Iterable[Any], x: Any, *, unit: int = 1, block: int = 1) -> list[Bits]:
    """Bits per symbol of predictors on one sequence, with block-bootstrap intervals, best first.

    Args:
        predictors: exact or trained ones: anything with `name` and `log_probs`.
        x: whole numbers `(T,)`.
        unit, block: symbols per case, and cases redrawn together; see `problems.Series`.

    Example:
        >>> from holdfast.systems.nonstationary_meta.tool.predictors import predictor
        >>> x = np.repeat([0, 1], 50)
        >>> [row.name for row in compare([predictor("kt"), predictor("ptw")], x, block=10)]
        ['ptw', 'kt']
    """
    x = np.asarray(x)
    if len(x) < check_integer(unit, "unit", low=1):
        raise InputError("x", f"must hold at least one case of {unit}", f"{len(x)} symbols")
    rows = []
    for each in predictors:
        cases = per_case(code_lengths(each.log_probs(x[None])[0], x), unit)
        rows.append(Bits(each.name, float(cases.mean()), *block_interval(cases, block)))
    return sorted(rows, key=lambda row: row.bits)


def regret_curves(
    models: Iterable[Any], x: np.ndarray, theta: np.ndarray
) -> tuple[pd.DataFrame, list[tuple[str, float, float | None]]]:
    """Cumulative regret of predictors on sequences whose sources are known.

    Args:
        models: as `open_predictor` takes them.
        x, theta: symbols and true probabilities of a 1, `(B, T)`.

    Returns:
        A table with `t` and the mean regret up to there, a column for each model; and for each, the best first, its
        name, mean regret of a sequence, and that mean's standard error (None for a single sequence).
    """
    import pandas as pd

    curves, totals = {"t": np.arange(1, x.shape[1] + 1)}, []
    for model in models:
        name = (Path(model).name or str(model)) if isinstance(model, str | Path) else model.name
        each = np.cumsum(expected_regret(open_predictor(model).log_probs(x), theta), 1)
        curves[name], last = each.mean(0), each[:, -1]
        error = float(last.std(ddof=1) / len(last) ** 0.5) if len(last) > 1 else None
        totals.append((name, float(last.mean()), error))
    return pd.DataFrame(curves), sorted(totals, key=lambda row: row[1])


__all__ = ["Bits", "compare", "regret_curves", "rises"]
