"""What the mixtures are by definition: recursion, sums over all strings, symmetries, bounds, brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.systems.nonstationary_meta import (
    decayed_kt_log_probs,
    kt_log_marginal,
    kt_log_probs,
    lin_log_probs,
    lin_pruning_bound,
    ptw_log_probs,
    window_kt_log_probs,
)
from holdfast.systems.nonstationary_meta.tool.safety import tree_recovery

sequences = st.integers(2, 5).flatmap(
    lambda alphabet: st.tuples(st.just(alphabet), st.lists(st.integers(0, alphabet - 1), min_size=1, max_size=40))
)


def kt(x, alphabet):
    return float(kt_log_marginal(np.bincount(x, minlength=alphabet)))


def recursive_ptw(x, depth, alphabet):
    """log PTW_depth(x), written as it is defined."""
    if len(x) == 0:
        return 0.0
    if depth == 0:
        return kt(x, alphabet)
    half = 1 << (depth - 1)
    parts = recursive_ptw(x[:half], depth - 1, alphabet) + recursive_ptw(x[half:], depth - 1, alphabet)
    return float(np.logaddexp(kt(x, alphabet), parts) - np.log(2))


def brute_force_lin(x, alphabet):
    """log LIN(x): the sum over all 2^(T-1) patterns of ends."""
    total = -np.inf
    for pattern in itertools.product([False, True], repeat=len(x) - 1):
        log_prior, length, starts = 0.0, 0, [0]
        for t, ends in enumerate(pattern):
            length += 1
            hazard = 0.5 / length
            log_prior += np.log(hazard if ends else 1 - hazard)
            if ends:
                starts.append(t + 1)
                length = 0
        bounds = itertools.pairwise([*starts, len(x)])
        total = np.logaddexp(total, log_prior + sum(kt(x[a:b], alphabet) for a, b in bounds))
    return float(total)


# --------------------------------------------------------------------------------------------------------- definitions
@given(sequences, st.integers(0, 3))
@settings(max_examples=15)
def test_ptw_is_the_recursion_on_every_prefix(drawn, spare):
    alphabet, x = drawn
    depth = (len(x) - 1).bit_length() + spare
    marginals = ptw_log_probs([x], depth, alphabet=alphabet)[0].cumsum()
    expected = [recursive_ptw(x[:n], depth, alphabet) for n in range(1, len(x) + 1)]
    np.testing.assert_allclose(marginals, expected, rtol=0, atol=1e-11)


@given(sequences)
@settings(max_examples=15)
def test_growing_ptw_predicts_as_the_smallest_tree_does(drawn):
    alphabet, x = drawn
    grown = ptw_log_probs([x], "auto", alphabet=alphabet)[0]
    for t in range(len(x)):
        depth = t.bit_length()  # the smallest tree that holds symbols 0 .. t
        before, after = recursive_ptw(x[:t], depth, alphabet), recursive_ptw(x[: t + 1], depth, alphabet)
        assert grown[t] == pytest.approx(after - before, abs=1e-11)


@pytest.mark.parametrize("alphabet", [2, 3])
def test_lin_is_the_sum_over_all_segmentations(alphabet):
    rng = np.random.default_rng(alphabet)
    for _ in range(6):
        x = rng.integers(0, alphabet, 9)
        assert lin_log_probs([x], prune=None, alphabet=alphabet).sum() == pytest.approx(
            brute_force_lin(x, alphabet), abs=1e-12
        )


@given(sequences)
@settings(max_examples=30)
def test_counters_are_what_loops_count(drawn):
    alphabet, x = drawn
    expected = {"kt": [], "decayed": [], "window": []}
    faded = np.zeros(alphabet)
    for t, symbol in enumerate(x):
        seen, recent = np.bincount(x[:t], minlength=alphabet), np.bincount(x[max(t - 4, 0) : t], minlength=alphabet)
        for name, counts in (("kt", seen), ("decayed", faded), ("window", recent)):
            expected[name].append(np.log((counts[symbol] + 0.5) / (counts.sum() + alphabet / 2)))
        faded = 0.8 * faded
        faded[symbol] += 1
    ours = {
        "kt": kt_log_probs([x], alphabet=alphabet),
        "decayed": decayed_kt_log_probs([x], 0.8, alphabet=alphabet),
        "window": window_kt_log_probs([x], 4, alphabet=alphabet),
    }
    for name in expected:
        np.testing.assert_allclose(ours[name][0], expected[name], rtol=0, atol=1e-12, err_msg=name)


# ------------------------------------------------------------------------------------------------------ distributions
@pytest.mark.parametrize(("alphabet", "length"), [(2, 10), (3, 6), (4, 5)])
@pytest.mark.parametrize("depth", [None, "auto", 5])
def test_ptw_sums_to_one_over_all_strings(alphabet, length, depth):
    strings = np.array(list(itertools.product(range(alphabet), repeat=length)))
    assert np.exp(ptw_log_probs(strings, depth, alphabet=alphabet).sum(1)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("alphabet", "length"), [(2, 10), (3, 6), (4, 5)])
@pytest.mark.parametrize("prune", [None, 30.0, 2.0])
def test_lin_sums_to_one_over_all_strings(alphabet, length, prune):
    strings = np.array(list(itertools.product(range(alphabet), repeat=length)))
    total = np.exp(lin_log_probs(strings, prune=prune, alphabet=alphabet).sum(1)).sum()
    assert total == pytest.approx(1, abs=1e-12)  # what is left after pruning is scaled up


@given(sequences)
@settings(max_examples=25)
def test_predictions_are_distributions_and_hold_the_next_symbol(drawn):
    alphabet, x = drawn
    for log_probs in (ptw_log_probs, lin_log_probs, kt_log_probs, decayed_kt_log_probs, window_kt_log_probs):
        full = log_probs([x], alphabet=alphabet, return_predictive=True)[0]
        own = log_probs([x], alphabet=alphabet)[0]
        np.testing.assert_allclose(np.exp(full).sum(1), 1, rtol=0, atol=1e-12)
        np.testing.assert_allclose(full[np.arange(len(x)), x], own, rtol=0, atol=1e-13)


@given(sequences, st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_names_of_symbols_do_not_matter(drawn, random):
    """Flipping 0 and 1, and any other renaming."""
    alphabet, x = drawn
    names = list(range(alphabet))
    random.shuffle(names)
    renamed = [names[symbol] for symbol in x]
    for log_probs in (ptw_log_probs, lin_log_probs):
        a, b = log_probs([x], alphabet=alphabet), log_probs([renamed], alphabet=alphabet)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


# -------------------------------------------------------------------------------------------------------------- bounds
@given(sequences)
@settings(max_examples=40)
def test_ptw_is_never_much_worse_than_its_parts(drawn):
    alphabet, x = drawn
    depth = max((len(x) - 1).bit_length(), 1)
    half = 1 << (depth - 1)
    whole = ptw_log_probs([x], depth, alphabet=alphabet).sum()
    assert whole >= kt(x, alphabet) - np.log(2) - 1e-12
    left = ptw_log_probs([x[:half]], depth - 1, alphabet=alphabet).sum()
    right = ptw_log_probs([x[half:]], depth - 1, alphabet=alphabet).sum()
    assert whole >= left + right - np.log(2) - 1e-12


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0.01, 0.99)), min_size=1, max_size=6), st.integers(0, 99))
@settings(max_examples=25)
def test_pruned_lin_stays_within_its_bound(segments, seed):
    theta = np.repeat([p for _, p in segments], [n for n, _ in segments])
    x = (np.random.default_rng(seed).random(len(theta)) < theta).astype(np.int64)[None]
    exact = -lin_log_probs(x, prune=None).sum()
    for prune in (8.0, 16.0, 30.0):
        longer = -lin_log_probs(x, prune=prune).sum() - exact
        assert longer <= lin_pruning_bound(x.shape[1], prune) + 1e-11
        assert longer >= x.shape[1] * np.log1p(-np.exp(-prune)) - 1e-11


def test_pruning_at_the_default_costs_less_than_a_millionth_of_a_bit():
    x = (np.random.default_rng(0).random(2000) < np.repeat([0.1, 0.9, 0.5, 0.02], 500)).astype(np.int64)[None]
    difference = lin_log_probs(x).sum() - lin_log_probs(x, prune=None).sum()
    assert abs(difference) < 1e-6
    assert difference != 0  # something was dropped


@pytest.mark.parametrize("alphabet", [2, 4])
def test_a_weight_recovers_by_less_than_the_bound(alphabet):
    """Long all-equal halves and noise in turn: the odds of a cut swing by far less than what the floor allows for."""
    rng = np.random.default_rng(1)
    x = np.concatenate([np.zeros(512, int), np.ones(512, int), rng.integers(0, alphabet, 1024), np.zeros(2048, int)])
    ones = np.eye(alphabet, dtype=np.int64)[x].cumsum(0)
    whole = kt_log_marginal(ones)
    tree = ptw_log_probs(x[None], 12, alphabet=alphabet)[0].cumsum()
    gain = whole - np.minimum.accumulate(whole - tree) - tree  # of the one segment, since its worst moment
    assert 0 < gain.max() < tree_recovery(12, alphabet)
