"""Attention in time linear in the number of tokens: kernels phi(q) . phi(k) in place of exp(q . k).

FAVOR+ (Choromanski et al. 2021, arXiv 2009.14794): positive random features whose products estimate exp(q . k) without
bias, and elu(x) + 1 (Katharopoulos et al. 2020). Sums over keys are matrices of M x d, whatever the number of tokens;
causal ones are carried from chunk to chunk.

Keys come with the logarithm of a scale each, so that nothing overflows: features are phi_j exp(scale_j). Over a whole
sequence all share one scale, which cancels. In a causal sequence it is the largest exponent so far, so that no output
knows of later tokens, not even in its last digit.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.attention import Attention
from holdfast.validation import check_integer

SMALLEST = 1e-6  # added to every feature: no token is ever without weight, no sum is 0
CHUNK = 64  # tokens whose scores are formed at a time in causal attention


def orthogonal_features(count: int, dim: int, generator: torch.Generator | None = None) -> Tensor:
    """Frequencies of FAVOR+: rows distributed as N(0, I), orthogonal within blocks of `dim`, float32 `(count, dim)`.

    Orthogonal rows get the lengths of independent Gaussian ones (chi with `dim` degrees of freedom): each row alone is
    N(0, I), so that estimates stay unbiased, and their errors partly cancel.

    Example:
        >>> omega = orthogonal_features(6, 4, torch.Generator().manual_seed(0))
        >>> gram = omega[:4] @ omega[:4].T
        >>> omega.shape, bool((gram - gram.diag().diag()).abs().max() < 1e-5)
        (torch.Size([6, 4]), True)
    """
    device = None if generator is None else generator.device
    blocks = math.ceil(count / dim)
    gaussian = torch.randn(blocks, dim, dim, generator=generator, device=device)
    q, r = torch.linalg.qr(gaussian)
    q = q * r.diagonal(dim1=1, dim2=2).sign()[:, None]  # without it, the rows would not be uniform on the sphere
    lengths = torch.randn(blocks, dim, dim, generator=generator, device=device).norm(dim=2)
    return (q.transpose(1, 2) * lengths[:, :, None]).flatten(0, 1)[:count]


class Kernel(nn.Module, ABC):
    """Features of queries and keys whose products are weights of attention."""

    @abstractmethod
    def queries(self, q: Tensor) -> Tensor:
        """`(B, H, N, D)` to positive features `(B, H, N, M)`; any factor of a row's own cancels."""

    @abstractmethod
    def keys(self, k: Tensor, causal: bool, real: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Features `(B, H, N, M)` of keys `(B, H, N, D)`, and log scales `(B, H, N)` or None where all share one.

        Args:
            k: keys.
            causal: scales may depend on earlier keys only.
            real: bool `(B, N)`, false for padding, which must not set the scale.
        """


class EluKernel(Kernel):
    """phi(x) = elu(x) + 1, elementwise: positive, and no estimate of anything."""

    def queries(self, q: Tensor) -> Tensor:
        return F.elu(q) + 1

    def keys(self, k: Tensor, causal: bool, real: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return F.elu(k) + 1, None


class FavorKernel(Kernel):
    """phi(x) = exp(omega x - |x|^2 / 2) / sqrt(M): the mean of phi(q) . phi(k) over draws of omega is exp(q . k).

    Args:
        heads: H, each with frequencies of its own.
        dim: D of queries and keys.
        features: M.
        stabilise: take the largest exponent out of each query, and of all keys together, and add 1e-6 to features.
            Without it a float32 overflows early; for comparisons with formulas.

    Example:
        >>> kernel = FavorKernel(heads=1, dim=2, features=4096, stabilise=False)
        >>> q, k = torch.tensor([[[[0.3, 0.1]]]]), torch.tensor([[[[0.2, -0.5]]]])
        >>> estimate = (kernel.queries(q) * kernel.keys(k, causal=False)[0]).sum()
        >>> bool((estimate - (q * k).sum().exp()).abs() < 0.1)
        True
    """

    omega: Tensor

    def __init__(self, heads: int, dim: int, features: int, *, stabilise: bool = True) -> None:
        super().__init__()
        self.register_buffer("omega", torch.empty(heads, check_integer(features, "features", low=1), dim))
        self.stabilise = stabilise
        self.redraw()

    @torch.no_grad()
    def redraw(self, generator: torch.Generator | None = None) -> None:
        """Draw new frequencies, from the generator or torch's own."""
        heads, features, dim = self.omega.shape
        for head in range(heads):
            self.omega[head].copy_(orthogonal_features(features, dim, generator))

    def exponents(self, x: Tensor) -> Tensor:
        """omega x - |x|^2 / 2, `(B, H, N, M)`."""
        return x @ self.omega.to(x.dtype).transpose(1, 2) - x.square().sum(3, keepdim=True) / 2

    def queries(self, q: Tensor) -> Tensor:
        exponents = self.exponents(q)
        if not self.stabilise:
            return exponents.exp() / math.sqrt(self.omega.shape[1])
        return (exponents - exponents.detach().amax(3, keepdim=True)).exp() + SMALLEST

    def keys(self, k: Tensor, causal: bool, real: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        exponents = self.exponents(k)
        if not self.stabilise:
            return exponents.exp() / math.sqrt(self.omega.shape[1]), None
        largest = exponents.detach().amax(3)  # a constant: were it learned from, weights of keys would be wrong
        if real is not None:
            largest = largest.masked_fill(~real[:, None], -torch.inf)
        scale = largest.cummax(2).values if causal else largest.amax(2, keepdim=True)
        scale = scale.clamp(min=torch.finfo(scale.dtype).min)  # where nothing is real yet
        shifted = exponents - scale[..., None]
        if real is not None:
            shifted = shifted.masked_fill(~real[:, None, :, None], -torch.inf)
        return shifted.exp() + SMALLEST, scale if causal else None


def linear_attention(q: Tensor, k: Tensor, v: Tensor, real: Tensor | None = None) -> Tensor:
    """q (k^T v) / (q sum k), `(B, H, N, d)`: every token attends to all real ones.

    Args:
        q, k: positive features `(B, H, N, M)`.
        v: values `(B, H, N, d)`.
        real: bool `(B, N)`, false for padding. Where a sequence has no real token, the result is 0.
    """
    if real is not None:
        k = k * real[:, None, :, None]
    weights = (q @ k.sum(2)[..., None]).clamp(min=torch.finfo(q.dtype).tiny)
    return q @ (k.transpose(2, 3) @ v) / weights


def causal_linear_attention(
    q: Tensor, k: Tensor, v: Tensor, scale: Tensor | None = None, real: Tensor | None = None, chunk: int = CHUNK
) -> Tensor:
    """The same with sums over tokens up to the query's own: O(N chunk) scores, and an M x (d + 1) state between chunks.

    Args:
        q, k, v, real: as for `linear_attention`.
        scale: log scales of the keys `(B, H, N)`, never falling along N; None = all the same.
        chunk: tokens whose scores are formed at a time.

    Example:
        >>> q, k, v = torch.rand(3, 1, 2, 10, 4)
        >>> whole = causal_linear_attention(q, k, v, chunk=10)
        >>> torch.allclose(causal_linear_attention(q, k, v, chunk=3), whole, atol=1e-5)
        True
    """
    if real is not None:
        k = k * real[:, None, :, None]
    if scale is None:
        scale = k.new_zeros(k.shape[:3])
    values = torch.cat([v, torch.ones_like(v[..., :1])], 3)  # the last column adds up the weights
    state = k.new_zeros(*k.shape[:2], k.shape[3], values.shape[3])
    reached = scale[:, :, :1]  # log scale of the state
    out = []
    for q_, k_, v_, s in zip(*(x.split(chunk, 2) for x in (q, k, values, scale)), strict=True):
        away = s[..., None, :] - s[..., None]  # (B, H, query, key), at most 0 for keys before the query
        earlier = torch.ones_like(away[0, 0], dtype=torch.bool).tril()
        scores = (q_ @ k_.transpose(2, 3)) * away.masked_fill(~earlier, -torch.inf).exp()
        sums = scores @ v_ + (q_ @ state) * (reached - s).exp()[..., None]
        out.append(sums[..., :-1] / sums[..., -1:].clamp(min=torch.finfo(sums.dtype).tiny))
        last = s[:, :, -1:]
        kept = k_ * (s - last).exp()[..., None]
        state = state * (reached - last).exp()[..., None] + kept.transpose(2, 3) @ v_
        reached = last
    return torch.cat(out, 2)


class LinearAttention(Attention):
    """`Attention` whose cost grows with N and not with N^2; scores may have a bias of low rank.

    Args:
        width, heads, bias: as for `Attention`.
        kernel: features of queries and keys of `width / heads + extra` numbers; None = FAVOR+ with 64 features.
        extra: columns of the bias's factors.
        chunk: tokens at a time in causal attention.

    Raises:
        InputError: as `Attention`.

    Example:
        >>> x = torch.randn(2, 50, 8)
        >>> LinearAttention(8, heads=2).attend(x, causal=True).shape
        torch.Size([2, 50, 8])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        kernel: Kernel | None = None,
        extra: int = 0,
        bias: bool = False,
        chunk: int = CHUNK,
    ) -> None:
        super().__init__(width, heads, bias=bias)
        self.kernel = FavorKernel(heads, width // heads + extra, 64) if kernel is None else kernel
        self.chunk = check_integer(chunk, "chunk", low=1)

    def attend(
        self,
        x: Tensor,
        factors: tuple[Tensor, Tensor] | None = None,
        *,
        causal: bool = False,
        real: Tensor | None = None,
        exact: bool = False,
    ) -> Tensor:
        """Mixtures of values, `(B, N, E)`.

        Args:
            x: `(B, N, E)`.
            factors: (L, R), each `(B or 1, H, N, extra)`: the bias of the scores is L R^T.
            causal: tokens after a query are hidden from it.
            real: bool `(B, N)`, false for padding.
            exact: form all N^2 scores: the softmax that FAVOR+ estimates.
        """
        if exact:
            bias = None if factors is None else factors[0] @ factors[1].transpose(2, 3)
            mask = None if real is None else real[:, None, None]
            return self.forward(x, causal=causal, mask=mask, bias=bias)
        q, k, v = (self._split(projected(x)) for projected in (self.q, self.k, self.v))
        given = q.dtype
        if given == torch.float16:
            warnings.warn("exponentials overflow in float16: attention is computed in float32", stacklevel=2)
            q, k, v = q.float(), k.float(), v.float()
        shrunk = q.shape[3] ** -0.25  # of the content alone: the bias is no product that grows with d
        q, k = q * shrunk, k * shrunk
        if factors is not None:
            left, right = (f.to(q.dtype).expand(len(q), -1, -1, -1) for f in factors)
            q, k = torch.cat([q, left], 3), torch.cat([k, right], 3)
        phi_q, (phi_k, scale) = self.kernel.queries(q), self.kernel.keys(k, causal, real)
        if causal:
            mixed = causal_linear_attention(phi_q, phi_k, v, scale, real, self.chunk)
        else:
            mixed = linear_attention(phi_q, phi_k, v, real)
        return self.o(mixed.to(given).transpose(1, 2).flatten(2))


def check_padding(mask: Tensor | None, x: Tensor) -> Tensor | None:
    """Which tokens are real, from a `key_padding_mask` as torch has it: bool `(B, N)`, TRUE for padding.

    Raises:
        InputError: another type or shape.
    """
    if mask is None:
        return None
    if mask.dtype != torch.bool or mask.shape != x.shape[:2]:
        rule = f"must be bool of shape {tuple(x.shape[:2])}, true for padding"
        raise InputError("key_padding_mask", rule, f"{mask.dtype} of shape {tuple(mask.shape)}")
    return ~mask


__all__ = [
    "EluKernel",
    "FavorKernel",
    "Kernel",
    "LinearAttention",
    "causal_linear_attention",
    "check_padding",
    "linear_attention",
    "orthogonal_features",
]
