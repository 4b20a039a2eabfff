"""Training with weights on the cases of a batch: the learner around the rules of `baselines.robust`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.baselines.robust import GroupDROLoss
from holdfast.training.learner import Learner

Reduce = Callable[[Tensor, Mapping[str, Tensor]], Tensor]


def mean_loss(losses: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Empirical risk minimisation: every case counts the same."""
    return losses.mean()


def row_weights(losses: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Weights that rows bring along as "weight", with mean 1 over the training set: class-balanced, JTT."""
    return (batch["weight"] * losses).mean()


@dataclass(frozen=True)
class WorstCase:
    """The loss under the worst weights of a rule: `WorstCase(cvar_weights, 0.2)`, a ball's weights and its radius."""

    rule: Callable[[Tensor, float], Tensor]
    amount: float

    def __call__(self, losses: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return (self.rule(losses, self.amount) * losses).sum()


class KnownGroups(nn.Module):
    """Group DRO with the groups that rows bring along as "group"."""

    def __init__(self, num_groups: int, eta: float = 0.1) -> None:
        super().__init__()
        self.loss = GroupDROLoss(num_groups, eta)

    def forward(self, losses: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """The weighted loss, of shape ()."""
        weighted: Tensor = self.loss(losses, batch["group"])
        return weighted


class ReweightedERM(Learner):
    """Cross-entropy of each case of a batch ("x", "y"), made one number by `reduce`; AdamW.

    Args:
        net: inputs to logits (n, K).
        reduce: from losses (n,) and the batch to a scalar.
        lr, weight_decay: of AdamW.

    Example:
        >>> from holdfast.baselines.robust import cvar_weights
        >>> learner = ReweightedERM(nn.Linear(2, 3), WorstCase(cvar_weights, 0.5))
        >>> batch = {"x": torch.zeros(4, 2), "y": torch.tensor([0, 1, 2, 0])}
        >>> learner.loss(batch, torch.Generator())[0].ndim
        0
    """

    def __init__(self, net: nn.Module, reduce: Reduce = mean_loss, lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__()
        self.net, self.reduce, self.lr, self.weight_decay = net, reduce, lr, weight_decay

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.AdamW(self.net.parameters(), lr=self.lr, weight_decay=self.weight_decay)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        losses = F.cross_entropy(self.net(batch["x"]), batch["y"], reduction="none")
        return self.reduce(losses, batch), {"mean loss": losses.detach().mean()}


__all__ = ["KnownGroups", "Reduce", "ReweightedERM", "WorstCase", "mean_loss", "row_weights"]
