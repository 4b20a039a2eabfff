"""Posteriors over segmentations against sums over all of them."""

import itertools

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import LIN, PTW, SegmentPosterior, kt_log_marginal, ptw_log_probs


def ptw_partitions(left, depth, length):
    """(prior, starts within the sequence) of every partition of [left, left + 2^depth)."""
    if left >= length:
        return [(1.0, ())]
    if depth == 0:
        return [(1.0, (left,))]
    half = 1 << (depth - 1)
    cut = [
        (0.5 * p * q, a + b)
        for p, a in ptw_partitions(left, depth - 1, length)
        for q, b in ptw_partitions(left + half, depth - 1, length)
    ]
    return [(0.5, (left,)), *cut]


def lin_partitions(length):
    for pattern in itertools.product([False, True], repeat=length - 1):
        prior, n, starts = 1.0, 0, (0,)
        for t, ends in enumerate(pattern):
            n += 1
            prior *= 0.5 / n if ends else 1 - 0.5 / n
            if ends:
                starts, n = (*starts, t + 1), 0
        yield prior, starts


def by_hand(x, partitions, alphabet):
    """Start probabilities, log-marginal, and the joint probability of every segmentation."""
    joint = {}
    for prior, starts in partitions:
        segments = itertools.pairwise([*starts, len(x)])
        likelihood = sum(kt_log_marginal(np.bincount(x[a:b], minlength=alphabet)) for a, b in segments)
        joint[starts] = joint.get(starts, 0.0) + prior * np.exp(likelihood)
    total = sum(joint.values())
    probs = [sum(p for starts, p in joint.items() if t in starts) / total for t in range(len(x))]
    return np.array(probs), np.log(total), joint


def examples(alphabet):
    rng = np.random.default_rng(alphabet)
    for length in (1, 2, 3, 5, 7, 8, 9):
        x = rng.integers(0, alphabet, length)
        yield x
        yield np.where(np.arange(length) < length // 2, x, 0)


def compare(posterior, x, partitions, alphabet):
    probs, log_marginal, joint = by_hand(x, partitions, alphabet)
    np.testing.assert_allclose(posterior.start_probs, probs, rtol=0, atol=1e-12)
    assert posterior.log_marginal == pytest.approx(log_marginal, abs=1e-12)
    assert joint[tuple(posterior.best.tolist())] == pytest.approx(max(joint.values()), rel=1e-12)


@pytest.mark.parametrize("alphabet", [2, 3])
@pytest.mark.parametrize("depth", [None, 4])
def test_ptw_against_all_partitions(alphabet, depth):
    for x in examples(alphabet):
        levels = (len(x) - 1).bit_length() if depth is None else depth
        posterior = SegmentPosterior.ptw(x, depth, alphabet=alphabet)
        compare(posterior, x, ptw_partitions(0, levels, len(x)), alphabet)
        assert posterior.log_marginal == pytest.approx(ptw_log_probs([x], depth, alphabet=alphabet).sum(), abs=1e-12)


@pytest.mark.parametrize("alphabet", [2, 3])
def test_lin_against_all_partitions(alphabet):
    for x in examples(alphabet):
        compare(SegmentPosterior.lin(x, prune=None, alphabet=alphabet), x, lin_partitions(len(x)), alphabet)


def test_the_last_symbol_is_judged_as_the_streams_judge_it():
    """Given x_1 .. x_t, smoothing and filtering agree about t."""
    x = np.random.default_rng(0).integers(0, 2, 40)
    ptw, lin = PTW(6), LIN(prune=None)
    for t, bit in enumerate(x.tolist()):
        ptw.update(bit)
        lin.update(bit)
        past = x[: t + 1]
        assert ptw.change_prob() == pytest.approx(SegmentPosterior.ptw(past, 6).start_probs[t], abs=1e-12)
        assert lin.change_prob() == pytest.approx(SegmentPosterior.lin(past, prune=None).start_probs[t], abs=1e-12)


def test_clear_changes_are_found():
    x = (np.random.default_rng(1).random(900) < np.repeat([0.1, 0.8, 0.3], [250, 350, 300])).astype(int)
    posterior = SegmentPosterior.lin(x)
    assert len(posterior.best) == 3
    np.testing.assert_allclose(posterior.best, [0, 250, 600], atol=12)
    segments = posterior.segments
    np.testing.assert_allclose([s.probs[1] for s in segments], [0.1, 0.8, 0.3], atol=0.06)
    assert [s.end for s in segments] == [*posterior.best[1:].tolist(), 900]
    assert sum(s.counts.sum() for s in segments) == 900
    near = np.abs(np.arange(900)[:, None] - posterior.best).min(1) < 25
    assert posterior.start_probs[near].sum() > 3  # short segments are likely near a change
    assert posterior.start_probs[~near].max() < 0.2 < posterior.start_probs[near].max()


def test_pruning_hardly_changes_the_posterior():
    x = (np.random.default_rng(2).random(400) < np.repeat([0.05, 0.7], 200)).astype(int)
    exact, pruned = SegmentPosterior.lin(x, prune=None), SegmentPosterior.lin(x)
    np.testing.assert_allclose(pruned.start_probs, exact.start_probs, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(pruned.best, exact.best)


def test_kinds_of_input():
    x = [0, 0, 1, 1]
    expected = SegmentPosterior.ptw(x).start_probs
    for other in (np.array(x, np.int8), np.array(x, bool), torch.tensor(x)):
        np.testing.assert_array_equal(SegmentPosterior.ptw(other).start_probs, expected)
    for empty in ([], np.empty(0, np.int64)):
        for posterior in (SegmentPosterior.ptw(empty), SegmentPosterior.lin(empty)):
            assert posterior.start_probs.shape == posterior.best.shape == (0,)
            assert posterior.log_marginal == 0
            assert posterior.segments == []


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="received 2 at index 1"):
        SegmentPosterior.lin([0, 2])
    with pytest.raises(TypeError, match="whole numbers"):
        SegmentPosterior.ptw([0.5, 1.0])
    with pytest.raises(InputError, match="must be at least 3 for 5 symbols"):
        SegmentPosterior.ptw([0] * 5, 2)
    with pytest.raises(InputError, match="depth"):
        SegmentPosterior.ptw([0], "auto")
    with pytest.raises(InputError, match="prune"):
        SegmentPosterior.lin([0], prune=-2)


def test_a_limit_keeps_the_changes_and_tells_of_progress():
    rng = np.random.default_rng(3)
    x = (rng.random(1300) < np.repeat([0.3, 0.8], [900, 400])).astype(int)
    calls = []
    limited = SegmentPosterior.lin(x, limit=200, progress=lambda done, steps: calls.append((done, steps)))
    assert calls == [(i, 3900) for i in range(1, 3901)]
    full = SegmentPosterior.lin(x)
    assert limited.best.tolist() == full.best.tolist()
    assert np.abs(limited.start_probs - full.start_probs).max() < 0.02
    assert (limited.start_probs != full.start_probs).any()  # something was dropped
    with pytest.raises(InputError, match="limit: must be a whole number"):
        SegmentPosterior.lin(x, limit=1)
