"""What a system writes to be trained: a `Learner`, and the `Minimise` that its steps are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.errors import InputError
from holdfast.training.distributed import average_gradients
from holdfast.training.history import History

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Parts = Mapping[str, Tensor | float]


class Learner(nn.Module, ABC):
    """What a system trains: a module that knows the loss of a batch. Its whole state is its `state_dict()`.

    Attributes:
        progress: share of the run that is over, in [0, 1]; set before every step (0 in the first).

    Example:
        >>> from holdfast.data.batches import Batches
        >>> from holdfast.training import EMA, fit
        >>> class Regression(Learner):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.net = nn.Linear(3, 1)
        ...     def loss(self, batch, rng):
        ...         return (self.net(batch["x"]) - batch["y"]).square().mean(), {}
        >>> x = torch.randn(64, 3)
        >>> trained = fit(Regression(), Batches({"x": x, "y": x.sum(1, keepdim=True)}, size=16), steps=60, ema=EMA())
        >>> bool((trained.averaged.net.weight - 1).abs().max() < 0.1)
        True
    """

    progress: float = 0.0

    @abstractmethod
    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        """The loss of a batch, and named numbers to record (tensors are fetched later, so never call `.item()`).

        Args:
            batch: tensors on the device, keys as the source of batches gives them.
            rng: generator on the device; draw from it, and every run with the same seed is the same.
        """

    def optimizers(self) -> list[Optimizer]:
        """The optimisers, asked for once, after the learner is on its device. Default: SGD 0.03, momentum 0.9."""
        return [torch.optim.SGD((p for p in self.parameters() if p.requires_grad), lr=0.03, momentum=0.9)]

    def step(self, batch: dict[str, Tensor], rng: torch.Generator, minimise: Minimise) -> Parts:
        """Learn from a batch. Override where several players have losses of their own, see `Minimise`."""
        loss, parts = self.loss(batch, rng)
        minimise(loss)
        return {"loss": loss, **parts}

    def after_step(self) -> None:
        """After every step of the optimisers, without gradients: masks of pruned weights, momentum encoders, queues."""

    def before_epoch(self, data: Any) -> None:
        """Before the first batch of a pass, without gradients: relabel, cluster. `data` is the source of batches."""


class Minimise:
    """One step down a loss: gradients (averaged over processes), clipping, optimiser.

    `minimise(loss)` moves all optimisers. A learner with several players names the one that a loss is for, by its
    index in `optimizers()`, and no other's parameters get a gradient:

        minimise(discriminator_loss, player=1)
        minimise(generator_loss, player=0)

    `minimise.backward(loss)` and `minimise.update()` are its two halves, for methods that work on the gradients
    (`p.grad`) in between. Gradients stay until the next `backward` of the same player.
    """

    def __init__(
        self, fabric: Fabric, optimizers: Sequence[Optimizer], history: History, clip: float | None, accumulate: int
    ) -> None:
        self._strategy, self._backward, self._processes = fabric.strategy, fabric.backward, fabric.world_size
        self._optimizers, self._history = list(optimizers), history
        self._clip, self._accumulate = clip, accumulate
        # Steps run under autocast, gradients must not. Its cache of cast weights is out of date once weights change.
        self._mixed = fabric.device.type if hasattr(fabric.strategy.precision, "scaler") else None
        self._used = set(range(len(self._optimizers)))  # optimisers whose gradients have served
        self.step, self.last = 0, True  # set by the loop: the step (from 1); whether this batch completes it

    def __call__(self, loss: Tensor, player: int | None = None) -> None:
        self.backward(loss, player)
        self.update(player)

    def backward(self, loss: Tensor, player: int | None = None, retain_graph: bool = False) -> None:
        """Add the gradients of a scalar loss to those of the player's parameters (None: of all).

        Raises:
            Diverged: the loss is NaN or infinite (found here on the CPU, at most `log_every` steps later elsewhere).
        """
        if loss.ndim:
            raise InputError("loss", "must be a scalar", f"shape {tuple(loss.shape)}")
        self._history.watch(self.step, loss)
        for i in self._players(player):
            if i in self._used:
                self._optimizers[i].zero_grad()
                self._used.remove(i)
        inputs = None if player is None else [p for p in self._parameters(player) if p.requires_grad]
        with self._outside_autocast():
            if self._accumulate > 1:
                loss = loss / self._accumulate
            self._backward(loss, inputs=inputs, retain_graph=retain_graph)

    def update(self, player: int | None = None) -> None:
        """Let the player's optimiser (None: all) take its step; nothing while a step still accumulates batches."""
        if not self.last:
            return
        if self._processes > 1:
            average_gradients(self._parameters(player))
        chosen = self._players(player)
        if self._clip is not None:
            for i in chosen:
                self._strategy.precision.unscale_gradients(self._optimizers[i])
            nn.utils.clip_grad_norm_(self._parameters(player), self._clip)
        scaler = getattr(self._strategy.precision, "scaler", None)
        for i in chosen:  # Fabric would adapt the scale between two optimisers, whose gradients share one
            step = self._strategy.optimizer_step if scaler is None else scaler.step
            step(self._optimizers[i])
        if scaler is not None:
            scaler.update()
        self._used.update(chosen)
        if self._mixed:
            torch.clear_autocast_cache()

    def _players(self, player: int | None) -> Sequence[int]:
        return range(len(self._optimizers)) if player is None else (player,)

    def _parameters(self, player: int | None) -> list[nn.Parameter]:
        optimizers = [self._optimizers[i] for i in self._players(player)]
        return [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]

    def _outside_autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self._mixed, enabled=False) if self._mixed else nullcontext()


__all__ = ["Learner", "Minimise", "Parts"]
