"""Samplers of partitions against closed forms, counted on fixed seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import (
    GeometricGaps,
    LINPartition,
    NormalGaps,
    PTWPartition,
    RandomShift,
    RegularShift,
    Static,
    UniformGaps,
)
from holdfast.systems.nonstationary_meta.tool.partitions import KINDS, Gaps, partition

ROWS = 20_000


def drawn(kind, length, rows=ROWS, seed=0):
    return kind.starts(rows, length, np.random.default_rng(seed))


def first_lengths(starts):
    """Length of the first segment of every row; the sequence's where it has no other."""
    later = starts[:, 1:]
    return np.where(later.any(1), later.argmax(1) + 1, starts.shape[1])


def p_binomial(successes, n, p):
    return stats.binomtest(int(successes), int(n), p).pvalue


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 5), st.integers(1, 40), st.integers(0, 99))
def test_every_kind_marks_the_first_symbol_and_has_the_asked_shape(kind, rows, length, seed):
    starts = drawn(KINDS[kind], length, rows, seed)
    assert starts.shape == (rows, length)
    assert starts.dtype == bool
    assert starts[:, 0].all()
    assert np.array_equal(starts, drawn(KINDS[kind], length, rows, seed)), "a function of the generator alone"


# ------------------------------------------------------------------------------------------------------------- PTW
@pytest.mark.parametrize("depth", [0, 1, 3, 6])
def test_ptw_has_half_as_many_cuts_as_levels(depth):
    cuts = drawn(PTWPartition(), 2**depth).sum(1) - 1
    mean = 0.0
    for _ in range(depth):  # the recursion that the closed form solves
        mean = 0.5 * (1 + 2 * mean)
    assert mean == depth / 2
    if depth == 0:
        assert not cuts.any()
    else:
        assert stats.ttest_1samp(cuts, mean).pvalue > 0.001
        assert p_binomial((cuts == 0).sum(), ROWS, 0.5) > 0.001


def explicit_ptw(length, rng):
    """The recursion of the paper, on 1-based positions l ... r."""
    starts = {0}

    def divide(left, right):
        if left < right and rng.random() < 0.5:
            middle = (left + right) // 2
            starts.add(middle)
            divide(left, middle)
            divide(middle + 1, right)

    divide(1, 2 ** (length - 1).bit_length())
    return tuple(s for s in sorted(starts) if s < length)


@pytest.mark.parametrize("length", [4, 5, 7])
def test_ptw_draws_partitions_as_often_as_the_explicit_recursion(length):
    rng = np.random.default_rng(1)
    ours = [tuple(np.flatnonzero(row).tolist()) for row in drawn(PTWPartition(), length, 4000)]
    theirs = [explicit_ptw(length, rng) for _ in range(4000)]
    kinds = sorted(set(ours) | set(theirs))
    table = np.array([[sample.count(kind) for kind in kinds] for sample in (ours, theirs)])
    frequent = table.sum(0) >= 10
    table = np.column_stack([table[:, frequent], table[:, ~frequent].sum(1)])
    assert stats.chi2_contingency(table[:, table.sum(0) > 0]).pvalue > 0.001


def test_ptw_cuts_are_where_a_tree_can_cut_and_only_below_a_cut():
    starts = drawn(PTWPartition(), 16, 2000)
    for size in (2, 4, 8):
        parent = starts[:, size::16] if size == 8 else starts[:, 2 * size :: 4 * size]
        assert parent.any(), "every level is cut sometimes"
    # A cut at 2 (of 16) lies inside [0, 4), which exists only if 4 is a cut, which needs 8.
    assert not (starts[:, 2] & ~(starts[:, 4] & starts[:, 8])).any()
    assert not (starts[:, 13] & ~(starts[:, 14] & starts[:, 12] & starts[:, 8])).any()


def test_ptw_rows_are_independent_and_shared_ones_equal():
    assert len(np.unique(drawn(PTWPartition(), 16, 50), axis=0)) > 10
    shared = [drawn(PTWPartition(shared=True), 16, 50, seed) for seed in range(50)]
    assert all((s == s[0]).all() for s in shared)
    assert len({s[0].tobytes() for s in shared}) > 10


# ------------------------------------------------------------------------------------------------------------- LIN
def survival(length):
    """P(a segment of the LIN prior has more than so many symbols)."""
    return math.prod(1 - 1 / (2 * k) for k in range(1, length + 1))


def test_lin_lengths_follow_the_prior():
    lengths = first_lengths(drawn(LINPartition(), 40))
    assert (survival(1), survival(2)) == (0.5, 0.5 * 0.75)
    for n in (1, 2, 3, 10, 39):
        assert p_binomial((lengths > n).sum(), ROWS, survival(n)) > 0.001


def test_lin_hazard_does_not_depend_on_where_a_segment_starts():
    """The second segment's length has the distribution of the first's."""
    starts = drawn(LINPartition(), 60)
    second = starts.copy()
    first = first_lengths(starts)
    early = first <= 20
    gaps = np.array([np.flatnonzero(row[f + 1 :])[:1].tolist() or [99] for row, f in zip(second, first, strict=True)])
    lengths = gaps[early, 0] + 1
    for n in (1, 2, 10, 30):
        assert p_binomial((lengths > n).sum(), early.sum(), survival(n)) > 0.001


# ----------------------------------------------------------------------------------------------------- other kinds
def test_static_and_regular_are_what_they_say():
    assert drawn(Static(), 9, 3).sum() == 3
    assert np.flatnonzero(drawn(RegularShift(4), 10, 1)[0]).tolist() == [0, 4, 8]


def test_geometric_gaps_are_a_constant_hazard():
    starts = drawn(RandomShift(GeometricGaps(5.0)), 50, 2000)
    assert p_binomial(starts[:, 1:].sum(), starts[:, 1:].size, 1 / 5) > 0.001


def test_uniform_gaps_lie_between_their_ends():
    lengths = first_lengths(drawn(RandomShift(UniformGaps(3, 6)), 50))
    assert set(lengths.tolist()) == {3, 4, 5, 6}


class _Scripted(Gaps):
    def __init__(self, *gaps):
        self.gaps = gaps

    def draw(self, size, rng):
        return np.resize(self.gaps, size).astype(float)


def test_gaps_are_rounded_and_negative_ones_count_as_zero():
    starts = RandomShift(_Scripted(-3.0, 2.4, 0.2, 2.6)).starts(1, 9, np.random.default_rng(0))
    assert np.flatnonzero(starts[0]).tolist() == [0, 2, 5, 7]  # gaps 0, 2, 0, 3, 0, 2, 0, 3
    assert drawn(RandomShift(NormalGaps(4, 3)), 30, 50).any()


def test_names_and_those_of_the_reference():
    assert partition("ptw") == partition("iid_ptw_cat") == PTWPartition()
    assert partition("regular_shift") == RegularShift()
    assert partition(RegularShift(3)) == RegularShift(3)
    for wrong in ("pwt", 3, None):
        with pytest.raises(InputError, match="kind"):
            partition(wrong)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (RegularShift(0), "period"),
        (RandomShift(UniformGaps(0, 0.2)), "high"),
        (RandomShift(UniformGaps(5, 2)), "high"),
        (RandomShift(NormalGaps(0, 1)), "mean"),
        (RandomShift(GeometricGaps(0.5)), "mean"),
    ],
)
def test_settings_that_would_never_end_or_mean_nothing_are_named(kind, named):
    with pytest.raises(InputError, match=named):
        drawn(kind, 8, 1)
