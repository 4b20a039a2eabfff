"""T5's encoder-decoder: no scaling of attention, RMS norms, a relative bias held once a stack, a shared embedding.

Its weights are named as transformers names them, so that a state of either loads into the other (Raffel et al., JMLR
2020).
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BUCKETS, FARTHEST = 32, 128


def relative_buckets(distance: Tensor, bidirectional: bool, buckets: int = BUCKETS, farthest: int = FARTHEST) -> Tensor:
    """Bucket of key position minus query position, any shape, int64.

    Half of the buckets are for exact distances, the rest grow by the logarithm up to `farthest`. With `bidirectional`
    half of all are for keys that come later; without, these share bucket 0.

    Example:
        >>> relative_buckets(torch.tensor([-200, -9, -1, 0, 1, 9]), True).tolist()
        [15, 8, 1, 0, 17, 24]
    """
    start = torch.zeros_like(distance)
    if bidirectional:
        buckets //= 2
        start = (distance > 0) * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp_min(0)
    exact = buckets // 2
    far = exact + (
        torch.log(distance.float().clamp_min(1) / exact) / math.log(farthest / exact) * (buckets - exact)
    ).to(torch.int64)
    return start + torch.where(distance < exact, distance, far.clamp_max(buckets - 1))


class RMSNorm(nn.Module):
    """x / sqrt(mean x^2 + eps) times a weight; the mean in single precision."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        square = x.float().square().mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(square + self.eps)).to(self.weight.dtype)


class _Attention(nn.Module):
    """Heads of width kv without scaling; the first of a stack holds the relative bias."""

    def __init__(self, dm: int, kv: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(dm, heads * kv, bias=False) for _ in range(3))
        self.o = nn.Linear(heads * kv, dm, bias=False)
        if bias:
            self.relative_attention_bias = nn.Embedding(BUCKETS, heads)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor | None) -> Tensor:
        q, k, v = (
            layer(y).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, y in ((self.q, x), (self.k, memory), (self.v, memory))
        )
        scores = q @ k.transpose(2, 3)
        if bias is not None:
            scores = scores + bias
        return self.o((scores.float().softmax(-1).to(v.dtype) @ v).transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):
    def __init__(self, dm: int, ff: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        if gated:
            self.wi_0, self.wi_1 = nn.Linear(dm, ff, bias=False), nn.Linear(dm, ff, bias=False)
        else:
            self.wi = nn.Linear(dm, ff, bias=False)
        self.wo = nn.Linear(ff, dm, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.gated:
            return self.wo(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))
        return self.wo(torch.relu(self.wi(x)))


class _Sublayer(nn.Module):
    """A norm and what comes after it, under the names that transformers gives them."""

    def __init__(self, name: str, inner: nn.Module, dm: int) -> None:
        super().__init__()
        self.layer_norm, self.name = RMSNorm(dm), name
        self.add_module(name, inner)

    @property
    def inner(self) -> Any:
        return self.get_submodule(self.name)


class _Block(nn.Module):
    def __init__(self, dm: int, ff: int, kv: int, heads: int, cross: bool, first: bool, gated: bool) -> None:
        super().__init__()
        layers = [_Sublayer("SelfAttention", _Attention(dm, kv, heads, first), dm)]
        if cross:
            layers.append(_Sublayer("EncDecAttention", _Attention(dm, kv, heads, False), dm))
        layers.append(_Sublayer("DenseReluDense", _FeedForward(dm, ff, gated), dm))
        self.layer = nn.ModuleList(layers)

    def forward(self, x: Tensor, bias: Tensor, memory: Tensor | None) -> Tensor:
        sublayer: Any
        for sublayer in self.layer:
            y = sublayer.layer_norm(x)
            if sublayer.name == "SelfAttention":
                x = x + sublayer.inner(y, y, bias)
            elif sublayer.name == "EncDecAttention":
                x = x + sublayer.inner(y, memory, None)
            else:
                x = x + sublayer.inner(y)
        return x


class _Stack(nn.Module):
    def __init__(self, blocks: int, dm: int, ff: int, kv: int, heads: int, cross: bool, gated: bool) -> None:
        super().__init__()
        self.cross = cross
        self.block = nn.ModuleList(_Block(dm, ff, kv, heads, cross, i == 0, gated) for i in range(blocks))
        self.final_layer_norm = RMSNorm(dm)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        at = torch.arange(x.shape[1], device=x.device)
        distance = at[None, :] - at[:, None]
        first: Any = self.block[0]
        table = first.layer[0].inner.relative_attention_bias
        bias = table(relative_buckets(distance, not self.cross)).permute(2, 0, 1)[None]
        if self.cross:
            bias = bias.masked_fill(distance > 0, torch.finfo(x.dtype).min)
        for block in self.block:
            x = block(x, bias, memory)
        return self.final_layer_norm(x)


class T5(nn.Module):
    """The whole model.

    Args:
        el, dl: blocks of encoder and decoder, at least 1 each.
        dm: width; ff: of the feed-forward net; kv: of a head; nh: heads.
        vocab: words.
        gated: two maps before the activation, as v1.1 has them.
        tied: embedding and output share their weights, and the decoder's output is scaled by dm^-.5.

    Example:
        >>> model = T5(1, 2, 16, 32, 4, 2, vocab=50)
        >>> model(torch.zeros(3, 5, dtype=torch.int64), torch.zeros(3, 4, dtype=torch.int64)).shape
        torch.Size([3, 4, 50])
    """

    def __init__(
        self, el: int, dl: int, dm: int, ff: int, kv: int, nh: int, vocab: int = 32128, gated: bool = False,
        tied: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shared, self.tied = nn.Embedding(vocab, dm), tied
        self.encoder = _Stack(el, dm, ff, kv, nh, False, gated)
        self.decoder = _Stack(dl, dm, ff, kv, nh, True, gated)
        if not tied:
            self.lm_head = nn.Linear(dm, vocab, bias=False)
        self._initialise(dm, ff, kv, nh)

    def _initialise(self, dm: int, ff: int, kv: int, nh: int) -> None:
        """T5's own: the missing scale of attention is in q."""
        std = {"q": (dm * kv) ** -0.5, "k": dm**-0.5, "v": dm**-0.5, "o": (nh * kv) ** -0.5, "wo": ff**-0.5}
        for name, value in self.named_parameters():
            part = name.split(".")[-2]
            if part not in ("layer_norm", "final_layer_norm"):
                nn.init.normal_(value, std=1.0 if part == "shared" else std.get(part, dm**-0.5))

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Words (B, S) and, shifted right, (B, T) to logits (B, T, vocab); all positions count."""
        memory = self.encoder(self.shared(inputs))
        x = self.decoder(self.shared(targets), memory)
        if self.tied:
            return x * self.shared.embedding_dim**-0.5 @ self.shared.weight.T
        return self.lm_head(x)


__all__ = ["T5", "RMSNorm", "relative_buckets"]
