"""Training under a mask with the house's loop, from any step of one schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.baselines.pruning import gradual_density, keep_largest
from holdfast.data.batches import Batches
from holdfast.randomness import derived_seed
from holdfast.systems.lottery_ticket.method import MaskDict
from holdfast.training import fit
from holdfast.training.inference import forward_in_batches
from holdfast.training.learner import Learner
from holdfast.training.optim import sgd

Loss = Callable[[Tensor, Tensor], Tensor]


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
        density: step -> share of the mask's weights that are kept from then on, by magnitude; None = the mask stays.
    """

    def __init__(
        self,
        net: nn.Module,
        mask: MaskDict,
        training: MaskedTraining,
        loss: Loss = F.cross_entropy,
        density: Callable[[int], float] | None = None,
    ) -> None:
        super().__init__()
        self.net, self.mask, self.training_settings = net, mask, training
        self.of_outputs, self.density, self.done = loss, density, 0
        mask.apply_(net)

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return self.of_outputs(self.net(batch["x"]), batch["y"]), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        s = self.training_settings
        optimizer = sgd(self.net, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)
        if s.momentum:  # a pruned weight's gradient must not wait in the momentum
            for name in self.mask:
                self.net.get_parameter(name).register_hook(lambda g, name=name: g * self.mask[name].to(g.device))
        return [optimizer]

    def after_step(self) -> None:
        self.done += 1
        if self.density is not None:
            sizes = {n: self.net.get_parameter(n).abs().cpu() for n in self.mask}
            self.mask = MaskDict(keep_largest(sizes, self.density(self.done)))
        for name, kept in self.mask.items():
            parameter = self.net.get_parameter(name)
            parameter.mul_(kept.to(parameter.device))


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
    density: Callable[[int], float] | None = None,
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
        loss, density: as in `MaskedLearner`.

    Returns:
        The mask at the end (another than `mask` where `density` is given).
    """
    stop = training.steps if stop is None else stop
    batches = Batches(dict(data), size=min(training.batch, len(data["x"])), seed=derived_seed(seed, "batches"))
    state = batches.state_dict()
    batches.load_state_dict({**state, "epoch": start // len(batches), "batch": start % len(batches)})
    learner = MaskedLearner(net, mask, training, loss, density)
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


def gradual(training: MaskedTraining, density: float, begin: float = 0.1, end: float = 0.8) -> Callable[[int], float]:
    """The cubic schedule of gradual pruning between two shares of the training."""
    first, last = round(begin * training.steps), round(end * training.steps)
    return lambda step: gradual_density(step, first, last, density)


def error_rate(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of wrong answers, in [0, 1]."""
    return float((forward_in_batches(net, x).argmax(1) != y).float().mean())


__all__ = ["MaskedLearner", "MaskedTraining", "error_rate", "gradual", "train_masked"]
