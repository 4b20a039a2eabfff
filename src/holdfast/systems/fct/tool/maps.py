"""What takes old embeddings to new ones: the ways to learn a map from pairs, behind one interface.

A way is a frozen dataclass with `fit(old, new, side)`, and gives a `FittedMap`: a torch module from (old, side) to new
embeddings. `Ridge` and `Procrustes` are linear, solved in closed form, and hard to beat where pairs are few; the
paper's h is in `mlp`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.standardise import as_float64, spread
from holdfast.systems.fct.tool.pairs import as_pairs
from holdfast.validation import check_number

Progress = Callable[[int, int], None]
PENALTIES = tuple(10.0**k for k in range(-9, 3))


class FittedMap(nn.Module):
    """From old embeddings (and side information) to new ones. Always used in evaluation mode.

    Attributes:
        old_dim, new_dim, side_dim: sizes; side_dim is None where there is no side information.
    """

    old_dim: int
    new_dim: int
    side_dim: int | None

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """(N, d_old), (N, d_side) or None -> (N, d_new), float32."""
        raise NotImplementedError


class MapFitter(Protocol):
    """A way to learn a map; `shape` makes the module that `fit` fills, so that saved weights can be loaded."""

    def fit(
        self,
        old: Any,
        new: Any,
        side: Any = None,
        *,
        seed: int = 0,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> FittedMap: ...

    def shape(self, old_dim: int, new_dim: int, side_dim: int | None) -> FittedMap: ...


# --------------------------------------------------------------------------------------------------------------- linear
class Affine(FittedMap):
    """new = [old, side] A + b."""

    weight: Tensor
    bias: Tensor

    def __init__(self, old_dim: int, new_dim: int, side_dim: int | None = None) -> None:
        super().__init__()
        self.old_dim, self.new_dim, self.side_dim = old_dim, new_dim, side_dim
        self.register_buffer("weight", torch.zeros(new_dim, old_dim + (side_dim or 0)))
        self.register_buffer("bias", torch.zeros(new_dim))

    @classmethod
    def of(cls, matrix: np.ndarray, bias: np.ndarray, old_dim: int) -> Affine:
        """From A (d_old + d_side, d_new) and b (d_new,)."""
        inputs, new_dim = matrix.shape
        made = cls(old_dim, new_dim, inputs - old_dim or None)
        made.weight.copy_(torch.from_numpy(matrix.T.copy()))
        made.bias.copy_(torch.from_numpy(bias))
        return made.eval()

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        return nn.functional.linear(old if side is None else torch.cat([old, side], 1), self.weight, self.bias)


@dataclass(frozen=True)
class Ridge:
    """Linear regression of new on [old, side] with an L2 penalty.

    Minimises mean || x A + b - new ||^2 + penalty * || A ||^2 over standardised inputs x (each dimension to mean 0 and
    variance 1; dimensions that never change count for nothing), solved exactly.

    Args:
        penalty: None = the one of 1e-9, 1e-8, ..., 100 with the least error when each pair is left out in turn, which
            the hat matrix gives without fitting again.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> old = rng.normal(size=(50, 4)); new = old @ rng.normal(size=(4, 3)) + 1
        >>> bool(np.abs(Ridge().fit(old, new)(torch.tensor(old, dtype=torch.float32)).numpy() - new).max() < 1e-5)
        True
    """

    penalty: float | None = None

    def __post_init__(self) -> None:
        if self.penalty is not None:
            check_number(self.penalty, "penalty", low=0)

    def fit(
        self,
        old: Any,
        new: Any,
        side: Any = None,
        *,
        seed: int = 0,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> Affine:
        """Solve. `seed` and `device` change nothing."""
        old, new, side = as_pairs(old, new, side)
        inputs = as_float64(old) if side is None else np.concatenate([as_float64(old), as_float64(side)], axis=1)
        targets = as_float64(new)
        mean, scale = inputs.mean(0), spread(inputs)
        centre = targets.mean(0)
        x, y = (inputs - mean) / scale, targets - centre
        spectrum, vectors = np.linalg.eigh(x.T @ x / len(x))
        spectrum = np.maximum(spectrum, 0)
        rotated = vectors.T @ (x.T @ y / len(x))
        penalty = self._best(x @ vectors, y, spectrum, rotated) if self.penalty is None else self.penalty
        # Directions in which the inputs never vary have no slope; with a penalty of 0 they would be 0 / 0.
        smallest = max(penalty, np.finfo(np.float64).eps * spectrum[-1] * len(spectrum), np.finfo(np.float64).tiny)
        usable = spectrum + penalty > smallest * (1 - 1e-12)
        inverse = np.where(usable, 1 / np.maximum(spectrum + penalty, smallest), 0.0)
        matrix = vectors @ (inverse[:, None] * rotated) / scale[:, None]
        return Affine.of(matrix, centre - mean @ matrix, old.shape[1])

    @staticmethod
    def _best(u: np.ndarray, y: np.ndarray, spectrum: np.ndarray, rotated: np.ndarray) -> float:
        """The penalty with the least leave-one-out error. u: inputs in the basis of their covariance."""
        errors = []
        for penalty in PENALTIES:
            shrunk = 1 / (spectrum + penalty)
            leverage = (np.square(u) @ shrunk + 1) / len(u)  # diagonal of the hat matrix; 1 / N is the intercept's
            residual = y - u @ (shrunk[:, None] * rotated)
            errors.append(np.square(residual / np.maximum(1 - leverage, 1e-9)[:, None]).mean())
        return PENALTIES[int(np.argmin(errors))]

    def shape(self, old_dim: int, new_dim: int, side_dim: int | None) -> Affine:
        return Affine(old_dim, new_dim, side_dim)


@dataclass(frozen=True)
class Procrustes:
    """The rotation (or reflection) and the one scale that take old embeddings nearest to new ones.

    Minimises || c old R - new ||^2 over orthogonal R and c > 0 (Schönemann 1966): with U S V' the singular value
    decomposition of old' new, R = U V' and c = tr S / || old ||^2. Angles between embeddings stay what they were, so it
    helps where the new model has the old one's geometry, and needs the same number of dimensions.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> old, (rotation, _) = rng.normal(size=(50, 4)), np.linalg.qr(rng.normal(size=(4, 4)))
        >>> moved = Procrustes().fit(old, old @ rotation)(torch.tensor(old, dtype=torch.float32)).numpy()
        >>> bool(np.abs(moved - old @ rotation).max() < 1e-5)
        True
    """

    def fit(
        self,
        old: Any,
        new: Any,
        side: Any = None,
        *,
        seed: int = 0,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> Affine:
        """Solve. `seed` and `device` change nothing.

        Raises:
            InputError: sizes that differ; side information, which a rotation has no use for.
        """
        old, new, side = as_pairs(old, new, side)
        self._check(old.shape[1], new.shape[1], None if side is None else side.shape[1])
        a, b = as_float64(old), as_float64(new)
        left, singular, right = np.linalg.svd(a.T @ b)
        scale = singular.sum() / max(float(np.square(a).sum()), np.finfo(np.float64).tiny)
        return Affine.of(scale * left @ right, np.zeros(b.shape[1]), a.shape[1])

    @staticmethod
    def _check(old_dim: int, new_dim: int, side_dim: int | None) -> None:
        if side_dim is not None:
            raise InputError("side", "must not be given to procrustes; ridge and mlp use it", f"{side_dim} dimensions")
        if old_dim != new_dim:
            rule = "must have as many dimensions as old for procrustes; ridge and mlp need not"
            raise InputError("new", rule, f"{new_dim} and {old_dim}")

    def shape(self, old_dim: int, new_dim: int, side_dim: int | None) -> Affine:
        self._check(old_dim, new_dim, side_dim)
        return Affine(old_dim, new_dim)


__all__ = ["Affine", "FittedMap", "MapFitter", "Procrustes", "Progress", "Ridge"]
