"""Forward compatible training (arXiv 2112.02805) and FastFill (arXiv 2303.04766), in the papers' order.

phi_old, phi_new: the two embedding models. psi: side-information, a second embedding stored beside every old one at the
time of the old model. h: the transform, learned when the new model has arrived. x: an item, q: a query.

1. h(phi_old(x), psi(x)), a network of two branches: `ForwardTransform`.
2. Its loss, the models being frozen, so that the gradient reaches h alone: `transform_loss`

       min_h  mean over x of  || h(phi_old(x), psi(x)) - phi_new(x) ||^2

3. How it is trained, as in the released configurations: `rate_factor`, `is_frozen`. Afterwards a query is phi_new(q), a
   gallery item h(phi_old(x), psi(x)), and nothing is embedded again.
4. FastFill lets h also tell how wrong it is: `UncertaintyHead` gives s(x) = log sigma^2(x), learned with `row_errors`
   and `uncertainty_loss`; W is the new model's classifier, frozen

       exp(-s) * [ || h - phi_new ||^2 + weight * CE(W h / T, y) ] + s

5. Backfilling: rows are embedded again in descending order of s (`descending`), which takes the gallery from h to
   phi_new (`partly_embedded`); the mean of its scores on the way is the area under the backfilling curve.

Differences from the reference code of FCT: layers are `Linear` in place of 1x1 convolutions on (N, C, 1, 1), which is
the same map (`from_reference` reads its weights). FastFill has no published code; the head here is one hidden layer of
64 units on the last hidden layer of h.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.errors import InputError


# ------------------------------------------------------------------------------------------------------- 1. transform
class Block(nn.Sequential):
    """Linear without bias, batch normalisation, ReLU: (N, in) -> (N, out), non-negative."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.add_module("linear", nn.Linear(in_features, out_features, bias=False))
        self.add_module("norm", nn.BatchNorm1d(out_features))
        self.add_module("relu", nn.ReLU(inplace=True))


class ForwardTransform(nn.Module):
    """h: from an old embedding and its side information to the new model's space.

    Two branches, d_old -> 2 d_old -> 2 d_new and d_side -> 2 d_side -> 2 d_new, are concatenated and mixed,
    4 d_new -> inner -> inner -> d_new; every layer but the last is a `Block`. Without side information the old
    embedding is fed to both branches, as in the reference code.

    Args:
        old_dim: size of an old embedding.
        new_dim: size of a new embedding.
        side_dim: size of the side information; None = there is none.
        inner_dim: width of the two hidden layers of the mixer.

    Example:
        >>> h = ForwardTransform(old_dim=6, new_dim=5, side_dim=4, inner_dim=16).eval()
        >>> h(torch.randn(7, 6), torch.randn(7, 4)).shape
        torch.Size([7, 5])
    """

    def __init__(self, old_dim: int, new_dim: int, side_dim: int | None = None, inner_dim: int = 2048) -> None:
        super().__init__()
        self.old_dim, self.new_dim, self.side_dim, self.inner_dim = old_dim, new_dim, side_dim, inner_dim
        second = old_dim if side_dim is None else side_dim
        self.p1 = nn.Sequential(Block(old_dim, 2 * old_dim), Block(2 * old_dim, 2 * new_dim))
        self.p2 = nn.Sequential(Block(second, 2 * second), Block(2 * second, 2 * new_dim))
        self.mixer = nn.Sequential(
            Block(4 * new_dim, inner_dim), Block(inner_dim, inner_dim), nn.Linear(inner_dim, new_dim)
        )

    def hidden(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """The last hidden layer: (N, d_old), (N, d_side) -> (N, inner), non-negative.

        Raises:
            InputError: side information is missing, or given to a transform that has none.
        """
        if (side is None) != (self.side_dim is None):
            rule = "must be given" if side is None else "must not be given"
            raise InputError("side", f"{rule}: the transform was made with side_dim={self.side_dim}")
        features = torch.cat([self.p1(old), self.p2(old if side is None else side)], dim=1)
        return self.mixer[1](self.mixer[0](features))

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """Estimates of the new embeddings: (N, d_old), (N, d_side) or None -> (N, d_new)."""
        return self.mixer[2](self.hidden(old, side))

    @classmethod
    def from_reference(cls, state: Mapping[str, Tensor]) -> ForwardTransform:
        """A transform with the weights of the reference code, in evaluation mode.

        Args:
            state: its state dict, with names such as `p1.0.conv.weight` (out, in, 1, 1) and `p1.0.normalizer.bias`.

        Raises:
            InputError: weights are missing or do not fit together.
        """
        try:
            own = {
                name.replace(".conv.", ".linear.")
                .replace(".normalizer.", ".norm.")
                .replace("mixer.2.linear.", "mixer.2."): value.flatten(1) if value.ndim == 4 else value
                for name, value in state.items()
            }
            old, side = own["p1.0.linear.weight"].shape[1], own["p2.0.linear.weight"].shape[1]
            inner, new = own["mixer.0.linear.weight"].shape[0], own["mixer.2.weight"].shape[0]
            h = cls(old, new, side, inner)
            h.load_state_dict(own)
        except (KeyError, RuntimeError, IndexError, AttributeError) as error:
            raise InputError("state", "must be a state dict of the reference's transform", str(error)) from error
        return h.eval()


# ------------------------------------------------------------------------------------------------------------ 2. loss
def transform_loss(predicted: Tensor, new: Tensor) -> Tensor:
    """Mean squared error over rows and dimensions of FCT: no normalisation, no label.

    Args:
        predicted: h(old, side), (N, d_new).
        new: phi_new(x), (N, d_new).

    Example:
        >>> float(transform_loss(torch.zeros(2, 4), torch.ones(2, 4)))
        1.0
    """
    return F.mse_loss(predicted, new)


# -------------------------------------------------------------------------------------------------------- 3. training
def rate_factor(epoch: int, epochs: int, warmup: int) -> float:
    """Factor of the learning rate in an epoch, from 0: rising in equal steps, then half a cosine; constant within one.

    Example:
        >>> rate_factor(0, 80, 5), rate_factor(5, 80, 5)
        (0.2, 1.0)
    """
    if epoch < warmup:
        return (epoch + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (epoch - warmup) / max(1, epochs - warmup)))


def is_frozen(epoch: int, epochs: int, share: float = 0.5) -> bool:
    """Whether batch normalisation uses its running statistics: in a share of the epochs, at the end.

    What is trained then is what will be used ("switch_mode_to_eval" in the reference code).
    """
    return epoch >= epochs * (1 - share)


# -------------------------------------------------------------------------------------------------------- 4. FastFill
class UncertaintyHead(nn.Module):
    """s: the logarithm of the squared error that h is expected to make, from its last hidden layer (FastFill).

    Args:
        inner_dim: size of the hidden layer, as in `ForwardTransform`.

    Example:
        >>> UncertaintyHead(16)(torch.randn(7, 16)).shape
        torch.Size([7])
    """

    def __init__(self, inner_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inner_dim, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, inner) -> (N,)"""
        return self.layers(hidden).squeeze(1)


def row_errors(
    predicted: Tensor,
    new: Tensor,
    labels: Tensor | None = None,
    classifier: Tensor | None = None,
    bias: Tensor | None = None,
    weight: float = 0.0,
    temperature: float = 1.0,
) -> Tensor:
    """|| h - phi_new ||^2 + weight * CE(W h / T, y) of every row, the error that FastFill weights: (N,).

    Args:
        predicted: h(old, side), (N, d_new).
        new: phi_new(x), (N, d_new).
        labels: classes y, int64 (N,); used with `classifier` where weight > 0.
        classifier: W, the weights of the new model's classifier, (K, d_new); no gradient reaches it.
        bias: its bias, (K,); None = 0.
        weight: of the cross-entropy.
        temperature: T.

    Raises:
        InputError: weight > 0 without labels or classifier.

    Example:
        >>> row_errors(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])).tolist()
        [0.0, 25.0]
    """
    errors = (predicted - new).square().sum(1)
    if not weight:
        return errors
    if labels is None or classifier is None:
        raise InputError("labels, classifier", "must both be given where weight > 0", "one of them missing")
    logits = F.linear(predicted, classifier.detach(), None if bias is None else bias.detach())
    return errors + weight * F.cross_entropy(logits / temperature, labels, reduction="none")


def uncertainty_loss(errors: Tensor, log_variance: Tensor) -> Tensor:
    """mean of exp(-s) * error + s (the weighting of Kendall and Gal, arXiv 1703.04977, as FastFill uses it).

    For a fixed error the least value is reached at s = log(error): exp(s) is the error that is expected.

    Args:
        errors: of every row, (N,), not negative.
        log_variance: s, (N,).

    Example:
        >>> e = torch.tensor([4.0])
        >>> bool(uncertainty_loss(e, e.log()) < uncertainty_loss(e, e.log() + 0.1))
        True
    """
    return (torch.exp(-log_variance) * errors + log_variance).mean()


# ----------------------------------------------------------------------------------------------------- 5. backfilling
def descending(uncertainty: np.ndarray) -> np.ndarray:
    """Row numbers from the most uncertain to the least, equal ones as they come: (N,) -> int64 (N,).

    Example:
        >>> descending(np.array([0.1, 3.0, 2.0])).tolist()
        [1, 2, 0]
    """
    return np.argsort(-uncertainty.astype(np.float64), kind="stable")


def partly_embedded(transformed: np.ndarray, new: np.ndarray, order: np.ndarray, share: float) -> np.ndarray:
    """The gallery once a share of its rows was embedded again: phi_new there, h elsewhere; (N, d_new).

    Args:
        transformed: h of every row, (N, d_new).
        new: phi_new of every row, (N, d_new).
        order: row numbers, those embedded first at the front, (N,).
        share: in [0, 1].
    """
    gallery = transformed.copy()
    done = order[: round(share * len(order))]
    gallery[done] = new[done]
    return gallery


__all__ = ["Block", "ForwardTransform", "UncertaintyHead", "descending", "is_frozen", "partly_embedded", "rate_factor"]
__all__ += ["row_errors", "transform_loss", "uncertainty_loss"]
