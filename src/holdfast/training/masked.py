"""Training a network under a mask of its weights, from any step of one schedule: for pruning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.layers.weight_masks import MaskDict
from holdfast.randomness import derived_seed
from holdfast.training.inference import forward_in_batches
from holdfast.training.learner import Learner, Minimise, Parts
from holdfast.training.loop import fit
from holdfast.training.optim import sgd

Loss = Callable[[Tensor, Tensor], Tensor]
Remask = Callable[[int, Mapping[str, Tensor]], Mapping[str, Tensor] | None]


@dataclass(frozen=True)
class MaskedTraining:
    """SGD on labelled rows for a fixed number of steps.

    Attributes:
        steps: T, of a whole training.
        batch: rows per step.
        lr, momentum, weight_decay: of SGD; the decay acts on weights of layers only.
        drops: shares of T at which the rate is divided by 10.
    """

    steps: int = 400
    batch: int = 60
    lr: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 0.0
    drops: tuple[float, ...] = ()

    def rate(self, progress: float) -> float:
        """Factor of the rate at a share of the whole training."""
        return 0.1 ** sum(progress >= drop for drop in self.drops)


class MaskedLearner(Learner):
    """A network under a mask: weights that are not kept are 0 after every step and get no gradient.

    Args:
        net: the network; its weights outside the mask are set to 0.
        mask: of its parameters.
        training: settings.
        loss: (outputs, targets) -> scalar.
        remask: (steps done, weights of the mask's names) -> another mask, or None to keep this one; None = never.
    """

    def __init__(
        self,
        net: nn.Module,
        mask: MaskDict,
        training: MaskedTraining,
        loss: Loss = F.cross_entropy,
        remask: Remask | None = None,
    ) -> None:
        super().__init__()
        self.net, self.mask, self.settings = net, mask, training
        self.of_outputs, self.remask, self.done = loss, remask, 0
        self._pairs: list[tuple[nn.Parameter, Tensor]] = []
        mask.apply_(net)

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return self.of_outputs(self.net(batch["x"]), batch["y"]), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        s = self.settings
        self._pairs = self.mask.pairs(self.net)  # by now on the device
        return [sgd(self.net, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)]

    def step(self, batch: dict[str, Tensor], rng: torch.Generator, minimise: Minimise) -> Parts:
        loss, _ = self.loss(batch, rng)
        minimise.backward(loss)
        for parameter, factor in self._pairs:  # or a pruned weight's gradient would wait in the momentum
            if parameter.grad is not None:
                parameter.grad.mul_(factor)
        minimise.update()
        return {"loss": loss}

    def after_step(self) -> None:
        self.done += 1
        if self.remask is not None:
            weights = {name: self.net.get_parameter(name).detach() for name in self.mask}
            if (mask := self.remask(self.done, weights)) is not None:
                self.mask = MaskDict(mask)
                self._pairs = self.mask.pairs(self.net)
        for parameter, factor in self._pairs:
            parameter.mul_(factor)


def train_masked(
    net: nn.Module,
    mask: MaskDict,
    data: Mapping[str, Tensor],
    training: MaskedTraining,
    *,
    seed: int,
    start: int = 0,
    stop: int | None = None,
    loss: Loss = F.cross_entropy,
    remask: Remask | None = None,
    device: str = "cpu",
    on_step: Callable[[int, int], None] | None = None,
) -> MaskDict:
    """Train in place from step `start` until before step `stop` of a training of `training.steps`.

    Order of the batches and schedule are those that the whole training has there; the optimiser starts anew.

    Args:
        net: trained in place.
        mask: of its parameters.
        data: "x" (N, ...) and "y" (N, ...).
        seed: of the order of batches.
        loss, remask: as in `MaskedLearner`.

    Returns:
        The mask at the end (another than `mask` where `remask` is given).
    """
    stop = training.steps if stop is None else stop
    batches = Batches(dict(data), size=min(training.batch, len(data["x"])), seed=derived_seed(seed, "batches"))
    state = batches.state_dict()
    batches.load_state_dict({**state, "epoch": start // len(batches), "batch": start % len(batches)})
    learner = MaskedLearner(net, mask, training, loss, remask)
    steps = stop - start

    def rate(progress: float) -> float:
        return training.rate((start + progress * steps) / training.steps)

    fit(
        learner,
        batches,
        steps=steps,
        seed=derived_seed(seed, "training"),
        schedule=rate if training.drops else None,
        device=device,
        on_step=on_step,
        log_every=max(1, steps),
    )
    net.eval()
    return learner.mask


def error_rate(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of wrong answers, in [0, 1]."""
    return float((forward_in_batches(net, x).argmax(1) != y).float().mean())


__all__ = ["MaskedLearner", "MaskedTraining", "error_rate", "train_masked"]
