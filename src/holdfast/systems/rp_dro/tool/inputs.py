"""What both networks are given: standardised numbers, or the ids of a text's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.vocabulary import Vocabulary
from holdfast.errors import InputError
from holdfast.layers.bag_of_embeddings import BagOfEmbeddings
from holdfast.layers.perceptron import Perceptron
from holdfast.validation import check_array, is_tensor

LARGEST = 1e30  # beyond, float32 and squares of it overflow


@dataclass(frozen=True)
class Numbers:
    """Columns with mean 0 and standard deviation 1 on the training set; constant ones are only shifted."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(cls, X: Any) -> Self:
        """From a training set (N, F)."""
        spread = (x := _numbers(X, "X", {})).std(0)
        scale = np.where(spread <= 1e-12 * np.abs(x).max(0), 1.0, spread)  # a constant column has none
        return cls(tuple(x.mean(0).tolist()), tuple(scale.tolist()))

    def tensor(self, X: Any, name: str = "X") -> Tensor:
        """(N, F) float32."""
        x = _numbers(X, name, {"F": len(self.mean)})
        return torch.from_numpy(((x - np.array(self.mean)) / np.array(self.scale)).astype(np.float32))

    def backbone(self, hidden: int) -> nn.Module:
        return Perceptron(len(self.mean), hidden)


@dataclass(frozen=True)
class Texts:
    """Bags of the words of a vocabulary, which comes from the training set."""

    vocabulary: Vocabulary

    @classmethod
    def of(cls, X: Any, words: int) -> Self:
        """From training texts (N,)."""
        return cls(Vocabulary.of(_texts(X, "X"), words))

    def tensor(self, X: Any, name: str = "X") -> Tensor:
        """(N, T) int64."""
        return self.vocabulary.ids(_texts(X, name))

    def backbone(self, hidden: int) -> nn.Module:
        return BagOfEmbeddings(len(self.vocabulary), hidden, hidden)


def holds_text(X: Any) -> bool:
    """Whether X is a column of strings."""
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OU":
        return False
    return isinstance(X, list | tuple | np.ndarray) and len(X) > 0 and isinstance(X[0], str)


def _numbers(X: Any, name: str, sizes: dict[str, int]) -> np.ndarray:
    data = X.detach().cpu() if is_tensor(X) else X
    x = np.asarray(check_array(data, "N F", sizes=sizes, name=name, dtype="float64"))
    if (largest := float(np.abs(x).max())) > LARGEST:
        raise InputError(name, f"must hold numbers of at most {LARGEST:g}", largest)
    return x


def _texts(X: Any, name: str) -> list[str]:
    texts = list(X)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(name, "must hold strings only", f"{type(text).__name__} at index {i}")
    if not texts:
        raise InputError(name, "must have at least one row", "none")
    return [str(text) for text in texts]


__all__ = ["Numbers", "Texts", "holds_text"]
