"""Forecasts of many series from windows of their past: fit, predict, backtest, save."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from holdfast.data.series.arguments import read_other, read_training
from holdfast.data.series.calendar_features import choose_features
from holdfast.data.series.covariates import known_ahead
from holdfast.data.series.long_wide import SeriesNotice
from holdfast.data.series.panel import Panel
from holdfast.data.series.relative import Relative, SeriesScale
from holdfast.data.series.values import are_counts, beyond, loses_digits
from holdfast.data.series.windows import evenly, window_ends
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.metrics.backtests import Backtest, Origin
from holdfast.metrics.conformal import (
    Calibration,
    SplitConformal,
    bands,
    check_quantiles,
    conformal_offsets,
    scale_within,
)
from holdfast.regressors.base import Regressor
from holdfast.regressors.boosters import HistTrees, Trees, as_regressor
from holdfast.systems.gbrt_forecasting.method import Fitting, Layout, Origins, Strategy
from holdfast.systems.gbrt_forecasting.tool.backtest import run_backtest
from holdfast.systems.gbrt_forecasting.tool.fitting import as_strategy, check_layout, check_regressor, fit_within
from holdfast.validation import check_choice, check_integer

Progress = Callable[[int, int], None]
ENOUGH = 24  # windows of a series to calibrate on, for forecasters that look at whole series
ROOM = "holdfast.systems.gbrt_forecasting"
# What models saved before hold -> where it is now
MOVED = {
    **{
        f"{ROOM}.boosters:{name}": f"holdfast.regressors.boosters:{name}"
        for name in ("HistTrees", "XGBoostTrees", "LightGBMTrees")
    },
    **{f"{ROOM}.strategies:{name}": f"{ROOM}.method:{name}" for name in ("Direct", "MultiOutput", "Recursive")},
    f"{ROOM}.forecaster:WindowForecaster": f"{ROOM}.estimator:WindowForecaster",
    f"{ROOM}.conformal:SplitConformal": "holdfast.metrics.conformal:SplitConformal",
    f"{ROOM}.contenders:Repeat": "holdfast.baselines.forecasting.naive:Repeat",
    f"{ROOM}.panel:Panel": "holdfast.data.series.panel:Panel",
    f"{ROOM}.clock:Clock": "holdfast.data.series.clock:Clock",
    f"{ROOM}.transforms:SeriesScale": "holdfast.data.series.relative:SeriesScale",
}


class WindowForecaster(Estimator):
    """Forecasts of one or many series: a window of the past as a row, gradient-boosted trees for the steps to come.

    One model is learned from the windows of all series together. (arXiv 2101.02118.)

    Args:
        lookback: w, steps of the past that a forecast sees.
        horizon: h, steps to forecast.
        estimator: "hist" (scikit-learn), "xgboost", "lightgbm", such trees with settings (`HistTrees(trees=80)`), or
            any scikit-learn regressor.
        covariates: steps of the window whose past covariates are used: "last" (the paper's), "all" or "none".
        calendar: features of the window's last step (`hour`, `dayofweek`, `month`, ...); "auto" chooses by the
            frequency, None = none.
        strategy: "direct" (a model for each step ahead), "multi_output" (one model for all steps) or "recursive" (a
            model of the next step, applied repeatedly).
        difference: "last" forecasts the difference from the last value, for series that leave the range they were in.
        scaling: "window-mean" divides by the mean absolute value of the window; "standard" by the series' standard
            deviation in training, its mean taken off; for series of different size.
        quantiles: to forecast besides the mean, (0.1, 0.9) for example; calibrated on windows left out of training.
        conformal: how; None = the defaults of `SplitConformal`.
        freq: frequency of the series as pandas names it; None = found from the time stamps.
        fill: how gaps are filled: "forward" or "zero"; None = they are refused.
        max_bytes: bound on what a fit adds to memory: the table of windows and what the booster holds, by measured
            formulas. Where both do not fit, "xgboost" and "lightgbm" are fitted on blocks of rows, others refuse, as
            all do where not even that fits. Of other regressors only the table is counted; y itself and the calibration
            of quantiles never are.
        n_jobs: threads.
        random_state: seed of what is sampled.

    Attributes:
        history_: the last `lookback` steps of every series.
        models_: h models, or one.
        series_scale_: mean and standard deviation of the series in training; None without scaling.
        calibrated_, calibrated_scale_: the models that the quantiles belong to, and the mean and deviation of the
            series that they saw; None where they are `models_`, or there are none.
        relative_: what windows were taken relative to.
        counts_: (S,) which series are whole numbers from 0 on; their forecasts are not negative.
        offsets_: (h, Q) what is added to forecasts to get their quantiles, in units of `residual_scale_`; None without.
        residual_scale_: (S,) what residuals of each series were divided by; None without.

    Example:
        >>> import numpy as np
        >>> y = 10 + np.sin(np.arange(200) * np.pi / 6)
        >>> model = WindowForecaster(lookback=12, horizon=3, estimator=HistTrees(min_leaf=5)).fit(y)
        >>> model.predict().round(1)
          unique_id   ds  yhat
        0         y  200   9.1
        1         y  201   9.0
        2         y  202   9.1
    """

    tags = Tags(
        arrays=("y",),
        outputs=("predict",),
        seed="random_state",
        predicts_rows=False,
        tolerance=1e-3,
    )
    trusted_types = (
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss._loss.CyHalfSquaredError",
    )

    moved = MOVED

    def __init__(
        self,
        lookback: int = 24,
        horizon: int = 24,
        estimator: Any = "hist",
        covariates: str = "last",
        calendar: str | Sequence[str] | None = "auto",
        strategy: str | Strategy = "direct",
        difference: str | None = None,
        scaling: str | None = None,
        quantiles: Sequence[float] | None = None,
        conformal: SplitConformal | None = None,
        freq: str | int | None = None,
        fill: str | None = None,
        max_bytes: int | None = None,
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.lookback, self.horizon, self.estimator = lookback, horizon, estimator
        self.covariates, self.calendar, self.strategy = covariates, calendar, strategy
        self.difference, self.scaling = difference, scaling
        self.quantiles, self.conformal = quantiles, conformal
        self.freq, self.fill, self.max_bytes = freq, fill, max_bytes
        self.n_jobs, self.random_state = n_jobs, random_state

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(self, y: Any, X: Any = None, X_future: Any = None, *, progress: Progress | None = None) -> Self:
        """Learn from series.

        Args:
            y: a long table (unique_id, ds, y), a wide one (a column per series, times in the index), a Series, or
                arrays (T,) or (T, n). Further columns of a long table are used where X or X_future name them.
            X: covariates of the past: a table with ds and perhaps unique_id, an array (T, M), or names of columns of y.
                NaN = missing.
            X_future: covariates that are known for the future, too, in the same forms; here their past values.
            progress: called with (models fitted, models).

        Raises:
            InputError: an argument breaks a rule; the message names the series, the column and how many.
            MissingExtra: the estimator's library is not installed.
        """
        self.check_settings()
        panel = read_training(y, X, X_future, freq=self.freq, fill=self.fill)
        return self.fit_panel(panel, progress)

    def fit_panel(self, panel: Panel, progress: Progress | None = None, fitted: Calibration | None = None) -> Self:
        """Learn from series that are a panel with covariates already; see `fit`.

        Args:
            panel: the series.
            progress: called with (models fitted, models).
            fitted: this forecaster's `calibration` on the panel, if it is there already.
        """
        w, h = self.lookback, self.horizon
        if (short := panel.lengths < w + h).any():
            k = int(short.argmax())
            rule = f"must have at least lookback + horizon = {w} + {h} = {w + h} steps"
            more = f" ({int(short.sum())} of {panel.count:,} series are too short)" if short.sum() > 1 else ""
            raise InputError(f"y, unique_id {panel.ids[k].item()!r}", rule, f"{int(panel.lengths[k])} steps{more}")
        strategy, layout = as_strategy(self.strategy), self.layout_of(panel)
        check_layout(strategy, layout)
        quantiles, relative = check_quantiles(self.quantiles), layout.relative
        if relative != Relative(self.difference, self.scaling):
            text = "a level this large leaves no digits for steps this small: series are scaled (scaling='standard')"
            warnings.warn(text, SeriesNotice, stacklevel=3)
        self._tell_beyond(panel, panel.between(np.zeros_like(panel.lengths), SplitConformal().cut(panel.lengths)))
        known = SeriesScale.of(panel) if relative.scaling else None
        calibrated = None
        if quantiles:
            calibrated = self.calibration(panel, progress) if fitted is None else fitted
        if calibrated is not None and not (self.conformal or SplitConformal()).refit:
            models, known = calibrated.models, calibrated.known
        else:
            origins = Origins(panel, layout, window_ends(panel.lengths, w, strategy.trained(h)), known)
            models = fit_within(strategy, origins, self._fitting(progress), self.max_bytes)
        self._forget()
        self.models_, self.series_scale_ = models, known
        self.relative_, self.counts_ = relative, are_counts(panel)
        self.offsets_ = None if calibrated is None else calibrated.offsets(quantiles)
        self.residual_scale_ = None if calibrated is None else calibrated.scale
        # What bands belong to: another model than the one that forecasts, which has seen everything
        apart = calibrated is not None and calibrated.models is not self.models_
        self.calibrated_ = calibrated.models if calibrated is not None and apart else None
        self.calibrated_scale_ = calibrated.known if calibrated is not None and apart else None
        self.calendar_, self.x_names_, self.future_names_ = layout.calendar, layout.x_names, layout.future_names
        remembered = strategy.remembers(w)
        self.history_ = panel if remembered is None else panel.tail(remembered)
        return self

    def calibration(self, panel: Panel, progress: Progress | None = None, at: np.ndarray | None = None) -> Calibration:
        """A model of the first part of the series, and what it gets wrong on the last.

        Args:
            panel: the series.
            progress: called with (models fitted, models).
            at: rows of the panel to forecast from; None = all that leave a horizon.
        """
        conformal, strategy, layout = (
            self.conformal or SplitConformal(),
            as_strategy(self.strategy),
            self.layout_of(panel),
        )
        trains, calibrates = conformal.split(panel, self.lookback, self.horizon, strategy.trained(self.horizon))
        if at is None:
            conformal_offsets(np.empty((len(calibrates), 0)), check_quantiles(self.quantiles))  # enough, before any fit
        past = panel.between(np.zeros_like(panel.lengths), conformal.cut(panel.lengths))
        known = SeriesScale.of(past).for_(panel) if layout.relative.scaling else None
        fitting = self._fitting(progress)
        models = fit_within(strategy, Origins(panel, layout, trains, known), fitting, self.max_bytes)
        if at is not None:
            calibrates = at
        elif not self._sees_windows:  # each forecast looks at a whole series; fewer tell enough
            calibrates = evenly(calibrates, panel, ENOUGH)
        origins = Origins(panel, layout, calibrates, known)
        forecasts = strategy.predict(models, origins, fitting.regressor, self.horizon)
        came = panel.y[calibrates[:, None] + np.arange(1, self.horizon + 1)]
        return Calibration(models, known, came - forecasts, origins.series, scale_within(conformal, past, panel))

    def _tell_beyond(self, panel: Panel, before: Panel) -> None:
        """Say where values have left the range that trees can forecast."""
        bound = self._sees_windows and self.difference is None and self.scaling != "window-mean"
        if bound and isinstance(as_regressor(self.estimator), Trees) and (where := beyond(panel, before)) is not None:
            advice = "trees forecast nothing that they have not seen; with difference='last' (--difference) they follow"
            warnings.warn(f"{where}: {advice}", SeriesNotice, stacklevel=4)

    @property
    def _sees_windows(self) -> bool:
        return as_strategy(self.strategy).remembers(self.lookback) is not None

    def _fitting(self, progress: Progress | None) -> Fitting:
        regressor = as_regressor(self.estimator)
        return Fitting(regressor, self.horizon, self.random_state, self.n_jobs, progress or _silent)

    def layout_of(self, panel: Panel) -> Layout:
        """The columns that rows of a panel have."""
        relative = Relative(self.difference, self.scaling)
        if relative.nothing and self._sees_windows and loses_digits(panel):
            relative = Relative(scaling="standard")
        calendar = choose_features(self.calendar, panel.clock)
        return self._columns(calendar, panel.x_names, panel.future_names, relative)

    def _layout_of_fit(self) -> Layout:
        relative = getattr(self, "relative_", Relative(self.difference, self.scaling))  # models saved before have none
        return self._columns(self.calendar_, self.x_names_, self.future_names_, relative)

    def _columns(
        self, calendar: tuple[str, ...], past: tuple[str, ...], known: tuple[str, ...], relative: Relative
    ) -> Layout:
        """The layout with these names of calendar features, past and known-future covariates."""
        ahead = as_strategy(self.strategy).ahead(self.horizon) if known else 0
        return Layout(self.lookback, self.covariates, calendar, past, known, ahead, relative)

    def check_settings(self) -> None:
        """Raise an InputError for settings that break a rule: before data are read, for example."""
        check_integer(self.horizon, "horizon", low=1)  # first: the lookback may follow from it
        check_integer(self.lookback, "lookback", low=1)
        check_choice(self.covariates, ("last", "all", "none"), "covariates")
        Relative(self.difference, self.scaling)
        check_regressor(as_strategy(self.strategy), as_regressor(self.estimator))
        check_quantiles(self.quantiles)
        if self.conformal is not None and not isinstance(self.conformal, SplitConformal):
            raise InputError("conformal", "must be a SplitConformal or None", self.conformal)
        if self.max_bytes is not None:
            check_integer(self.max_bytes, "max_bytes", low=1)
        check_integer(self.n_jobs, "n_jobs", low=1)
        check_integer(self.random_state, "random_state", low=0, high=2**31 - 1)

    # ------------------------------------------------------------------------------------------------------- predicting
    def predict(self, h: int | None = None, X_future: Any = None, *, y: Any = None, X: Any = None) -> pd.DataFrame:
        """Forecasts of the steps after the end of every series.

        Args:
            h: steps; None = horizon. More than the horizon only with the strategy "recursive".
            X_future: known-future covariates of these steps, if the model was fitted with such: a table with ds (and
                unique_id), or an array (h, K) for all series.
            y: series to forecast instead of those of `fit`, each of `lookback` steps at least; the model stays as it
                is. Ids that it does not know are fine.
            X: their past covariates.

        Returns:
            unique_id, ds, yhat, and a column for every quantile (q10, q90, ...); series in the order of `fit`.

        Raises:
            NotFitted: before `fit`.
            InputError: h beyond the trained horizon, covariates that are missing, series that are too short.
        """
        self.check_fitted()
        steps = self._steps(h)
        panel = self.history_
        if y is not None:
            panel = self.panel_of(y, X)
        if y is None and X is not None:
            raise InputError("X", "must be given together with y", "X alone")
        ahead = known_ahead(panel, X_future, steps, self.future_names_) if self.future_names_ else None
        found = self.forecast_windows(panel, panel.ends, steps, ahead)
        series = np.repeat(np.arange(panel.count), steps)
        positions = panel.positions(panel.ends, np.arange(panel.count))[:, None] + np.arange(1, steps + 1)
        ds = panel.clock.times(positions.reshape(-1))
        columns = {name: values.reshape(-1) for name, values in found.items()}
        return pd.DataFrame({"unique_id": panel.ids[series], "ds": ds, **columns})

    def panel_of(self, y: Any, X: Any = None) -> Panel:
        """Series to forecast instead of those of `fit`, as a panel; see `predict`."""
        return read_other(y, X, like=self.history_, lookback=self.lookback, freq=self.freq, fill=self.fill)

    def _steps(self, h: int | None) -> int:
        steps = self.horizon if h is None else check_integer(h, "h", low=1)
        if steps > self.horizon and not as_strategy(self.strategy).unbounded:
            rule = f"must be at most {self.horizon}, the horizon that was trained; fit with a larger one"
            raise InputError("h", f"{rule}, or with strategy='recursive'", steps)
        if steps > self.horizon and self.offsets_ is not None:
            raise InputError("h", f"must be at most {self.horizon}, for which quantiles were calibrated", steps)
        return steps

    def forecast_windows(
        self, panel: Panel, index: np.ndarray, steps: int, ahead: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """yhat and quantiles, (n, steps) each, of windows that end at rows of a panel."""
        strategy, layout = as_strategy(self.strategy), self._layout_of_fit()
        regressor = self._regressor()
        origins = Origins(panel, layout, index, _of(self.series_scale_, panel), ahead, beyond=steps)
        found = {"yhat": strategy.predict(self.models_, origins, regressor, steps)}
        if self.offsets_ is not None:
            calibrated = getattr(self, "calibrated_", None)  # models saved before have none
            centre = found["yhat"]
            if calibrated is not None:
                apart = Origins(panel, layout, index, _of(self.calibrated_scale_, panel), ahead, beyond=steps)
                centre = strategy.predict(calibrated, apart, regressor, steps)
            scale = self._residual_scale(panel)[origins.series]
            found |= bands(found["yhat"], centre, self.offsets_, check_quantiles(self.quantiles), scale)
        counts = self._counts(panel)[origins.series]
        return {name: np.where(counts[:, None], np.maximum(values, 0), values) for name, values in found.items()}

    def _regressor(self) -> Regressor:
        return as_regressor(self.estimator)

    def _residual_scale(self, panel: Panel) -> np.ndarray:
        assert self.residual_scale_ is not None
        return self._known(panel, self.residual_scale_, (self.conformal or SplitConformal()).scale(panel))

    def _counts(self, panel: Panel) -> np.ndarray:
        counts = getattr(self, "counts_", None)  # models saved before have none
        return np.zeros(panel.count, bool) if counts is None else self._known(panel, counts, are_counts(panel))

    def _known(self, panel: Panel, learned: np.ndarray, own: np.ndarray) -> np.ndarray:
        """(S,) what was learned of a panel's series; those that fit did not have get their own."""
        by_id = dict(zip(self.history_.ids.tolist(), learned, strict=True))
        return np.array([by_id.get(name, o) for name, o in zip(panel.ids.tolist(), own, strict=True)])

    # --------------------------------------------------------------------------------------------------------- judging
    def backtest(
        self,
        y: Any,
        X: Any = None,
        X_future: Any = None,
        *,
        n_windows: int = 5,
        step: int | None = None,
        gap: int = 0,
        train_size: int | None = None,
        refit: bool = True,
        progress: Progress | None = None,
    ) -> Backtest:
        """Forecasts from several points of the past, compared with what came. This forecaster stays as it is.

        At each cutoff a clone is fitted on what was known then, and nothing later is looked at: all series are cut at
        the same time.

        Args:
            y, X, X_future: as in `fit`; X_future must reach as far as y.
            n_windows: cutoffs; the last is `horizon` steps before the end.
            step: steps between cutoffs; None = horizon, so that forecasts do not overlap.
            gap: first steps of every forecast that are not judged, for data that come late; below horizon.
            train_size: steps before the cutoff that are trained on (sliding); None = all (expanding).
            refit: fit anew at every cutoff; else once, at the first.
            progress: called with (cutoffs done, cutoffs).

        Raises:
            InputError: as in `fit`; too few steps for so many windows.
        """
        self.check_settings()
        panel = read_training(y, X, X_future, freq=self.freq, fill=self.fill)
        origin = Origin(n_windows, self.horizon if step is None else step, gap, train_size, refit)
        return run_backtest(self, panel, origin, progress or _silent)

    @property
    def feature_importances_(self) -> pd.Series:
        """How much each column of a row matters, summing to 1: gains of trees, averaged over the models.

        Columns are lag_1 (the last value) to lag_w, x_<covariate or calendar feature> and future_<covariate>.

        Raises:
            NotFitted: before `fit`.
            InputError: a regressor that cannot tell.
        """
        self.check_fitted()
        layout, regressor = self._layout_of_fit(), self._regressor()
        shares = np.zeros(layout.width)
        for model in self.models_:
            gains = regressor.importance(model, layout.width)
            shares += gains / gains.sum() if gains.sum() > 0 else 0
        total = shares.sum()
        return pd.Series(shares / total if total > 0 else shares, index=list(layout.names), name="importance")

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        y = np.sin(np.arange(60) * 0.7) + 0.1 * rng.normal(size=60)
        trees = HistTrees(trees=4, depth=3, min_leaf=3, colsample=0.5)
        settings = {"lookback": 5, "horizon": 3, "estimator": trees}
        return Example({"y": y}, {"h": 2}, settings)


def _of(scale: SeriesScale | None, panel: Panel) -> SeriesScale | None:
    return None if scale is None else scale.for_(panel)


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


__all__ = ["WindowForecaster"]
