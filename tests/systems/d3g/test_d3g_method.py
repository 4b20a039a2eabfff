"""The method against loops and closed forms."""

import math

import pytest
import torch
import torch.nn.functional as F

from holdfast.errors import InputError
from holdfast.graphs.neighbours import nearest_spacing
from holdfast.losses.per_example import cross_entropy, squared_error
from holdfast.systems.d3g.method import (
    D3GLearner,
    D3GSettings,
    LearnedRelation,
    MultiHead,
    combined_relation,
    masked_mean,
    mix_heads,
    normalised,
    relation_consistency_loss,
    relation_from_distance,
    relation_from_graph,
    top_relations,
    without_self,
)

K, C, B, D = 4, 3, 7, 5


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def given():
    relation = torch.rand(K, K) + 0.1
    domain = torch.tensor([0, 1, 2, 3, 0, 1, 2])
    return torch.randn(B, K, C), torch.randint(0, C, (B,)), domain, relation


def by_loops(outputs, y, domain, relation, probs=False):
    """L_rel written as the paper does; domains without relatives are left out."""
    total, counted = 0.0, 0
    for i in range(len(y)):
        d = int(domain[i])
        weight = sum(float(relation[d, j]) for j in range(K) if j != d)
        if weight == 0:
            continue
        mixed = torch.zeros(C)
        for j in range(K):
            if j != d:
                answer = outputs[i, j].softmax(0) if probs else outputs[i, j]
                mixed += float(relation[d, j]) / weight * answer
        p = mixed[y[i]] / mixed.sum() if probs else mixed.softmax(0)[y[i]]
        total += -math.log(float(p))
        counted += 1
    return total / counted if counted else 0.0


@pytest.mark.parametrize("space", ["logits", "probs"])
def test_consistency_loss_is_that_of_the_loops(given, space):
    outputs, y, domain, relation = given
    loss = relation_consistency_loss(outputs, y, domain, relation, cross_entropy, space)
    assert float(loss) == pytest.approx(by_loops(outputs, y, domain, relation, space == "probs"), rel=1e-5)


def test_domains_without_relatives_are_left_out_and_do_not_divide(given):
    outputs, y, domain, relation = given
    relation[1] = 0
    relation[2] = torch.eye(K)[2]  # only to itself
    loss = relation_consistency_loss(outputs, y, domain, relation, cross_entropy)
    assert float(loss) == pytest.approx(by_loops(outputs, y, domain, relation), rel=1e-5)
    kept = (domain == 0) | (domain == 3)
    alone = relation_consistency_loss(outputs[kept], y[kept], domain[kept], relation, cross_entropy)
    assert float(loss) == pytest.approx(float(alone), rel=1e-6)
    assert float(relation_consistency_loss(outputs, y, domain, torch.eye(K), cross_entropy)) == 0


def test_the_own_head_does_not_answer(given):
    outputs, y, domain, relation = given
    outputs.requires_grad_()
    relation_consistency_loss(outputs, y, domain, relation, cross_entropy).backward()
    own = outputs.grad[torch.arange(B), domain]
    assert float(own.abs().max()) == 0
    assert float(outputs.grad.abs().sum(2).min(1).values.max()) == 0
    assert int((outputs.grad.abs().sum(2) > 0).sum()) == B * (K - 1)


def test_of_two_domains_each_is_answered_by_the_other():
    outputs, y = torch.randn(3, 2, C), torch.tensor([0, 2, 1])
    zero = torch.zeros(3, dtype=torch.int64)
    loss = relation_consistency_loss(outputs, y, zero, torch.full((2, 2), 0.3), cross_entropy)
    assert float(loss) == pytest.approx(float(F.cross_entropy(outputs[:, 1], y)), rel=1e-6)


def test_losses_per_example():
    outputs, y = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([1, 0])
    wanted = [math.log(1 + math.exp(-1)), math.log(2)]
    assert cross_entropy(outputs, y).tolist() == pytest.approx(wanted)
    assert squared_error(outputs, torch.tensor([[0.0, 0.0], [3.0, 4.0]])).tolist() == pytest.approx([2.5, 12.5])
    assert float(masked_mean(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([1.0, 0.0, 1.0]))) == 5
    assert float(masked_mean(torch.tensor([1.0]), torch.zeros(1))) == 0


# -------------------------------------------------------------------------------------------------------------- mixing
def test_one_hot_weights_give_that_head_and_uniform_ones_the_mean():
    outputs = torch.randn(B, K, C)
    for j in range(K):
        assert torch.equal(mix_heads(outputs, torch.eye(K)[j].expand(B, K)), outputs[:, j])
    assert torch.allclose(mix_heads(outputs, torch.full((B, K), 0.2)), outputs.mean(1), atol=1e-6)
    assert torch.allclose(mix_heads(outputs, torch.zeros(B, K)), outputs.mean(1), atol=1e-6)


def test_the_size_of_a_row_of_weights_does_not_matter():
    outputs, weights = torch.randn(B, K, C), torch.rand(B, K)
    scaled = weights * torch.rand(B, 1) * 50
    for space in ("logits", "probs"):
        assert torch.allclose(mix_heads(outputs, weights, space), mix_heads(outputs, scaled, space), atol=1e-5)
    assert torch.allclose(normalised(weights * 1e-6), normalised(weights), atol=1e-6)


def test_the_order_of_domains_does_not_matter():
    outputs, weights, order = torch.randn(B, K, C), torch.rand(B, K), torch.randperm(K)
    assert torch.allclose(mix_heads(outputs, weights), mix_heads(outputs[:, order], weights[:, order]), atol=1e-6)


def test_probabilities_are_mixed_as_such():
    outputs, weights = torch.randn(B, K, C), torch.rand(B, K)
    p = mix_heads(outputs, weights, "probs").softmax(1)
    wanted = torch.zeros(B, C)
    for i in range(B):
        for j in range(K):
            wanted[i] += weights[i, j] / weights[i].sum() * outputs[i, j].softmax(0)
    assert torch.allclose(p, wanted, atol=1e-6)


def test_a_row_of_zeros_is_an_error_where_asked_for():
    weights = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(InputError, match="row 1"):
        mix_heads(torch.zeros(2, 2, C), weights, empty="error")
    mix_heads(torch.zeros(1, 2, C), weights[:1], empty="error")


# --------------------------------------------------------------------------------------------------------------- heads
def test_selected_heads_are_those_of_the_one_layer():
    heads, z, domain = MultiHead(D, K, C), torch.randn(B, D), torch.tensor([0, 1, 2, 3, 3, 0, 1])
    assert heads.linear.out_features == K * C
    every = heads(z)
    for i in range(B):
        rows = slice(int(domain[i]) * C, int(domain[i]) * C + C)
        by_hand = heads.linear.weight[rows] @ z[i] + heads.linear.bias[rows]
        assert torch.allclose(every[i, domain[i]], by_hand, atol=1e-6)
        assert torch.allclose(heads.select(z, domain)[i], by_hand, atol=1e-6)
    several = torch.stack([domain, (domain + 1) % K], 1)
    assert torch.allclose(heads.select(z, several), every.gather(1, several[..., None].expand(-1, -1, C)), atol=1e-6)


def test_heads_collapse_into_one_exactly():
    heads, z, weights = MultiHead(D, K, C), torch.randn(B, D), torch.rand(K)
    wanted = mix_heads(heads(z), weights.expand(B, K))
    assert torch.allclose(heads.collapse(weights)(z), wanted, atol=1e-6)
    uniform = heads.collapse(torch.zeros(K))
    assert torch.allclose(uniform(z), heads(z).mean(1), atol=1e-6)


# ----------------------------------------------------------------------------------------------------------- relations
def test_relation_from_distance_is_that_of_loops():
    one, other = torch.randn(3, 2), torch.randn(K, 2)
    found = relation_from_distance(one, 0.7, other)
    for i in range(3):
        for j in range(K):
            distance = float((one[i] - other[j]).square().sum())
            assert float(found[i, j]) == pytest.approx(math.exp(-distance / 0.49), rel=1e-5)
    assert torch.allclose(relation_from_distance(one, 0.7).diagonal(), torch.ones(3))


def test_sigma_is_the_median_distance_to_the_nearest():
    places = torch.tensor([[0.0], [1.0], [3.0], [10.0]])  # nearest: 1, 1, 2, 7
    assert nearest_spacing(places) == 1
    assert nearest_spacing(places[1:]) == 2
    assert nearest_spacing(torch.tensor([[2.0], [2.0]])) == 1
    wanted = math.exp(-((2 / 1) ** 2))
    assert float(relation_from_distance(torch.tensor([[5.0]]), None, places)[0, 2]) == pytest.approx(wanted, rel=1e-5)


def test_graphs_have_no_edge_to_oneself_and_are_not_changed():
    adjacency = torch.ones(3, 3, dtype=torch.float64)
    found = relation_from_graph(adjacency)
    assert found.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert found.dtype == torch.float32
    assert float(adjacency[0, 0]) == 1
    assert without_self(torch.ones(2, 2)).tolist() == [[0, 1], [1, 0]]


def test_learned_relation_clamps_each_head_before_their_mean():
    relation = LearnedRelation(2, hidden=3, heads=4)
    with torch.no_grad():
        relation.w.copy_(torch.randn(4, 3) * 3)
        for layer in (relation.g[0], relation.g[2]):
            layer.weight.normal_()
            layer.bias.zero_()
    one, other = torch.randn(5, 2), torch.randn(6, 2)
    found = relation(one, other).detach()
    clamped = False
    for i in range(5):
        for j in range(6):
            total = 0.0
            for r in range(4):
                a, b = relation.w[r] * relation.g(one)[i], relation.w[r] * relation.g(other)[j]
                cosine = float((a @ b / a.norm() / b.norm()).detach())
                clamped |= cosine < 0
                total += max(0.0, cosine)
            assert float(found[i, j]) == pytest.approx(total / 4, abs=1e-5)
    assert clamped
    itself = relation(one, one)
    assert torch.allclose(itself, itself.T, atol=1e-6)
    assert torch.allclose(itself.diagonal(), torch.ones(5), atol=1e-6)
    with torch.no_grad():
        relation.w.mul_(torch.tensor([[2.0], [0.1], [7.0], [1.0]]))
    assert torch.allclose(relation(one, other), found, atol=1e-6)


def test_learned_relation_starts_with_the_declared_width():
    relation = LearnedRelation(2, hidden=6, heads=3)
    assert relation.w.shape == (3, 6)
    assert [layer.out_features for layer in relation.g if hasattr(layer, "out_features")] == [6, 6]
    assert 0.5 < relation.w.detach().min() < relation.w.detach().max() < 1.5  # no head begins by flipping a feature


def test_relations_are_combined():
    fixed, learned = torch.rand(2, 2), torch.rand(2, 2)
    assert torch.allclose(combined_relation(fixed, learned, 0.8), 0.8 * fixed + 0.2 * learned)
    assert torch.equal(combined_relation(fixed, None, 0.8), fixed)


def test_top_relations():
    values, index = top_relations(torch.tensor([[0.1, 0.9, 0.5], [0.3, 0.0, 0.2]]), 2)
    assert index.tolist() == [[1, 2], [0, 2]]
    assert values.flatten().tolist() == pytest.approx([0.9, 0.5, 0.3, 0.2])
    assert top_relations(torch.rand(2, 3), 9)[0].shape == (2, 3)


# ------------------------------------------------------------------------------------------------------------- learner
def learner_of(settings, fixed=None, metadata=None, loss_fn=cross_entropy, outputs=C):
    fixed = torch.rand(K, K) if fixed is None else fixed
    return D3GLearner(torch.nn.Linear(D, D), MultiHead(D, K, outputs), fixed, settings, loss_fn, metadata)


def batch_of(y=None):
    y = torch.randint(0, C, (B,)) if y is None else y
    return {"x": torch.randn(B, D), "y": y, "domain": torch.tensor([0, 1, 2, 3, 0, 1, 2])}


@pytest.mark.parametrize("numbers", [False, True])
def test_loss_is_own_plus_lambda_times_others(numbers):
    loss_fn = squared_error if numbers else cross_entropy
    learner, batch = learner_of(D3GSettings(lam=0.7), loss_fn=loss_fn), batch_of(torch.randn(B, C) if numbers else None)
    total, parts = learner.loss(batch, torch.Generator())
    outputs = learner.heads(learner.encoder(batch["x"])).detach()
    own = torch.stack([outputs[i, batch["domain"][i]] for i in range(B)])
    wanted = float(loss_fn(own, batch["y"]).mean())
    assert float(parts["own"].detach()) == pytest.approx(wanted, rel=1e-5)
    if not numbers:
        assert float(parts["others"].detach()) == pytest.approx(
            by_loops(outputs, batch["y"], batch["domain"], learner.fixed), rel=1e-5
        )
    assert float(total.detach()) == pytest.approx(wanted + 0.7 * float(parts["others"].detach()), rel=1e-5)


def test_without_lambda_only_own_heads_learn():
    learner, batch = learner_of(D3GSettings(lam=0.0)), batch_of()
    batch["domain"] = torch.zeros(B, dtype=torch.int64)
    total, parts = learner.loss(batch, torch.Generator())
    outputs = learner.heads(learner.encoder(batch["x"]))[:, 0].detach()
    assert float(total.detach()) == pytest.approx(float(F.cross_entropy(outputs, batch["y"])), rel=1e-5)
    assert set(parts) == {"own"}
    total.backward()
    assert float(learner.heads.linear.weight.grad[C:].abs().max()) == 0


def test_gradient_reaches_every_parameter():
    learner = learner_of(D3GSettings(beta=0.5), metadata=torch.randn(K, 2))
    learner.loss(batch_of(), torch.Generator())[0].backward()
    assert [name for name, p in learner.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


def test_metadata_learn_by_the_consistency_loss_alone():
    learner = learner_of(D3GSettings(beta=0.0), metadata=torch.randn(K, 2))
    learner.loss(batch_of(), torch.Generator())[1]["own"].backward()
    assert all(p.grad is None for p in learner.learned.parameters())


@pytest.mark.parametrize("space", ["logits", "probs"])
def test_all_heads_among_the_related_are_the_same_as_all_heads(space):
    fixed = torch.rand(K, K)
    fixed[1] = 0
    batch = batch_of()
    dense = learner_of(D3GSettings(space=space), fixed)
    sparse = learner_of(D3GSettings(space=space, related=K), fixed)
    sparse.load_state_dict(dense.state_dict())
    few = learner_of(D3GSettings(space=space, related=1), fixed)
    few.load_state_dict(dense.state_dict())
    losses = [float(learner.loss(batch, torch.Generator())[0].detach()) for learner in (dense, sparse, few)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    nearest = torch.eye(K)[dense.fixed.argmax(1)] * (dense.fixed.sum(1, keepdim=True) > 0)
    one = learner_of(D3GSettings(space=space), nearest)
    one.load_state_dict({**dense.state_dict(), "fixed": nearest})
    assert losses[2] == pytest.approx(float(one.loss(batch, torch.Generator())[0].detach()), rel=1e-5)


def test_weights_of_new_domains():
    fixed = torch.tensor([[0.2, 0.6, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    learner = learner_of(D3GSettings())
    assert learner.weights(fixed)[0].tolist() == pytest.approx([0.25, 0.75, 0, 0])
    assert learner.weights(fixed)[1].tolist() == [0.25] * 4
    assert learner_of(D3GSettings(related=1)).weights(fixed)[0].tolist() == [0, 1, 0, 0]
    metadata = torch.randn(K, 2)
    learned = learner_of(D3GSettings(beta=0.25), metadata=metadata)
    new = torch.randn(2, 2)
    a = 0.25 * fixed + 0.75 * learned.learned(new, metadata)
    assert torch.allclose(learned.weights(fixed, new), a / a.sum(1, keepdim=True), atol=1e-6)


def test_training_relation_has_no_diagonal():
    learned = learner_of(D3GSettings(beta=0.5), metadata=torch.randn(K, 2))
    found = learned.training_relation()
    assert float(found.diagonal().detach().abs().max()) == 0
    wanted = 0.5 * learned.fixed + 0.5 * learned.learned(learned.metadata, learned.metadata)
    off = ~torch.eye(K, dtype=torch.bool)
    assert torch.allclose(found[off], wanted[off])


def test_forward_mixes_all_heads():
    learner, x, weights = learner_of(D3GSettings()), torch.randn(B, D), torch.rand(B, K)
    assert torch.equal(learner(x, weights), mix_heads(learner.heads(learner.encoder(x)), weights))


def test_a_relation_that_would_stay_random_is_refused():
    with pytest.raises(InputError, match=r"lam.*stay random"):
        D3GSettings(lam=0.0, beta=0.9)
    assert D3GSettings(lam=0.0, beta=1.0).lam == 0
    assert D3GSettings(lam=0.1, beta=0.0).beta == 0
    with pytest.raises(InputError, match="metadata"):
        learner_of(D3GSettings(beta=0.5))


def test_only_adam_with_the_settings():
    (adam,) = learner_of(D3GSettings(lr=0.01, weight_decay=0.1)).optimizers()
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (0.01, 0.1)
    learner = learner_of(D3GSettings(beta=0.5, hidden=7, relation_heads=3), metadata=torch.randn(K, 2))
    assert learner.learned.w.shape == (3, 7)


def test_weights_sum_to_one_however_far_the_domain():
    distance = torch.tensor([[1.0], [8.8], [9.3], [10.0]])  # exp(-d^2) down to numbers that float32 holds no more
    found = normalised(relation_from_distance(distance, 1.0, torch.tensor([[0.0], [-0.1]])))
    assert found.sum(1).tolist() == pytest.approx([1.0] * 4, abs=1e-6)
    assert found[2, 1].item() == pytest.approx(1 / (1 + math.exp(2 * 9.3 * 0.1 + 0.01)), rel=1e-3)
    assert normalised(torch.zeros(1, 4)).tolist() == [[0.25] * 4]
