"""What every forecaster faces when several are compared: the same series, windows of the past, and cutoffs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

from holdfast.data.series.panel import Panel
from holdfast.data.series.seasons import season_of
from holdfast.errors import InputError
from holdfast.metrics.backtests import Backtest, Origin
from holdfast.metrics.conformal import SplitConformal
from holdfast.systems.gbrt_forecasting.tool.backtest import known_first, run_backtest
from holdfast.systems.gbrt_forecasting.tool.contenders import FEWEST_CALIBRATE, SHARES, Contender, calibration
from holdfast.validation import check_integer

Progress = Callable[[str, int, int], None]
MOST_WINDOWS = 30_000  # windows that are fitted on: beyond it, only the latest steps of the series are
FEWEST_LEARN = 8  # windows to learn from, or the horizon


@dataclass(frozen=True)
class Entry:
    """One forecaster in the comparison.

    Attributes:
        name, about: what it is.
        backtest: its forecasts beside what came.
        fit_seconds: CPU seconds of fitting, its bands too, all cores together.
        cpu_seconds: of fitting and forecasting.
        method: what a forecaster that chooses has taken; "" for others.
    """

    name: str
    about: str
    backtest: Backtest
    fit_seconds: float
    cpu_seconds: float
    method: str = ""

    @property
    def called(self) -> str:
        """The name, with what it has chosen."""
        return f"{self.name} ({self.method})" if self.method else self.name

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """Of all its forecasts; see `Backtest.scores`."""
        found: Mapping[str, float] = self.backtest.scores().iloc[0].to_dict()
        return found


@dataclass(frozen=True, eq=False)
class Bench:
    """Series, and what is asked of a forecaster on them. It is fitted once, before the first cutoff.

    Attributes:
        panel: the series.
        horizon, lookback, season: h, w, steps of a season (1 = none).
        cutoffs: forecasts of each series, one horizon apart, the last at the end.
        train_size: steps before the first cutoff that are fitted on; None = all.
        seed, threads: of each forecaster.
    """

    panel: Panel
    horizon: int
    lookback: int
    season: int
    cutoffs: int
    train_size: int | None = None
    seed: int = 0
    threads: int = 1

    @classmethod
    def of(
        cls,
        panel: Panel,
        horizon: int,
        cutoffs: int | None = None,
        *,
        lookback: int | None = None,
        season: int | None = None,
        most_windows: int = MOST_WINDOWS,
        seed: int = 0,
        threads: int = 1,
        default: int | None = None,
    ) -> Bench:
        """With what is None chosen by the length and the frequency of the series.

        Args:
            panel, horizon, lookback, season, cutoffs, seed, threads: see the class.
            most_windows: that are fitted on.
            default: cutoffs where none are given and so many fit; None = as many as fit.

        Raises:
            InputError: numbers that make no backtest, or series too short for one cutoff.
        """
        check_integer(horizon, "horizon", low=1)
        check_integer(seed, "seed", low=0, high=2**31 - 1)
        season = season_of(panel.clock) if season is None else check_integer(season, "season", low=1)
        longest = int(panel.lengths.max())
        if lookback is None:
            lookback = lookback_for(longest, horizon, season)
        check_integer(lookback, "lookback", low=1)
        if cutoffs is None:
            fitting = max(1, cutoffs_within(panel, horizon, lookback))
            cutoffs = fitting if default is None else min(default, fitting)
        check_integer(cutoffs, "cutoffs", low=1)
        needed = _steps_before(panel, lookback, horizon)
        if longest - cutoffs * horizon < needed:
            rule = f"must have {needed} steps before the first of {cutoffs} cutoffs, for windows of"
            rule += f" {lookback} + {horizon}; use a shorter horizon, lookback or fewer cutoffs"
            raise InputError("y", rule, f"{longest} steps in all")
        size = max(lookback + 4 * horizon, most_windows // panel.count + lookback + horizon)
        train_size = size if size < longest else None
        return cls(panel, horizon, lookback, season if season <= lookback else 1, cutoffs, train_size, seed, threads)

    @property
    def origin(self) -> Origin:
        """Where forecasts begin."""
        return Origin(self.cutoffs, self.horizon, train_size=self.train_size, refit=False)

    @cached_property
    def known(self) -> Panel:
        """What is fitted on: nothing after the first cutoff."""
        past = known_first(self.panel, self.origin, self.horizon)
        return past if self.train_size is None else past.tail(self.train_size)

    @cached_property
    def bands(self) -> SplitConformal:
        """How bands are calibrated."""
        return calibration(self.known, self.lookback, self.horizon)

    def judge(self, contender: Contender[Any], show: Progress) -> Entry:
        """Fit before the first cutoff, forecast from all."""
        show(contender.name, 0, self.cutoffs)
        start = time.process_time()

        def told(done: int, of: int) -> None:
            show(contender.name, done, of)

        found = run_backtest(contender.forecaster, self.panel, self.origin, told, self.season)
        taken = time.process_time() - start
        return Entry(contender.name, contender.about, found, found.fit_seconds, taken)


def lookback_for(longest: int, horizon: int, season: int) -> int:
    """The larger of 24, the horizon and a season, or less for short series."""
    wished = max(24, horizon, season if season <= 96 else 0)
    return max(1, min(wished, longest // 4))


def cutoffs_within(panel: Panel, horizon: int, lookback: int) -> int:
    """Cutoffs, one horizon apart, that leave enough steps before the first; below 1 where there are none."""
    return (int(panel.lengths.max()) - _steps_before(panel, lookback, horizon)) // horizon


def _steps_before(panel: Panel, lookback: int, horizon: int) -> int:
    """Steps that must be known at the first cutoff: windows to learn from, and later ones to calibrate bands on."""
    many = int((panel.lengths == panel.lengths.max()).sum())  # series that have as many windows as any
    earlier = lookback + horizon - 1 - (-max(horizon, FEWEST_LEARN) // many)
    later = horizon - 1 - (-FEWEST_CALIBRATE // many)
    return min(max(ceil(later / share), ceil(earlier / (1 - share))) for share in SHARES)


__all__ = ["Bench", "Entry", "Progress", "cutoffs_within", "lookback_for"]
