"""NT-Xent against loops."""

from __future__ import annotations

import math

import pytest
import torch

from holdfast.errors import InputError
from holdfast.losses.contrastive import contrast, info_nce, nt_xent, symmetric_info_nce


def nt_xent_by_hand(first, second, temperature):
    rows = [[v / math.sqrt(sum(u * u for u in r)) for v in r] for r in first.tolist() + second.tolist()]
    half, total = len(first), 0.0
    for i, a in enumerate(rows):
        similar = [sum(x * y for x, y in zip(a, b, strict=True)) / temperature for b in rows]
        partner = similar[i + half if i < half else i - half]
        total -= partner - math.log(sum(math.exp(s) for k, s in enumerate(similar) if k != i))
    return total / len(rows)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
def test_nt_xent_is_what_loops_give(temperature):
    rng = torch.Generator().manual_seed(1)
    first, second = torch.randn(7, 5, generator=rng), torch.randn(7, 5, generator=rng)
    found = nt_xent(first, second, temperature)
    assert float(found) == pytest.approx(nt_xent_by_hand(first, second, temperature), rel=1e-5)


def test_nt_xent_does_not_see_lengths_or_which_view_is_first():
    first, second = torch.randn(6, 4), torch.randn(6, 4)
    assert torch.allclose(nt_xent(first, second), nt_xent(3 * second, first * torch.rand(6, 1).add(0.1)), atol=1e-5)


@pytest.mark.parametrize(("first", "second"), [((1, 3), (1, 3)), ((4, 3), (4, 2)), ((4, 3), (5, 3))])
def test_nt_xent_refuses_what_has_no_partners(first, second):
    with pytest.raises(InputError, match="second"):
        nt_xent(torch.zeros(first), torch.zeros(second))


def unit(x):
    return [[v / math.sqrt(sum(u * u for u in r)) for v in r] for r in x.tolist()]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_contrast_sums_over_the_kept_negatives_alone():
    positive, negatives = torch.randn(5), torch.randn(5, 7)
    keep = torch.rand(5, 7) < 0.5
    keep[3] = False
    found = contrast(positive, negatives, keep)
    for i in range(5):
        kept = [math.exp(negatives[i, j]) for j in range(7) if keep[i, j]]
        assert float(found[i]) == pytest.approx(
            -math.log(math.exp(positive[i]) / (math.exp(positive[i]) + sum(kept))), abs=1e-5
        )
    assert float(found[3]) == pytest.approx(0, abs=1e-6)
    assert torch.allclose(contrast(positive, negatives), contrast(positive, negatives, torch.ones(5, 7, dtype=bool)))


def test_a_negative_left_out_receives_no_gradient():
    negatives = torch.randn(2, 3, requires_grad=True)
    keep = torch.tensor([[True, False, True], [False, True, True]])
    contrast(torch.zeros(2), negatives, keep).sum().backward()
    assert torch.equal(negatives.grad != 0, keep)


@pytest.mark.parametrize("with_others", [True, False])
def test_info_nce_is_what_loops_give(with_others):
    queries, keys, others = torch.randn(4, 3), torch.randn(4, 3), torch.randn(6, 3)
    q, k, o = unit(queries), unit(keys), unit(others)
    total = 0.0
    for i in range(4):
        negatives = o if with_others else [k[j] for j in range(4) if j != i]
        candidates = [math.exp(dot(q[i], v) / 0.3) for v in [k[i], *negatives]]
        total -= math.log(candidates[0] / sum(candidates)) / 4
    assert float(info_nce(queries, keys, 0.3, others if with_others else None)) == pytest.approx(total, rel=1e-5)


def test_symmetric_info_nce_is_what_loops_give_and_has_no_order():
    first, second = torch.randn(4, 3), torch.randn(4, 3)
    a, b, total = unit(first), unit(second), 0.0
    for i in range(4):
        to_b = [math.exp(5 * dot(a[i], v)) for v in b]
        to_a = [math.exp(5 * dot(b[i], v)) for v in a]
        total -= (math.log(to_b[i] / sum(to_b)) + math.log(to_a[i] / sum(to_a))) / 8
    assert float(symmetric_info_nce(first, second, 5.0)) == pytest.approx(total, rel=1e-5)
    assert torch.allclose(symmetric_info_nce(first, second, 5.0), symmetric_info_nce(second, first, torch.tensor(5.0)))
    assert float(symmetric_info_nce(first[:1], second[:1], 5.0)) == 0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: contrast(torch.zeros(2), torch.zeros(3, 4)), "negatives"),
        (lambda: contrast(torch.zeros(2), torch.zeros(2, 4), torch.ones(2, 4)), "keep"),
        (lambda: info_nce(torch.ones(2, 3), torch.ones(2, 4)), "keys"),
        (lambda: info_nce(torch.ones(1, 3), torch.ones(1, 3)), "queries"),
        (lambda: info_nce(torch.ones(2, 3), torch.ones(2, 3), 0.2, torch.ones(2, 4)), "others"),
        (lambda: info_nce(torch.ones(2, 3), torch.ones(2, 3), 0), "temperature"),
        (lambda: symmetric_info_nce(torch.ones(2, 3), torch.ones(3, 3), 1.0), "second"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call, named):
    with pytest.raises(InputError, match=named):
        call()
