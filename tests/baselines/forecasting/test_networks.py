"""The networks against loops over single numbers."""

from __future__ import annotations

import math

import pytest
import torch

from holdfast.baselines.forecasting.networks import LSTM, MLP, DLinear, NHiTS, Regression, moving_average, stretched

W, M, H, N = 10, 2, 7, 3
NETS = (DLinear, LSTM, MLP, NHiTS)


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(N, W, generator=generator), torch.randn(N, M, generator=generator)


def average(row: list[float], kernel: int) -> list[float]:
    """Each step is the mean of its neighbours; beyond the ends lie the end values."""
    half = kernel // 2
    return [
        math.fsum(row[min(max(j, 0), len(row) - 1)] for j in range(i - half, i + half + 1)) / kernel
        for i in range(len(row))
    ]


def interpolated(values: list[float], length: int) -> list[float]:
    if len(values) == 1:
        return values * length
    places = [i * (len(values) - 1) / (length - 1) for i in range(length)]
    out = []
    for place in places:
        low = min(int(place), len(values) - 2)
        out.append(values[low] + (place - low) * (values[low + 1] - values[low]))
    return out


@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_the_moving_average_is_that_of_a_loop(kernel: int) -> None:
    window, _ = batch()
    expected = torch.tensor([average(row, kernel) for row in window.tolist()])
    torch.testing.assert_close(moving_average(window, kernel), expected)


@pytest.mark.parametrize(("given", "length"), [(1, 5), (3, 7), (4, 4), (2, 9)])
def test_coefficients_are_interpolated_linearly(given: int, length: int) -> None:
    values = batch()[0][:, :given]
    expected = torch.tensor([interpolated(row, length) for row in values.tolist()])
    torch.testing.assert_close(stretched(values, length), expected)


def test_dlinear_is_two_linear_maps_and_one_of_the_covariates() -> None:
    net = DLinear(W, M, H, kernel=5)
    window, covariates = batch()
    trend, rest, outside = (p.tolist() for p in (net.trend.weight, net.rest.weight, net.exogenous.weight))
    bias = net.trend.bias.tolist()
    for n in range(N):
        row, x = window[n].tolist(), covariates[n].tolist()
        smooth = average(row, 5)
        for k in range(H):
            value = (
                bias[k]
                + sum(trend[k][i] * smooth[i] + rest[k][i] * (row[i] - smooth[i]) for i in range(W))
                + sum(outside[k][i] * x[i] for i in range(M))
            )
            assert float(net(window, covariates)[n, k].detach()) == pytest.approx(value, abs=1e-5)


def test_the_lstm_is_its_recurrence() -> None:
    net = LSTM(W, M, H, width=4)
    window, covariates = batch()
    r = net.recurrent
    hidden, cell = torch.zeros(N, 4), torch.zeros(N, 4)
    for t in range(W):
        gates = window[:, t : t + 1] @ r.weight_ih_l0.T + r.bias_ih_l0 + hidden @ r.weight_hh_l0.T + r.bias_hh_l0
        i, f, g, o = gates.chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
    expected = torch.cat([hidden, covariates], 1) @ net.readout.weight.T + net.readout.bias
    torch.testing.assert_close(net(window, covariates), expected)


def test_nhits_explains_the_rest_block_by_block() -> None:
    net = NHiTS(W, M, H, width=5, pools=(4, 1))
    window, covariates = batch()
    for n in range(N):
        rest, forecast = window[n].tolist(), [0.0] * H
        for pool, block in zip(net.pools, net.blocks, strict=True):
            pooled = [max(rest[i : i + pool]) for i in range(0, W, pool)]
            theta = block(torch.tensor(pooled + covariates[n].tolist())).tolist()
            back, ahead = -(-W // pool), -(-H // pool)
            assert len(theta) == back + ahead
            rest = [r - b for r, b in zip(rest, interpolated(theta[:back], W), strict=True)]
            forecast = [f + b for f, b in zip(forecast, interpolated(theta[back:], H), strict=True)]
        torch.testing.assert_close(net(window, covariates)[n], torch.tensor(forecast), atol=1e-5, rtol=1e-4)


def test_the_mlp_is_three_matrices() -> None:
    net = MLP(W, M, H, width=6)
    window, covariates = batch()
    x = torch.cat([window, covariates], 1)
    for i in (0, 2):
        x = (x @ net.layers[i].weight.T + net.layers[i].bias).clamp(min=0)
    torch.testing.assert_close(net(window, covariates), x @ net.layers[4].weight.T + net.layers[4].bias)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("covariates", [0, M])
def test_every_parameter_is_learned(kind: type, covariates: int) -> None:
    torch.manual_seed(0)
    learner = Regression(kind(W, covariates, H), lr=1e-3)
    window, x = batch()
    target = torch.ones(N, H)
    loss, _ = learner.loss({"window": window, "covariates": x[:, :covariates], "target": target}, torch.Generator())
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in learner.parameters())
    assert {p for g in learner.optimizers()[0].param_groups for p in g["params"]} == set(learner.parameters())
