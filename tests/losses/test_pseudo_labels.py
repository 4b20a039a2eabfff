import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.losses.pseudo_labels import HardTarget, SoftTarget, probabilities, pseudo_label_loss


def random_case(seed, n=9, k=4):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, k, generator=g, dtype=torch.float64)
    q = (3 * torch.randn(n, k, generator=g, dtype=torch.float64)).softmax(1)
    return z, q


@pytest.mark.parametrize("target", [HardTarget(), SoftTarget()], ids=["hard", "soft"])
def test_loss_against_loops(target):
    z, q = random_case(0)
    total = 0.0
    for zi, qi in zip(z.tolist(), q.tolist(), strict=True):
        if max(qi) < 0.7:
            continue
        log_norm = math.log(sum(math.exp(v) for v in zi))
        weights = qi if isinstance(target, SoftTarget) else [float(v == max(qi)) for v in qi]
        total += sum(w * (log_norm - v) for w, v in zip(weights, zi, strict=True))
    loss, mask = pseudo_label_loss(z, q, 0.7, target)
    assert 0 < int(mask.sum()) < 9
    assert float(loss) == pytest.approx(total / 9, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0, 1), st.floats(0, 1))
def test_fewer_rows_pass_a_higher_threshold(seed, a, b):
    z, q = random_case(seed)
    low, high = (pseudo_label_loss(z, q, c)[1] for c in sorted((a, b)))
    assert bool((low | ~high).all())


def test_threshold_itself_counts_and_no_gradient_reaches_the_weak_view():
    q = torch.tensor([[0.75, 0.25]], requires_grad=True)
    z = torch.zeros(1, 2, requires_grad=True)
    loss, mask = pseudo_label_loss(z, q, torch.tensor(0.75), SoftTarget())
    assert mask.tolist() == [True]
    loss.backward()
    assert q.grad is None
    assert z.grad.abs().sum() > 0


def test_half_precision_is_lifted():
    z = torch.randn(4, 3).bfloat16()
    assert probabilities(z).dtype == torch.float32
    assert pseudo_label_loss(z, probabilities(z), 0.0)[0].dtype == torch.float32
    assert probabilities(z.double()).dtype == torch.float64
