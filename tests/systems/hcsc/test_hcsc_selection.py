"""Which negatives are kept, and the loss: loops, the reference's numbers, invariants."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from holdfast.errors import InputError
from holdfast.losses.contrastive import info_nce
from holdfast.systems.hcsc import HCSCLoss, PrototypeTree, hierarchical_kmeans, instance_keep_prob, prototype_keep_prob

VECTORS = Path(__file__).parents[2] / "vectors" / "hcsc.npz"
B, Q, D = 6, 20, 5


def unit(rows, seed):
    return F.normalize(torch.randn(rows, D, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.fixture(scope="module")
def tree():
    return hierarchical_kmeans(unit(60, 0), (12, 5, 2))


@pytest.fixture(scope="module")
def batch():
    return unit(B, 1), unit(B, 2), unit(Q, 3), torch.tensor([3, 9, 9, 20, 41, 59])


def softmax(values):
    top = max(values)
    return [math.exp(v - top) / sum(math.exp(w - top) for w in values) for v in values]


# ------------------------------------------------------------------------------------------- by explicit loops
def keep_instance(z, tree, level, pos):
    pairs = zip(tree.prototypes[level], tree.temperatures[level], strict=True)
    shares = softmax([float(z @ c) / max(float(p), 1e-3) for c, p in pairs])
    return min(max(1 - shares[pos], 0), 0.999)


def keep_prototype(tree, level, pos, other):
    above = zip(tree.prototypes[level + 1], tree.temperatures[level + 1], strict=True)
    shares = softmax([float(tree.prototypes[level][other] @ c) / max(float(p), 1e-3) for c, p in above])
    return min(max(1 - shares[int(tree.parent[level][pos])], 1e-4), 0.999)


def loss_by_hand(batch, tree, seed, *, T=0.2, zero=False, batch_negatives=False, instances=True, prototypes=True):
    """Per level the instance and the prototype loss, with the draws of a generator of this seed."""
    q, k, queue, index = batch
    g = torch.Generator().manual_seed(seed)
    inst, proto = [], []
    draws = [torch.rand(B, Q, generator=g) for _ in range(len(tree))] if instances else None
    for level in range(len(tree)):
        values = []
        for i in range(B):
            pos = int(tree.assign[level][index[i]])
            total = top = math.exp(float(q[i] @ k[i]) / T)
            for j in range(Q):
                kept = draws is None or float(draws[level][i, j]) < keep_instance(queue[j], tree, level, pos)
                total += math.exp(float(q[i] @ queue[j]) / T) if kept else float(zero)
            values.append(math.log(total / top))
        inst.append(sum(values) / B)
    for level in range(len(tree)):
        count = len(tree.prototypes[level])
        selects = prototypes and level < len(tree) - 1
        draw = torch.rand(B, count, generator=g) if selects else None
        positives = {int(tree.assign[level][i]) for i in index}
        values = []
        for i in range(B):
            pos = int(tree.assign[level][index[i]])
            pairs = zip(tree.prototypes[level], tree.temperatures[level], strict=True)
            logits = [float(q[i] @ c) / float(p) for c, p in pairs]
            total = math.exp(logits[pos])
            for c in range(count):
                if c == pos or (batch_negatives and (c in positives or c == count - 1)):
                    continue
                kept = draw is None or float(draw[i, c]) < keep_prototype(tree, level, pos, c)
                total += math.exp(logits[c]) if kept else float(zero)
            values.append(math.log(total) - logits[pos])
        proto.append(sum(values) / B)
    return inst, proto


def test_probabilities_by_hand(batch, tree):
    queue, index = batch[2], batch[3]
    for level in range(3):
        pos = tree.assign[level][index]
        got = instance_keep_prob(queue, tree, level, pos)
        hand = [[keep_instance(z, tree, level, int(p)) for z in queue] for p in pos]
        np.testing.assert_allclose(got, hand, atol=1e-6)
        if level < 2:
            got = prototype_keep_prob(tree, level, pos)
            hand = [[keep_prototype(tree, level, int(p), c) for c in range(len(tree.prototypes[level]))] for p in pos]
            np.testing.assert_allclose(got, hand, atol=1e-6)
    assert bool((prototype_keep_prob(tree, 2, pos) == 1).all())


@pytest.mark.parametrize(
    "how", [{}, {"zero": True}, {"batch_negatives": True}, {"instances": False}, {"prototypes": False}, {"T": 0.04}]
)
def test_the_loss_by_hand(batch, tree, how):
    inst, proto = loss_by_hand(batch, tree, 7, **how)
    loss = HCSCLoss(
        how.get("T", 0.2),
        "zero" if how.get("zero") else "exclude",
        negatives="batch" if how.get("batch_negatives") else "per_sample",
        generator=torch.Generator().manual_seed(7),
        instance_keep=instance_keep_prob if how.get("instances", True) else None,
        prototype_keep=prototype_keep_prob if how.get("prototypes", True) else None,
    )
    q, k, queue, index = batch
    assert float(loss(q, k, queue, tree, index)) == pytest.approx(sum(inst) + sum(proto) / 3, abs=1e-4)


def test_levels_can_be_averaged(batch, tree):
    inst, proto = loss_by_hand(batch, tree, 7)
    q, k, queue, index = batch
    loss = HCSCLoss(instance_reduction="mean", generator=torch.Generator().manual_seed(7))
    assert float(loss(q, k, queue, tree, index)) == pytest.approx(sum(inst) / 3 + sum(proto) / 3, abs=1e-5)


def test_known_probabilities_are_used(batch, tree):
    q, k, queue, index = batch
    nothing = HCSCLoss(prototype_keep=None)(q, k, queue, tree, index, [torch.zeros(B, Q)] * 3)
    prototypes = HCSCLoss(instance_keep=None, prototype_keep=None)
    kept = prototypes(q, k, queue, tree, index)
    assert float(kept - nothing) == pytest.approx(3 * float(info_nce(q, k, 0.2, queue)), abs=1e-4)


# ------------------------------------------------------------------------------------------- the reference's numbers
@pytest.fixture(scope="module")
def reference():
    z = {name: torch.from_numpy(value) for name, value in np.load(VECTORS).items()}
    return z, PrototypeTree([z["im0"], z["im1"]], [z["C0"], z["C1"]], [z["d0"], z["d1"]], [z["up"]])


def test_probabilities_of_the_reference(reference):
    z, tree = reference
    for level in (0, 1):
        got = instance_keep_prob(z["queue"], tree, level, tree.assign[level][:6])
        torch.testing.assert_close(got, z[f"p_keep_inst{level}"], atol=1e-6, rtol=0)
    scaled = PrototypeTree(tree.assign, tree.prototypes, [z["d0"], 0.2 * z["d1"] / z["d1"].mean()], tree.parent)
    got = prototype_keep_prob(scaled, 0, z["im0"][:6])[:, [0, 2, 3, 5, 6, 8, 9]]
    torch.testing.assert_close(got, z["p_keep_proto0"], atol=1e-6, rtol=0)


def test_prototype_losses_of_the_reference(reference):
    z, tree = reference
    loss = HCSCLoss(negatives="batch", prototype_keep=None)
    got = loss.prototype_losses(z["q"], tree, torch.arange(6))
    for level in (0, 1):  # the positive is in column 0
        logits = z[f"proto_logits{level}_noselect"]
        theirs = F.cross_entropy(logits, torch.zeros(6, dtype=torch.int64))
        torch.testing.assert_close(got[level], theirs, atol=1e-6, rtol=1e-6)


# ------------------------------------------------------------------------------------------------------- invariants
def test_probabilities_lie_between_zero_and_one_and_siblings_are_dropped_more_often(tree):
    p = prototype_keep_prob(tree, 0, torch.arange(12))
    same = tree.parent[0][:, None] == tree.parent[0]
    off = ~torch.eye(12, dtype=torch.bool)
    assert float(p[same & off].mean()) < float(p[~same].mean())
    assert float(p.min()) > 0
    assert float(p.max()) < 0.99901


def test_an_item_at_the_querys_prototype_is_dropped_where_temperatures_are_small(tree):
    cold = PrototypeTree(tree.assign, tree.prototypes, [phi * 1e-6 for phi in tree.temperatures], tree.parent)
    p = instance_keep_prob(tree.prototypes[0][2:3], cold, 0, torch.tensor([2, 3]))
    assert p[:, 0].tolist() == pytest.approx([0, 0.999], abs=1e-6)


def test_without_selection_one_level_is_pcl(batch, tree):
    q, k, queue, index = batch
    one = PrototypeTree(tree.assign[:1], tree.prototypes[:1], tree.temperatures[:1], [])
    got = HCSCLoss(instance_keep=None, prototype_keep=None)(q, k, queue, one, index)
    logits = q @ one.prototypes[0].T / one.temperatures[0]
    pcl = info_nce(q, k, 0.2, queue) + F.cross_entropy(logits, one.assign[0][index])
    torch.testing.assert_close(got, pcl)


def test_numbers_of_clusters_do_not_matter(batch, tree):
    q, k, queue, index = batch
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    back = order.argsort()
    other = PrototypeTree(
        [back[tree.assign[0]], *tree.assign[1:]],
        [tree.prototypes[0][order], *tree.prototypes[1:]],
        [tree.temperatures[0][order], *tree.temperatures[1:]],
        [tree.parent[0][order], tree.parent[1]],
    )
    plain = HCSCLoss(instance_keep=None, prototype_keep=None)
    torch.testing.assert_close(plain(q, k, queue, tree, index), plain(q, k, queue, other, index))
    keep = [instance_keep_prob(queue, t, 0, t.assign[0][index]) for t in (tree, other)]
    torch.testing.assert_close(*keep)


def test_only_queries_get_a_gradient(tree):
    q, k, queue = (unit(B, seed).requires_grad_() for seed in (1, 2, 3))
    HCSCLoss()(q, k, queue, tree, torch.arange(B)).backward()
    assert bool((q.grad.norm(dim=1) > 0).all())
    assert k.grad is None
    assert queue.grad is None


def test_the_gradient_is_that_of_the_plain_sum(batch, tree):
    _, k, queue, index = batch
    grads = []
    for T in (0.0501, 0.0499):  # one exponential for all levels; level by level
        q = unit(B, 1).requires_grad_()
        loss = HCSCLoss(T, "zero", generator=torch.Generator().manual_seed(1), prototype_keep=None)
        loss(q, k, queue, tree, index).backward()
        grads.append(q.grad * T)
    torch.testing.assert_close(*grads, rtol=0.02, atol=0.02)


def test_no_negative_left_is_a_loss_of_zero(batch, tree):
    q, k, queue, _ = batch
    alone = PrototypeTree([torch.zeros(60, dtype=torch.int64)], [unit(1, 9)], [torch.tensor([0.2])], [])
    got = HCSCLoss()(q, k, queue, alone, torch.arange(B), [torch.zeros(B, Q)])
    assert float(got) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"index": torch.tensor([0, 1, 2, 3, 4, 60])},
        {"index": torch.tensor([0, 1, 2, 3, 4, -1])},
        {"index": torch.arange(5)},
        {"k": unit(5, 2)},
        {"q": torch.zeros(B, 3)},
        {"queue": torch.zeros(Q, 3)},
    ],
)
def test_what_does_not_fit_is_refused(batch, tree, change):
    given = {**dict(zip(("q", "k", "queue", "index"), batch, strict=True)), **change}
    with pytest.raises(InputError):
        HCSCLoss()(given["q"], given["k"], given["queue"], tree, given["index"])


@pytest.mark.parametrize(
    "settings", [{"T": 0}, {"mask_mode": "none"}, {"negatives": "all"}, {"instance_reduction": "x"}]
)
def test_wrong_settings_are_refused(settings):
    with pytest.raises(InputError):
        HCSCLoss(**settings)


def test_no_gradient_reaches_queue_or_prototypes_through_probabilities(tree):
    learnable = dataclasses.replace(tree, prototypes=[c.clone().requires_grad_() for c in tree.prototypes])
    queue = unit(5, 3).requires_grad_()
    pos = torch.zeros(2, dtype=torch.int64)
    assert not instance_keep_prob(queue, learnable, 0, pos).requires_grad
    assert not prototype_keep_prob(learnable, 0, pos).requires_grad
