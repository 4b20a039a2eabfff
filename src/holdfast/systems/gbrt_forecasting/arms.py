"""What is compared: naive forecasts, ridge regression, networks and trees, all on the same rows.

An arm is a frozen dataclass with `fit(train, job) -> predict`: `train` is a table of windows, `job` says how much work
is allowed and which random numbers to use, and `predict` maps rows (n, w + M) to forecasts (n, h). Whatever is scaled
is scaled by statistics of the rows that are fitted on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import Batches
from holdfast.errors import InputError
from holdfast.randomness import seeded
from holdfast.systems.gbrt_forecasting import nets
from holdfast.systems.gbrt_forecasting.boosters import HistTrees, Trees, XGBoostTrees
from holdfast.systems.gbrt_forecasting.splits import Part
from holdfast.training import fit

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
        steps = np.arange(train.targets.shape[1]) % job.season
        return lambda rows: rows[:, job.lookback - job.season + steps]


@dataclass(frozen=True)
class Mean(ForecastArm):
    """Every step ahead is the mean of all targets that were fitted on."""

    def fit(self, train: Part, job: Job) -> Predict:
        mean = train.targets.mean(dtype=np.float64)
        return lambda rows: np.full((len(rows), train.targets.shape[1]), mean)


# ------------------------------------------------------------------------------------------------------------- scaling
class _Scaling:
    """Rows and targets in the units a linear model or a network likes, and forecasts back.

    Windows and targets share one mean and one spread, covariates have their own. With `relative`, windows and targets
    are differences to the window's last value.
    """

    def __init__(self, train: Part, lookback: int, relative: bool) -> None:
        self._w, self._relative = lookback, relative
        window = self._centred(train.rows)
        self._mean = 0.0 if relative else float(window.mean())
        self._spread = float(window.std()) or 1.0
        covariates = train.rows[:, lookback:].astype(np.float64)
        self._x_mean, spread = covariates.mean(0), covariates.std(0)
        self._x_spread = np.where(spread > 0, spread, 1.0)

    def _centred(self, rows: np.ndarray) -> np.ndarray:
        window = rows[:, : self._w].astype(np.float64)
        return window - window[:, -1:] if self._relative else window

    def inputs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(windows (n, w), covariates (n, M)) float32."""
        window = (self._centred(rows) - self._mean) / self._spread
        covariates = (rows[:, self._w :] - self._x_mean) / self._x_spread
        return window.astype(np.float32), covariates.astype(np.float32)

    def targets(self, part: Part) -> np.ndarray:
        """(n, h) float32."""
        return ((part.targets - self._base(part.rows)) / self._spread).astype(np.float32)

    def back(self, forecasts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(n, h) in the units of the series."""
        return forecasts * self._spread + self._base(rows)

    def _base(self, rows: np.ndarray) -> np.ndarray | float:
        return rows[:, self._w - 1 : self._w].astype(np.float64) if self._relative else self._mean


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

        scaling = _Scaling(train, job.lookback, self.relative)
        model = Ridge(alpha=self.alpha * len(train.rows))
        model.fit(np.concatenate(scaling.inputs(train.rows), axis=1), scaling.targets(train))
        return lambda rows: scaling.back(model.predict(np.concatenate(scaling.inputs(rows), axis=1)), rows)


@dataclass(frozen=True)
class Network(ForecastArm):
    """A network of `nets`, trained on the squared error with AdamW and a rate that falls to zero as half a cosine.

    Attributes:
        net: its class.
        steps, batch: of training; about as much CPU time as the trees are given, at most three times that.
        lr, weight_decay: of AdamW.
        relative: windows and targets relative to the last value.
    """

    net: type[nets.Forecast]
    steps: int = 1500
    batch: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-4
    relative: bool = False

    def fit(self, train: Part, job: Job) -> Predict:
        scaling = _Scaling(train, job.lookback, self.relative)
        window, covariates = (torch.from_numpy(part) for part in scaling.inputs(train.rows))
        with seeded(job.seed("init")):
            make: Callable[..., nets.Forecast] = self.net
            net = make(window.shape[1], covariates.shape[1], train.targets.shape[1])
        tensors = {"window": window, "covariates": covariates, "target": torch.from_numpy(scaling.targets(train))}
        steps = self.steps if job.steps is None else min(self.steps, job.steps)
        trained = fit(
            nets.Regression(net, self.lr, self.weight_decay),
            Batches(tensors, min(self.batch, len(window)), job.seed("batches")),
            steps=steps,
            seed=job.seed("augment"),
            schedule=half_cosine,
            clip=1.0,
            device=job.device,
            on_step=job.on_step,
            log_every=max(1, steps // 10),
        )
        made = trained.learner.net
        assert isinstance(made, nets.Forecast)

        def predict(rows: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                window, covariates = (torch.from_numpy(part).to(job.device) for part in scaling.inputs(rows))
                forecasts: Tensor = made(window, covariates)
            return scaling.back(forecasts.cpu().numpy().astype(np.float64), rows)

        return predict


def half_cosine(progress: float) -> float:
    """1 at the start, 0 at the end."""
    return float(0.5 + 0.5 * np.cos(np.pi * progress))


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
    "half_cosine",
]
