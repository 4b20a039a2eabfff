"""The equations of expert_lms: adapted vectors, choice scores, votes, merging; each against a loop."""

from itertools import permutations

import numpy as np
import pytest
import torch

from holdfast.data.choice_rows import ChoiceRow
from holdfast.errors import InputError
from holdfast.language.adapted_encoder import adapted, choice_scores
from holdfast.layers.adapters import BottleneckAdapter
from holdfast.retrieval.inner_products import FaissSearch
from holdfast.systems.expert_lms.method import (
    ExpertLearner,
    accuracy,
    merged,
    route_votes,
    stored_text,
)

RNG = np.random.default_rng(0)


def unit(n, d, rng=RNG):
    x = rng.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# ------------------------------------------------------------------------------------------------------------ answers
def test_adapted_vectors_have_length_one_and_are_the_formula():
    adapter, z = BottleneckAdapter(6, 3, init_zero=False), torch.from_numpy(unit(4, 6))
    found = adapted(z, adapter)
    for row, out in zip(z, found, strict=True):
        moved = row + adapter.up.weight @ torch.relu(adapter.down.weight @ row + adapter.down.bias) + adapter.up.bias
        assert torch.allclose(out, moved / moved.square().sum().sqrt(), atol=1e-6)
    assert torch.allclose(adapted(z, None), z, atol=1e-6)
    assert torch.equal(adapted(3 * z, BottleneckAdapter(6, 3)), adapted(3 * z, None))


def test_scores_are_scaled_cosines_and_missing_choices_can_never_win():
    z, options = torch.from_numpy(unit(3, 5)), torch.from_numpy(unit(4, 5))
    place = torch.tensor([[0, 1, -1], [2, 3, 1], [3, 0, -1]])
    scores = choice_scores(z, options, place, 20.0)
    for i in range(3):
        for j in range(3):
            if place[i, j] < 0:
                assert scores[i, j] == -torch.inf
            else:
                expected = 20 * sum(float(a) * float(b) for a, b in zip(z[i], options[place[i, j]], strict=True))
                assert float(scores[i, j]) == pytest.approx(expected, abs=1e-4)


def test_accuracy_counts_first_best_choices():
    rows = [ChoiceRow("a", ("x", "y"), 1), ChoiceRow("b", ("x", "y"), 0), ChoiceRow("c", ("x", "y", "z"), 0)]
    scores = [np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([1.0, 1.0, 0.0])]
    assert accuracy(scores, rows) == pytest.approx(200 / 3)


def test_the_learner_asks_the_base_for_the_rows_of_the_batch():
    class Base:
        def loss(self, prepared, rows):
            return (adapter.up.bias * prepared[rows].sum()).sum()

    adapter = BottleneckAdapter(2, 1)
    learner = ExpertLearner(Base(), adapter, torch.tensor([1.0, 10.0, 100.0]), lr=0.5)
    loss, parts = learner.loss({"row": torch.tensor([0, 2])}, torch.Generator())
    loss.backward()
    assert adapter.up.bias.grad.tolist() == [101.0, 101.0]
    assert parts == {}
    (optimiser,) = learner.optimizers()
    assert optimiser.defaults["lr"] == 0.5
    assert {id(p) for group in optimiser.param_groups for p in group["params"]} == {id(p) for p in adapter.parameters()}


# -------------------------------------------------------------------------------------------------------------- votes
def by_hand(queries, entries, owner, experts, top_k=1):
    votes = [0] * experts
    for q in queries:
        order = sorted(range(len(entries)), key=lambda m: (-float(np.dot(q, entries[m])), m))[:top_k]
        counts, sums = [0] * experts, [0.0] * experts
        for m in order:
            counts[owner[m]] += 1
            sums[owner[m]] += float(np.dot(q, entries[m]))
        votes[max(range(experts), key=lambda e: (counts[e], sums[e], -e))] += 1
    return votes


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_the_majority_is_the_loop(top_k):
    queries, entries = unit(40, 6), unit(30, 6)
    owner = RNG.integers(0, 4, 30)
    assert route_votes(queries, entries, owner, 4, top_k=top_k).tolist() == by_hand(queries, entries, owner, 4, top_k)


def test_the_majority_of_one_is_argmax_of_bincount():
    queries, entries, owner = unit(50, 5), unit(20, 5), RNG.integers(0, 3, 20)
    expected = np.bincount(owner[(queries @ entries.T).argmax(1)], minlength=3)
    assert np.array_equal(route_votes(queries, entries, owner, 3), expected)


def test_top_k_counts_where_the_released_code_overwrites_it():
    entries = np.array([[1, 0], [0.9, 0.4359], [0.9, -0.4359]], np.float32)
    owner, query = np.array([0, 1, 1]), np.array([[1.0, 0.0]], np.float32)
    assert route_votes(query, entries, owner, 2).tolist() == [1, 0]
    assert route_votes(query, entries, owner, 2, top_k=3).tolist() == [0, 1]


def test_equal_entries_and_equal_counts_go_to_the_lowest_number():
    entries = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], np.float32)
    query = np.array([[1.0, 0.0]], np.float32)
    assert route_votes(query, entries, np.array([2, 1, 0]), 3).tolist() == [0, 1, 0]
    assert route_votes(query, entries, np.array([2, 1, 0]), 3, top_k=3).tolist() == [1, 0, 0]  # equal sums: the first


def test_mean_similarity_and_centroid_are_their_definitions():
    queries, entries, owner = unit(25, 6), unit(18, 6), np.arange(18) % 3
    for vote in ("mean_similarity", "centroid"):
        votes = [0, 0, 0]
        for q in queries:
            scores = []
            for e in range(3):
                mine = entries[owner == e]
                mean = mine.sum(0) / len(mine)
                length = float(np.sqrt((mean**2).sum()))
                scores.append(float(q @ mean) / (length if vote == "centroid" else 1.0))
            votes[int(np.argmax(scores))] += 1
        assert route_votes(queries, entries, owner, 3, vote=vote).tolist() == votes


def test_centroid_and_mean_similarity_can_disagree():
    entries = np.array([[1, 0], [0.6, 0.8], [0.6, -0.8]], np.float32)  # expert 1 is spread around the same direction
    query = np.array([[0.96, 0.28]], np.float32)
    owner = np.array([0, 1, 1])
    assert route_votes(query, entries[[1, 1, 2]], np.array([0, 1, 1]), 2, vote="mean_similarity").tolist() == [1, 0]
    assert route_votes(query, entries, owner, 2, vote="mean_similarity").tolist() == [1, 0]
    assert route_votes(np.array([[1.0, 0.0]], np.float32), entries[[1, 1, 2]], owner, 2, vote="centroid").tolist() == [
        0,
        1,
    ]


def test_the_order_of_the_library_changes_nothing():
    queries, entries, owner = unit(30, 6), unit(12, 6), np.repeat([0, 1, 2], 4)
    before = route_votes(queries, entries, owner, 3)
    for order in permutations(range(3)):
        rows = np.concatenate([np.flatnonzero(owner == e) for e in order])
        names = np.repeat([0, 1, 2], 4)
        after = route_votes(queries, entries[rows], names, 3)
        assert after.tolist() == before[list(order)].tolist()


def test_a_new_expert_only_takes_votes_that_its_own_instances_win():
    queries, entries, owner = unit(40, 5), unit(20, 5), np.arange(20) % 2
    new = unit(6, 5)
    before = owner[(queries @ entries.T).argmax(1)]
    wins = (queries @ new.T).max(1) > (queries @ entries.T).max(1)
    votes = route_votes(queries, np.concatenate([entries, new]), np.concatenate([owner, np.full(6, 2)]), 3)
    assert votes.tolist() == [int(((before == e) & ~wins).sum()) for e in (0, 1)] + [int(wins.sum())]


def test_another_search_gives_the_same_votes():
    queries, entries, owner = unit(30, 8), unit(50, 8), RNG.integers(0, 4, 50)
    scanned = route_votes(queries, entries, owner, 4, top_k=3)
    assert np.array_equal(scanned, route_votes(queries, entries, owner, 4, top_k=3, search=FaissSearch(entries)))


@pytest.mark.parametrize(
    ("more", "words"),
    [({"vote": "loud"}, "vote: must"), ({"top_k": 0}, "top_k: must"), ({"top_k": 9}, "top_k: must")],
)
def test_mistakes_of_votes_are_named(more, words):
    with pytest.raises(InputError, match=words):
        route_votes(unit(2, 3), unit(4, 3), np.zeros(4, int), 1, **more)
    with pytest.raises(InputError, match="queries: must hold"):
        route_votes(np.zeros((0, 3), np.float32), unit(4, 3), np.zeros(4, int), 1)


# ------------------------------------------------------------------------------------------------------------ merging
def states(count, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [{"a": torch.randn(3, 2, generator=g), "b": torch.randn(4, generator=g)} for _ in range(count)]


def test_merging_is_the_weighted_mean_of_changes():
    start, *some = states(4)
    found = merged(start, some, [1.0, 2.0, 5.0])
    for name in start:
        expected = start[name] + sum(w / 8 * (s[name] - start[name]) for w, s in zip((1, 2, 5), some, strict=True))
        assert torch.allclose(found[name], expected, atol=1e-6)


def test_merging_one_is_that_one_and_merging_copies_too():
    start, one = states(2)
    assert all(torch.equal(value, one[name]) for name, value in merged(start, [one]).items())
    assert all(torch.allclose(value, one[name], atol=1e-6) for name, value in merged(start, [one] * 3).items())


def test_merging_is_linear_in_the_weights():
    start, a, b = states(3)
    half, all_a, all_b = (merged(start, [a, b], w) for w in ([1, 1], [1, 0], [0, 1]))
    for name in start:
        assert torch.allclose(half[name], (all_a[name] + all_b[name]) / 2, atol=1e-6)
        assert torch.allclose(all_a[name], a[name], atol=1e-6)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_mistakes_of_merging_are_named(weights):
    start, a, b = states(3)
    with pytest.raises(InputError, match="weights: must be 2 numbers"):
        merged(start, [a, b], weights)
    with pytest.raises(InputError, match="names: must be experts with adapters of one shape"):
        merged(start, [a, {"a": a["a"]}])
    with pytest.raises(InputError, match="names: must name at least one"):
        merged(start, [])


# -------------------------------------------------------------------------------------------------------------- texts
def test_what_is_encoded_of_an_instance():
    row = ChoiceRow("It rained.", ("no", "yes"), 1)
    assert stored_text(row, "choices+instance") == "Answer Choices: no, yes, Instance: It rained."
    assert stored_text(row, "instance") == "It rained."
    assert stored_text(row, "choices") == "Answer Choices: no, yes"
    with pytest.raises(InputError, match="text_format: must"):
        stored_text(row, "prose")
