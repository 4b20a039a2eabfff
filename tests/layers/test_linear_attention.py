"""Linear attention against loops over pairs of tokens, and FAVOR+ against the exponential it estimates."""

from __future__ import annotations

import math

import pytest
import torch

from holdfast.errors import InputError
from holdfast.layers.attention import Attention
from holdfast.layers.linear_attention import (
    SMALLEST,
    EluKernel,
    FavorKernel,
    LinearAttention,
    causal_linear_attention,
    check_padding,
    linear_attention,
    orthogonal_features,
)

B, H, N, D, M = 2, 3, 11, 4, 6


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def features(seed=0):
    q, k = torch.rand(2, B, H, N, M, generator=seeded(seed), dtype=torch.float64) + 0.1
    return q, k, torch.randn(B, H, N, D, generator=seeded(seed + 1), dtype=torch.float64)


def by_pairs(q, k, v, allowed):
    """The definition: weights phi(q_i) . phi(k_j) of the allowed pairs, one at a time."""
    out = torch.zeros_like(v)
    for b in range(B):
        for h in range(H):
            for i in range(N):
                weights = [float(q[b, h, i] @ k[b, h, j]) if allowed(b, i, j) else 0.0 for j in range(N)]
                total = sum(w * v[b, h, j] for j, w in enumerate(weights))
                out[b, h, i] = total / sum(weights)
    return out


def test_orthogonal_rows_within_blocks_with_chi_lengths():
    omega = orthogonal_features(4000, 5, seeded())
    blocks = omega.reshape(-1, 5, 5)
    gram = blocks @ blocks.transpose(1, 2)
    off = gram - torch.diag_embed(gram.diagonal(dim1=1, dim2=2))
    assert off.abs().max() < 1e-4
    lengths = omega.square().sum(1)  # chi squared, 5 degrees of freedom
    assert lengths.mean() == pytest.approx(5, abs=0.2)
    assert lengths.var() == pytest.approx(10, abs=1)
    assert omega.mean().abs() < 0.02
    assert (omega.T @ omega / 4000 - torch.eye(5)).abs().max() < 0.1
    assert orthogonal_features(7, 5).shape == (7, 5)
    assert torch.equal(orthogonal_features(7, 5, seeded(3)), orthogonal_features(7, 5, seeded(3)))


def test_favor_is_unbiased():
    q, k = 0.6 * torch.randn(2, 1, 1, 5, D, generator=seeded(), dtype=torch.float64)
    kernel = FavorKernel(1, D, M, stabilise=False).double()
    estimates = []
    for draw in range(2000):
        kernel.redraw(seeded(draw))
        estimates.append(kernel.queries(q)[0, 0] @ kernel.keys(k, causal=False)[0][0, 0].T)
    estimates = torch.stack(estimates)
    wanted = (q[0, 0] @ k[0, 0].T).exp()
    error = estimates.std(0) / math.sqrt(2000)
    assert ((estimates.mean(0) - wanted).abs() < 4 * error).all()
    assert (error < 0.1 * wanted).all()


@pytest.mark.parametrize("padded", [False, True])
def test_linear_attention_against_pairs(padded):
    q, k, v = features()
    real = torch.ones(B, N, dtype=torch.bool)
    real[0, 7:] = not padded
    found = linear_attention(q, k, v, real if padded else None)
    torch.testing.assert_close(found, by_pairs(q, k, v, lambda b, i, j: bool(real[b, j])))


@pytest.mark.parametrize("chunk", [1, 3, 11, 64])
def test_causal_chunks_against_pairs_with_scales(chunk):
    q, k, v = features()
    scale = torch.rand(B, H, N, generator=seeded(5), dtype=torch.float64).cumsum(2)
    real = torch.ones(B, N, dtype=torch.bool)
    real[1, 4:6] = False
    found = causal_linear_attention(q, k, v, scale, real, chunk)
    scaled = k * scale.exp()[..., None]
    torch.testing.assert_close(found, by_pairs(q, scaled, v, lambda b, i, j: j <= i and bool(real[b, j])))
    without = causal_linear_attention(q, k, v, chunk=chunk)
    torch.testing.assert_close(without, by_pairs(q, k, v, lambda b, i, j: j <= i))


@pytest.mark.parametrize("causal", [False, True])
def test_stabilised_features_give_the_same_attention(causal):
    q, k = 0.8 * torch.randn(2, B, H, N, D, generator=seeded(2), dtype=torch.float64)
    v = torch.randn(B, H, N, D, generator=seeded(3), dtype=torch.float64)
    kernel = FavorKernel(H, D, 8).double()
    plain = FavorKernel(H, D, 8, stabilise=False).double()
    plain.load_state_dict(kernel.state_dict())
    over = [kernel.queries(q), *kernel.keys(k, causal)], [plain.queries(q), *plain.keys(k, causal)]
    outs = [causal_linear_attention(a, b, v, scale) if causal else linear_attention(a, b, v) for a, b, scale in over]
    torch.testing.assert_close(*outs, atol=1e-3, rtol=1e-3)  # 1e-6 is added to features
    assert over[0][1].amax() == pytest.approx(1 + SMALLEST, abs=1e-12)
    assert (over[0][0].amax(3) - 1 - SMALLEST).abs().max() < 1e-12  # the largest of every query's own
    assert over[1][2] is None
    if causal:
        largest = kernel.exponents(k).amax(3)
        torch.testing.assert_close(over[0][2], torch.stack([largest[..., : i + 1].amax(2) for i in range(N)], 2))


def test_stabiliser_survives_what_overflows():
    q = 40 * torch.randn(1, 1, N, D, generator=seeded())
    kernel, plain = FavorKernel(1, D, 8), FavorKernel(1, D, 8, stabilise=False)
    plain.load_state_dict(kernel.state_dict())
    v = torch.randn(1, 1, N, D)
    phi, scale = kernel.keys(q, True)
    assert causal_linear_attention(kernel.queries(q), phi, v, scale).isfinite().all()
    assert not (plain.queries(40 * q) > 0).all()  # everything underflows: nothing to divide by


def test_padding_does_not_set_the_scale():
    x = torch.randn(1, N, 8, generator=seeded())
    attention = LinearAttention(8, 2)
    real = torch.arange(N)[None] < 6
    wild = x.clone()
    wild[:, 6:] = 1e4
    torch.testing.assert_close(attention.attend(wild, real=real)[:, :6], attention.attend(x[:, :6]))
    causal = attention.attend(wild, real=real, causal=True)[:, :6]
    torch.testing.assert_close(causal, attention.attend(x[:, :6], causal=True))
    nothing = attention.attend(x, real=torch.zeros(1, N, dtype=torch.bool))
    assert torch.equal(nothing, torch.zeros_like(nothing))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("place", [slice(0, 6), slice(5, 11)])
def test_padding_of_the_largest_exponents_does_not_set_the_scale(causal, place):
    kernel = FavorKernel(1, D, M)
    k = torch.randn(1, 1, N, D, generator=seeded())
    real = torch.zeros(1, N, dtype=torch.bool)
    real[:, place] = True
    kernel.redraw(seeded(1))
    kernel.omega[0, 0] = torch.tensor([4.0, 0, 0, 0])
    k[:, :, ~real[0]] = torch.tensor([3.0, 0, 0, 0])  # an exponent of 4 x 3 - 3^2 / 2
    exponents = kernel.exponents(k)
    assert exponents[:, :, ~real[0]].max() > exponents[:, :, place].max()
    found, wanted = kernel.keys(k, causal, real), kernel.keys(k[:, :, place], causal)
    torch.testing.assert_close(found[0][:, :, place], wanted[0])
    if causal:
        torch.testing.assert_close(found[1][:, :, place], wanted[1])


@pytest.mark.parametrize("kernel", [None, EluKernel()])
def test_a_causal_output_knows_of_no_later_token(kernel):
    x = torch.randn(1, 20, 8, generator=seeded())
    attention = LinearAttention(8, 2, kernel=kernel, chunk=6)
    before = attention.attend(x, causal=True)
    x[:, 13:] = 300 * torch.randn(1, 7, 8, generator=seeded(1))
    assert torch.equal(attention.attend(x, causal=True)[:, :13], before[:, :13])


def test_exact_is_softmax_attention_with_the_bias_of_low_rank():
    x = torch.randn(B, N, 8, generator=seeded())
    left, right = torch.randn(2, 1, 2, N, 3, generator=seeded(1))
    linear, plain = LinearAttention(8, 2, extra=3), Attention(8, 2)
    plain.load_state_dict({k: v for k, v in linear.state_dict().items() if not k.startswith("kernel")})
    wanted = plain(x, bias=left @ right.transpose(2, 3))
    torch.testing.assert_close(linear.attend(x, (left, right), exact=True), wanted)


def test_attend_against_the_kernel_by_hand():
    x = torch.randn(B, N, 8, generator=seeded())
    left, right = torch.randn(2, 1, 2, N, 3, generator=seeded(1))
    attention = LinearAttention(8, 2, extra=3)
    q, k, v = (m(x).view(B, N, 2, 4).transpose(1, 2) for m in (attention.q, attention.k, attention.v))
    q, k = q / 4**0.25, k / 4**0.25  # of the content alone
    q, k = torch.cat([q, left.expand(B, -1, -1, -1)], 3), torch.cat([k, right.expand(B, -1, -1, -1)], 3)
    w = attention.kernel.omega
    phi = [(y @ w.transpose(1, 2) - y.square().sum(3, keepdim=True) / 2).exp() for y in (q, k)]
    weights = phi[0] @ phi[1].transpose(2, 3)
    wanted = attention.o((weights @ v / weights.sum(3, keepdim=True)).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention.attend(x, (left, right)), wanted, atol=1e-4, rtol=1e-3)


def test_float16_is_computed_in_float32_and_said():
    x = torch.randn(1, N, 8, generator=seeded())
    attention = LinearAttention(8, 2)
    wanted = attention.attend(x)
    with pytest.warns(UserWarning, match="float16"):
        found = attention.half().attend(x.half())
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), wanted, atol=0.02, rtol=0.02)


def test_gradients_reach_every_weight_and_not_the_scale():
    x = torch.randn(1, N, 8, generator=seeded())
    attention = LinearAttention(8, 2)
    attention.attend(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in attention.parameters())
    k = torch.randn(1, 2, N, D, generator=seeded(), dtype=torch.float64, requires_grad=True)
    kernel = FavorKernel(2, D, 5).double()
    phi, scale = kernel.keys(k, causal=True)
    assert not scale.requires_grad
    (phi.sum()).backward()
    shift = kernel.exponents(k.detach()).amax(3).cummax(2).values[..., None]
    free = k.detach().requires_grad_()
    (kernel.exponents(free) - shift).exp().sum().backward()
    torch.testing.assert_close(k.grad, free.grad)
    q, free = (k.detach().clone().requires_grad_() for _ in range(2))
    kernel.queries(q).sum().backward()
    (kernel.exponents(free) - kernel.exponents(k.detach()).amax(3, keepdim=True)).exp().sum().backward()
    torch.testing.assert_close(q.grad, free.grad)


def test_padding_masks_are_checked():
    x = torch.zeros(2, 5, 8)
    assert check_padding(None, x) is None
    assert check_padding(torch.ones(2, 5, dtype=torch.bool), x).sum() == 0
    for wrong in (torch.zeros(2, 4, dtype=torch.bool), torch.zeros(2, 5)):
        with pytest.raises(InputError, match="key_padding_mask: must be bool of shape"):
            check_padding(wrong, x)
    with pytest.raises(InputError, match="heads"):
        LinearAttention(9, 2)
