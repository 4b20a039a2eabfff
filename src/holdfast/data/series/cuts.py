"""A panel of series, cut in time: on what settings are chosen, and on what models are tested that were fitted before.

The past comes first, the test last, so that nothing is fitted on what comes after it. Windows to fit on lie inside
their part with all their targets; what is forecast begins one lookback early, so that the first forecast starts at the
first step of the part and its inputs are history that is known by then.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.data.series.windows import window_rows
from holdfast.errors import InputError


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
        cases: (n,) which case of its series a window belongs to, counted from 0: one for each horizon that passes.
    """

    rows: np.ndarray
    targets: np.ndarray
    cases: np.ndarray

    def thinned(self, most: int | None) -> Part:
        """At most so many windows, evenly spaced; None = all."""
        if most is None or len(self.rows) <= most:
            return self
        kept = np.linspace(0, len(self.rows) - 1, most).round().astype(int)
        return Part(self.rows[kept], self.targets[kept], self.cases[kept])


@dataclass(frozen=True)
class Fold:
    """What is fitted on, and what is forecast after it."""

    train: Part
    test: Part


@dataclass(frozen=True)
class Cuts:
    """How series are cut in time: a first part, a part that settings are chosen on, and a test part.

    Settings are chosen by fitting on the first part and forecasting the second. For the test, models are fitted on all
    that lies before it; with several refits the test part is cut into as many, and models are fitted anew before each.

    Attributes:
        lookback, horizon: w and h.
        train_stride, test_stride: steps between windows that are fitted on and that are forecast. A test stride of the
            horizon makes forecasts follow one another without overlap; a smaller one has to divide it.
        validation, test: shares of each series.
        refits: parts of the test part.
    """

    lookback: int
    horizon: int
    train_stride: int = 1
    test_stride: int = 1
    validation: float = 0.1
    test: float = 0.2
    refits: int = 1

    def choosing(self, panel: Sequence[OneSeries]) -> Fold:
        """What settings are chosen on.

        Raises:
            InputError: a series too short to give each part a window; its name and length are said.
        """
        return self._fold(panel, 1 - self.validation - self.test, 1 - self.test)

    def testing(self, panel: Sequence[OneSeries]) -> list[Fold]:
        """What is tested on, in the order of time.

        Raises:
            InputError: as above.
        """
        at = [1 - self.test + self.test * k / self.refits for k in range(self.refits + 1)]
        return [self._fold(panel, start, end) for start, end in itertools.pairwise(at)]

    def _fold(self, panel: Sequence[OneSeries], start: float, end: float) -> Fold:
        pairs = [self._cut(series, round(len(series.y) * start), round(len(series.y) * end)) for series in panel]
        return Fold(*(_pooled(parts) for parts in zip(*pairs, strict=True)))

    def _cut(self, series: OneSeries, start: int, end: int) -> tuple[Part, Part]:
        per_case = self.horizon // self.test_stride
        needed = self.lookback + self.horizon + (per_case - 1) * self.test_stride
        if start < self.lookback + self.horizon or end - start + self.lookback < needed:
            rule = f"must be long enough for windows of {self.lookback} + {self.horizon} steps in each of its parts"
            raise InputError(f"series {series.name!r}", rule, f"{len(series.y)} steps")
        train = self._windows(series, 0, start, self.train_stride)
        test = self._windows(series, start - self.lookback, end, self.test_stride)
        whole = len(test.rows) // per_case * per_case  # cases of equally many forecasts
        return train, Part(test.rows[:whole], test.targets[:whole], test.cases[:whole])

    def _windows(self, series: OneSeries, start: int, end: int, stride: int) -> Part:
        x = series.x[start:end] if series.x.shape[1] else None
        made = window_rows(series.y[start:end], x, self.lookback, self.horizon, stride)
        return Part(made.rows, made.targets, np.arange(len(made.rows)) * stride // self.horizon)


def _pooled(parts: Sequence[Part]) -> Part:
    return Part(
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.targets for p in parts]),
        np.concatenate([p.cases for p in parts]),
    )


def in_turn(parts: Sequence[Part]) -> Part:
    """Parts that follow one another in time as one, their cases counted on."""
    first = np.cumsum([0, *(int(p.cases.max()) + 1 for p in parts[:-1])])
    return _pooled([Part(p.rows, p.targets, p.cases + k) for p, k in zip(parts, first, strict=True)])


def errors_by_case(forecast: np.ndarray, part: Part) -> np.ndarray:
    """Errors gathered by case, (cases, values), of series that are equally long.

    A case is all forecasts of all series that start within one horizon, because they see the same steps and series move
    together. All have equally many values, so that means over cases are means over all errors.
    """
    errors = forecast.astype(np.float64) - part.targets
    return errors[np.argsort(part.cases, kind="stable")].reshape(int(part.cases.max()) + 1, -1)


__all__ = ["Cuts", "Fold", "OneSeries", "Part", "errors_by_case", "in_turn"]
