"""Meta-predictors: networks trained on a prior, used like the exact predictors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from holdfast.data.batches import Batches
from holdfast.data.symbols import check_alphabet, check_symbols
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.layers.sequence import NETWORKS, Network, Recurrent
from holdfast.layers.sequence.log_probs import network_log_probs
from holdfast.systems.nonstationary_meta.tool.network_stream import NetworkStream
from holdfast.systems.nonstationary_meta.tool.sources import PiecewiseBernoulli
from holdfast.systems.nonstationary_meta.tool.stream import writable
from holdfast.systems.nonstationary_meta.tool.training import MetaTrainer, SourcePrior
from holdfast.validation import check_choice, check_integer, check_positive, is_tensor

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
ROOM, LAYERS = "holdfast.systems.nonstationary_meta", "holdfast.layers"
# What models saved before hold -> where it is now
MOVED = {
    f"{ROOM}.{was}:{name}": f"{now}:{name}"
    for was, now, names in (
        ("meta", f"{ROOM}.tool.training", ("SourcePrior",)),
        ("networks.recurrent", f"{LAYERS}.sequence.recurrent", ("Recurrent",)),
        ("networks.stack_rnn", f"{LAYERS}.sequence.stack_rnn", ("StackRNN",)),
        ("networks.window", f"{LAYERS}.sequence.window", ("WindowMLP",)),
        ("networks.transformer", f"{LAYERS}.sequence.transformer", ("Transformer",)),
        ("networks.context", f"{LAYERS}.sequence.context", ("Everything", "SlidingWindow", "Chunks")),
        ("networks.positions", f"{LAYERS}.positions", ("Positions", "SinCos", "ALiBi", "Relative")),
        ("partitions", f"{ROOM}.method.partitions", ("Static", "PTWPartition", "LINPartition")),
        (
            "partitions",
            f"{ROOM}.tool.partitions",
            ("RegularShift", "RandomShift", "UniformGaps", "NormalGaps", "GeometricGaps"),
        ),
    )
    for name in names
}


class MetaPredictor(Estimator):
    """A network that learns to predict the sequences of a prior, and with that imitates the prior's Bayes mixture.

    Args:
        network: "lstm", "gru", "rnn", "stack_rnn", "transformer", "window_mlp", or settings such as
            `Recurrent("lstm", hidden=256)`.
        source: what it is trained on: a `SourcePrior`, or a name ("ptw", "lin", ...) for sequences of 32 symbols.
        alphabet: number of symbols. More than two need sequences of one's own: `fit(X)`.
        steps: optimiser steps, each on fresh sequences.
        batch: sequences per step.
        lr: of Adam; falls to 0 along half a cosine.
        clip: largest global norm of the gradient.
        chunk: symbols per chunk of truncated backpropagation; None = through whole sequences.
        context: predict from that many symbols at most, the start token counted; None = from all that came before.
        precision: "32-true", "bf16-mixed" or "16-mixed" (CUDA only), of training.
        device: "auto" (CUDA if there is one), "cpu", "cuda", ...
        seed: of weights and sequences.

    Attributes:
        network_: the trained network.
        history_: name -> (steps, values) of the loss (nats per symbol) and "bits per symbol".

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import MetaPredictor, Recurrent, SourcePrior
        >>> model = MetaPredictor(Recurrent("gru", hidden=8), SourcePrior("ptw", 8), steps=5, batch=4).fit()
        >>> model.predict_log_proba(np.array([[0, 1, 1, 1]])).shape
        (1, 4, 2)
    """

    moved = MOVED
    tags: ClassVar[Tags] = Tags(arrays=(), outputs=("predict_log_proba", "predict_proba"), tolerance=1e-5)

    def __init__(
        self,
        network: str | Network = "lstm",
        source: str | SourcePrior = "ptw",
        alphabet: int = 2,
        steps: int = 2000,
        batch: int = 64,
        lr: float = 3e-3,
        clip: float = 1.0,
        chunk: int | None = None,
        context: int | None = None,
        precision: str = "32-true",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.network, self.source, self.alphabet = network, source, alphabet
        self.steps, self.batch, self.lr, self.clip = steps, batch, lr, clip
        self.chunk, self.context = chunk, context
        self.precision, self.device, self.seed = precision, device, seed

    @classmethod
    def from_source(cls, source: PiecewiseBernoulli | SourcePrior | str, **settings: Any) -> Self:
        """A predictor trained on sequences like those of a source.

        Args:
            source: a source, whose kind, length and Beta distribution are taken; or what `source` may be.
            settings: other arguments of the class.
        """
        if isinstance(source, PiecewiseBernoulli):
            source = SourcePrior(source.partition, source.T, source.beta)
        return cls(source=source, **settings).fit()

    # -------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        X: Any = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train.

        Args:
            X: sequences of one's own, whole numbers `(N, T)`, to train on in place of the source's; N at least `batch`.
            progress: called with (steps done, steps).
            checkpoint: folder for the state of the training; the same call continues from it.

        Raises:
            InputError: an argument breaks a rule; it is named, and nothing has been learned.
            Diverged: the loss became NaN or infinite.
        """
        self._check_settings()
        trained = MetaTrainer(
            self._network(),
            self._prior(),
            steps=self.steps,
            batch=self.batch,
            lr=self.lr,
            clip=self.clip,
            chunk=self.chunk,
            precision=self.precision,
        ).train(
            seed=self.seed,
            batches=None if X is None else self._rows(X),
            alphabet=self.alphabet,
            device=self._device(),
            checkpoint=None if checkpoint is None else str(checkpoint),
            on_step=progress,
        )
        learner: Any = trained.learner
        self._forget()
        self.network_, self.history_ = learner.net, trained.history
        return self

    def _check_settings(self) -> None:
        check_alphabet(self.alphabet)
        for name in ("steps", "batch"):
            check_integer(getattr(self, name), name, low=1)
        for name in ("chunk", "context"):
            if getattr(self, name) is not None:
                check_integer(getattr(self, name), name, low=1)
        for name in ("lr", "clip"):
            check_positive(getattr(self, name), name)
        check_integer(self.seed, "seed", low=0)
        check_choice(self.precision, PRECISIONS, "precision")

    def _network(self) -> Network:
        if isinstance(self.network, Network):
            return self.network
        return NETWORKS[check_choice(self.network, list(NETWORKS), "network")]

    def _prior(self) -> SourcePrior:
        return self.source if isinstance(self.source, SourcePrior) else SourcePrior(self.source, 32)

    def _rows(self, X: Any) -> Batches:
        checked = check_symbols(X, self.alphabet, name="X")
        x = checked if is_tensor(checked) else torch.from_numpy(writable(checked))
        if len(x) < self.batch or x.shape[1] == 0:
            rule = f"must hold at least batch = {self.batch} sequences of at least 1 symbol"
            raise InputError("X", rule, f"shape {tuple(x.shape)}")
        return Batches({"x": x.cpu()}, self.batch, self.seed)

    def _build(self) -> Mapping[str, Any]:
        return {"network_": self._network().build(self.alphabet)}

    def _device(self) -> str:
        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    # ----------------------------------------------------------------------------------------------------- predicting
    @property
    def name(self) -> str:
        """What tables and figures call it."""
        network = self.network if isinstance(self.network, str) else getattr(self.network, "cell", None)
        return f"meta {network or type(self.network).__name__.lower()}"

    def predict_log_proba(self, X: Any, progress: Callable[[int, int], None] | None = None) -> Any:
        """log P(x_t = s | x_<t), float64 `(B, T, A)`, for whole numbers X `(B, T)`; of the kind of X.

        Raises:
            NotFitted: before `fit`.
            SymbolTypeError, InputError: X holds no whole numbers, or symbols outside the alphabet.
        """
        self.check_fitted()
        return network_log_probs(self.network_.to(self._device()), X, context=self.context, on_step=progress)

    def log_probs(self, x: Any) -> Any:
        """The same, under the name that exact predictors have for it."""
        return self.predict_log_proba(x)

    def predict_proba(self, X: Any) -> Any:
        """P(x_t = s | x_<t), `(B, T, A)`."""
        log_probs = self.predict_log_proba(X)
        return np.exp(log_probs) if isinstance(log_probs, np.ndarray) else log_probs.exp()

    def stream(self) -> NetworkStream:
        """A stream that has seen nothing: `log_prob()`, `update(symbol)`, `log_marginal`, as exact predictors have it.

        Raises:
            InputError: the predictor has a `context`, which streams do not cut to.
        """
        self.check_fitted()
        if self.context is not None:
            raise InputError("context", "must be None to predict a stream; or use networks with a SlidingWindow")
        return NetworkStream(self.network_.to(self._device()))

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        settings = {
            "network": Recurrent("gru", hidden=8),
            "source": SourcePrior("ptw", 8),
            "steps": 3,
            "batch": 4,
            "device": "cpu",
        }
        return Example({"X": rng.integers(0, 2, (8, 6))}, rng.integers(0, 2, (4, 5)), settings)


__all__ = ["MetaPredictor"]
