"""Pairs of old and new embeddings: what they must be, and what is said where they are not."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.groups import held_out
from holdfast.data.vectors.finite import check_rows
from holdfast.retrieval import check_directions
from holdfast.training.rowwise import writable
from holdfast.validation import check_array, check_present, check_same_length, is_tensor


def as_tensor(x: Any) -> Tensor:
    """x as a float32 tensor on the CPU."""
    if is_tensor(x):
        return x.detach().to("cpu", torch.float32)
    return torch.from_numpy(writable(np.asarray(x, np.float32)))


def as_pairs(old: Any, new: Any, side: Any = None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pairs as float32 tensors on the CPU, once they are known to be so.

    Raises:
        InputError: not a matrix of finite numbers; counts of rows that differ; NaN or infinite rows (how many, and
            which is the first).
    """
    arrays = {name: x for name, x in (("old", old), ("new", new), ("side", side)) if x is not None or name != "side"}
    found = {}
    for name, x in arrays.items():
        array = check_array(x, "N D", name=name, dtype="real", finite=False)
        check_rows(array, name)
        found[name] = as_tensor(check_array(array, "N D", name=name, dtype="float32"))
    check_same_length(**found)
    return found["old"], found["new"], found.get("side")


@dataclass(frozen=True)
class Pairs:
    """Items embedded by both models; row i of every array is the same item.

    Attributes:
        old, new, side: float32 (N, d_old), (N, d_new), (N, d_side) or None.
        labels: class numbers from 0, int64 (N,), or None.
    """

    old: Tensor
    new: Tensor
    side: Tensor | None = None
    labels: np.ndarray | None = None

    @classmethod
    def of(cls, old: Any, new: Any, side: Any = None, labels: Any = None) -> Pairs:
        """Pairs from arrays, checked as in `as_pairs`; labels of any kind."""
        a, b, c = as_pairs(old, new, side)
        if labels is None:
            return cls(a, b, c)
        classes = np.unique(check_present(labels, "labels"), return_inverse=True)[1].astype(np.int64).ravel()
        check_same_length(old=a, labels=classes)
        return cls(a, b, c, classes)

    def rows(self, which: np.ndarray) -> Pairs:
        """The rows of these numbers."""
        index = torch.from_numpy(which)
        side = None if self.side is None else self.side[index]
        return Pairs(self.old[index], self.new[index], side, None if self.labels is None else self.labels[which])

    def normalized(self) -> Pairs:
        """With new embeddings of length 1.

        Raises:
            InputError: a new embedding without a direction.
        """
        check_directions(self.new, "new")
        return replace(self, new=nn.functional.normalize(self.new))

    def split(self, fraction: float, seed: int, ids: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers to fit to, and a share `fraction` of all that is held out; both rising, at least 4 and 2.

        Rows with the same id are on the same side, so that the share may be a little larger.

        Raises:
            InputError: not an id per row; so few different ones that a side would be too small.
        """
        check_same_length(old=self.old, ids=ids)
        return held_out(len(self.old), fraction, np.random.default_rng(seed), ids, least=(4, 2))

    @property
    def inputs(self) -> Tensor:
        """[old, side], (N, d_old + d_side)."""
        return self.old if self.side is None else torch.cat([self.old, self.side], 1)


class FewPairs(UserWarning):
    """There are fewer pairs than two per dimension of the new embeddings."""


def warn_of_few(pairs: int, dim: int) -> None:
    """Say that pairs to fit to are few for new embeddings of `dim` numbers, if they are."""
    if pairs < 2 * dim:
        text = f"{pairs} pairs to fit to are few for {dim} dimensions: embed more items with both models, {2 * dim} at "
        text += "least, or trust the held-out numbers only"
        warnings.warn(text, FewPairs, stacklevel=3)


def class_means(new: Tensor, labels: np.ndarray) -> Tensor:
    """Means of the classes, of length 1: the weights of the nearest-class-mean classifier by angle, (K, d_new).

    Example:
        >>> class_means(torch.tensor([[2.0, 0.0], [4.0, 0.0], [0.0, 1.0]]), np.array([0, 0, 1])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    index = torch.from_numpy(labels)
    sums = torch.zeros(int(index.max()) + 1, new.shape[1]).index_add_(0, index, new)
    return nn.functional.normalize(sums)


__all__ = ["FewPairs", "Pairs", "as_pairs", "as_tensor", "class_means", "warn_of_few"]
