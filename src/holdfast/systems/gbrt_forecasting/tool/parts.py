"""Shared parts of forecasting that this system's users find under its name, too."""

from holdfast.data.series.calendar_features import calendar_features as calendar_features
from holdfast.data.series.windows import Windows as Windows
from holdfast.data.series.windows import window_rows as window_rows
from holdfast.metrics.backtests import Backtest as Backtest
from holdfast.metrics.conformal import SplitConformal as SplitConformal
from holdfast.metrics.conformal import conformal_offsets as conformal_offsets
from holdfast.metrics.forecasts import mae as mae
from holdfast.metrics.forecasts import mase as mase
from holdfast.metrics.forecasts import pinball as pinball
from holdfast.metrics.forecasts import rmse as rmse
from holdfast.metrics.forecasts import smape as smape
from holdfast.metrics.forecasts import wape as wape
from holdfast.regressors.boosters import HistTrees as HistTrees
from holdfast.regressors.boosters import LightGBMTrees as LightGBMTrees
from holdfast.regressors.boosters import XGBoostTrees as XGBoostTrees
