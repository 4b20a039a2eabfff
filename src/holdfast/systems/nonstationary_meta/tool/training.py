"""Meta-training: fresh sequences of a prior for ever, and a trainer with all its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import BatchSource
from holdfast.errors import InputError
from holdfast.layers.sequence import Network, SequenceNet
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.nonstationary_meta.method.meta_learning import MetaLearner, TruncatedMetaLearner, cosine_to_zero
from holdfast.systems.nonstationary_meta.method.partitions import Partition
from holdfast.systems.nonstationary_meta.tool.sources import PiecewiseBernoulli
from holdfast.training import Checkpoints, Trained, fit
from holdfast.validation import check_integer, check_positive


@dataclass(frozen=True)
class SourcePrior:
    """What sequences are drawn from, as settings.

    Attributes:
        kind: of `PiecewiseBernoulli`: a name or a partition.
        length: T, of the sequences; the largest one where lengths vary.
        beta: parameters of the Beta distribution of P(1) in a segment.
        fixed_length: every sequence has T symbols. Otherwise the sequences of a batch have 2^u symbols, u uniform on
            0 ... log2 T, drawn anew for every batch; T is a power of two then.
    """

    kind: str | Partition = "ptw"
    length: int = 256
    beta: tuple[float, float] = (0.5, 0.5)
    fixed_length: bool = True

    def __post_init__(self) -> None:
        length = check_integer(self.length, "length", low=1)
        if not self.fixed_length and length & (length - 1):
            raise InputError("length", "must be a power of two where lengths vary", length)

    def source(self, length: int, seed: int) -> PiecewiseBernoulli:
        """The source of sequences of a length."""
        return PiecewiseBernoulli(self.kind, length, self.beta, seed)

    def draw_length(self, seed: int) -> int:
        """The length of a batch's sequences."""
        if self.fixed_length:
            return self.length
        return 1 << int(np.random.default_rng(seed).integers(self.length.bit_length()))


class SourceBatches(BatchSource):
    """Fresh sequences for ever: {"x": int64 (size, T)}. A batch is a function of seed, position and process alone.

    Args:
        prior: what sequences are drawn from.
        size: sequences per batch, over all processes. Each process draws its share from sources of its own.
        seed: a number.

    Example:
        >>> batches = SourceBatches(SourcePrior("lin", 8), size=4, seed=0)
        >>> next(batches)["x"].shape
        torch.Size([4, 8])
    """

    epoch = 0  # there are no passes over fresh data

    def __init__(self, prior: SourcePrior, size: int, seed: int = 0) -> None:
        self.prior, self.size, self.seed = prior, check_integer(size, "size", low=1), seed
        self._batch, self._rank, self._rows = 0, 0, size

    def __next__(self) -> dict[str, Tensor]:
        length = self.prior.draw_length(derived_seed(self.seed, "length", self._batch))  # equal in all processes
        source = self.prior.source(length, derived_seed(self.seed, "source", self._batch, self._rank))
        self._batch += 1
        return {"x": torch.from_numpy(source.sample(self._rows)[0])}

    def shard(self, rank: int, world: int) -> None:
        if self.size % world:
            raise InputError("size", f"must be a multiple of the number of processes ({world})", self.size)
        self._rank, self._rows = rank, self.size // world

    def state_dict(self) -> dict[str, Any]:
        return {"size": self.size, "seed": self.seed, "batch": self._batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in ("size", "seed"):
            if state[name] != getattr(self, name):
                raise InputError(name, f"must be {state[name]}, as in the run to continue", getattr(self, name))
        self._batch = state["batch"]


@dataclass(frozen=True)
class MetaTrainer:
    """Trains a network to predict sequences of a prior. Defaults are those of a short run; the paper's are
    `lr=1e-4, batch=128, steps=100_000`.

    Attributes:
        network: settings of the network.
        source: the prior.
        steps: optimiser steps, each on fresh sequences.
        batch: sequences per step, over all devices.
        lr: of Adam.
        schedule: progress in [0, 1) -> factor of lr; None = constant.
        clip: largest global norm of the gradient.
        chunk: symbols per chunk of truncated backpropagation; None = through the whole sequence.
        precision: of `holdfast.training.fit`.

    Example:
        >>> from holdfast.systems.nonstationary_meta import MetaTrainer, Recurrent, SourcePrior
        >>> trainer = MetaTrainer(Recurrent("gru", hidden=8), SourcePrior("ptw", 8), steps=3, batch=4)
        >>> trainer.train(seed=0).history["loss"][0]
        [1, 2, 3]
    """

    network: Network
    source: SourcePrior = SourcePrior()
    steps: int = 2000
    batch: int = 64
    lr: float = 3e-3
    schedule: Callable[[float], float] | None = cosine_to_zero
    clip: float = 1.0
    chunk: int | None = None
    precision: str = "32-true"

    def learner(self, net: SequenceNet) -> MetaLearner:
        """The learner around a network."""
        check_positive(self.lr, "lr")
        if self.chunk is not None:
            check_integer(self.chunk, "chunk", low=1)
        return MetaLearner(net, self.lr) if self.chunk is None else TruncatedMetaLearner(net, self.lr, chunk=self.chunk)

    def train(
        self,
        *,
        seed: int = 0,
        batches: BatchSource | None = None,
        alphabet: int = 2,
        device: str = "cpu",
        devices: int = 1,
        checkpoint: str | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Trained:
        """Train from fresh weights.

        Args:
            seed: of weights and sequences.
            batches: other sequences than those of `source`: {"x": int64 (B, T)} for ever.
            alphabet: number of symbols in `batches`.
            device, devices: where; see `holdfast.training.fit`.
            checkpoint: folder for the state, saved ten times in all; the same call continues from it.
            on_step: called with (steps done, steps).

        Returns:
            The trained `MetaLearner` (`.learner.net` is the network) and its history.

        Raises:
            InputError: an argument breaks a rule.
            Diverged: the loss became NaN or infinite.
        """
        with seeded(derived_seed(seed, "init")):
            net = self.network.build(alphabet)
        return fit(
            self.learner(net),
            SourceBatches(self.source, self.batch, derived_seed(seed, "batches")) if batches is None else batches,
            steps=self.steps,
            seed=derived_seed(seed, "fit"),
            schedule=self.schedule,
            clip=self.clip,
            precision=self.precision,
            device=device,
            devices=devices,
            strategy="ddp" if devices > 1 else "auto",
            checkpoints=None if checkpoint is None else Checkpoints(checkpoint, every=max(1, self.steps // 10)),
            on_step=on_step,
            log_every=max(1, self.steps // 40),
        )


__all__ = ["MetaTrainer", "SourceBatches", "SourcePrior"]
