"""Series in, tables out: predictions and changes of one sequence as pandas objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.series.segments import Joined
from holdfast.data.symbols import series_symbols
from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.tool.posterior import SegmentPosterior
from holdfast.systems.nonstationary_meta.tool.predictors import open_stream
from holdfast.systems.nonstationary_meta.tool.stream import Steps
from holdfast.validation import check_choice

if TYPE_CHECKING:
    import pandas as pd


def predict(series: Any, model: str | Path | Any = "ptw", *, alphabet: int = 2, **settings: Any) -> pd.DataFrame:
    """What a predictor says before each symbol of a series, and how many bits the symbol then needs.

    Args:
        series: (T,) whole numbers or booleans: pandas Series, array or list.
        model: "ptw", "lin", "kt", "decayed-kt" or "window-kt"; the folder of a trained `MetaPredictor`; or a predictor
            with `stream()`.
        alphabet: number of symbols A.
        settings: of the model: `depth`, `prune`, `limit`, `decay`, `window`. PTW's depth is "auto" unless it is given.

    Returns:
        One row per symbol, with the series' index: `t` (from 1), `p1` (probability of a 1; `p0` ... `p{A-1}` where A >
        2), `code_length_bits` (-log2 of the probability of the symbol that came), `p_change` (probability that the
        symbol starts a segment, given it and all before; NaN where the model has no segments).

    Raises:
        SymbolTypeError: floats, text; a Series of floats because values are missing.
        InputError: missing values, a symbol outside the alphabet (names it and its position), a series longer than the
            horizon, an unknown model or setting.

    Example:
        >>> import pandas as pd
        >>> from holdfast.systems.nonstationary_meta import predict
        >>> predict(pd.Series([1, 1, 0], index=["a", "b", "c"])).round(3)
           t     p1  code_length_bits  p_change
        a  1  0.500             1.000     1.000
        b  2  0.625             0.678     0.400
        c  3  0.682             1.652     0.714
    """
    import pandas as pd

    x, index = series_symbols(series)
    stream = open_stream(model, alphabet=alphabet, **settings)
    steps = stream.extend(x)
    return pd.DataFrame(columns_of(steps, x, 0), index=index)


def columns_of(steps: Steps, x: np.ndarray, start: int) -> dict[str, np.ndarray]:
    """The columns of `predict` for symbols x (n,) that follow `start` others."""
    alphabet = steps.log_probs.shape[1]
    p = np.exp(steps.log_probs)
    shown = {"p1": p[:, 1]} if alphabet == 2 else {f"p{s}": p[:, s] for s in range(alphabet)}
    bits = -steps.log_probs[np.arange(len(x)), x] / np.log(2)
    return {"t": np.arange(start + 1, start + len(x) + 1), **shown, "code_length_bits": bits, "p_change": steps.change}


def changes(
    series: Any,
    model: str = "lin",
    *,
    alphabet: int = 2,
    min_length: int = 5,
    min_mass: float = 0.5,
    **settings: Any,
) -> pd.DataFrame:
    """The segments of a whole series: those of the most probable segmentation that are long and sure enough.

    Args:
        series: (T,) whole numbers or booleans: pandas Series, array or list.
        model: "lin" (changes anywhere) or "ptw" (dyadic segments: faster, and real changes come with auxiliary ones).
        alphabet: number of symbols A.
        min_length: symbols; a segment that is shorter is joined to a neighbour, 1 = none.
        min_mass: smallest `p_change`; a segment that begins with less is joined to the one before, 0 = none.
        settings: `prune` and `limit` for "lin", `depth` for "ptw".

    Returns:
        One row per segment: `start`, `end` (labels of its first and last symbol), `length`, `p1` (posterior mean; `p0`
        ... where A > 2), `low`, `high` (ends of its 95 % credible interval, for A = 2), `p_start` (probability that a
        segment starts exactly there), `p_change` (that there is a change between it and the segment before, at any
        place; see `Segment.change_prob`), `joined` (how many segments of the most probable segmentation were joined
        to their neighbours in it).

    Raises:
        SymbolTypeError, InputError: as `predict`.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from holdfast.systems.nonstationary_meta import changes
        >>> changes(pd.Series(np.repeat([0, 1], [30, 20]))).round(2)
           start  end  length    p1   low  high  p_start  p_change  joined
        0      0   29      30  0.02  0.00  0.08     1.00       1.0       0
        1     30   49      20  0.98  0.88  1.00     0.94       1.0       0
    """
    x, index = series_symbols(series)
    found, joined = segment_posterior(x, model, alphabet=alphabet, **settings).joined(min_length, min_mass)
    return segment_table(found, joined, index)


def segment_posterior(x: np.ndarray, model: str, *, alphabet: int = 2, **settings: Any) -> SegmentPosterior:
    """`SegmentPosterior` of a sequence under the prior that a name stands for; settings that are None are not given."""
    kind = check_choice(model, ["lin", "ptw"], "model")
    allowed = {"lin": ("prune", "limit", "progress"), "ptw": ("depth",)}[kind]
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        if name not in allowed:
            rule = f"must not be given with {kind}, which has {' and '.join(allowed[:2])}"
            raise InputError(name, rule, given[name])
    return getattr(SegmentPosterior, kind)(x, alphabet=alphabet, **given)


def segment_table(
    posterior: SegmentPosterior, joined: Sequence[Joined], index: Any = None, times: Sequence[str] | None = None
) -> pd.DataFrame:
    """The table of `changes`; index (T,) has the labels of the symbols, None = 1 ... T; times stand beside them."""
    import pandas as pd
    from scipy.special import betaincinv  # what scipy.stats.beta.ppf calls, without its second of imports

    labels = pd.RangeIndex(1, len(posterior.x) + 1) if index is None else index
    segments = posterior.segments
    table: dict[str, Any] = {
        "start": [labels[s.start] for s in segments],
        "end": [labels[s.end - 1] for s in segments],
        "length": [s.end - s.start for s in segments],
    }
    if times is not None:
        table |= {"start_time": [times[s.start] for s in segments], "end_time": [times[s.end - 1] for s in segments]}
    probs = np.array([s.probs for s in segments]).reshape(-1, posterior.alphabet)
    if posterior.alphabet == 2:
        zeros, ones = np.array([s.counts for s in segments]).reshape(-1, 2).T + 0.5
        table |= {"p1": probs[:, 1], "low": betaincinv(ones, zeros, 0.025), "high": betaincinv(ones, zeros, 0.975)}
    else:
        table |= {f"p{s}": probs[:, s] for s in range(posterior.alphabet)}
    table |= {"p_start": [s.start_prob for s in segments], "p_change": [s.change_prob for s in segments]}
    return pd.DataFrame({**table, "joined": [sum(s.start <= j.start < s.end for j in joined) for s in segments]})


def said_of_joined(joined: Sequence[Joined], times: Sequence[str] | None = None) -> str:
    """Which segments were joined to neighbours, and why, in words."""
    shown = []
    for j in joined[:5]:
        first, last = (j.start + 1, j.end) if times is None else (times[j.start], times[j.end - 1])
        shown.append(f"{first} to {last} ({'too short' if j.mass is None else f'p_change {j.mass:.2g}'})")
    return f"segments joined to neighbours: {', '.join(shown)}{f', ... {len(joined):,} in all' if joined[5:] else ''}"


__all__ = ["changes", "columns_of", "predict", "said_of_joined", "segment_posterior", "segment_table"]
