"""The reference's functions, run on given numbers: losses, gradients, balls, filter, comparison, sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.systems.rp_dro import (
    MinMaxSelector,
    SelfNormalised,
    batch_log_ratios,
    chi2_ball_weights,
    compare_models,
    cvar_weights,
    kl_ball_weights,
    rp_dro_losses,
)
from holdfast.systems.rp_dro.method.selection import ratio_kl, reverse_kl

VECTORS = {k: torch.from_numpy(v) if v.ndim else v.item() for k, v in np.load(
    Path(__file__).parents[2] / "vectors" / "rp_dro.npz").items()}  # fmt: skip
LOSSES, RAW = VECTORS["losses"], VECTORS["raw_log_ratio"]
N = len(LOSSES)


def gradients(**options):
    losses, raw = LOSSES.clone().requires_grad_(), RAW.clone().requires_grad_()
    model, adversary, info = rp_dro_losses(losses, raw, **options)
    of_model = torch.autograd.grad(model, (losses, raw), allow_unused=True)
    of_adversary = torch.autograd.grad(adversary, (losses, raw), allow_unused=True)
    return model.item(), adversary.item(), of_model, of_adversary, info


@pytest.mark.parametrize("tau", [0.01, 0.1, 1.0])
def test_losses_and_gradients(tau):
    given = {k.split("/")[1]: v for k, v in VECTORS.items() if k.startswith(f"tau{tau}/")}
    model, adversary, of_model, of_adversary, _ = gradients(tau=tau)
    assert (batch_log_ratios(RAW) - given["log_q"]).abs().max() < 1e-9
    # The reference sums over the batch where the paper, and we, average.
    assert model * N == pytest.approx(given["model_loss"], abs=1e-9)
    assert (of_model[0] * N - given["grad_model_wrt_losses"]).abs().max() < 1e-9
    assert adversary == pytest.approx(given["adv_loss"], abs=1e-9)
    assert (of_adversary[1] - given["grad_adv_wrt_raw"]).abs().max() < 1e-9
    assert of_model[1] is None
    assert of_adversary[0] is None
    assert float(of_model[0].sum()) == pytest.approx(1, abs=1e-12)
    assert float(of_adversary[1].sum()) == pytest.approx(0, abs=1e-12)


def test_self_normalised():
    _, adversary, _, of_adversary, _ = gradients(tau=0.1, normalise=SelfNormalised(1.0))
    assert adversary == pytest.approx(VECTORS["selfnorm/tau0.1_lambda1/adv_loss"], abs=1e-9)
    assert (of_adversary[1] - VECTORS["selfnorm/tau0.1_lambda1/grad"]).abs().max() < 1e-9


@pytest.mark.parametrize("kappa", [0.1, 0.5, 1.0])
def test_kl_ball(kappa):
    q = kl_ball_weights(LOSSES, kappa)
    assert (q - VECTORS[f"nonparam_kl/kappa{kappa}/q"]).abs().max() < 1e-4
    # q ~ exp(l / tau): the slope of log q over the losses is 1 / tau.
    slope = float((q[8] / q[0]).log() / (LOSSES[8] - LOSSES[0]))
    assert 1 / slope == pytest.approx(VECTORS[f"nonparam_kl/kappa{kappa}/tau"], rel=1e-4)


@pytest.mark.parametrize("rho", [0.1, 0.5, 1.0, 10.0])
def test_chi2_ball(rho):
    q = chi2_ball_weights(LOSSES, rho)
    assert (q - VECTORS[f"nonparam_chi2/rho{rho}/q"]).abs().max() < 1e-4
    # The reference's own bisection returns the end of its bracket: less harm done than the ball allows.
    theirs = VECTORS[f"nonparam_chi2/rho{rho}/q_of_reference_wrong"].double()
    spread = float((N * theirs - 1).square().mean() / 2)
    assert float(theirs @ LOSSES) <= float(q @ LOSSES) + 1e-9
    assert spread < rho - 0.01


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_cvar(alpha):
    assert (cvar_weights(LOSSES, alpha) - VECTORS[f"cvar/alpha{alpha}/q"]).abs().max() < 1e-9


def test_filter_of_adversaries():
    log_r = VECTORS["filter/log_weights"]
    assert (ratio_kl(log_r) - VECTORS["filter/kl"]).abs().max() < 1e-9
    selector = MinMaxSelector(0.3, reverse_kl)
    assert [selector.add_adversary(row) for row in log_r] == VECTORS["filter/reverse_kl_0.3"].tolist()
    assert len(selector.log_ratios) == int(VECTORS["filter/reverse_kl_0.3"].sum())


def test_comparison_of_models():
    found = compare_models(VECTORS["compare/losses"], VECTORS["filter/log_weights"])
    assert list(found) == VECTORS["compare/best"].tolist()


def test_sequence_of_minmax_decisions():
    selector = MinMaxSelector()
    for _ in range(2):  # the reference starts with the uniform one twice
        assert selector.add_adversary(torch.zeros(N, dtype=torch.float64))
    decisions = []
    for log_r, losses in zip(VECTORS["filter/log_weights"], VECTORS["compare/losses"], strict=False):
        selector.add_adversary(log_r)
        decisions.append(selector.update(losses))
    assert decisions == VECTORS["minmax/decisions"].tolist()
    assert selector.best_score_ == pytest.approx(VECTORS["minmax/final_best_score"], abs=1e-9)
    assert selector.best_ == 2


def test_every_vector_is_used():
    used = {"losses", "raw_log_ratio", "filter/log_weights", "filter/kl", "filter/reverse_kl_0.3"}
    used |= {"compare/losses", "compare/best", "minmax/decisions", "minmax/final_best_score"}
    prefixes = ("tau", "selfnorm/", "nonparam_kl/", "nonparam_chi2/", "cvar/")
    assert {name for name in VECTORS if not name.startswith(prefixes)} == used
    assert len([name for name in VECTORS if not name.endswith("_of_reference_wrong")]) == 39
