"""Interpolation, threshold, schedules and the loss, from logits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.adamatch import (
    AdaMatchLoss,
    FixedThreshold,
    RelativeThreshold,
    SoftTarget,
    cosine_lr,
    mu_schedule,
    random_logit_interpolation,
    relative_threshold,
)
from holdfast.systems.adamatch.method import interpolate_logits

K = 4


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def logits(seed, n, k=K, scale=2.0):
    return scale * torch.randn(n, k, generator=rng(seed), dtype=torch.float64)


# ------------------------------------------------------------------------------------------------------- interpolation
def test_interpolation_ends_at_the_two_sets_of_logits():
    a, b = logits(0, 5), logits(1, 5)
    torch.testing.assert_close(interpolate_logits(a, b, torch.zeros_like(a)), a)
    torch.testing.assert_close(interpolate_logits(a, b, torch.ones_like(a)), b)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(1, 6), st.integers(2, 6))
def test_random_interpolation_lies_between_and_draws_every_element_anew(seed, n, k):
    a, b = logits(seed, n, k), logits(seed + 1000, n, k)
    z = random_logit_interpolation(a, b, rng(seed))
    assert bool(((z >= torch.minimum(a, b)) & (z <= torch.maximum(a, b))).all())
    lam = (z - a) / (b - a)
    torch.testing.assert_close(lam, torch.rand(n, k, generator=rng(seed), dtype=torch.float64), atol=1e-6, rtol=0)


def test_interpolation_draws_are_uniform_per_element():
    lam = random_logit_interpolation(torch.zeros(400, 50), torch.ones(400, 50), rng())
    assert float(lam.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(lam.var()) == pytest.approx(1 / 12, abs=0.002)
    assert abs(float(torch.corrcoef(lam.T)[0, 1])) < 0.2  # columns of one row are unrelated


def test_gradients_flow_into_both_passes():
    a, b = logits(0, 3).requires_grad_(), logits(1, 3).requires_grad_()
    random_logit_interpolation(a, b, rng()).sum().backward()
    torch.testing.assert_close(a.grad + b.grad, torch.ones_like(a))
    assert b.grad.abs().min() > 0


def test_interpolation_refuses_different_shapes():
    with pytest.raises(InputError, match="z_source: must have the shape of z_joint"):
        random_logit_interpolation(torch.zeros(2, 3), torch.zeros(1, 3))


# ------------------------------------------------------------------------------------- threshold, schedules, the loss
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.floats(0.1, 1.0))
def test_relative_threshold_against_a_loop_and_its_bound(seed, ratio):
    p = logits(seed, 7).softmax(1)
    c = float(relative_threshold(p, ratio))
    assert c == pytest.approx(ratio * sum(max(row) for row in p.tolist()) / 7)
    assert c <= ratio + 1e-12
    assert float(RelativeThreshold(ratio)(p)) == c
    assert float(FixedThreshold(ratio)(p)) == pytest.approx(ratio)


def test_the_threshold_passes_no_gradient_to_the_predictions():
    p = logits(0, 5).requires_grad_()
    assert not relative_threshold(p).requires_grad
    assert not RelativeThreshold()(p).requires_grad


def test_schedules_at_their_landmarks():
    assert [mu_schedule(p) for p in (0, 0.25, 0.5, 0.7, 1)] == pytest.approx([0, 0.5, 1, 1, 1])
    assert [mu_schedule(p, final=3) for p in (0, 0.5, 0.75, 1)] == pytest.approx([0, 1, 2, 3])
    assert [cosine_lr(p) for p in (0, 1)] == pytest.approx([1, 0.25])
    assert cosine_lr(0.5, final=0.0) == pytest.approx(math.cos(math.pi / 4))


def loss_by_loops(z_sw, z_ss, y, z_tw, z_ts, progress, p_src, p_tgt, soft):
    """The method's section of the module docstring, one number at a time; marginals as lists, new ones returned."""

    def softmax(row):
        e = [math.exp(v) for v in row]
        return [v / sum(e) for v in e]

    def cross_entropy(row, weights):
        return -sum(w * math.log(p) for w, p in zip(weights, softmax(row), strict=True))

    def one_hot(i):
        return [float(k == i) for k in range(K)]

    def column_means(rows):
        return [sum(row[k] for row in rows) / len(rows) for k in range(K)]

    q_s, q_t = [softmax(r) for r in z_sw], [softmax(r) for r in z_tw]
    c = 0.9 * sum(max(r) for r in q_s) / len(q_s)
    p_src = [0.999 * old + 0.001 * new for old, new in zip(p_src, column_means(q_s), strict=True)]
    p_tgt = [*p_tgt[1:], column_means(q_t)]
    mean_tgt = column_means(p_tgt)
    target, passed = 0.0, 0
    for q, z in zip(q_t, z_ts, strict=True):
        scaled = [v * (1e-6 + a) / (1e-6 + b) for v, a, b in zip(q, p_src, mean_tgt, strict=True)]
        aligned = [v / sum(scaled) for v in scaled]
        if max(aligned) >= c:
            passed += 1
            target += cross_entropy(z, aligned if soft else one_hot(aligned.index(max(aligned))))
    target /= len(z_ts)
    source = sum(
        0.5 * (cross_entropy(w, one_hot(i)) + cross_entropy(s, one_hot(i)))
        for w, s, i in zip(z_sw, z_ss, y, strict=True)
    ) / len(y)
    mu = 0.5 - 0.5 * math.cos(math.pi * min(1, 2 * progress))
    expected = {
        "loss": source + mu * target,
        "source": source,
        "target": target,
        "mask_rate": passed / len(z_ts),
        "threshold": c,
    }
    return expected, p_src, p_tgt


@pytest.mark.parametrize("soft", [False, True])
def test_loss_against_loops_over_three_batches(soft):
    criterion = AdaMatchLoss(K, **({"target": SoftTarget()} if soft else {})).double()
    p_src, p_tgt = [1 / K] * K, [[1 / K] * K] * 128
    rates = []
    for step, progress in enumerate((0.1, 0.3, 0.8)):
        z = [logits(10 * step + i, n) for i, n in enumerate((5, 5, 12, 12))]
        y = torch.randint(0, K, (5,), generator=rng(step))
        parts = criterion(z[0], z[1], y, z[2], z[3], progress)
        arguments = [z[0].tolist(), z[1].tolist(), y.tolist(), z[2].tolist(), z[3].tolist()]
        expected, p_src, p_tgt = loss_by_loops(*arguments, progress, p_src, p_tgt, soft)
        assert {k: float(v) for k, v in parts.items()} == pytest.approx(expected, rel=1e-6)
        rates.append(expected["mask_rate"])
    assert 0 < min(rates) < 1
    np.testing.assert_allclose(criterion.aligner.p_src, p_src, rtol=1e-6)
    np.testing.assert_allclose(criterion.aligner.p_tgt, np.mean(p_tgt, 0), rtol=1e-6)


def test_labelled_target_adds_its_cross_entropy_and_nothing_else():
    y, z = torch.tensor([0, 1]), [logits(i, 2) for i in range(6)]
    without = AdaMatchLoss(K).double()(z[0], z[1], y, z[2], z[3], 0.5)
    with_labels = AdaMatchLoss(K).double()(z[0], z[1], y, z[2], z[3], 0.5, labelled_target=(z[4], z[5], y))
    log_p = [zi.log_softmax(1) for zi in z[4:]]
    extra = -0.5 * sum(float(lp[i, y[i]]) for lp in log_p for i in range(2)) / 2
    assert float(with_labels["labelled_target"]) == pytest.approx(extra)
    assert float(with_labels["loss"]) == pytest.approx(float(without["loss"]) + extra)
    assert float(with_labels["threshold"]) == float(without["threshold"])


def test_no_gradient_reaches_the_weak_target_logits():
    z = [logits(i, 6).requires_grad_() for i in range(4)]
    AdaMatchLoss(K, threshold=FixedThreshold(0.0)).double()(z[0], z[1], torch.arange(6) % K, z[2], z[3], 1.0)[
        "loss"
    ].backward()
    assert z[2].grad is None or bool((z[2].grad == 0).all())
    assert all(bool((x.grad.abs().sum(1) > 0).all()) for x in (z[0], z[1], z[3]))


def test_reported_parts_hold_no_graph():
    z = [logits(i, 6).requires_grad_() for i in range(4)]
    parts = AdaMatchLoss(K)(z[0], z[1], torch.arange(6) % K, z[2], z[3], 1.0)
    assert {name for name, value in parts.items() if value.requires_grad} == {"loss"}


def test_loss_in_half_precision_is_computed_in_single():
    z = [logits(i, 6).to(torch.bfloat16) for i in range(4)]
    y = torch.arange(6) % K
    half, single = (
        AdaMatchLoss(K)(*(x.to(t) for x in z[:2]), y, *(x.to(t) for x in z[2:]), 0.6)["loss"]
        for t in (torch.bfloat16, torch.float32)
    )
    assert half.dtype == torch.float32
    assert float(half) == float(single)


def test_loss_refuses_logits_of_another_number_of_classes():
    z = torch.zeros(2, 3)
    with pytest.raises(InputError, match=r"z_sw: must have shape \(N, 4\); received \(2, 3\)"):
        AdaMatchLoss(4)(z, z, torch.zeros(2).long(), z, z, 0.0)
