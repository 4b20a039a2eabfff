"""What a position may attend to: everything before it, a sliding window, or the reference's disjoint chunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from holdfast.validation import check_integer


class Context(ABC):
    """Which earlier positions a query may attend to. Subclasses are frozen dataclasses."""

    @abstractmethod
    def allowed(self, queries: Tensor, keys: Tensor) -> Tensor:
        """bool `(Q, K)` for absolute positions `(Q,)` and `(K,)`. Never true for a key after the query."""

    def local(self, positions: Tensor) -> Tensor:
        """The positions that absolute encodings are told."""
        return positions

    def reach(self, layers: int) -> int | None:
        """How many tokens before it the output at a position depends on through `layers` layers; None = all."""
        return None


@dataclass(frozen=True)
class Everything(Context):
    """All positions up to the query's own."""

    def allowed(self, queries: Tensor, keys: Tensor) -> Tensor:
        return keys <= queries[:, None]


EVERYTHING = Everything()


@dataclass(frozen=True)
class SlidingWindow(Context):
    """The last `size` positions, the query's own among them: the same for every position.

    Example:
        >>> import torch
        >>> at = torch.arange(4)
        >>> SlidingWindow(2).allowed(at, at).int().tolist()
        [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    """

    size: int

    def allowed(self, queries: Tensor, keys: Tensor) -> Tensor:
        size = check_integer(self.size, "size", low=1)
        return (keys <= queries[:, None]) & (keys > queries[:, None] - size)

    def reach(self, layers: int) -> int | None:
        return layers * (self.size - 1)


@dataclass(frozen=True)
class Chunks(Context):
    """What the reference calls a sliding window: the sequence is cut into pieces of `size`, each read on its own.

    The first position of a piece sees nothing of what came before.

    Example:
        >>> import torch
        >>> at = torch.arange(4)
        >>> Chunks(2).allowed(at, at).int().tolist()
        [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    """

    size: int

    def allowed(self, queries: Tensor, keys: Tensor) -> Tensor:
        size = check_integer(self.size, "size", low=1)
        return (keys <= queries[:, None]) & (keys // size == queries[:, None] // size)

    def local(self, positions: Tensor) -> Tensor:
        return positions % self.size

    def reach(self, layers: int) -> int | None:
        return self.size - 1


__all__ = ["EVERYTHING", "Chunks", "Context", "Everything", "SlidingWindow"]
