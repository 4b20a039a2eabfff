"""Who predicts: the exact mixtures, counts of one's own, and networks that were trained on a prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from holdfast.experiment import Arm, Run, Scale
from holdfast.layers.positions import ALiBi, Relative, SinCos
from holdfast.layers.sequence import Chunks, Network, Recurrent, SlidingWindow, StackRNN, Transformer, WindowMLP
from holdfast.layers.sequence.log_probs import network_log_probs
from holdfast.systems.nonstationary_meta.experiment.judged import train_network, with_weights
from holdfast.systems.nonstationary_meta.method.meta_learning import cosine_to_zero
from holdfast.systems.nonstationary_meta.problems import FROM_PTW, Series
from holdfast.systems.nonstationary_meta.tool.predictors import (
    DecayedKTPredictor,
    KTPredictor,
    LINPredictor,
    PTWPredictor,
    WindowKTPredictor,
)
from holdfast.systems.nonstationary_meta.tool.training import SourcePrior


@dataclass(frozen=True)
class Budget(Scale):
    """Training and testing.

    Attributes:
        steps, batch, length: optimiser steps, sequences per step, symbols per training sequence.
        sequences: test sequences, and as many again for tuning.
        schedule: of the learning rate.
        lr: the learning rate of all networks, in place of the tuned ones; None = tuned.
        width, layers: of all networks; None = as the arms have them.
    """

    steps: int = 1500
    batch: int = 32
    length: int = 32
    sequences: int = 2000
    schedule: Callable[[float], float] | None = field(default=cosine_to_zero)
    lr: float | None = None
    width: int | None = None
    layers: int = 1


@dataclass(frozen=True)
class Exact:
    """An arm that computes its predictions.

    Attributes:
        predictor: what `holdfast.systems.nonstationary_meta.tool.predictors` has.
    """

    predictor: Any

    def log_probs(self, run: Run[Any, Any, Budget], x: np.ndarray) -> np.ndarray:
        """`(B, T, 2)` on sequences `(B, T)`."""
        return np.asarray(self.predictor.log_probs(x))


@dataclass(frozen=True)
class Trained:
    """An arm that learns to predict.

    Attributes:
        network: settings of the network.
        lr: of Adam.
        windowed: on real series, predict each symbol from a window as long as the training sequences, as the network is
            of no use beyond them; recurrent networks read the whole series.
    """

    network: Network
    lr: float = 3e-3
    windowed: bool = False

    def log_probs(self, run: Run[Any, Any, Budget], x: np.ndarray) -> np.ndarray:
        """`(B, T, 2)` on sequences `(B, T)`, by the network of this replicate; trained if it has not been yet."""
        scale = run.scale
        network = self.network if scale.width is None else self.network.sized(scale.width, scale.layers)
        weights = run.stage(
            f"{run.arm_name} trained",
            train_network,
            network=network,
            prior=SourcePrior(getattr(run.problem, "trained", "ptw"), scale.length),
            steps=scale.steps,
            batch=scale.batch,
            lr=self.lr if scale.lr is None else scale.lr,
            schedule=scale.schedule,
            seed=run.seed("init"),
            device=run.device,
        )
        context = scale.length if self.windowed and isinstance(run.problem, Series) else None
        return np.asarray(network_log_probs(with_weights(network, weights, run.device), x, context=context))


RATES: Mapping[str, Sequence[Any]] = {"lr": (1e-3, 3e-3, 1e-2, 3e-2)}


def _network(network: Network, about: str, problems: tuple[str, ...] = FROM_PTW, windowed: bool = False) -> Arm:
    return Arm(Trained(network, windowed=windowed), space=RATES, problems=problems, about=about)


def _transformer(about: str, **parts: Any) -> Arm:
    network = Transformer(width=32, layers=2, heads=4, **parts)
    return _network(network, f"transformer, 2 layers of 32, {about}", windowed=True)


ARMS = {
    "static KT": Arm(Exact(KTPredictor()), about="counts of all symbols: the optimum if nothing ever changed"),
    "decayed KT": Arm(
        Exact(DecayedKTPredictor(0.9)),
        space={"predictor": tuple(DecayedKTPredictor(decay) for decay in (0.7, 0.8, 0.9, 0.95))},
        about="counts that are multiplied by a tuned factor with every symbol",
    ),
    "window KT": Arm(
        Exact(WindowKTPredictor(8)),
        space={"predictor": tuple(WindowKTPredictor(window) for window in (4, 6, 8, 16))},
        about="counts of the last few symbols, how many is tuned",
    ),
    "PTW": Arm(Exact(PTWPredictor()), about="exact mixture: the optimum on PTW"),
    "LIN": Arm(Exact(LINPredictor()), about="exact mixture: the optimum on LIN"),
    "LSTM": _network(Recurrent("lstm"), "64 units", (*FROM_PTW, "lin", "lin->ptw")),
    "GRU": _network(Recurrent("gru"), "64 units"),
    "RNN": _network(Recurrent("rnn"), "vanilla, 64 units"),
    "Stack-RNN": _network(StackRNN(), "vanilla RNN, 64 units, one stack of 16 cells of 8 numbers"),
    "transformer, sin/cos": _transformer("sinusoids", positions=SinCos()),
    "transformer, ALiBi": _transformer("ALiBi", positions=ALiBi()),
    "transformer, relative": _transformer("relative positions", positions=Relative()),
    "transformer, window": _transformer("ALiBi, sliding window of 8", context=SlidingWindow(8)),
    "transformer, chunks": _transformer("ALiBi, disjoint chunks of 8", context=Chunks(8)),
    "MLP window": _network(WindowMLP(), "perceptron on the last 5 symbols: no memory beyond", (*FROM_PTW, "lin")),
    "LSTM, other seeds": Arm(
        Trained(Recurrent("lstm")),
        tuned_as="LSTM",
        problems=("ptw",),
        reseed=1,
        about="control: the same on the same test sequences, other weights and training sequences",
    ),
}
COSTLY = ("transformer, relative", "transformer, window", "transformer, chunks")
QUICK = tuple(arm for arm in ARMS if arm not in COSTLY)

__all__ = ["ARMS", "COSTLY", "QUICK", "Budget", "Exact", "Trained"]
