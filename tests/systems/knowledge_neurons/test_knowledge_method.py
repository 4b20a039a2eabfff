"""Equations against loops and closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from holdfast.errors import InputError
from holdfast.systems.knowledge_neurons.method import attribution as method
from holdfast.systems.knowledge_neurons.method import edits


def softmax_toy(d=5, seed=0):
    """P of word 0 with logits W a: a model of one layer."""
    W = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, d)))
    return W, lambda s: torch.softmax(s @ W.T, -1)[..., 0]


# -------------------------------------------------------------------------------------------------------- attribution
@pytest.mark.parametrize(
    ("rule", "points", "weights"),
    [
        ("left", [0, 1 / 4, 2 / 4, 3 / 4], [1 / 4] * 4),
        ("right", [1 / 4, 2 / 4, 3 / 4, 1], [1 / 4] * 4),
        ("midpoint", [1 / 8, 3 / 8, 5 / 8, 7 / 8], [1 / 4] * 4),
        ("trapezoid", [0, 1 / 4, 2 / 4, 3 / 4, 1], [1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8]),
        ("ends", [0, 1 / 3, 2 / 3, 1], [1 / 4] * 4),
    ],
)
def test_points_and_weights_are_those_of_the_rule(rule, points, weights):
    found = method.quadrature(4, rule)
    assert found[0].tolist() == pytest.approx(points)
    assert found[1].tolist() == pytest.approx(weights)


@pytest.mark.parametrize("rule", method.RULES)
def test_attribution_is_the_loop_over_steps(rule):
    W, probability = softmax_toy()
    a = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 5)))
    alphas, weights = method.quadrature(6, rule)
    wanted = torch.zeros_like(a)
    for row, i in itertools.product(range(3), range(5)):
        for alpha, weight in zip(alphas.double(), weights.double(), strict=True):
            p = torch.softmax(W @ (alpha * a[row]), 0)
            slope = p[0] * (W[0, i] - sum(p[j] * W[j, i] for j in range(4)))
            wanted[row, i] += a[row, i] * weight * slope
    assert torch.allclose(method.integrated_gradients(probability, a, 6, rule), wanted, atol=1e-7)


def test_attribution_tends_to_the_integral():
    W, probability = softmax_toy()
    a = torch.tensor([[0.5, -1.0, 2.0, 0.3, 1.0]], dtype=torch.float64)

    def slope(alpha, i):
        p = torch.softmax(W @ (alpha * a[0]), 0)
        return float(p[0] * (W[0, i] - p @ W[:, i]))

    wanted = [float(a[0, i]) * quad(slope, 0, 1, args=(i,))[0] for i in range(5)]
    found = method.integrated_gradients(probability, a, 1000, "midpoint")[0]
    assert found.tolist() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("rule", "order"), [("left", 1), ("right", 1), ("midpoint", 2), ("trapezoid", 2)])
def test_completeness_and_its_order(rule, order):
    _, probability = softmax_toy()
    a = torch.tensor([[0.5, -1.0, 2.0, 0.3, 1.0]], dtype=torch.float64)
    whole = float(probability(a) - probability(0 * a))
    errors = [abs(float(method.integrated_gradients(probability, a, m, rule).sum()) - whole) for m in (40, 80)]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.1)


def test_left_and_right_differ_by_the_ends():
    _, probability = softmax_toy()
    a = torch.tensor([[0.5, -1.0, 2.0, 0.3, 1.0]], dtype=torch.float64)
    ends = []
    for alpha in (0.0, 1.0):
        point = (alpha * a).requires_grad_()
        ends.append(torch.autograd.grad(probability(point).sum(), point)[0])
    left, right = (method.integrated_gradients(probability, a, 7, rule) for rule in ("left", "right"))
    assert torch.allclose(right - left, a / 7 * (ends[1] - ends[0]), atol=1e-8)
    assert torch.allclose(method.gradient_times_activation(probability, a), a * ends[1])


def test_the_lens_is_the_loop():
    rng = torch.Generator().manual_seed(0)
    a, values, e = (torch.randn(*s, generator=rng) for s in ((2, 3, 4), (3, 4, 5), (2, 5)))
    found = method.logit_lens(a, values, e)
    for n, layer, i in itertools.product(range(2), range(3), range(4)):
        wanted = a[n, layer, i] * sum(values[layer, i, h] * e[n, h] for h in range(5))
        assert found[n, layer, i].item() == pytest.approx(wanted.item(), abs=1e-5)


def test_coarse_sets_take_the_threshold_itself_and_shrink_with_it():
    scores = torch.tensor([[1.0, 0.5, 0.25], [0.24, -3.0, 0.0]])
    assert method.members(method.coarse(scores, 0.25)) == [(0, 0), (0, 1), (0, 2)]
    assert method.members(method.coarse(scores, 1.0)) == [(0, 0)]
    sizes = [int(method.coarse(scores, t).sum()) for t in (0.0, 0.2, 0.3, 0.6, 1.0)]
    assert sizes == [5, 4, 2, 1, 1]
    assert not method.coarse(-scores.abs(), 0.2).any()
    both = torch.stack([scores, scores * 2])
    assert method.coarse(both, 0.25).tolist() == [method.coarse(one, 0.25).tolist() for one in both]


def test_refining_counts_prompts():
    rng = np.random.default_rng(0)
    sets = torch.from_numpy(rng.random((10, 2, 8)) < 0.6)
    for p in (0.0, 0.3, 0.55, 0.7, 1.0):
        wanted = [
            (layer, i)
            for layer, i in itertools.product(range(2), range(8))
            if sum(bool(one[layer, i]) for one in sets) >= max(round(p * 10, 6), 3)
        ]
        assert method.members(method.refine(sets, p)) == wanted
        assert torch.equal(method.refine(sets[torch.randperm(10)], p), method.refine(sets, p))
    two = torch.tensor([[[True, True, False]], [[True, False, False]]])
    assert method.members(method.refine(two, 0.0)) == [(0, 0)], "of two prompts, both"


def test_the_share_moves_until_sets_have_the_size():
    counts = torch.arange(1, 11)  # neuron i is in the first i + 1 of 10 prompts
    sets = (torch.arange(10)[:, None] < counts)[:, None]
    found, p = method.adapt([sets], goal=(2, 5))
    assert (p, int(found[0].sum())) == (0.7, 4)
    found, p = method.adapt([sets], goal=(1, 2))
    assert (p, int(found[0].sum())) == (0.85, 2)
    found, p = method.adapt([sets], goal=(6, 7))
    assert (p, int(found[0].sum())) == (0.5, 6)
    assert method.adapt([sets], goal=(8, 9))[1] == pytest.approx(0.4), "six moves at most"
    assert method.adapt([sets, ~sets], goal=(0, 0))[1] == 1.0, "p ends at 1"
    assert method.adapt([sets], goal=(8, 9), rounds=1)[1] == pytest.approx(0.65)


def test_the_first_of_equal_scores_is_taken():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.5, 0.2, 0.9]])
    assert method.top(scores, 4) == [(0, 1), (1, 2), (0, 2), (1, 0)]
    assert len(method.top(scores, 6)) == 6


# --------------------------------------------------------------------------------------------------------------- edits
def test_the_change_is_relative_to_the_mean():
    before, after = torch.tensor([0.5, 0.25, 0.125]), torch.tensor([0.25, 0.25, 0.25])
    assert edits.relative_change(before, after) == pytest.approx((0.75 - 0.875) / 0.875)
    assert edits.relative_change(before, 0 * before) == -1


@pytest.mark.parametrize("normalize", [True, False])
def test_new_values_are_the_formula(normalize):
    rng = torch.Generator().manual_seed(0)
    v, old, new = (torch.randn(*s, generator=rng) for s in ((3, 4), (4,), (4,)))
    found = edits.edited_values(v, old, new, 1.5, 6.0, normalize=normalize)
    for i in range(3):
        size = math.sqrt(sum(float(x) ** 2 for x in v[i]))
        a = size / math.sqrt(sum(float(x) ** 2 for x in old)) if normalize else 1
        b = size / math.sqrt(sum(float(x) ** 2 for x in new)) if normalize else 1
        assert found[i].tolist() == pytest.approx((v[i] - 1.5 * a * old + 6 * b * new).tolist(), abs=1e-5)
    assert torch.equal(edits.edited_values(v, old, new, 0, 0), v)


def test_shared_neurons_are_left_out_and_counted():
    sets = [[(0, i), (1, 7)] for i in range(10)]
    sets[1].append((0, 0))
    assert edits.select(sets, 0.2)[0] == [(0, 0)], "two of ten facts may"
    assert edits.select(sets, 0.1)[0] == []
    assert edits.select([[(0, 1)], [(0, 2)]], 0.1) == [[(0, 1)], [(0, 2)]], "a fact may have its own"
    assert edits.most_frequent(sets, 2) == [(1, 7), (0, 0)]
    assert edits.most_frequent([[(1, 0), (0, 3)]], 5) == [(0, 3), (1, 0)]


def test_shared_is_the_mean_over_pairs():
    sets = [[(0, 0), (0, 1)], [(0, 0), (0, 1)], [(0, 1)], [(1, 1)]]
    assert edits.shared(sets, ["a", "a", "b", "b"]) == (1.0, 0.5)
    same, other = edits.shared([[(0, 0)]], ["a"])
    assert math.isnan(same)
    assert math.isnan(other)


def test_perplexity_is_the_geometric_mean_of_odds():
    p = torch.tensor([0.5, 0.1, 0.9])
    assert edits.perplexity(p) == pytest.approx((0.5 * 0.1 * 0.9) ** (-1 / 3), rel=1e-5)


# ------------------------------------------------------------------------------------------------------------ mistakes
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: method.quadrature(0), "steps: must"),
        (lambda: method.quadrature(1, "ends"), "steps: must"),
        (lambda: method.quadrature(2, "simpson"), "rule: must"),
        (lambda: method.coarse(torch.ones(1, 2), 1.5), "t: must"),
        (lambda: method.refine(torch.ones(2, 1, 2, dtype=torch.bool), -0.1), "p: must"),
        (lambda: method.adapt([]), "facts: must not be empty"),
        (lambda: method.adapt([torch.ones(1, 1, 1) > 0], goal=(3, 2)), "adapt: must"),
        (lambda: method.top(torch.ones(1, 2), 3), "k: must"),
        (lambda: method.top(torch.ones(1, 2), 0), "k: must"),
        (lambda: edits.relative_change(torch.ones(0), torch.ones(0)), "before: must"),
        (lambda: edits.relative_change(torch.zeros(2), torch.ones(2)), "before: must"),
        (lambda: edits.select([[(0, 0)]], 2), "share: must"),
        (lambda: edits.most_frequent([[(0, 0)]], 0), "k: must"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(InputError, match=words):
        call()
