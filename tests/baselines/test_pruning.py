"""Other ways to sparse networks, by sorting and by finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.baselines.pruning import Gradual, keep_largest, snip_scores
from holdfast.errors import InputError


@given(st.integers(1, 40), st.floats(0.01, 1), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_largest_are_kept_exactly(size, density, seed):
    values = np.random.default_rng(seed).integers(0, 6, size + 3).astype(float)  # with ties
    scores = {"a": torch.from_numpy(values[:3]), "b": torch.from_numpy(values[3:]).reshape(1, -1)}
    kept = keep_largest(scores, density)
    flat = np.concatenate([m.numpy().reshape(-1) for m in kept.values()])
    count = math.ceil(round(density * len(values), 9))
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert np.flatnonzero(flat).tolist() == sorted(order[:count])


def test_gradual_pruning_follows_its_curve_in_moves():
    plan = Gradual(0.2, start=10, end=30, every=8)
    weights = {"w": torch.randn(100, generator=torch.Generator().manual_seed(0))}
    moves = {}
    for step in range(1, 41):
        mask = plan(step, weights)
        if mask is not None:
            moves[step] = int(mask["w"].sum())
            weights = {"w": weights["w"] * mask["w"]}
    wanted = {t: math.ceil(100 * (0.2 + 0.8 * (1 - (t - 10) / 20) ** 3) - 1e-9) for t in (18, 26, 30)}
    assert moves == wanted


def test_sensitivity_is_that_of_the_loss_to_a_weight_switched_off():
    torch.manual_seed(0)
    net, x, y = (
        nn.Sequential(nn.Linear(3, 2)).double(),
        torch.randn(5, 3, dtype=torch.float64),
        torch.tensor([0, 1, 0, 1, 1]),
    )

    def loss(model):
        return F.cross_entropy(model(x), y)

    scores = snip_scores(net, loss, {"0.weight": None})["0.weight"]
    weight = net[0].weight
    for place in np.ndindex(2, 3):
        with torch.no_grad():
            value, h = weight[place].item(), 1e-6
            weight[place] = value * (1 + h)
            up = float(loss(net))
            weight[place] = value * (1 - h)
            down = float(loss(net))
            weight[place] = value
        assert float(scores[place]) == pytest.approx(abs(up - down) / (2 * h), abs=1e-6)
    assert net[0].weight.grad is None


@pytest.mark.parametrize(
    "call",
    [lambda: keep_largest({"a": torch.tensor([1.0])}, 0.0), lambda: keep_largest({"a": torch.tensor([math.nan])}, 0.5),
     lambda: Gradual(0.0, 1, 2), lambda: Gradual(0.5, 2, 2), lambda: Gradual(0.5, 0, 2, every=0)],
)  # fmt: skip
def test_bad_arguments_are_refused(call):
    with pytest.raises(InputError):
        call()
