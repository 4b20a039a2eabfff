"""Interpolated n-grams against counting in dictionaries."""

import math
from collections import Counter

import numpy as np
import pytest

from holdfast.baselines.ngrams import NGrams
from holdfast.errors import InputError

V = 5


def by_counting(train, order, context, token):
    """P(token | context) from the definition."""
    p = 1 / V
    for n in range(1, order + 1):
        pairs = Counter()
        for sequence in train:
            padded = ["start"] * (n - 1) + list(sequence)
            pairs.update((tuple(padded[i : i + n - 1]), padded[i + n - 1]) for i in range(len(sequence)))
        h = tuple((["start"] * (n - 1) + list(context))[len(context) :])
        total = sum(count for (c, _), count in pairs.items() if c == h)
        kinds = sum(1 for (c, _) in pairs if c == h)
        if total:
            p = (pairs[h, token] + kinds * p) / (total + kinds)
    return p


def drawn(seed, count=6):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, V, rng.integers(0, 9)) for _ in range(count)]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_the_definition(order):
    train, test = drawn(order), drawn(order + 10)
    model = NGrams(order, V).fit(train)
    for sequence, scores in zip(test, model.log_probs(test), strict=True):
        assert len(scores) == len(sequence)
        for t, token in enumerate(sequence):
            expected = math.log(by_counting(train, order, sequence[:t].tolist(), token))
            assert scores[t] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("context", [[], [0], [4, 4], [1, 2, 3, 0]])
def test_probabilities_of_all_tokens_sum_to_one(context):
    train = drawn(3)
    found = NGrams(3, V).fit(train).probabilities(context)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()
    assert found.tolist() == pytest.approx([by_counting(train, 3, context, token) for token in range(V)])


def test_the_order_of_sequences_does_not_matter_and_they_do_not_run_into_each_other():
    train = drawn(5, 20)
    test = drawn(6)
    forth, back = NGrams(3, V).fit(train).log_probs(test), NGrams(3, V).fit(train[::-1]).log_probs(test)
    for one, other in zip(forth, back, strict=True):
        assert one.tolist() == pytest.approx(other.tolist())
    alone = NGrams(3, V).fit(train).log_probs([test[3]])[0]
    assert forth[3].tolist() == pytest.approx(alone.tolist())


def test_a_source_with_memory_is_predicted_better_with_a_context():
    rng = np.random.default_rng(0)
    chain = [0]
    for _ in range(4000):
        chain.append(int(rng.choice([(chain[-1] + 1) % V, int(rng.integers(V))])))
    losses = [-np.mean(NGrams(n, V).fit([chain[:3000]]).log_probs([chain[3000:]])[0]) for n in (1, 2)]
    assert losses[0] - losses[1] > 0.3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: NGrams(0, 3), "order"),
        (lambda: NGrams(2, 0), "vocabulary"),
        (lambda: NGrams(2, 3).fit([]), "must hold tokens"),
        (lambda: NGrams(2, 3).fit([[0, 3]]), "from 0 to 2"),
        (lambda: NGrams(2, 3).log_probs([[0]]), "after fit"),
    ],
)
def test_what_cannot_be_counted_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
