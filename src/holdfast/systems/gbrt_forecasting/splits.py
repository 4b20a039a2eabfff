"""A panel of series, cut in time into what is fitted, what settings are chosen on, and what is tested.

The past comes first, the test last, so that nothing is fitted on what comes after it. Windows to fit on lie inside
their part with all their targets; validation and test begin one lookback early, so that the first forecast starts at
the first step of the part and its inputs are history that is known by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting.windows import window_rows


@dataclass(frozen=True)
class OneSeries:
    """One series.

    Attributes:
        name: what it is called.
        y: (T,) values.
        x: (T, M) covariates, known up to the step they belong to; M may be 0.
    """

    name: str
    y: np.ndarray
    x: np.ndarray


@dataclass(frozen=True)
class Part:
    """Windows of all series, one series after the other.

    Attributes:
        rows: (n, w + M) float32, the last w values and the covariates of the last of these steps.
        targets: (n, h) float32.
        origins: (n,) which origin of its series a window has, counted from 0.
    """

    rows: np.ndarray
    targets: np.ndarray
    origins: np.ndarray

    def thinned(self, most: int | None) -> Part:
        """At most so many windows, evenly spaced; None = all."""
        if most is None or len(self.rows) <= most:
            return self
        kept = np.linspace(0, len(self.rows) - 1, most).round().astype(int)
        return Part(self.rows[kept], self.targets[kept], self.origins[kept])


@dataclass(frozen=True)
class Split:
    """The three parts of a panel, in the order of time. `lookback` is the number of columns that are the window."""

    train: Part
    validation: Part
    test: Part
    lookback: int


def split_panel(
    panel: Sequence[OneSeries],
    *,
    lookback: int,
    horizon: int,
    train_stride: int = 1,
    validation: float = 0.1,
    test: float = 0.2,
) -> Split:
    """Cut every series in time and pool the windows.

    Args:
        panel: at least one series, all with equally many covariates.
        lookback, horizon: w and h.
        train_stride: steps between windows that are fitted on. Those of validation and test do not overlap: their
            targets follow one another without a gap.
        validation, test: shares of each series.

    Raises:
        InputError: a series too short to give each part a window; its name and length are said.
    """
    parts: dict[str, list[Part]] = {"train": [], "validation": [], "test": []}
    for series in panel:
        length = len(series.y)
        first, second = int(length * (1 - validation - test)), int(length * (1 - test))
        cuts = {"train": (0, first), "validation": (first - lookback, second), "test": (second - lookback, length)}
        for name, (start, end) in cuts.items():
            if start < 0 or end - start < lookback + horizon:
                rule = f"must be long enough for windows of {lookback} + {horizon} steps in each of its three parts"
                raise InputError(f"series {series.name!r}", rule, f"{length} steps")
            stride = train_stride if name == "train" else horizon
            x = series.x[start:end] if series.x.shape[1] else None
            made = window_rows(series.y[start:end], x, lookback, horizon, stride)
            parts[name].append(Part(made.rows, made.targets, np.arange(len(made.rows))))
    train, held_out, last = (_pooled(made) for made in parts.values())
    return Split(train, held_out, last, lookback)


def _pooled(parts: Sequence[Part]) -> Part:
    return Part(
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.targets for p in parts]),
        np.concatenate([p.origins for p in parts]),
    )


def errors_by_case(forecast: np.ndarray, part: Part) -> np.ndarray:
    """Errors gathered by case, (cases, values).

    A case is an origin with all series at once, because series move together, where all have equally many origins;
    else each window is a case. All cases have equally many values either way, so that means over cases are means over
    all errors.
    """
    errors = forecast.astype(np.float64) - part.targets
    counts = np.bincount(part.origins)
    if counts.min() == counts.max():
        errors = errors[np.argsort(part.origins, kind="stable")]
        return errors.reshape(len(counts), -1)
    return errors


__all__ = ["OneSeries", "Part", "Split", "errors_by_case", "split_panel"]
