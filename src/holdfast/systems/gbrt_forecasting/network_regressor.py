"""Networks as regressors of a forecaster, trained for as many steps as fit into a given CPU time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.systems.gbrt_forecasting.regressors import Regressor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.systems.gbrt_forecasting.nets import Forecast

FEWEST, MOST = 300, 20_000  # steps of training: below, networks learn next to nothing; beyond, they are at their end
WARM_UP, TIMED = 20, 100  # steps that are not timed, and that are
HELD_OUT = 0.1  # share of the windows, the latest, that the weights are chosen on
CHECKS = 20  # times in a training that they are looked at
MOST_CHECKED = 2000  # windows that are looked at each time


@dataclass(frozen=True)
class NetworkRegressor(Regressor):
    """A network of `nets`, trained on rows: the squared error, AdamW, a rate that falls to zero as half a cosine.

    Where it is known when windows end, the latest tenth is left out of training, the error there is looked at twenty
    times, and the best weights of these are kept: long training does not spoil them.

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

    def check_joint(self) -> None:
        """It forecasts all steps at once."""

    def fit_joint(
        self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, when: np.ndarray | None = None
    ) -> Any:
        import torch

        trains, checks = (slice(None), None) if when is None else latest(when, targets.shape[1])
        scale = _Scale.of(rows[trains], targets[trains], self.lookback)

        def tensors(part: Any) -> dict[str, torch.Tensor]:
            window, covariates = (torch.from_numpy(values) for values in scale.inputs(rows[part]))
            scaled = torch.from_numpy((targets[part] / scale.targets).astype(np.float32))
            return {"window": window, "covariates": covariates, "target": scaled}

        kept = _Best(None if checks is None else tensors(checks), max(1, self.steps // CHECKS))
        learner = self._train(tensors(trains), seed, threads, self.steps, kept.look)
        return kept.restored(learner).net.eval(), scale

    def seconds_per_step(self, covariates: int, horizon: int, threads: int = 1) -> float:
        """CPU seconds of a step of training on rows with so many covariates, after a warm-up, on noise."""
        import torch

        noise = torch.Generator().manual_seed(0)
        sizes = {"window": self.lookback, "covariates": covariates, "target": horizon}
        drawn = {name: torch.randn(4 * self.batch, size, generator=noise) for name, size in sizes.items()}
        clock: list[float] = []

        def look(learner: Any, done: int) -> None:
            if done in (WARM_UP, WARM_UP + TIMED):
                clock.append(time.process_time())

        self._train(drawn, 0, threads, WARM_UP + TIMED, look)
        return (clock[1] - clock[0]) / TIMED

    def _train(self, tensors: Any, seed: int, threads: int, steps: int, look: Callable[[Any, int], None]) -> Any:
        """The trained learner; `look` is called with it and the steps done after every step."""
        from holdfast.data.batches import Batches
        from holdfast.randomness import derived_seed, seeded
        from holdfast.systems.gbrt_forecasting.arms import half_cosine
        from holdfast.systems.gbrt_forecasting.nets import Regression
        from holdfast.training import fit

        window, covariates, target = (tensors[name] for name in ("window", "covariates", "target"))
        with seeded(derived_seed(seed, "init")):
            make: Callable[..., Forecast] = self.net
            net = make(window.shape[1], covariates.shape[1], target.shape[1])
        batches = Batches(tensors, min(self.batch, len(window)), derived_seed(seed, "batches"))
        learner = Regression(net, self.lr, self.weight_decay)
        with _torch_threads(threads):
            fit(
                learner,
                batches,
                steps=steps,
                seed=seed,
                schedule=half_cosine,
                clip=1.0,
                log_every=steps,
                on_step=lambda done, of: look(learner, done),
            )
        return learner

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        import torch

        net, scale = model
        with torch.no_grad():
            found = net(*(torch.from_numpy(part) for part in scale.inputs(rows)))
        return np.asarray(found.numpy(), np.float64) * scale.targets


def steps_within(seconds: float, seconds_per_step: float) -> int:
    """Steps of training that take so many CPU seconds, between 300 and 20,000.

    Example:
        >>> steps_within(10.0, 0.002), steps_within(0.1, 0.002), steps_within(1000.0, 0.002)
        (5000, 300, 20000)
    """
    return int(np.clip(seconds / max(seconds_per_step, 1e-9), FEWEST, MOST))


def latest(when: np.ndarray, horizon: int) -> tuple[Any, np.ndarray | None]:
    """(windows to train on, the latest tenth to choose weights on), none of the former's targets among the latter's.

    Args:
        when: (n,) positions of the clock at which windows end.
        horizon: h, steps of their targets.

    Returns:
        Indices or a mask; all and None where less than half of the windows would be left.
    """
    cut = np.quantile(when, 1 - HELD_OUT)
    checks, trains = np.flatnonzero(when > cut), when + horizon <= cut
    if not len(checks) or trains.sum() < len(when) / 2:
        return slice(None), None
    return trains, checks[:: -(-len(checks) // MOST_CHECKED)]


class _Best:
    """The weights with the smallest error on windows that were left out, looked at every so many steps."""

    def __init__(self, tensors: Any, every: int) -> None:
        self.tensors, self.every = tensors, every
        self.error, self.state = float("inf"), None

    def look(self, learner: Any, done: int) -> None:
        import torch

        if self.tensors is None or done % self.every:
            return
        with torch.no_grad():
            error = float(learner.loss(self.tensors, None)[0])
        if error < self.error:
            self.error, self.state = error, copy.deepcopy(learner.state_dict())

    def restored(self, learner: Any) -> Any:
        if self.state is not None:
            learner.load_state_dict(self.state)
        return learner


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


__all__ = ["FEWEST", "MOST", "NetworkRegressor", "latest", "steps_within"]
