"""What is compared: naive forecasts, ridge regression, networks and trees, all on the same rows.

An arm is a frozen dataclass with `fit(train, job) -> predict`: `train` is a table of windows, `job` says how much work
is allowed and which random numbers to use, and `predict` maps rows (n, w + M) to forecasts (n, h). Whatever is scaled
is scaled by statistics of the rows that are fitted on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from holdfast.baselines.forecasting.naive import repeated
from holdfast.baselines.forecasting.networks import Forecast
from holdfast.baselines.forecasting.scaling import WindowScaling
from holdfast.baselines.forecasting.training import train_network
from holdfast.data.series.cuts import Part
from holdfast.errors import InputError
from holdfast.regressors.boosters import HistTrees, Trees, XGBoostTrees

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Job:
    """What a fit is given besides its rows.

    Attributes:
        lookback: w, the number of leading columns that are the window.
        season: steps after which the series repeats; 0 = none.
        seed: name of a stream -> its seed; deterministic arms never call it.
        device: where networks live.
        steps: most steps of the optimiser of a network; trees: most trees per step ahead.
        published: the paper's settings for the data, where it used them.
        on_step: told how far the fit is.
    """

    lookback: int
    season: int
    seed: Callable[[str], int]
    device: str = "cpu"
    steps: int | None = None
    trees: int | None = None
    published: XGBoostTrees | None = None
    on_step: Callable[[int, int], None] | None = None


class ForecastArm(ABC):
    """One way to forecast."""

    @abstractmethod
    def fit(self, train: Part, job: Job) -> Predict:
        """Learn from rows and targets; the result forecasts from rows."""


# ------------------------------------------------------------------------------------------------------ naive forecasts
@dataclass(frozen=True)
class LastValue(ForecastArm):
    """Every step ahead is the last value."""

    def fit(self, train: Part, job: Job) -> Predict:
        horizon, last = train.targets.shape[1], job.lookback - 1
        return lambda rows: np.repeat(rows[:, last : last + 1], horizon, axis=1)


@dataclass(frozen=True)
class SeasonalNaive(ForecastArm):
    """Every step ahead is the value one season before it, or as many seasons as it takes to have been seen."""

    def fit(self, train: Part, job: Job) -> Predict:
        return lambda rows: repeated(rows, job.lookback, job.season, train.targets.shape[1])


@dataclass(frozen=True)
class Mean(ForecastArm):
    """Every step ahead is the mean of all targets that were fitted on."""

    def fit(self, train: Part, job: Job) -> Predict:
        mean = train.targets.mean(dtype=np.float64)
        return lambda rows: np.full((len(rows), train.targets.shape[1]), mean)


# ---------------------------------------------------------------------------------------------------------- regression
@dataclass(frozen=True)
class RidgeDirect(ForecastArm):
    """Ridge regression of every step ahead on window and covariates.

    Attributes:
        alpha: weight of the squared coefficients, per row that is fitted on.
        relative: windows and targets relative to the last value.
    """

    alpha: float = 1e-3
    relative: bool = False

    def fit(self, train: Part, job: Job) -> Predict:
        from sklearn.linear_model import Ridge

        scaling = WindowScaling(train.rows, job.lookback, self.relative)
        model = Ridge(alpha=self.alpha * len(train.rows))
        model.fit(np.concatenate(scaling.inputs(train.rows), axis=1), scaling.targets(train.rows, train.targets))
        return lambda rows: scaling.back(model.predict(np.concatenate(scaling.inputs(rows), axis=1)), rows)


@dataclass(frozen=True)
class Network(ForecastArm):
    """A network of `baselines.forecasting.networks`, trained as `baselines.forecasting.training` says.

    Attributes:
        net: its class.
        steps, batch: of training; about as much CPU time as the trees are given, at most three times that.
        lr, weight_decay: of AdamW.
        relative: windows and targets relative to the last value.
    """

    net: type[Forecast]
    steps: int = 1500
    batch: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-4
    relative: bool = False

    def fit(self, train: Part, job: Job) -> Predict:
        scaling = WindowScaling(train.rows, job.lookback, self.relative)
        parts = (*scaling.inputs(train.rows), scaling.targets(train.rows, train.targets))
        trained = train_network(
            self.net,
            dict(zip(("window", "covariates", "target"), map(torch.from_numpy, parts), strict=True)),
            steps=self.steps if job.steps is None else min(self.steps, job.steps),
            batch=self.batch,
            lr=self.lr,
            weight_decay=self.weight_decay,
            seed=job.seed,
            device=job.device,
            on_step=job.on_step,
        )
        net: Any = trained.learner.net

        def predict(rows: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                window, covariates = (torch.from_numpy(part).to(job.device) for part in scaling.inputs(rows))
                forecasts = net(window, covariates)
            return scaling.back(forecasts.cpu().numpy().astype(np.float64), rows)

        return predict


Columns = Literal["all", "window", "point"]


@dataclass(frozen=True)
class BoostedTrees(ForecastArm):
    """Gradient-boosted trees, one model for each step ahead: the paper's method, with scikit-learn's trees.

    Attributes:
        columns: "all" (window and covariates of the last step, "W-b"), "window" (no covariates), "point" (the last
            value and the covariates: what the window is worth).
        relative: windows and targets relative to the last value (`difference="last"`).
        trees: per step ahead.
        lr: factor on each tree.
        depth: of each tree.
    """

    columns: Columns = "all"
    relative: bool = False
    trees: int = 80
    lr: float = 0.07
    depth: int = 4

    def fit(self, train: Part, job: Job) -> Predict:
        trees = self.trees if job.trees is None else min(self.trees, job.trees)
        booster = HistTrees(learning_rate=self.lr, trees=trees, depth=self.depth)
        targets = train.targets - self._base(train.rows, job)
        forecast = _fitted(booster, self._inputs(train.rows, job), targets, job)
        return lambda rows: forecast(self._inputs(rows, job)) + self._base(rows, job)

    def _inputs(self, rows: np.ndarray, job: Job) -> np.ndarray:
        w = job.lookback
        made = rows.copy()
        if self.relative:
            made[:, :w] -= rows[:, w - 1 : w]
        return {"all": made, "window": made[:, :w], "point": made[:, w - 1 :]}[self.columns]

    def _base(self, rows: np.ndarray, job: Job) -> np.ndarray | float:
        return rows[:, job.lookback - 1 : job.lookback] if self.relative else 0.0


@dataclass(frozen=True)
class PublishedTrees(ForecastArm):
    """XGBoost with the paper's settings for the data set, rows as they are.

    Attributes:
        seed: of the rows and columns each tree is grown on.
    """

    seed: int = 42

    def fit(self, train: Part, job: Job) -> Predict:
        if job.published is None:
            raise InputError("problem", "must be one that the paper has settings for", "another")
        return _fitted(job.published, train.rows, train.targets, job, self.seed)


def _fitted(booster: Trees, rows: np.ndarray, targets: np.ndarray, job: Job, seed: int = 0) -> Predict:
    models = booster.fit_each(rows.astype(booster.dtype), targets, seed, 1, job.on_step or _silent)
    return lambda rows: np.stack([booster.predict(m, rows.astype(booster.dtype)) for m in models], axis=1)


def _silent(done: int, total: int) -> None:
    """Nobody watches."""


__all__ = [
    "BoostedTrees",
    "ForecastArm",
    "Job",
    "LastValue",
    "Mean",
    "Network",
    "PublishedTrees",
    "RidgeDirect",
    "SeasonalNaive",
]
