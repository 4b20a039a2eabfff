"""Attention that knows where its tokens are, in linear time: `FourierRPE` gives the bias, `FLTAttention` uses it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.linear_attention import EluKernel, FavorKernel, LinearAttention, check_padding
from holdfast.layers.transformer import FeedForward
from holdfast.systems.flt.method import KINDS, fourier_factors, phases
from holdfast.validation import check_choice, check_integer, check_positive

ALIASED = 1e3  # positions further apart than this many wavelengths are told apart by chance


class FourierRPE(nn.Module):
    """A learned bias f(r_i - r_j) per head as factors of rank 2R.

    Args:
        dim: d of positions.
        n_features: R, frequencies per head.
        kind: form of g: "gmm", "kernel" (Gaussian), "cauchy", "local" or "mlp", see `method`.
        n_components: T: Gaussians, windows or hidden units.
        heads: H.
        scale: of the frequencies, cycles per unit of position: about 1 where positions span [0, 1], or
            1 / (2 pi x the smallest distance that matters).
        even: f(z) = f(-z); False adds an odd part ("gmm" and "mlp" alone).

    Raises:
        InputError: a size below 1, an unknown kind, an odd part of a kind that has none.

    Example:
        >>> rpe = FourierRPE(dim=3, n_features=16, heads=2)
        >>> pos = torch.rand(1, 5, 3)
        >>> n1, n2 = rpe.factors(pos)
        >>> n1.shape, torch.allclose(rpe.bias_estimate(pos + 0.5), rpe.bias_estimate(pos), atol=1e-5)
        (torch.Size([1, 2, 5, 32]), True)
    """

    drawn: Tensor

    def __init__(
        self,
        dim: int,
        n_features: int = 32,
        kind: str = "gmm",
        n_components: int = 8,
        heads: int = 1,
        scale: float = 1.0,
        even: bool = True,
    ) -> None:
        super().__init__()
        for name, value in (("dim", dim), ("n_features", n_features), ("n_components", n_components), ("heads", heads)):
            check_integer(value, name, low=1)
        check_choice(kind, tuple(KINDS), "kind")
        if not even and kind not in ("gmm", "mlp"):
            raise InputError("even", f"must be True with kind {kind!r}: kernels and windows are even", even)
        self.dim, self.n_features, self.heads, self.scale = dim, n_features, heads, check_positive(scale, "scale")
        self.spectrum = KINDS[kind](heads, dim, n_components, scale, even)
        self.register_buffer("drawn", self.spectrum.draw(n_features))

    @property
    def columns(self) -> int:
        """2R, of each factor."""
        return 2 * self.n_features

    @torch.no_grad()
    def redraw_features(self, generator: torch.Generator | None = None) -> None:
        """Draw new frequencies, from the generator or torch's own."""
        self.drawn.copy_(self.spectrum.draw(self.n_features, generator))

    def factors(self, pos: Tensor) -> tuple[Tensor, Tensor]:
        """N1 and N2, `(B, H, N, 2R)`, for positions `(B, N, d)`: the bias is N1 N2^T.

        Raises:
            InputError: another shape; on the CPU also positions that are not finite.

        Warns:
            UserWarning: on the CPU, positions 1,000 wavelengths and more apart.
        """
        check_positions(pos, self.dim, self.scale)
        xi, rho, odd = self.spectrum.ratios(self.drawn)
        return fourier_factors(phases(xi, pos.to(xi.dtype)), rho, odd)

    def bias_estimate(self, pos: Tensor) -> Tensor:
        """N1 N2^T, `(B, H, N, N)`: f(r_i - r_j) up to an error that falls as 1 / sqrt(R)."""
        n1, n2 = self.factors(pos)
        return n1 @ n2.transpose(2, 3)

    def bias_exact(self, delta: Tensor) -> Tensor:
        """f of differences of positions `(..., d)` in closed form, `(H, ...)`.

        Raises:
            InputError: kind "mlp", which has no closed form.
        """
        found = self.spectrum.bias(delta)
        if found is None:
            raise InputError("kind", "must be one with a closed form: not 'mlp'", "mlp")
        return found

    def strength(self) -> Tensor:
        """Mean of |rho| over frequencies, `(H,)`: |N1|^2. Far above 2 the estimates of FAVOR+ become noisy."""
        _, rho, odd = self.spectrum.ratios(self.drawn)
        return (rho.abs() if odd is None else torch.hypot(rho, odd)).mean(1)


def check_positions(pos: Tensor, dim: int, scale: float) -> None:
    """Raise or warn as `FourierRPE.factors` says. Values are looked at on the CPU alone: a GPU would have to wait."""
    if pos.ndim != 3 or pos.shape[2] != dim:
        raise InputError("pos", f"must have shape (B, N, {dim})", f"shape {tuple(pos.shape)}")
    if pos.device.type != "cpu" or not pos.numel():
        return
    if not bool(pos.isfinite().all()):
        raise InputError("pos", "must be finite", "NaN or infinite positions")
    span = float((pos.amax((0, 1)) - pos.amin((0, 1))).max())
    if span * scale > ALIASED:
        warnings.warn(
            f"positions span {span:g} at frequencies of scale {scale:g}: distances alias. Divide positions by their "
            "range, or choose scale = 1 / (2 pi x the smallest distance that matters)",
            stacklevel=4,
        )


class FLTAttention(nn.Module):
    """Linear attention with the scores q.k / sqrt(d_h) + f(r_i - r_j).

    Args:
        embed_dim: E, a multiple of `num_heads`.
        num_heads: H, as many as `rpe` has.
        rpe: the bias; None = none, a plain linear transformer's attention.
        n_features: M, random features of FAVOR+ per head.
        causal: token i attends to tokens up to i of the SEQUENCE, whatever their positions are.
        kernel: "favor+", or "elu": elu(x) + 1 of queries, keys and factors.
        exact: form all N^2 scores, with the same N1 N2^T as bias: what FAVOR+ estimates.

    Raises:
        InputError: sizes that do not fit each other.

    Example:
        >>> attention = FLTAttention(16, 2, FourierRPE(dim=3, heads=2))
        >>> attention(torch.randn(4, 10, 16), torch.rand(4, 10, 3)).shape
        torch.Size([4, 10, 16])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        rpe: FourierRPE | None,
        n_features: int = 64,
        causal: bool = False,
        kernel: str = "favor+",
        exact: bool = False,
    ) -> None:
        super().__init__()
        check_choice(kernel, ("favor+", "elu"), "kernel")
        if rpe is not None and rpe.heads != num_heads:
            raise InputError("rpe", f"must have num_heads ({num_heads}) heads", rpe.heads)
        extra = 0 if rpe is None else rpe.columns
        size = embed_dim // check_integer(num_heads, "num_heads", low=1) + extra
        features = EluKernel() if kernel == "elu" else FavorKernel(num_heads, size, n_features)
        self.attention = LinearAttention(embed_dim, num_heads, kernel=features, extra=extra)
        self.rpe, self.causal, self.exact = rpe, causal, exact

    def redraw_features(self, generator: torch.Generator | None = None) -> None:
        """Draw FAVOR+'s features anew; those of g have a redraw of their own, `rpe.redraw_features`.

        For use in training: a network trains to the features it has, and a trained one is worse with others.
        """
        if isinstance(self.attention.kernel, FavorKernel):
            self.attention.kernel.redraw(generator)

    def forward(self, x: Tensor, pos: Tensor | None = None, key_padding_mask: Tensor | None = None) -> Tensor:
        """`(B, N, E)` to the same shape.

        Args:
            x: tokens.
            pos: `(B, N, d)`; None = 0, 1, 2, ... for d = 1.
            key_padding_mask: bool `(B, N)`, TRUE for padding, as in torch.
        """
        real = check_padding(key_padding_mask, x)
        factors = None
        if self.rpe is not None:
            if pos is None:
                pos = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)[None, :, None]
            factors = self.rpe.factors(pos)
        return self.attention.attend(x, factors, causal=self.causal, real=real, exact=self.exact)


class FLTEncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)).

    Args:
        attention: of width E.
        embed_dim: E.
        hidden: units of the feed-forward net; None = 4 E.
    """

    def __init__(self, attention: FLTAttention, embed_dim: int, hidden: int | None = None) -> None:
        super().__init__()
        self.attention, self.feed_forward = attention, FeedForward(embed_dim, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dim) for _ in range(2))

    def forward(self, x: Tensor, pos: Tensor | None = None, key_padding_mask: Tensor | None = None) -> Tensor:
        """As `FLTAttention`."""
        x = x + self.attention(self.norms[0](x), pos, key_padding_mask)
        return x + self.feed_forward(self.norms[1](x))


class FLTEncoder(nn.Module):
    """Layers one after the other; with one `rpe` for all, its factors are the same in all of them.

    Example:
        >>> rpe = FourierRPE(dim=1, heads=2)
        >>> layers = [FLTEncoderLayer(FLTAttention(16, 2, rpe), 16) for _ in range(2)]
        >>> FLTEncoder(layers)(torch.randn(1, 7, 16), torch.rand(1, 7, 1)).shape
        torch.Size([1, 7, 16])
    """

    def __init__(self, layers: list[FLTEncoderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, pos: Tensor | None = None, key_padding_mask: Tensor | None = None) -> Tensor:
        """As `FLTAttention`."""
        for layer in self.layers:
            x = layer(x, pos, key_padding_mask)
        return x


__all__ = [
    "FLTAttention",
    "FLTEncoder",
    "FLTEncoderLayer",
    "FourierRPE",
    "check_positions",
]
