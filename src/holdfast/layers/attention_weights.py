"""The weights that attention mixes values with: fused kernels do not give them, so they are computed again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from holdfast.layers.attention import Attention, limits


def attention_weights(
    layer: Attention,
    x: Tensor,
    memory: Tensor | None = None,
    *,
    causal: bool = False,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """softmax(q k / sqrt(d) + bias), `(B, H, Q, K)`; rows sum to 1. Without dropout.

    Args:
        layer: whose maps and scores are used.
        x, memory, causal, mask, bias: as the layer takes them.

    Example:
        >>> layer, x = Attention(8, heads=2), torch.randn(3, 5, 8)
        >>> attention_weights(layer, x, causal=True).sum(3).allclose(torch.ones(3, 2, 5))
        True
    """
    source = x if memory is None else memory
    q, k = (m(y).unflatten(2, (layer.heads, -1)).transpose(1, 2) for m, y in ((layer.q, x), (layer.k, source)))
    if layer.scores is not None:
        q, by_position = layer.scores(q, k.shape[2])
        bias = by_position if bias is None else bias if by_position is None else bias + by_position
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
    how = limits(q, k, causal, mask, bias)
    if how.get("is_causal"):
        how = {"attn_mask": torch.ones(scores.shape[2:], dtype=torch.bool, device=scores.device).tril()}
    limit = how["attn_mask"]
    if limit is not None:
        scores = scores.masked_fill(~limit, -math.inf) if limit.dtype == torch.bool else scores + limit
    return scores.softmax(3)


@contextmanager
def weights_of(layer: Attention) -> Iterator[list[Tensor]]:
    """While entered, keeps the weights of every call of a layer, detached, in order.

    A call with a cache of its own past is refused: its weights would need the keys that the cache holds.
    """
    kept: list[Tensor] = []

    def keep(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = {name: value for name, value in kwargs.items() if name != "cache"}
        if kwargs.get("cache") is not None and len(args) < 2 and given.get("memory") is None:
            raise ValueError("weights of self-attention with a cache are not kept; read the sequence as a whole")
        with torch.no_grad():
            kept.append(attention_weights(module, *args, **given))

    handle = layer.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield kept
    finally:
        handle.remove()


__all__ = ["attention_weights", "weights_of"]
