"""Forecasters to compare on a table of series: naive ones, a linear one, networks, trees.

All are a `WindowForecaster` around another regressor, so that windows, covariates, calendar, bands and the backtest are
the same for each. Series may differ in size and rise: what learns works on windows relative to their last value, in
units of their mean absolute deviation from it; only "GBRT" is the paper's, on the values as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.systems.gbrt_forecasting.boosters import HistTrees, Regressor
from holdfast.systems.gbrt_forecasting.forecaster import WindowForecaster

if TYPE_CHECKING:
    from holdfast.systems.gbrt_forecasting.nets import Forecast

QUANTILES = (0.1, 0.9)


@dataclass(frozen=True)
class Repeat(Regressor):
    """The last `season` values of the window, over and over: the last value for 1, else the seasonal naive forecast.

    Example:
        >>> import numpy as np
        >>> part = Repeat(season=2, lookback=3)
        >>> part.predict(part.fit_joint(None, np.zeros((1, 5)), 0, 1), np.array([[1.0, 2.0, 3.0]])).tolist()
        [[2.0, 3.0, 2.0, 3.0, 2.0]]
    """

    season: int
    lookback: int

    def fit_joint(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int) -> Any:
        return targets.shape[1]

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        return rows[:, self.lookback - self.season + np.arange(model) % self.season].astype(np.float64)


@dataclass(frozen=True)
class NetworkRegressor(Regressor):
    """A network of `nets`, trained on rows: the squared error, AdamW, a rate that falls to zero as half a cosine.

    Attributes:
        net: its class.
        lookback: columns that are the window; the others are covariates, NaN taken as their mean.
        steps, batch, lr, weight_decay: of training.
    """

    net: type[Forecast]
    lookback: int
    steps: int = 600
    batch: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-4

    def fit_joint(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int) -> Any:
        import torch

        from holdfast.data.batches import Batches
        from holdfast.randomness import derived_seed, seeded
        from holdfast.systems.gbrt_forecasting.arms import half_cosine
        from holdfast.systems.gbrt_forecasting.nets import Regression
        from holdfast.training import fit

        scale = _Scale.of(rows, targets, self.lookback)
        window, covariates = (torch.from_numpy(part) for part in scale.inputs(rows))
        with seeded(derived_seed(seed, "init")):
            make: Callable[..., Forecast] = self.net
            net = make(self.lookback, covariates.shape[1], targets.shape[1])
        scaled = torch.from_numpy((targets / scale.targets).astype(np.float32))
        batches = Batches(
            {"window": window, "covariates": covariates, "target": scaled},
            min(self.batch, len(rows)),
            derived_seed(seed, "batches"),
        )
        learner = Regression(net, self.lr, self.weight_decay)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            fit(learner, batches, steps=self.steps, seed=seed, schedule=half_cosine, clip=1.0, log_every=self.steps)
        finally:
            torch.set_num_threads(before)
        return learner.net.eval(), scale

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        import torch

        net, scale = model
        with torch.no_grad():
            found = net(*(torch.from_numpy(part) for part in scale.inputs(rows)))
        return np.asarray(found.numpy(), np.float64) * scale.targets


@dataclass(frozen=True)
class _Scale:
    """Means and spreads of what was fitted on."""

    lookback: int
    window: tuple[float, float]
    mean: np.ndarray
    spread: np.ndarray
    targets: float

    @classmethod
    def of(cls, rows: np.ndarray, targets: np.ndarray, lookback: int) -> _Scale:
        window = rows[:, :lookback]
        known = np.where(np.isnan(rows[:, lookback:]), 0.0, rows[:, lookback:])
        count = np.maximum((~np.isnan(rows[:, lookback:])).sum(0), 1)
        mean = known.sum(0) / count
        spread = np.sqrt((np.where(np.isnan(rows[:, lookback:]), 0.0, rows[:, lookback:] - mean) ** 2).sum(0) / count)
        return cls(
            lookback,
            (float(window.mean(dtype=np.float64)), float(window.std(dtype=np.float64)) or 1.0),
            mean,
            np.where(spread > 0, spread, 1.0),
            float(targets.std(dtype=np.float64)) or 1.0,
        )

    def inputs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(windows (n, w), covariates (n, M)) float32."""
        window = (rows[:, : self.lookback] - self.window[0]) / self.window[1]
        covariates = (rows[:, self.lookback :] - self.mean) / self.spread
        return window.astype(np.float32), np.nan_to_num(covariates, nan=0.0).astype(np.float32)


@dataclass(frozen=True)
class Contender:
    """A forecaster with its name.

    Attributes:
        name: in tables.
        about: one line.
        forecaster: unfitted.
    """

    name: str
    about: str
    forecaster: WindowForecaster


def contenders(lookback: int, horizon: int, season: int, *, seed: int = 0, steps: int = 600) -> list[Contender]:
    """The forecasters of the comparison, simplest first.

    Args:
        lookback, horizon: w and h.
        season: steps after which series repeat, at most the lookback; 1 = they do not, no seasonal naive forecast then.
        seed: of what is random.
        steps: of the networks' training.

    Example:
        >>> [c.name for c in contenders(12, 6, season=1)]
        ['last value', 'ridge', 'GBRT', 'GBRT, differences', 'DLinear', 'LSTM']
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from holdfast.systems.gbrt_forecasting import nets

    def with_(estimator: Any, strategy: str, **change: Any) -> WindowForecaster:
        return WindowForecaster(
            lookback,
            horizon,
            estimator=estimator,
            strategy=strategy,
            quantiles=QUANTILES,
            random_state=seed,
            **change,
        )

    joint, relative = "multi_output", {"difference": "last", "scaling": "window-mean"}
    ridge = make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha=1.0))
    season = min(season, lookback)
    found = [Contender("last value", "every step is the last value", with_(Repeat(1, lookback), joint, calendar=None))]
    if season > 1:
        about = f"every step is the value {season} steps before it"
        found.append(Contender("seasonal naive", about, with_(Repeat(season, lookback), joint, calendar=None)))
    return [
        *found,
        Contender("ridge", "a linear regression for every step", with_(ridge, joint, **relative)),
        Contender("GBRT", "boosted trees on windows as they are (the paper's)", with_(HistTrees(), "direct")),
        Contender(
            "GBRT, differences",
            "boosted trees on differences from the last value",
            with_(HistTrees(), "direct", **relative),
        ),
        Contender(
            "DLinear",
            "two linear maps, trained as a network",
            with_(NetworkRegressor(nets.DLinear, lookback, steps), joint, **relative),
        ),
        Contender(
            "LSTM",
            "a recurrent network, 32 wide",
            with_(NetworkRegressor(nets.LSTM, lookback, steps), joint, **relative),
        ),
    ]


__all__ = ["QUANTILES", "Contender", "NetworkRegressor", "Repeat", "contenders"]
