"""Weights of losses: reference values, optimality against random distributions in the same ball, closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.baselines.robust import (
    GroupDROLoss,
    chi2_ball_weights,
    class_balanced_weights,
    cvar_weights,
    jtt_weights,
    kl_ball_weights,
)
from holdfast.errors import InputError

VECTORS = np.load(Path(__file__).parents[1] / "vectors" / "robust.npz")
LOSSES = torch.from_numpy(VECTORS["losses"])
SOME = st.lists(st.floats(0, 5), min_size=2, max_size=12).filter(lambda v: max(v) - min(v) > 1e-3)


def kl(q: torch.Tensor) -> float:
    return float(torch.special.xlogy(q, len(q) * q).sum())


def chi2(q: torch.Tensor) -> float:
    return float((len(q) * q - 1).square().mean() / 2)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_parity_of_cvar(alpha):
    assert np.abs(cvar_weights(LOSSES, alpha).numpy() - VECTORS[f"cvar/alpha{alpha}/q"]).max() < 1e-12


@pytest.mark.parametrize("kappa", [0.1, 0.5, 1.0])
def test_parity_of_the_kl_ball(kappa):
    q = kl_ball_weights(LOSSES, kappa)
    assert np.abs(q.numpy() - VECTORS[f"nonparam_kl/kappa{kappa}/q"]).max() < 1e-4  # of the reference's bisection
    assert kl(q) == pytest.approx(kappa, abs=1e-9)


@pytest.mark.parametrize("rho", [0.1, 0.5, 1.0, 10.0])
def test_parity_of_the_chi2_ball(rho):
    assert np.abs(chi2_ball_weights(LOSSES, rho).numpy() - VECTORS[f"nonparam_chi2/rho{rho}/q"]).max() < 1e-9


@given(SOME, st.floats(0.01, 2), st.integers(0, 2**16))
def test_no_distribution_in_the_ball_does_more_harm(values, radius, seed):
    losses = torch.tensor(values, dtype=torch.float64)
    rng = torch.Generator().manual_seed(seed)
    others = torch.softmax(torch.randn(50, len(losses), generator=rng, dtype=torch.float64) * 2, 1)
    for weights, divergence in ((kl_ball_weights, kl), (chi2_ball_weights, chi2)):
        q = weights(losses, radius)
        assert float(q.sum()) == pytest.approx(1)
        assert float(q.min()) >= 0
        assert divergence(q) <= radius + 1e-6
        for other in others:
            if divergence(other) <= radius:
                assert float(other @ losses) <= float(q @ losses) + 1e-7


@given(SOME, st.floats(0.05, 1))
def test_cvar_is_the_mean_of_the_worst_share(values, alpha):
    losses = torch.tensor(values, dtype=torch.float64)
    q = cvar_weights(losses, alpha)
    assert float(q.sum()) == pytest.approx(1)
    assert float(q.max()) <= 1 / (alpha * len(losses)) + 1e-9 or alpha * len(losses) < 1
    # Rockafellar and Uryasev: the minimum over eta of eta + mean(relu(l - eta)) / alpha is reached at a loss.
    worst = min(float(eta + (losses - eta).clamp(min=0).mean() / alpha) for eta in losses)
    assert float(q @ losses) == pytest.approx(worst, abs=1e-9)


def test_balls_of_no_radius_and_of_any():
    for weights in (kl_ball_weights, chi2_ball_weights):
        assert torch.allclose(weights(LOSSES, 0), torch.full_like(LOSSES, 1 / 12))
        tied = torch.tensor([1.0, 3.0, 3.0, 0.0])
        assert weights(tied, 100).tolist() == [0, 0.5, 0.5, 0]
        assert weights(torch.ones(5), 0.3).tolist() == pytest.approx([0.2] * 5)


def test_weights_have_no_gradient_and_the_type_of_the_losses():
    losses = torch.rand(6, requires_grad=True)
    for weights in (
        lambda x: cvar_weights(x, 0.5),
        lambda x: kl_ball_weights(x, 0.1),
        lambda x: chi2_ball_weights(x, 0.1),
    ):
        q = weights(losses)
        assert not q.requires_grad
        assert q.dtype == torch.float32


def test_group_dro_against_a_loop():
    loss, q = GroupDROLoss(3, eta=0.5), [1 / 3] * 3
    rng = torch.Generator().manual_seed(0)
    for _ in range(5):
        losses = torch.rand(8, generator=rng, requires_grad=True)
        groups = torch.randint(0, 2, (8,), generator=rng)  # the third group is never there
        means = [float(losses.detach()[groups == g].mean()) if bool((groups == g).any()) else 0.0 for g in range(3)]
        q = [w * math.exp(0.5 * m) for w, m in zip(q, means, strict=True)]
        q = [w / sum(q) for w in q]
        value = loss(losses, groups)
        assert float(value.detach()) == pytest.approx(sum(w * m for w, m in zip(q, means, strict=True)), rel=1e-5)
        assert loss.q.tolist() == pytest.approx(q, rel=1e-5)
        value.backward()
        for i in range(8):
            g = int(groups[i])
            assert float(losses.grad[i]) == pytest.approx(q[g] / int((groups == g).sum()), rel=1e-5)


def test_group_dro_in_evaluation_learns_nothing_and_is_saved():
    loss = GroupDROLoss(2).eval()
    loss(torch.tensor([5.0, 1.0]), torch.tensor([0, 1]))
    assert loss.q.tolist() == [0.5, 0.5]
    assert list(loss.state_dict()) == ["q"]


def test_classes_and_mistakes():
    y = torch.tensor([0, 2, 2, 0, 0])
    w = class_balanced_weights(y, 4)
    assert [round(float(w[y == k].sum()), 6) for k in (0, 2)] == [0.5, 0.5]
    assert jtt_weights(torch.tensor([True, False, False, False]), 1.0).tolist() == [0.25] * 4


def test_bad_input_is_named():
    for call, words in (
        (lambda: cvar_weights(torch.tensor(1.0), 0.5), "reduction='none'"),
        (lambda: kl_ball_weights(torch.tensor([1.0, np.nan]), 0.5), "losses: must be finite; received nan in row 1"),
        (lambda: chi2_ball_weights(torch.tensor([]), 0.5), "must not be empty"),
        (lambda: cvar_weights(LOSSES, 0), "alpha"),
        (lambda: kl_ball_weights(LOSSES, -1), "kappa"),
        (lambda: chi2_ball_weights(LOSSES, math.inf), "rho"),
        (lambda: GroupDROLoss(0), "num_groups"),
        (lambda: GroupDROLoss(2, eta=0), "eta"),
        (lambda: GroupDROLoss(2)(torch.rand(2), torch.tensor([0, 2])), r"groups: must lie in \[0, 2\)"),
        (lambda: jtt_weights(torch.tensor([1, 0]), 2.0), "must hold a boolean per case"),
        (lambda: jtt_weights(torch.tensor([True]), 0.5), "factor"),
    ):
        with pytest.raises(InputError, match=words):
            call()


@pytest.mark.parametrize("weights", [cvar_weights, kl_ball_weights, chi2_ball_weights])
def test_weights_stay_on_the_device_of_the_losses(weights):
    losses = torch.tensor([0.0, 1.0, 2.0, 4.0])
    with torch.device("meta"):  # a tensor made on the default device would not mix with the losses
        found = weights(losses, 0.3)
    assert found.device == losses.device
    assert torch.equal(found, weights(losses, 0.3))
