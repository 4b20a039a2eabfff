"""What to forecast series with, chosen on their last part: naive, Theta, ridge, trees, and means of two of them.

All candidates forecast the last fifth of the series (or more of it, where that is short), knowing nothing later. Those
that learn are fitted once, on what lies before; those of single series begin anew at every origin. Scaling and
differences are chosen by ridge regressions, which cost a hundredth of trees; trees then use the better ones. One fit of
trees is what choosing costs, and a mean of two forecasts costs nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from holdfast.baselines.forecasting.local import Local, SeasonalNaive
from holdfast.baselines.forecasting.theta import Theta
from holdfast.data.series.panel import Panel
from holdfast.data.series.seasons import season_of
from holdfast.data.series.windows import evenly
from holdfast.errors import InputError
from holdfast.metrics.conformal import Calibration, SplitConformal
from holdfast.regressors.boosters import as_regressor
from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
from holdfast.systems.gbrt_forecasting.method import Direct, MultiOutput, Recursive, Strategy
from holdfast.systems.gbrt_forecasting.tool.contenders import calibration, ridge
from holdfast.systems.gbrt_forecasting.tool.fitting import as_strategy
from holdfast.systems.gbrt_forecasting.tool.local_strategies import Averaged, EachAlone

Progress = Callable[[int, int], None]
CANDIDATES = 6  # that are tried; means of them cost nothing
ORIGINS = 12  # of each series that candidates are judged at
FEWEST = 3  # windows to judge by
SIMPLER = 0.01  # a simpler candidate is taken where it is worse by no more
MUCH = 0.05  # by how much a simple one must be better to be spoken of
LONG_SEASON = 60  # beyond it a window does not hold a season
RELATIVES = {"on differences": ("last", "window-mean"), "scaled": (None, "standard")}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A forecaster and how it did on the last part of the series.

    Attributes:
        name: in words.
        forecaster: unfitted.
        error: mean absolute error in units of the series' usual change over a season.
        calibration: what it got wrong there.
    """

    name: str
    forecaster: WindowForecaster
    error: float
    calibration: Calibration

    @property
    def strategy(self) -> Strategy:
        """That of the forecaster."""
        return as_strategy(self.forecaster.strategy)


@dataclass(frozen=True, eq=False)
class Choice:
    """What came of `choose`.

    Attributes:
        best: the candidate that is taken.
        candidates: all, simplest first.
        season: steps after which the series were taken to repeat.
        judged: forecasts that candidates were judged by.
    """

    best: Candidate
    candidates: tuple[Candidate, ...]
    season: int
    judged: int

    def fitted(self, panel: Panel) -> WindowForecaster:
        """The best one, fitted on all of the series."""
        wanted = self.best.forecaster.quantiles or ()
        needed = max((1 / min(q, 1 - q) - 1 for q in wanted), default=0)
        # Outer quantiles need more windows than candidates are judged by: then all there are
        fitted = self.best.calibration if self.judged >= needed else None
        return self.best.forecaster.clone().fit_panel(panel, fitted=fitted)

    def table(self) -> pd.DataFrame:
        """method, error (in units of the usual change over a season), the smallest first."""
        rows = [(c.name, c.error) for c in self.candidates]
        return pd.DataFrame(rows, columns=["method", "error"]).sort_values("error", ignore_index=True)

    def shown(self) -> tuple[list[str], list[list[Any]]]:
        """Heads and rows of `table`."""
        table = self.table()
        return list(table.columns), [list(row) for row in table.itertuples(index=False)]

    def why(self) -> str:
        """The choice in a sentence."""
        naive = self.candidates[0]
        share = self.best.error / naive.error - 1 if naive.error > 0 else 0.0
        against = f", {share:+.0%} beside the {naive.name}'s" if self.best is not naive else ""
        return (
            f"forecaster: {self.best.name}; its error on the last part of the series is {self.best.error:.3g} "
            f"(1 = the change over a season){against}, by {self.judged:,} forecasts"
        )


def choose(panel: Panel, like: WindowForecaster, progress: Progress | None = None, season: int | None = None) -> Choice:
    """Choose a forecaster for series, by forecasts of their last part.

    Args:
        panel: the series.
        like: its horizon, quantiles, calendar, trees, seed and threads are taken.
        progress: called with (candidates tried, candidates).
        season: steps after which series repeat; None = what the frequency suggests.

    Raises:
        InputError: series too short for a forecast of their last part.

    Example:
        >>> import numpy as np
        >>> from holdfast.data.series.long_wide import read_panel
        >>> panel = read_panel(100 + 2.0 * np.arange(100))
        >>> choose(panel, WindowForecaster(horizon=5)).best.name.endswith("on differences")  # trees do as well
        True
    """
    season = season_of(panel.clock) if season is None else season
    horizon = like.horizon
    conformal = calibration(panel, 1, horizon)
    longest = int(conformal.cut(panel.lengths).max())
    lookback = _lookback(season, horizon, longest)
    season = season if 2 * season < longest else 1
    trial = _Trial(panel, season, conformal, horizon, progress or _silent)
    made = like.clone().set_params(conformal=conformal, lookback=1, difference=None, scaling=None, calendar=None)
    found = [trial.alone(name, made, local) for name, local in _locals(season).items()]
    if longest >= 2 * (lookback + horizon):
        learn = made.clone().set_params(lookback=lookback, calendar=like.calendar)
        learned = [trial.learned(f"ridge {name}", learn, ridge(), MultiOutput(), name) for name in RELATIVES]
        name = min(zip(RELATIVES, learned, strict=True), key=lambda pair: pair[1].error)[0]
        strategy = Direct() if panel.x_names else Recursive()
        learned.append(trial.learned(f"trees {name}", learn, as_regressor(like.estimator), strategy, name))
        found += [*learned, *(trial.averaged(found[-1], other) for other in learned)]
    least = min(c.error for c in found)
    best = next(c for c in found if c.error <= least * (1 + SIMPLER))
    return Choice(best, tuple(found), season, len(trial.judged))


def fit_beside_simple(forecaster: WindowForecaster, panel: Panel, progress: Any = None) -> str | None:
    """Fit a forecaster, and say which one that learns nothing was better on the last part of the series.

    Args:
        forecaster: with its settings; it is fitted here.
        panel: the series.
        progress: see `WindowForecaster.fit`.

    Returns:
        A sentence; None where none was better by more than a twentieth, or where there are no quantiles, without which
        nobody looks at the last part.
    """
    if not forecaster.quantiles:
        forecaster.fit_panel(panel, progress)
        return None
    fitted = forecaster.calibration(panel, progress)
    forecaster.fit_panel(panel, progress, fitted)
    season, conformal = season_of(panel.clock), forecaster.conformal or SplitConformal()
    season = season if 2 * season < conformal.cut(panel.lengths).max() else 1
    trial = _Trial(panel, season, conformal, forecaster.horizon, _silent)
    windows = conformal.split(
        panel, forecaster.lookback, forecaster.horizon, as_strategy(forecaster.strategy).trained(forecaster.horizon)
    )[1]
    both = np.isin(trial.judged, windows)
    trial.judged, trial.series = trial.judged[both], trial.series[both]
    if not len(trial.judged):
        return None
    ours = trial.error(fitted.residuals[np.searchsorted(windows, trial.judged)])
    made = forecaster.clone().set_params(lookback=1, difference=None, scaling=None, calendar=None)
    simple = min((trial.alone(name, made, local) for name, local in _locals(season).items()), key=lambda c: c.error)
    if simple.error >= (1 - MUCH) * ours:
        return None
    share = 1 - simple.error / ours
    return f"{simple.name} was better on the last part of the series, by {share:.0%}: fit without tree options chooses"


def _locals(season: int) -> dict[str, Local]:
    naive = "seasonal naive" if season > 1 else "last value"
    return {naive: SeasonalNaive(season), "smoothing": Theta(season, drift=False), "Theta": Theta(season)}


@dataclass
class _Trial:
    """The windows that candidates are judged by, and the judging."""

    panel: Panel
    season: int
    conformal: SplitConformal
    horizon: int
    progress: Progress

    def __post_init__(self) -> None:
        self.windows = self.conformal.split(self.panel, 1, self.horizon, 1)[1]
        self.judged = evenly(self.windows, self.panel, ORIGINS)
        if len(self.judged) < FEWEST:
            rule = f"must leave {FEWEST} forecasts of {self.horizon} steps in the last part of the series"
            longest = f"{int(self.panel.lengths.max())} steps in the longest series"
            raise InputError("y", f"{rule}; use a shorter horizon", longest)
        self.series = self.panel.series_of(self.judged)
        cut = self.conformal.cut(self.panel.lengths)
        past = self.panel.between(np.zeros_like(cut), cut)
        steps = past.seasonal_step(self.season)
        usual = steps[steps > 0].mean() if (steps > 0).any() else 1.0
        by_id = dict(zip(past.ids.tolist(), np.where(steps > 0, steps, usual), strict=True))
        self.unit = np.array([by_id.get(name, usual) for name in self.panel.ids.tolist()])

        self.tried = 0

    def alone(self, name: str, made: WindowForecaster, local: Local) -> Candidate:
        return self._judged(name, made.clone().set_params(strategy=EachAlone(local)))

    def learned(
        self, name: str, made: WindowForecaster, estimator: Any, strategy: Strategy, relative: str
    ) -> Candidate:
        difference, scaling = RELATIVES[relative]
        settings = {"estimator": estimator, "strategy": strategy, "difference": difference, "scaling": scaling}
        return self._judged(name, made.clone().set_params(**settings))

    def averaged(self, one: Candidate, other: Candidate) -> Candidate:
        assert isinstance(one.strategy, EachAlone)
        strategy = Averaged(one.strategy.local, other.strategy)
        residuals = (one.calibration.residuals + other.calibration.residuals) / 2
        found = replace(other.calibration, residuals=residuals)
        forecaster = other.forecaster.clone().set_params(strategy=strategy)
        return Candidate(f"mean of {one.name} and {other.name}", forecaster, self.error(residuals), found)

    def _judged(self, name: str, forecaster: WindowForecaster) -> Candidate:
        found = forecaster.calibration(self.panel, at=self.judged)
        self.tried += 1
        self.progress(self.tried, CANDIDATES)
        return Candidate(name, forecaster, self.error(found.residuals), found)

    def error(self, residuals: np.ndarray) -> float:
        """Of forecasts from the judged windows."""
        return float((np.abs(residuals).mean(1) / self.unit[self.series]).mean())


def _lookback(season: int, horizon: int, longest: int) -> int:
    """Two seasons and a step, where a window can hold them and the series have many windows of that length."""
    wished = max(2 * season + 1 if season <= LONG_SEASON else 24, horizon, 12)
    return max(1, min(wished, longest // 3))


def _silent(done: int, of: int) -> None:
    """No progress is shown."""


__all__ = ["Candidate", "Choice", "choose", "fit_beside_simple"]
