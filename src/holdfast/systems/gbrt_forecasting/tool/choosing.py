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
from holdfast.metrics.conformal import SplitConformal
from holdfast.regressors.boosters import HistTrees
from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
from holdfast.systems.gbrt_forecasting.method import Direct, MultiOutput, Recursive, Strategy
from holdfast.systems.gbrt_forecasting.tool.bands import Calibration, evenly
from holdfast.systems.gbrt_forecasting.tool.contenders import calibration
from holdfast.systems.gbrt_forecasting.tool.local_strategies import Averaged, EachAlone

Progress = Callable[[str], None]
ORIGINS = 12  # of each series that candidates are judged at
FEWEST = 3  # windows to judge by
SIMPLER = 0.01  # a simpler candidate is taken where it is worse by no more
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
        return self.best.forecaster.clone().fit_panel(panel, fitted=self.best.calibration)

    def table(self) -> pd.DataFrame:
        """method, error (in units of the usual change over a season), the smallest first."""
        rows = [(c.name, c.error) for c in self.candidates]
        return pd.DataFrame(rows, columns=["method", "error"]).sort_values("error", ignore_index=True)

    def why(self) -> str:
        """The choice in a sentence."""
        naive = self.candidates[0]
        share = self.best.error / naive.error - 1 if naive.error > 0 else 0.0
        against = f", {share:+.0%} beside the {naive.name}'s" if self.best is not naive else ""
        return (
            f"forecaster: {self.best.name}; its error on the last part of the series is {self.best.error:.3g} "
            f"(1 = the change over a season){against}, by {self.judged:,} forecasts"
        )


def choose(
    panel: Panel,
    horizon: int,
    *,
    season: int | None = None,
    trees: Any = None,
    quantiles: tuple[float, ...] | None = (0.1, 0.9),
    calendar: Any = "auto",
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
) -> Choice:
    """Choose a forecaster for series, by forecasts of their last part.

    Args:
        panel: the series.
        horizon: h.
        season: steps after which they repeat; None = what the frequency suggests.
        trees: a kind of trees; None = `HistTrees()`.
        quantiles: that the forecaster shall give.
        calendar: features; see `WindowForecaster`.
        seed, threads: of what learns.
        progress: called with the name of each candidate before it is tried.

    Raises:
        InputError: series too short for a forecast of their last part.

    Example:
        >>> import numpy as np
        >>> from holdfast.data.series.long_wide import read_panel
        >>> panel = read_panel(100 + 2.0 * np.arange(100))
        >>> choose(panel, 5, quantiles=None).best.name
        'ridge on differences'
    """
    season = season_of(panel.clock) if season is None else season
    show = progress or _silent
    conformal = calibration(panel, 1, horizon)
    longest = int(conformal.cut(panel.lengths).max())
    lookback = _lookback(season, horizon, longest)
    season = season if 2 * season < longest else 1
    made = WindowForecaster(
        1, horizon, calendar=calendar, quantiles=quantiles, conformal=conformal, n_jobs=threads, random_state=seed
    )
    trial = _Trial(panel, season, conformal, horizon, show)
    naive = SeasonalNaive(season)
    locals_: dict[str, Local] = {
        "seasonal naive" if season > 1 else "last value": naive,
        "smoothing": Theta(season, drift=False),
        "Theta": Theta(season),
    }
    found = [trial.alone(name, made, local) for name, local in locals_.items()]
    if longest >= 2 * (lookback + horizon):
        learn = made.clone().set_params(lookback=lookback)
        learned = [
            trial.learned(f"ridge {name}", learn, _ridge(), MultiOutput(), relative)
            for name, relative in RELATIVES.items()
        ]
        relative = RELATIVES["scaled" if learned[1].error < learned[0].error else "on differences"]
        strategy = Direct() if panel.x_names else Recursive()
        said = "scaled" if relative[0] is None else "on differences"
        learned.append(trial.learned(f"trees {said}", learn, trees or HistTrees(), strategy, relative))
        found += learned
        theta = found[2]
        found += [trial.averaged(theta, locals_["Theta"], other) for other in learned]
    least = min(c.error for c in found)
    best = next(c for c in found if c.error <= least * (1 + SIMPLER))
    return Choice(best, tuple(found), season, len(trial.judged))


@dataclass
class _Trial:
    """The windows that candidates are judged by, and the judging."""

    panel: Panel
    season: int
    conformal: SplitConformal
    horizon: int
    show: Progress

    def __post_init__(self) -> None:
        self.windows = self.conformal.split(self.panel, 1, self.horizon, 1)[1]
        self.judged = evenly(self.windows, self.panel, ORIGINS)
        if len(self.judged) < FEWEST:
            self.conformal.split(self.panel, 1, self.horizon, 1)
        self.series = self.panel.series_of(self.judged)
        cut = self.conformal.cut(self.panel.lengths)
        past = self.panel.between(np.zeros_like(cut), cut)
        steps = past.seasonal_step(self.season)
        usual = steps[steps > 0].mean() if (steps > 0).any() else 1.0
        by_id = dict(zip(past.ids.tolist(), np.where(steps > 0, steps, usual), strict=True))
        self.unit = np.array([by_id.get(name, usual) for name in self.panel.ids.tolist()])

    def alone(self, name: str, made: WindowForecaster, local: Local) -> Candidate:
        forecaster = made.clone().set_params(strategy=EachAlone(local), estimator=HistTrees(), calendar=None)
        self.show(name)
        found = forecaster.calibration(self.panel, at=self.judged)
        return Candidate(name, forecaster, self._error(found.residuals), found)

    def learned(
        self, name: str, made: WindowForecaster, estimator: Any, strategy: Strategy, relative: tuple[str | None, str]
    ) -> Candidate:
        forecaster = made.clone().set_params(
            estimator=estimator, strategy=strategy, difference=relative[0], scaling=relative[1]
        )
        self.show(name)
        found = forecaster.calibration(self.panel, at=self.judged)
        return Candidate(name, forecaster, self._error(found.residuals), found)

    def averaged(self, one: Candidate, local: Local, other: Candidate) -> Candidate:
        strategy = Averaged(local, other.forecaster.strategy)
        forecaster = other.forecaster.clone().set_params(strategy=strategy)
        residuals = (one.calibration.residuals + other.calibration.residuals) / 2
        found = replace(other.calibration, residuals=residuals)
        return Candidate(f"mean of {one.name} and {other.name}", forecaster, self._error(residuals), found)

    def _error(self, residuals: np.ndarray) -> float:
        return float((np.abs(residuals).mean(1) / self.unit[self.series]).mean())


def _lookback(season: int, horizon: int, longest: int) -> int:
    """Two seasons and a step, where a window can hold them and the series have many windows of that length."""
    wished = max(2 * season + 1 if season <= LONG_SEASON else 24, horizon, 12)
    return max(1, min(wished, longest // 3))


def _ridge() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), Ridge(alpha=1.0))


def _silent(name: str) -> None:
    """No progress is shown."""


__all__ = ["Candidate", "Choice", "choose"]
