"""Networks as regressors of windows, trained for as many steps as fit into a given CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.baselines.forecasting.scaling import WindowScaling
from holdfast.regressors.base import Regressor

if TYPE_CHECKING:
    import torch

    from holdfast.baselines.forecasting.networks import Forecast
    from holdfast.training import Best

FEWEST, MOST = 300, 20_000  # steps of training: below, networks learn next to nothing; beyond, they are at their end
WARM_UP, TIMED = 20, 100  # steps that are not timed, and that are
HELD_OUT = 0.1  # share of the windows, the latest, that the weights are chosen on
CHECKS = 20  # times in a training that they are looked at
MOST_CHECKED = 2000  # windows that are looked at each time


@dataclass(frozen=True)
class NetworkRegressor(Regressor):
    """A network of `networks`, trained on rows; see `training`.

    Where it is known when windows end, the latest tenth is left out of training, the error there is looked at twenty
    times, and the best weights of these are kept: long training does not spoil them.

    Attributes:
        net: its class.
        lookback: columns that are the window; the others are covariates, NaN taken as their mean.
        steps, batch, lr, weight_decay: of training.
        device: where it is trained and forecasts.
    """

    net: type[Forecast]
    lookback: int
    steps: int = 600
    batch: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-4
    device: str = "cpu"

    def several(self) -> bool:
        return True

    def fit_joint(
        self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, when: np.ndarray | None = None
    ) -> Any:
        import torch

        from holdfast.training import Best

        trains, checks = (slice(None), None) if when is None else latest(when, targets.shape[1])
        scaling = WindowScaling(rows[trains], self.lookback, targets=targets[trains])

        def tensors(part: Any) -> dict[str, torch.Tensor]:
            parts = (*scaling.inputs(rows[part]), scaling.targets(rows[part], targets[part]))
            return dict(zip(("window", "covariates", "target"), map(torch.from_numpy, parts), strict=True))

        keep = None
        if checks is not None:
            looked_at = tensors(checks)
            every = max(1, self.steps // CHECKS)
            keep = Best(every, lambda learner: learner.loss(looked_at, None)[0], higher_is_better=False)
        best = self._train(tensors(trains), seed, threads, self.steps, keep=keep)
        return best.net, scaling

    def seconds_per_step(self, covariates: int, horizon: int, threads: int = 1) -> float:
        """CPU seconds of a step of training on rows with so many covariates, after a warm-up, on noise."""
        import torch

        noise = torch.Generator().manual_seed(0)
        sizes = {"window": self.lookback, "covariates": covariates, "target": horizon}
        drawn = {name: torch.randn(4 * self.batch, size, generator=noise) for name, size in sizes.items()}
        clock: list[float] = []

        def look(done: int, of: int) -> None:
            if done in (WARM_UP, WARM_UP + TIMED):
                clock.append(time.process_time())

        self._train(drawn, 0, threads, WARM_UP + TIMED, on_step=look)
        return (clock[1] - clock[0]) / TIMED

    def _train(
        self,
        tensors: dict[str, torch.Tensor],
        seed: int,
        threads: int,
        steps: int,
        *,
        keep: Best | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Any:
        """The best learner."""
        from holdfast.baselines.forecasting.training import train_network
        from holdfast.devices import torch_threads
        from holdfast.randomness import derived_seed

        with torch_threads(threads):
            trained = train_network(
                self.net,
                tensors,
                steps=steps,
                batch=self.batch,
                lr=self.lr,
                weight_decay=self.weight_decay,
                seed=partial(derived_seed, seed),
                device=self.device,
                keep=keep,
                on_step=on_step,
            )
        return trained.best

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        import torch

        net, scaling = model
        with torch.no_grad():
            found = net(*(torch.from_numpy(part).to(self.device) for part in scaling.inputs(rows)))
        return np.asarray(scaling.back(found.cpu().numpy().astype(np.float64), rows))


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


__all__ = ["FEWEST", "MOST", "NetworkRegressor", "latest", "steps_within"]
