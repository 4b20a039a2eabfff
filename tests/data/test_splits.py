import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data.splits import (
    content_rng,
    divide,
    first_of_each_class,
    fixed_test,
    sizes,
    stratified,
    training_rows,
)
from holdfast.errors import InputError

label_lists = st.lists(st.integers(0, 6), min_size=1, max_size=80).map(torch.tensor)
fractions = st.floats(0, 1)
seeds = st.integers(0, 2**31)


@settings(max_examples=150, deadline=None)
@given(label_lists, fractions, seeds)
def test_stratified_takes_an_exact_number_and_each_class_in_proportion(y, fraction, seed):
    mask = stratified(y, fraction, np.random.default_rng(seed))
    assert int(mask.sum()) == int(np.floor(fraction * len(y) + 0.5))
    for c in y.unique():
        share = fraction * int((y == c).sum())
        assert abs(int(mask[y == c].sum()) - share) <= 1 + 1e-9


def test_stratified_is_fair_to_every_row_and_to_tiny_classes():
    y = torch.tensor([0] * 10 + [1] * 3 + [2])
    taken = torch.stack([stratified(y, 0.25, np.random.default_rng(s)) for s in range(4000)]).float().mean(0)
    # 3.5 -> 4 rows of 14 are taken, so every row has probability near 2/7, whatever its class
    assert (taken - 4 / 14).abs().max() < 0.1


def test_same_generator_same_rows():
    y = torch.arange(50) % 5
    one, two, other = (stratified(y, 0.3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=8, max_size=80).map(torch.tensor), seeds)
def test_divide_is_a_partition_with_a_fixed_validation_part(y, seed):
    held, tested, train = divide(y, 0.2, 0.25, np.random.default_rng(seed))
    assert sorted([*held.tolist(), *tested.tolist(), *train.tolist()]) == list(range(len(y)))
    again, _, _ = divide(y, 0.2, 0.25, np.random.default_rng(seed + 1))
    assert torch.equal(held, again)
    assert sizes(len(y), 0.2, 0.25) == (len(tested), len(train))


def test_divide_needs_enough_rows():
    with pytest.raises(InputError, match="2 images"):
        divide(torch.tensor([0, 1]), 0.2, 0.1, np.random.default_rng(0))


@settings(max_examples=100, deadline=None)
@given(label_lists, st.integers(0, 5))
def test_first_of_each_class_by_loops(y, count):
    counts = torch.bincount(y)
    names = tuple("abcdefg")
    if (counts[counts > 0] < count).any():
        with pytest.raises(InputError) as caught:
            first_of_each_class(y, count, names)
        fewest = min(int(n) for n in counts if n > 0)
        assert f"has {fewest})" in str(caught.value)
        return
    expected = [i for c in range(7) for i in [i for i, label in enumerate(y.tolist()) if label == c][:count]]
    assert first_of_each_class(y, count, names).tolist() == expected


def test_content_decides_the_generator():
    y = torch.tensor([0, 1, 2])
    draw = content_rng(y, "a").random()
    assert draw == content_rng(y.clone(), "a").random()
    assert draw != content_rng(y, "b").random()
    assert draw != content_rng(torch.tensor([0, 1, 1]), "a").random()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=12, max_size=80).map(torch.tensor), seeds)
def test_a_fixed_test_part_is_the_same_in_every_replicate_and_training_rows_are_not_in_it(y, seed):
    held, tested, others = fixed_test(y, 5, 3)
    assert [len(held), len(tested), len(others)] == [3, 5, len(y) - 8]
    assert sorted(torch.cat([held, tested, others]).tolist()) == list(range(len(y)))
    again = fixed_test(y.clone(), 5, 3)
    assert all(torch.equal(a, b) for a, b in zip((held, tested, others), again, strict=True))
    drawn = training_rows(y, others, len(others) - 1, np.random.default_rng(seed))
    assert len(set(drawn.tolist())) == len(others) - 1
    assert set(drawn.tolist()) <= set(others.tolist())


def test_pools_that_are_too_small_are_refused():
    y = torch.arange(10) % 2
    with pytest.raises(InputError, match="must leave rows to train on"):
        fixed_test(y, 7, 3)
    with pytest.raises(InputError, match=r"at most the number of rows to draw from \(4\)"):
        training_rows(y, torch.arange(4), 5, np.random.default_rng(0))
