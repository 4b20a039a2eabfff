"""Meta-training: a network learns to predict by log-loss on many sampled sources, and becomes their Bayes mixture.

Per step a batch of fresh sequences is drawn; the network reads a start token and x_1 ... x_{T-1} and minimises the mean
of -log p(x_t | x_<t) over all T symbols (arXiv 2302.03067, section 3). Adam, gradients clipped to global norm 1 before
it, states start at zero for every sequence.

Differences from the published code: the first symbol is scored too; the learning rate may follow a schedule; with
truncated backpropagation all symbols weigh the same, also where the last chunk is shorter than the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.layers.sequence import SequenceNet, detached, start_first
from holdfast.training.learner import Learner, Minimise, Parts


class MetaLearner(Learner):
    """Log-loss of a network on batches of sequences {"x": int64 (B, T)}.

    Args:
        net: the network.
        lr: of Adam.

    Example:
        >>> import torch
        >>> from holdfast.layers.sequence import Recurrent
        >>> learner = MetaLearner(Recurrent("gru", hidden=8).build())
        >>> loss, parts = learner.loss({"x": torch.randint(0, 2, (4, 8))}, torch.Generator())
        >>> loss.requires_grad, sorted(parts)
        (True, ['bits per symbol'])
    """

    def __init__(self, net: SequenceNet, lr: float = 3e-3) -> None:
        super().__init__()
        self.net, self.lr = net, lr

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.parameters(), lr=self.lr, fused=True)]

    def loss(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        """Mean of -log p(x_t | x_<t) over all symbols, in nats; the parts have it in bits."""
        x = batch["x"]
        loss = cross_entropy(self.net.read(x), x)
        return loss, {"bits per symbol": loss.detach() / math.log(2)}


class TruncatedMetaLearner(MetaLearner):
    """`MetaLearner` with truncated backpropagation: gradients end at the borders of chunks, states are carried over.

    One step of the optimiser still follows the whole sequence; its gradient is the mean over all symbols of the
    gradients within their chunks. Memory is that of one chunk.

    Args:
        net, lr: as in `MetaLearner`.
        chunk: symbols per chunk.
    """

    def __init__(self, net: SequenceNet, lr: float = 3e-3, *, chunk: int) -> None:
        super().__init__(net, lr)
        self.chunk = chunk

    def step(self, batch: dict[str, Tensor], rng: torch.Generator, minimise: Minimise) -> Parts:
        """One step of the optimiser, chunk by chunk."""
        x = batch["x"]
        state, total = None, x.new_zeros((), dtype=torch.float32)
        tokens = start_first(x, self.net.alphabet)
        for read, scored in zip(tokens.split(self.chunk, dim=1), x.split(self.chunk, dim=1), strict=True):
            logits, state = self.net(read, state)
            share = cross_entropy(logits, scored) * (scored.shape[1] / x.shape[1])
            minimise.backward(share)
            state, total = detached(state), total + share.detach()
        minimise.update()
        return {"loss": total, "bits per symbol": total / math.log(2)}


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Mean negative log-likelihood of symbols x `(B, T)` under logits `(B, T, A)`."""
    return F.cross_entropy(logits.float().flatten(0, 1), x.flatten())


def cosine_to_zero(progress: float) -> float:
    """Factor of the learning rate: 1 at the start, half a cosine down to 0 at the end."""
    return 0.5 + 0.5 * math.cos(math.pi * progress)


__all__ = ["MetaLearner", "TruncatedMetaLearner", "cosine_to_zero", "cross_entropy"]
