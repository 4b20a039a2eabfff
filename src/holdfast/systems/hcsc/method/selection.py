"""Which negatives a query keeps, and the loss over them (sections 3.3 and 3.4).

Symbols: queries q and keys k (B, D), queue z (Q, D), prototypes C^l (M_l, D) with temperatures phi^l, T.

Differences from the reference code, which `mask_mode="zero"` and `negatives="batch"` bring back:
- A dropped negative is left out of the sum, as in the paper. There its logit is set to 0: it stays with weight 1.
- A query's negative prototypes are all but its own. There they are all but those of any query in the batch, and the
  prototype with the last number is never one.
Instance losses are summed over levels, prototype losses averaged, as there; `instance_reduction="mean"` averages both.
The reference goes on without any selection where an error occurs in it; here errors are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.losses.contrastive import contrast
from holdfast.systems.hcsc.method.prototypes import PrototypeTree
from holdfast.validation import check_array, check_choice, check_positive

SMALLEST_PHI = 1e-3
MOST_KEPT, LEAST_KEPT = 0.999, 1e-4
COLD = 0.05  # temperature down to which exponentials of cosines over it are far from 0 in float32


def responsibilities(z: Tensor, tree: PrototypeTree, level: int) -> Tensor:
    """(Q, M_l): softmax over the prototypes c of a level of z . C_c / max(phi_c, 1e-3). z has rows of length 1."""
    return (z @ tree.prototypes[level].T / tree.temperatures[level].clamp_min(SMALLEST_PHI)).softmax(1)


def kept(z: Tensor, tree: PrototypeTree, level: int) -> Tensor:
    """(M_l, Q): one minus each prototype's share in each queue item, within [0, .999]."""
    return (1 - responsibilities(z, tree, level).T).clamp(0, MOST_KEPT)


@torch.no_grad()
def instance_keep_prob(queue: Tensor, tree: PrototypeTree, level: int, pos: Tensor) -> Tensor:
    """The probability (B, Q) with which query i keeps the queue's item j: low where both belong to one prototype.

    Args:
        queue: (Q, D), rows of length 1; level: from 0, fine, to L - 1; pos: (B,) the queries' prototypes there.

    Example:
        >>> from holdfast.systems.hcsc import hierarchical_kmeans
        >>> x = torch.eye(4)
        >>> tree = hierarchical_kmeans(x, (3, 2))
        >>> p = instance_keep_prob(x, tree, 0, tree.assign[0])
        >>> bool(p[0, 0] < p[0, tree.assign[0] != tree.assign[0][0]].min())
        True
    """
    return kept(queue, tree, level)[pos]


@torch.no_grad()
def prototype_keep_prob(tree: PrototypeTree, level: int, pos: Tensor) -> Tensor:
    """The probability (B, M_l) with which query i keeps prototype c' as a negative: low where they share a parent.

    The last level has no parents: 1 everywhere. A query's own prototype is no negative, whatever stands there.
    """
    if level == len(tree) - 1:
        return torch.ones(len(pos), len(tree.prototypes[level]), device=pos.device)
    shares = responsibilities(tree.prototypes[level], tree, level + 1)
    return (1 - shares[:, tree.parent[level][pos]].T).clamp(LEAST_KEPT, MOST_KEPT)


Instances = Callable[[Tensor, PrototypeTree, int, Tensor], Tensor]
Prototypes = Callable[[PrototypeTree, int, Tensor], Tensor]


class HCSCLoss(nn.Module):
    """InfoNCE over the selected items of the queue plus prototypical InfoNCE over the selected prototypes.

    Args:
        T: temperature of the instances; the prototypes have their own.
        mask_mode: "exclude" leaves dropped negatives out; "zero" sets their logits to 0, as the reference does.
        instance_reduction: "sum" or "mean" over levels.
        negatives: "per_sample": all prototypes but the query's own. "batch": all but those of any query in the batch
            and the last one, as in the reference.
        generator: draws what is kept, on the device of the queries; None = the global one.
        instance_keep, prototype_keep: give the probabilities; None = nothing is dropped. With neither, one level is
            the loss of PCL (Li et al., ICLR 2021).

    Example:
        >>> from holdfast.systems.hcsc import hierarchical_kmeans
        >>> q = F.normalize(torch.randn(4, 8), dim=1)
        >>> tree = hierarchical_kmeans(torch.randn(40, 8), (10, 3))
        >>> loss = HCSCLoss()(q, q, torch.randn(16, 8), tree, torch.arange(4))
        >>> bool(loss > 0)
        True
    """

    def __init__(
        self,
        T: float = 0.2,
        mask_mode: Literal["exclude", "zero"] = "exclude",
        instance_reduction: Literal["sum", "mean"] = "sum",
        negatives: Literal["per_sample", "batch"] = "per_sample",
        generator: torch.Generator | None = None,
        instance_keep: Instances | None = instance_keep_prob,
        prototype_keep: Prototypes | None = prototype_keep_prob,
    ) -> None:
        super().__init__()
        self.T = check_positive(T, "T")
        self.mask_mode = check_choice(mask_mode, ("exclude", "zero"), "mask_mode")
        self.instance_reduction = check_choice(instance_reduction, ("sum", "mean"), "instance_reduction")
        self.negatives = check_choice(negatives, ("per_sample", "batch"), "negatives")
        self.generator, self.instance_keep, self.prototype_keep = generator, instance_keep, prototype_keep

    def forward(
        self,
        q: Tensor,
        k: Tensor,
        queue: Tensor,
        tree: PrototypeTree,
        index: Tensor,
        keep: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """The loss, a scalar; rows of q, k and queue are scaled to length 1, and only q gets a gradient from them.

        Args:
            q, k: (B, D), of two views of the same rows; queue: (Q, D).
            index: (B,) the numbers of these rows among those that the tree was made of.
            keep: per level the probabilities (B, Q) of the queue's items, if they are known.

        Raises:
            InputError: shapes that do not fit; an index that the tree does not have (found on the CPU).
        """
        check_array(q, "B D", name="q", finite=False, sizes={"D": tree.prototypes[0].shape[1]})
        check_array(queue, "Q D", name="queue", finite=False, sizes={"D": q.shape[1]})
        if k.shape != q.shape or index.shape != q.shape[:1]:
            raise InputError("k, index", f"must be for {len(q)} queries", (tuple(k.shape), tuple(index.shape)))
        rows = len(tree.assign[0])
        if index.device.type == "cpu" and not bool(((index >= 0) & (index < rows)).all()):
            raise InputError("index", f"must name rows of the tree, 0 to {rows - 1}", index.tolist()[:8])
        q = F.normalize(q.float(), dim=1)
        k, queue = (F.normalize(x.detach().float(), dim=1) for x in (k, queue))
        if keep is None and self.instance_keep is not None:
            keep = [self.instance_keep(queue, tree, level, a[index]) for level, a in enumerate(tree.assign)]
        masks = [None] * len(tree) if keep is None else [self._draw(p) for p in keep]
        instances = self.instance_losses((q * k).sum(1) / self.T, q @ queue.T / self.T, masks)
        total = instances.sum() if self.instance_reduction == "sum" else instances.mean()
        return total + self.prototype_losses(q, tree, index).mean()

    def instance_losses(self, positive: Tensor, negatives: Tensor, masks: Sequence[Tensor | None]) -> Tensor:
        """(L,) mean over queries of logits (B,) against logits (B, Q), of which each level's mask keeps some."""
        if self.T < COLD or any(mask is None for mask in masks):
            return torch.stack([self._contrast(positive, negatives, mask) for mask in masks])
        # One exponential for all levels. No logit is more than 2 / T below the largest.
        top = torch.maximum(negatives.detach().amax(1), positive.detach())
        drawn = torch.stack(masks, 1).float()  # type: ignore[arg-type]
        total = (drawn @ (negatives - top[:, None]).exp()[:, :, None])[:, :, 0]
        if self.mask_mode == "zero":
            total = total + (negatives.shape[1] - drawn.sum(2)) * (-top).exp()[:, None]
        return (((positive - top).exp()[:, None] + total).log() + (top - positive)[:, None]).mean(0)

    def prototype_losses(self, q: Tensor, tree: PrototypeTree, index: Tensor) -> Tensor:
        """(L,) mean over queries: the own prototype against the others that are kept."""
        losses = []
        for level, (assign, phi) in enumerate(zip(tree.assign, tree.temperatures, strict=True)):
            pos = assign[index]
            logits = q @ tree.prototypes[level].T / phi.clamp_min(SMALLEST_PHI)
            allowed = self._allowed(pos, logits.shape[1])
            drawn = None
            if self.prototype_keep is not None and level < len(tree) - 1:
                drawn = self._draw(self.prototype_keep(tree, level, pos))
            positive = logits.gather(1, pos[:, None])[:, 0]
            losses.append(self._contrast(positive, logits, drawn, allowed))
        return torch.stack(losses)

    def _allowed(self, pos: Tensor, count: int) -> Tensor:
        """(B, M): which prototypes are negatives of each query."""
        numbers = torch.arange(count, device=pos.device)
        if self.negatives == "per_sample":
            return numbers != pos[:, None]
        return (~torch.isin(numbers, pos) & (numbers < count - 1)).expand(len(pos), -1)

    def _draw(self, p: Tensor) -> Tensor:
        return torch.rand(p.shape, generator=self.generator, device=p.device) < p

    def _contrast(
        self, positive: Tensor, negatives: Tensor, drawn: Tensor | None, allowed: Tensor | None = None
    ) -> Tensor:
        """The mean of InfoNCE over the negatives that are allowed, and drawn where there is a draw."""
        if drawn is not None and self.mask_mode == "zero":
            negatives, drawn = torch.where(drawn, negatives, 0.0), None
        keep = allowed if drawn is None else drawn if allowed is None else drawn & allowed
        return contrast(positive, negatives, keep).mean()


__all__ = ["HCSCLoss", "instance_keep_prob", "kept", "prototype_keep_prob", "responsibilities"]
