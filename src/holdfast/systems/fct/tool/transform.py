"""The paper's h as a way to learn a map from pairs: standardised embeddings around it, FastFill's head beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.errors import InputError
from holdfast.layers.folding import before, behind, normed
from holdfast.layers.standardise import Standardise
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.fct.method import ForwardTransform, UncertaintyHead
from holdfast.systems.fct.tool.maps import FittedMap, Progress
from holdfast.systems.fct.tool.pairs import as_pairs, as_tensor
from holdfast.systems.fct.tool.training import TransformTraining, train_transform
from holdfast.validation import check_integer


class TransformMap(FittedMap):
    """h between standardised embeddings, with FastFill's head where there is one."""

    def __init__(self, transform: ForwardTransform, head: UncertaintyHead | None = None) -> None:
        super().__init__()
        self.old_dim, self.new_dim, self.side_dim = transform.old_dim, transform.new_dim, transform.side_dim
        self.transform, self.head = transform, head
        self.old, self.new = Standardise(self.old_dim), Standardise(self.new_dim)
        self.side = Standardise(self.side_dim or 0)

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        return self.new.back(self.transform(self.old(old), None if side is None else self.side(side)))

    def expected_error(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """exp(s): the squared distance from the true new embedding that is expected; (N,).

        Raises:
            InputError: the map has no head.
        """
        if self.head is None:
            raise InputError("uncertainty", "must have been asked for when the map was fitted", "no head")
        hidden = self.transform.hidden(self.old(old), None if side is None else self.side(side))
        return self.head(hidden).exp() * self.new.scale[0].square()


@dataclass(frozen=True)
class MLP:
    """The paper's h, trained on the pairs.

    Args:
        inner_dim: width of its mixer.
        training: epochs, learning rate and so on.
        uncertainty: train FastFill's head with it.
        standardise: bring every input dimension to mean 0 and variance 1, and new embeddings to mean 0 and one common
            variance; without it, as in the paper. It makes the learning rate and the weight decay mean the same for
            embeddings of any size, and wakes dimensions that a ReLU has put to sleep.

    Example:
        >>> old = np.random.default_rng(0).normal(size=(64, 4))
        >>> h = MLP(inner_dim=8, training=TransformTraining(epochs=2)).fit(old, old[:, :3])
        >>> h(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    inner_dim: int = 2048
    training: TransformTraining = field(default_factory=TransformTraining)
    uncertainty: bool = False
    standardise: bool = True

    def __post_init__(self) -> None:
        check_integer(self.inner_dim, "inner_dim", low=1)

    def fit(
        self,
        old: Any,
        new: Any,
        side: Any = None,
        *,
        labels: Any = None,
        classifier: Any = None,
        seed: int = 0,
        device: str = "cpu",
        progress: Progress | None = None,
        checkpoint: str | Path | None = None,
    ) -> TransformMap:
        """Train h. `labels` (N,) and `classifier` (K, d_new) serve FastFill's cross-entropy, see `row_errors`."""
        old, new, side = as_pairs(old, new, side)
        with seeded(derived_seed(seed, "init")):
            made = self.shape(old.shape[1], new.shape[1], None if side is None else side.shape[1])
        if self.standardise:
            made.old.learn(old)
            made.new.learn(new, each=False)
            if side is not None:
                made.side.learn(side)
        bias = None
        if classifier is not None:  # W z = (W * scale) z' + W mean, for the standardised z' that h is trained to give
            w = as_tensor(classifier)
            classifier, bias = w * made.new.scale, w @ made.new.mean
        train_transform(
            made.transform,
            made.old(old),
            made.new(new),
            None if side is None else made.side(side),
            training=self.training,
            head=made.head,
            labels=None if labels is None else torch.as_tensor(np.asarray(labels), dtype=torch.int64),
            classifier=classifier,
            bias=bias,
            seed=seed,
            device=device,
            progress=progress,
            checkpoint=checkpoint,
        )
        return made.cpu().eval()

    def shape(self, old_dim: int, new_dim: int, side_dim: int | None) -> TransformMap:
        head = UncertaintyHead(self.inner_dim) if self.uncertainty else None
        return TransformMap(ForwardTransform(old_dim, new_dim, side_dim, self.inner_dim), head).eval()


# --------------------------------------------------------------------------------------------------------- for use
class FoldedTransform(FittedMap):
    """The same function as a `TransformMap` in seven matrix products, up to rounding.

    In evaluation mode batch normalisation is an affine map of each dimension, and so is standardisation: both go into
    the weights of the layer before or after. What is left of the cost is the matrix products themselves.

    Args:
        fitted: the map; it is not changed.

    Example:
        >>> fitted = TransformMap(ForwardTransform(4, 3, inner_dim=8)).eval()
        >>> x = torch.randn(5, 4)
        >>> bool((FoldedTransform(fitted)(x) - fitted(x)).abs().max() < 1e-5)
        True
    """

    def __init__(self, fitted: TransformMap) -> None:
        super().__init__()
        self.old_dim, self.new_dim, self.side_dim = fitted.old_dim, fitted.new_dim, fitted.side_dim
        h: Any = fitted.transform
        second = fitted.old if fitted.side_dim is None else fitted.side
        with torch.no_grad():
            plain = [[normed(block.linear, block.norm) for block in blocks] for blocks in (h.p1, h.p2, h.mixer[:2])]
            self.p1 = nn.ModuleList([behind(fitted.old, plain[0][0]), plain[0][1]])
            self.p2 = nn.ModuleList([behind(second, plain[1][0]), plain[1][1]])
            self.mixer = nn.ModuleList([*plain[2], before(h.mixer[2], fitted.new)])
        self.requires_grad_(False).eval()

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        one, two = old, old if side is None else side
        for layer in self.p1:
            one = F.relu_(layer(one))
        for layer in self.p2:
            two = F.relu_(layer(two))
        mixed = F.relu_(self.mixer[0](torch.cat([one, two], 1)))
        return self.mixer[2](F.relu_(self.mixer[1](mixed)))


__all__ = ["MLP", "FoldedTransform", "TransformMap"]
