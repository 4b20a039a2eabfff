"""Transformer blocks: attention, attention over a memory, a feed-forward net; norms before or after; stacks of them.

encoder   Stack([Block(E, Attention(E, H), FeedForward(E)) for _ in range(L)], nn.LayerNorm(E))
decoder   the same with cross=Attention(E, H) in every block, called with causal=True and memory=
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.attention import Attention, Cache

WIDENING = 4  # units of the feed-forward net per unit of width, as in the first transformer


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, for each position alone.

    Args:
        width: E of the input and the output.
        hidden: units in between; None = 4 E.
        activation: a function of tensors.
        bias: whether the maps have biases.
    """

    def __init__(
        self,
        width: int,
        hidden: int | None = None,
        activation: Callable[[Tensor], Tensor] = F.relu,
        bias: bool = True,
    ) -> None:
        super().__init__()
        hidden = WIDENING * width if hidden is None else hidden
        self.up, self.down = nn.Linear(width, hidden, bias=bias), nn.Linear(hidden, width, bias=bias)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """`(..., E)` to the same shape."""
        return self.down(self.activation(self.up(x)))


class BlockCache:
    """What one block keeps between the steps of a sequence: keys of its own positions, and of the memory."""

    def __init__(self) -> None:
        self.own, self.memory = Cache(), Cache()

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, in this order."""
        self.own.select(rows)
        self.memory.select(rows)


class Block(nn.Module):
    """Self-attention, attention over a memory if there is one, and a feed-forward net, each added to its input.

    Args:
        width: E.
        attention: over the sequence.
        feed_forward: `(B, T, E)` to the same shape, such as `FeedForward(E)`.
        cross: attention over a memory.
        norm_first: normalise what each part reads (pre-LN: x + f(norm(x))), or what comes out (post-LN: norm(x + f(x)),
            as the first transformers did).
        dropout: of what each part adds, while training.

    Example:
        >>> import torch
        >>> block = Block(8, Attention(8, 2), FeedForward(8), cross=Attention(8, 2, memory_width=6))
        >>> block(torch.randn(2, 5, 8), causal=True, memory=torch.randn(2, 7, 6)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        width: int,
        attention: Attention,
        feed_forward: nn.Module,
        *,
        cross: Attention | None = None,
        norm_first: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention, self.cross, self.feed_forward = attention, cross, feed_forward
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 if cross is None else 3))
        self.norm_first = norm_first
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        *,
        causal: bool = False,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: BlockCache | None = None,
    ) -> Tensor:
        """`(B, T, E)` to the same shape.

        Args:
            x: positions; with a cache, the new ones alone.
            causal, mask, bias: of the self-attention, as `Attention` takes them.
            memory: `(B, K, M)` for `cross`.
            memory_mask: bool, broadcast to `(B, H, T, K)`, true where the memory may be attended to.
            cache: of the positions before x.

        Raises:
            InputError: a memory without `cross`, or `cross` without a memory.
        """
        if (memory is None) is not (self.cross is None):
            raise InputError("memory", "must be given to a block with cross attention, and to no other")

        def own(y: Tensor) -> Tensor:
            return self.attention(y, causal=causal, mask=mask, bias=bias, cache=cache and cache.own)

        def over_memory(y: Tensor) -> Tensor:
            assert self.cross is not None
            return self.cross(y, memory, mask=memory_mask, cache=cache and cache.memory)

        parts: list[Callable[[Tensor], Tensor]] = [own, over_memory, self.feed_forward]
        if self.cross is None:
            parts.remove(over_memory)
        for norm, part in zip(self.norms, parts, strict=True):
            if self.norm_first:
                x = x + self.dropout(part(norm(x)))
            else:
                x = norm(x + self.dropout(part(x)))
        return x


class Stack(nn.Module):
    """Blocks one after the other, and a norm at the end where there is one (pre-LN blocks want it).

    Example:
        >>> import torch
        >>> stack = Stack([Block(8, Attention(8, 2), FeedForward(8)) for _ in range(3)], nn.LayerNorm(8)).eval()
        >>> x, caches = torch.randn(1, 6, 8), stack.caches()
        >>> steps = [stack(x[:, t : t + 1], causal=True, caches=caches) for t in range(6)]
        >>> torch.allclose(torch.cat(steps, 1), stack(x, causal=True), atol=1e-5)
        True
    """

    def __init__(self, blocks: Iterable[Block], norm: nn.Module | None = None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.Identity() if norm is None else norm

    def caches(self) -> list[BlockCache]:
        """Empty caches, one for each block, for a sequence that is read step by step."""
        return [BlockCache() for _ in self.blocks]

    def forward(self, x: Tensor, *, caches: Sequence[BlockCache] | None = None, **arguments: Any) -> Tensor:
        """`(B, T, E)` to the same shape.

        Args:
            x: positions; with caches, the new ones alone.
            caches: one for each block.
            arguments: what `Block` takes beside them, the same for all.
        """
        kept: Sequence[BlockCache | None] = [None] * len(self.blocks) if caches is None else caches
        for block, cache in zip(self.blocks, kept, strict=True):
            x = block(x, cache=cache, **arguments)
        return self.norm(x)


__all__ = ["Block", "BlockCache", "FeedForward", "Stack"]
