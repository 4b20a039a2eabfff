"""What trials of the experiment share (stages), and what they measure on sampled sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from holdfast.layers.sequence import Network, SequenceNet
from holdfast.systems.nonstationary_meta.tool.predictors import LINPredictor, PTWPredictor
from holdfast.systems.nonstationary_meta.tool.regret import excess_regret, expected_regret
from holdfast.systems.nonstationary_meta.tool.sources import PiecewiseBernoulli
from holdfast.systems.nonstationary_meta.tool.training import MetaTrainer, SourcePrior


# ----------------------------------------------------------------------------------------------------------- stages
def train_network(
    network: Network,
    prior: SourcePrior,
    steps: int,
    batch: int,
    lr: float,
    schedule: Callable[[float], float] | None,
    seed: int,
    device: str,
) -> dict[str, Tensor]:
    """Weights of a network trained on a prior: a stage, so that all problems that use the network share it."""
    trainer = MetaTrainer(network, prior, steps=steps, batch=batch, lr=lr, schedule=schedule)
    learner: Any = trainer.train(seed=seed, device=device).learner
    return dict(learner.net.state_dict())


def with_weights(network: Network, weights: dict[str, Tensor], device: str) -> SequenceNet:
    """The network with trained weights, in evaluation mode."""
    net = network.build()
    net.load_state_dict(weights)
    return net.to(device).eval()


def draw_sequences(kind: str, length: int, rows: int, seed: int) -> dict[str, np.ndarray]:
    """Sequences of a source and what the exact mixtures predict on them: a stage, the same for all arms.

    Returns:
        x int64 `(B, T)`, theta float64 `(B, T)`, and log-probabilities "ptw" and "lin" float64 `(B, T, 2)`.
    """
    x, theta = PiecewiseBernoulli(kind, length, generator=seed).sample(rows)
    return {"x": x, "theta": theta, "ptw": PTWPredictor().log_probs(x), "lin": LINPredictor().log_probs(x)}


# --------------------------------------------------------------------------------------------------------- measuring
@dataclass(frozen=True)
class Judged:
    """A predictor's log-probabilities on sampled sequences, beside those of two Bayes mixtures.

    Attributes:
        log_probs: of the predictor, `(B, T, 2)`.
        optimum: of the mixture over the prior that the sequences come from.
        imitated: of the mixture over the prior that the predictor was trained on.
        theta: `(B, T)`.
    """

    log_probs: np.ndarray
    optimum: np.ndarray
    imitated: np.ndarray
    theta: np.ndarray

    def regret(self) -> np.ndarray:
        """Mean cumulative regret `(T,)`, nats."""
        return np.cumsum(expected_regret(self.log_probs, self.theta).mean(0))

    def excess(self) -> np.ndarray:
        """Mean cumulative regret above that of the optimum `(T,)`, nats."""
        return np.cumsum(excess_regret(self.log_probs, self.optimum, self.theta).mean(0))

    def imitation_error(self) -> float:
        """Mean |p(1) - p_optimum(1)| over all predictions."""
        return distance(self.log_probs, self.optimum)

    def log_odds_correlation(self) -> float:
        """Pearson correlation with the log-odds of the optimum over all predictions; 0 if they are all the same."""
        mine = log_odds(self.log_probs)
        return float(np.corrcoef(mine, log_odds(self.optimum))[0, 1]) if np.ptp(mine) > 0 else 0.0

    def leaning(self) -> float:
        """How much nearer the predictions are to the mixture of its own prior than to that of the data's prior."""
        return distance(self.log_probs, self.optimum) - distance(self.log_probs, self.imitated)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of two predictors' probabilities of a 1; log-probabilities `(B, T, 2)` each."""
    return float(np.abs(np.exp(a[..., 1]) - np.exp(b[..., 1])).mean())


def log_odds(log_probs: np.ndarray) -> np.ndarray:
    """log p(1) / p(0) of all predictions in one row; log-probabilities `(B, T, 2)`."""
    return np.asarray(log_probs[..., 1] - log_probs[..., 0]).ravel()


__all__ = ["Judged", "distance", "draw_sequences", "log_odds", "train_network", "with_weights"]
