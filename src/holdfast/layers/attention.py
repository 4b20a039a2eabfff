"""Multi-head attention over the sequence itself or over a memory: causal, masked, biased, with a cache of keys.

torch's fused `scaled_dot_product_attention` computes it; this module says what it is given.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.positions import distances
from holdfast.validation import check_fraction, check_integer


def real_tokens(lengths: Tensor, longest: int) -> Tensor:
    """Which positions of padded sequences hold something, bool `(B, T)`, for lengths `(B,)`: a padding mask.

    Example:
        >>> real_tokens(torch.tensor([1, 3]), 3).int().tolist()
        [[1, 0, 0], [1, 1, 1]]
    """
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


class Cache:
    """Keys and values that an attention layer has seen already, so that a step computes those of new positions alone.

    Self-attention appends to it with every call; attention over a memory fills it once and reads it from then on. Give
    every layer and every batch of sequences a cache of its own.

    Attributes:
        keys, values: `(B, H, K, d)`, or None before the first call.
    """

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values, those `(B, H, new, d)` last."""
        if self.keys is not None and self.values is not None:
            keys, values = torch.cat([self.keys, keys], dim=2), torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, int64 `(B',)`, in this order: what a beam search does with its hypotheses."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]


class Attention(nn.Module):
    """softmax(q k / sqrt(d) + bias) v in H heads, with linear maps to q, k and v, and one out of the heads' values.

    Args:
        width: E of the input and the output, a multiple of `heads`.
        heads: H.
        memory_width: of the memory that is attended to, where it is not E.
        dropout: of the attention weights, while training.
        bias: whether the linear maps have biases.
        scores: module (q `(B, H, Q, d)`, number of keys) -> (q, what is added to the scores, `(B or 1, H, Q, K)` or
            None), as `holdfast.layers.positions` has them.

    Raises:
        InputError: a size that is no whole number from 1 on; a width that heads do not divide.

    Example:
        >>> x = torch.randn(2, 5, 8)
        >>> Attention(8, heads=2)(x, causal=True).shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        memory_width: int | None = None,
        dropout: float = 0.0,
        bias: bool = False,
        scores: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_integer(width, "width", low=1)
        self.heads = check_integer(heads, "heads", low=1)
        if width % heads:
            raise InputError("width", f"must be a multiple of heads ({heads})", width)
        self.dropout = check_fraction(dropout, "dropout", one=False)
        read = width if memory_width is None else check_integer(memory_width, "memory_width", low=1)
        self.q = nn.Linear(width, width, bias=bias)
        self.k, self.v = nn.Linear(read, width, bias=bias), nn.Linear(read, width, bias=bias)
        self.o = nn.Linear(width, width, bias=bias)
        self.scores = scores

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        *,
        causal: bool = False,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Mixtures of values, `(B, Q, E)`; for a query that may attend to nothing, what zeros are mapped to.

        Args:
            x: `(B, Q, E)`.
            memory: what to attend to, `(B, K, M)`; None = x itself, after what the cache holds.
            causal: keys after a query are hidden from it; the last query stands at the last key.
            mask: bool, broadcast to `(B, H, Q, K)`, true where attention is allowed. Padding `(B, K)` is
                `real[:, None, None]`.
            bias: added to the scores, broadcast to `(B, H, Q, K)`.
            cache: keys and values of earlier calls; with a memory, of this very memory.
        """
        q = self._split(self.q(x))
        k, v = self._keys_and_values(x, memory, cache)
        if self.scores is not None:
            q, by_position = self.scores(q, k.shape[2])
            bias = by_position if bias is None else bias if by_position is None else bias + by_position
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, **limits(q, k, causal, mask, bias))
        return self.o(mixed.transpose(1, 2).flatten(2))

    def _split(self, features: Tensor) -> Tensor:
        """`(B, T, E)` to `(B, H, T, d)`."""
        return features.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _keys_and_values(self, x: Tensor, memory: Tensor | None, cache: Cache | None) -> tuple[Tensor, Tensor]:
        if memory is not None and cache is not None and cache.keys is not None and cache.values is not None:
            return cache.keys, cache.values
        source = x if memory is None else memory
        k, v = self._split(self.k(source)), self._split(self.v(source))
        return (k, v) if cache is None else cache.append(k, v)


def limits(q: Tensor, k: Tensor, causal: bool, mask: Tensor | None, bias: Tensor | None) -> dict[str, Any]:
    """What `scaled_dot_product_attention` is told of which keys count, in the cheapest form that says it.

    Args:
        q, k: `(B, H, Q, d)` and `(B, H, K, d)`.
        causal, mask, bias: as for `Attention`.
    """
    queries, keys = q.shape[2], k.shape[2]
    if causal and mask is None and bias is None and queries == keys:
        return {"is_causal": True}  # the fused kernels then skip what is hidden
    if causal and queries > 1:
        before = distances(queries, keys, q.device) >= 0
        mask = before if mask is None else mask & before
    if bias is None:
        return {"attn_mask": mask}
    bias = bias.to(q.dtype)
    return {"attn_mask": bias if mask is None else bias.masked_fill(~mask, -math.inf)}


__all__ = ["Attention", "Cache", "limits", "real_tokens"]
