"""Attention with the learned bias: against softmax, against plain linear attention, and what must not change it."""

from __future__ import annotations

import warnings

import pytest
import torch

from holdfast.data.point_sets import PointSets
from holdfast.errors import InputError
from holdfast.layers.attention import Attention
from holdfast.layers.linear_attention import LinearAttention
from holdfast.systems.flt import FLTAttention, FLTEncoder, FLTEncoderLayer, FourierRPE
from holdfast.training.point_regression import PointLearner, PointRegressor, answers

B, N, E, H, D = 2, 9, 8, 2, 3


@pytest.fixture(autouse=True)
def same_start():
    torch.manual_seed(0)


def made(causal=False, kernel="favor+", exact=False, kind="gmm", features=16):
    return FLTAttention(E, H, FourierRPE(D, 5, kind, heads=H), features, causal, kernel, exact)


def tokens():
    return torch.randn(B, N, E), torch.rand(B, N, D)


def test_exact_is_softmax_with_the_estimated_bias():
    attention, (x, pos) = made(exact=True), tokens()
    plain = Attention(E, H)
    plain.load_state_dict({k: v for k, v in attention.attention.state_dict().items() if not k.startswith("kernel")})
    torch.testing.assert_close(attention(x, pos), plain(x, bias=attention.rpe.bias_estimate(pos)), atol=1e-6, rtol=1e-5)


def test_favor_comes_to_exact_with_many_features():
    attention, (x, pos) = made(features=20_000), tokens()
    found = attention(x, pos)
    attention.exact = True
    torch.testing.assert_close(found, attention(x, pos), atol=0.02, rtol=0)


def test_without_a_bias_it_is_plain_linear_attention():
    attention, (x, pos) = made(), tokens()
    with torch.no_grad():
        attention.rpe.spectrum.amplitude.zero_()
    plain = LinearAttention(E, H)
    omega = attention.attention.kernel.omega
    plain.kernel.omega = omega[..., : E // H].clone()
    mine = {k: v for k, v in attention.attention.state_dict().items() if not k.startswith("kernel")}
    plain.load_state_dict(mine, strict=False)
    torch.testing.assert_close(attention(x, pos), plain.attend(x), atol=1e-6, rtol=0)  # the root of 1e-12 is left
    without = FLTAttention(E, H, None, 16)
    without.attention.load_state_dict({**mine, "kernel.omega": plain.kernel.omega})
    torch.testing.assert_close(without(x, pos), plain.attend(x))


@pytest.mark.parametrize("kernel", ["favor+", "elu"])
def test_order_of_the_tokens_does_not_matter_and_padding_changes_nothing(kernel):
    attention, (x, pos) = made(kernel=kernel), tokens()
    order = torch.randperm(N)
    torch.testing.assert_close(attention(x[:, order], pos[:, order]), attention(x, pos)[:, order])
    more = torch.cat([x, 9 * torch.randn(B, 2, E)], 1), torch.cat([pos, 5 * torch.rand(B, 2, D)], 1)
    padding = torch.arange(N + 2).expand(B, -1) >= N
    torch.testing.assert_close(attention(*more, padding)[:, :N], attention(x, pos), atol=1e-5, rtol=1e-5)
    attention.exact = True
    torch.testing.assert_close(attention(*more, padding)[:, :N], attention(x, pos), atol=1e-5, rtol=1e-5)


def test_shifts_change_the_bias_by_nothing():
    rpe, pos = FourierRPE(D, 5, heads=H), torch.rand(B, N, D)
    bias = rpe.bias_estimate(pos)
    torch.testing.assert_close(rpe.bias_estimate(pos + torch.tensor([0.5, -2.0, 0.1])), bias, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(bias, bias.transpose(2, 3))
    attention = made(exact=True)
    x, pos = tokens()
    torch.testing.assert_close(attention(x, pos + 3), attention(x, pos), atol=1e-5, rtol=1e-5)


def test_causal_outputs_know_of_no_later_token():
    attention, (x, pos) = made(causal=True), tokens()
    before = attention(x, pos)[:, :4]
    x[:, 4:], pos[:, 4:] = 50 * torch.randn(B, N - 4, E), torch.rand(B, N - 4, D)
    assert torch.equal(attention(x, pos)[:, :4], before)


def test_a_layer_is_attention_and_a_net_each_beside_what_came_in():
    layer, (x, pos) = FLTEncoderLayer(made(), E), tokens()
    padding = torch.arange(N).expand(B, -1) >= 6
    mixed = x + layer.attention(layer.norms[0](x), pos, padding)
    wanted = mixed + layer.feed_forward(layer.norms[1](mixed))
    torch.testing.assert_close(FLTEncoder([layer])(x, pos, padding), wanted)
    assert not torch.allclose(layer(x, pos), wanted)  # without the mask, padding is attended to


def test_positions_default_to_the_index():
    attention = FLTAttention(E, H, FourierRPE(1, 5, heads=H, scale=0.05))
    x = torch.randn(B, N, E)
    torch.testing.assert_close(attention(x), attention(x, torch.arange(N).float().expand(B, N)[..., None]))


def test_every_parameter_learns():
    for kind in ("gmm", "kernel", "cauchy", "local", "mlp"):
        rpe = FourierRPE(D, 5, kind, heads=H)
        layers = [FLTEncoderLayer(FLTAttention(E, H, rpe, 16), E) for _ in range(2)]
        net = PointRegressor(3, E, FLTEncoder(layers))
        sets = PointSets(
            torch.rand(4, N, D), torch.randn(4, N, 3), torch.randn(4, N), torch.ones(4, N, dtype=torch.bool)
        )
        learner = PointLearner(net, 1e-3, padded=False)
        loss, _ = learner.loss({"x": sets.x, "pos": sets.pos, "y": sets.y, "real": sets.real}, torch.Generator())
        loss.backward()
        assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
        assert float(loss) == pytest.approx(float((answers(net, sets, size=3) - sets.y).square().mean()), rel=1e-5)


def test_padding_is_no_part_of_the_loss():
    net = PointRegressor(1, E, made())
    real = torch.arange(N).expand(B, -1) < 6
    batch = {"x": torch.randn(B, N, 1), "pos": torch.rand(B, N, D), "y": torch.randn(B, N), "real": real}
    whole = PointLearner(net, 1e-3, padded=True).loss(batch, torch.Generator())[0]
    short = {name: value[:, :6] for name, value in batch.items()}
    torch.testing.assert_close(whole, PointLearner(net, 1e-3, padded=False).loss(short, torch.Generator())[0])


def test_redraws_are_new_repeatable_and_of_their_own_part():
    attention = made()
    omega, drawn = attention.attention.kernel.omega.clone(), attention.rpe.drawn.clone()
    attention.redraw_features(torch.Generator().manual_seed(1))
    assert not torch.equal(attention.attention.kernel.omega, omega)
    assert torch.equal(attention.rpe.drawn, drawn)
    again = attention.attention.kernel.omega.clone()
    attention.redraw_features(torch.Generator().manual_seed(1))
    assert torch.equal(attention.attention.kernel.omega, again)
    attention.rpe.redraw_features(torch.Generator().manual_seed(1))
    assert not torch.equal(attention.rpe.drawn, drawn)
    assert {"attention.kernel.omega", "rpe.drawn"} <= set(attention.state_dict())


def test_strength_is_the_length_of_the_factors():
    for kind, even in (("gmm", True), ("mlp", False)):
        rpe = FourierRPE(D, 5, kind, heads=H, even=even)
        n1, _ = rpe.factors(torch.rand(1, 4, D))
        torch.testing.assert_close(n1.square().sum(3)[0, :, 0], rpe.strength(), atol=1e-4, rtol=1e-4)


def test_what_is_wrong_is_said():
    rpe = FourierRPE(D, 5, heads=H)
    for pos in (torch.rand(B, N, 2), torch.rand(N, D)):
        with pytest.raises(InputError, match="pos: must have shape"):
            rpe.factors(pos)
    with pytest.raises(InputError, match="pos: must be finite"):
        rpe.factors(torch.full((1, N, D), torch.nan))
    with pytest.warns(UserWarning, match="alias"):
        rpe.factors(torch.arange(2000.0)[None, :, None].expand(1, -1, D))
    far = torch.arange(2000.0)[None, :, None].expand(1, -1, D)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FourierRPE(D, 5, heads=H, scale=0.4).factors(far)
    with pytest.warns(UserWarning, match="alias"):
        FourierRPE(D, 5, heads=H, scale=60.0).factors(far / 100)
    for heads, bias in ((4, rpe), (0, None)):
        with pytest.raises(InputError, match="heads"):
            FLTAttention(E, heads, bias)
    with pytest.raises(InputError, match="even"):
        FourierRPE(D, kind="local", even=False)
    with pytest.raises(InputError, match="closed form"):
        FourierRPE(D, kind="mlp").bias_exact(torch.zeros(1, D))
    for name, value in (("dim", 0), ("n_features", 0), ("heads", 1.5), ("kind", "box"), ("scale", -1.0)):
        with pytest.raises(InputError, match=name):
            FourierRPE(**{"dim": D, name: value})
    with pytest.raises(InputError, match="kernel"):
        FLTAttention(E, H, rpe, kernel="relu")
    with pytest.raises(InputError, match="key_padding_mask"):
        made()(torch.randn(B, N, E), torch.rand(B, N, D), torch.zeros(B, N))
