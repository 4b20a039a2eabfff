"""Text as characters: what ships with scikit-learn, and stretches of it for models that predict the next token."""

from __future__ import annotations

import functools
from importlib import resources

import torch
from torch import Tensor


@functools.cache
def shipped_text() -> tuple[Tensor, str]:
    """Descriptions of scikit-learn's data sets, in order of their names: character ids (N,) int64, and the alphabet.

    Example:
        >>> ids, alphabet = shipped_text()
        >>> len(ids) > 10_000, len(alphabet) == int(ids.max()) + 1
        (True, True)
    """
    files = [f for f in resources.files("sklearn.datasets.descr").iterdir() if f.name.endswith(".rst")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name))
    alphabet = "".join(sorted(set(text)))
    number = {character: i for i, character in enumerate(alphabet)}
    return torch.tensor([number[character] for character in text]), alphabet


def next_token_windows(ids: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Every stretch of `length` tokens of ids (N,), and the same one token later: (N - length, length), views.

    Example:
        >>> x, y = next_token_windows(torch.arange(5), 3)
        >>> x.tolist(), y.tolist()
        ([[0, 1, 2], [1, 2, 3]], [[1, 2, 3], [2, 3, 4]])
    """
    return ids[:-1].unfold(0, length, 1), ids[1:].unfold(0, length, 1)


__all__ = ["next_token_windows", "shipped_text"]
