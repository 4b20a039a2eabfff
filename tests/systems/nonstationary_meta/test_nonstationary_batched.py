"""Batches: numpy and torch, many rows and few, threads, devices' steps, empty and wrong input."""

import sys

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import (
    SymbolTypeError,
    decayed_kt_log_probs,
    kt_log_probs,
    lin_log_probs,
    ptw_log_probs,
    window_kt_log_probs,
)
from holdfast.systems.nonstationary_meta.tool import batched
from holdfast.systems.nonstationary_meta.tool.tensor_steps import CountBatch, LINBatch, PTWBatch, log_probs

FUNCTIONS = [ptw_log_probs, lin_log_probs, kt_log_probs, decayed_kt_log_probs, window_kt_log_probs]
every = pytest.mark.parametrize("function", FUNCTIONS, ids=[f.__name__ for f in FUNCTIONS])


@every
@pytest.mark.parametrize("full", [False, True])
def test_what_goes_in_comes_out(function, full):
    x = np.random.default_rng(0).integers(0, 2, (5, 30))
    expected = function(x, return_predictive=full)
    assert expected.dtype == np.float64
    assert expected.shape == ((5, 30, 2) if full else (5, 30))
    for dtype in (torch.int64, torch.int8, torch.bool):
        tensor = function(torch.tensor(x).to(dtype), return_predictive=full)
        assert isinstance(tensor, torch.Tensor)
        assert tensor.dtype == torch.float64
        np.testing.assert_array_equal(tensor.numpy(), expected)
    for other in (x.tolist(), x.astype(bool), x.astype(np.uint8), np.asfortranarray(x), x[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(function(other, return_predictive=full), expected)


@every
def test_rows_do_not_know_of_each_other(function):
    """Blocks of rows, lanes and threads change nothing, to the last digit but for the loop that takes one row."""
    x = np.random.default_rng(1).integers(0, 2, (300, 130))
    together = function(x)
    for rows in (slice(0, 3), slice(5, 70), slice(299, 300)):
        np.testing.assert_allclose(function(x[rows]), together[rows], rtol=0, atol=1e-13)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        np.testing.assert_array_equal(function(x), together)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("alphabet", [2, 3])
def test_steps_on_tensors_equal_the_loops(alphabet):
    """What tensors on other devices are given, here on the CPU."""
    x = torch.tensor(np.random.default_rng(2).integers(0, alphabet, (4, 90)))
    pairs = [
        (PTWBatch(x, alphabet, 7), ptw_log_probs(x, 7, alphabet=alphabet, return_predictive=True)),
        (PTWBatch(x, alphabet, -1), ptw_log_probs(x, "auto", alphabet=alphabet, return_predictive=True)),
        (PTWBatch(x, alphabet, 20), ptw_log_probs(x, 20, alphabet=alphabet, return_predictive=True)),
        (LINBatch(x, alphabet, 5.0), lin_log_probs(x, prune=5.0, alphabet=alphabet, return_predictive=True)),
        (LINBatch(x, alphabet, None), lin_log_probs(x, prune=None, alphabet=alphabet, return_predictive=True)),
        (CountBatch(x, alphabet), kt_log_probs(x, alphabet=alphabet, return_predictive=True)),
        (CountBatch(x, alphabet, decay=0.8), decayed_kt_log_probs(x, 0.8, alphabet=alphabet, return_predictive=True)),
        (CountBatch(x, alphabet, window=9), window_kt_log_probs(x, 9, alphabet=alphabet, return_predictive=True)),
    ]
    for state, expected in pairs:
        ours = log_probs(state, x, torch.empty(4, 90, alphabet, dtype=torch.float64))
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=0, atol=1e-12)


def test_pruned_starts_are_removed_from_memory():
    x = torch.tensor(np.repeat([0, 1, 0], [100, 100, 56]))[None].expand(3, -1)
    state = LINBatch(x, 2, 20.0)
    log_probs(state, x, torch.empty(3, 256, dtype=torch.float64))
    assert state.counts.shape[1] < 150


def test_the_threads_follow_torch_and_the_environment(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert batched._threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "nonsense")
    assert batched._threads() >= 1


# --------------------------------------------------------------------------------------------------------------- depth
def test_depths():
    x = np.random.default_rng(3).integers(0, 2, (2, 33))
    np.testing.assert_array_equal(ptw_log_probs(x), ptw_log_probs(x, 6))
    assert np.abs(ptw_log_probs(x, "auto") - ptw_log_probs(x, 6)).max() > 1e-3
    with pytest.raises(InputError, match="depth: must be at least 6 for 33 symbols, or 'auto'; received 5"):
        ptw_log_probs(x, 5)
    for depth in (-1, 63, 2.0, "growing"):
        with pytest.raises(InputError, match="depth"):
            ptw_log_probs(x, depth)


def test_each_unneeded_level_costs_at_most_a_bit():
    x = np.repeat([0, 1], 32)[None]
    lengths = [-ptw_log_probs(x, depth).sum() / np.log(2) for depth in range(6, 12)]
    assert all(0 < more < 1.0001 for more in np.diff(lengths))


# ------------------------------------------------------------------------------------------------- wrong and empty
@every
def test_empty_input_gives_empty_output(function):
    for shape in ((0, 5), (3, 0), (0, 0)):
        assert function(np.empty(shape, np.int64)).shape == shape
        assert function(np.empty(shape, np.int64), return_predictive=True).shape == (*shape, 2)
        assert function(torch.empty(shape, dtype=torch.int64)).shape == shape
    assert function([[]]).shape == (1, 0)


@every
@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_wrong_input_is_named(function, kind):
    with pytest.raises(InputError, match=r"x: must lie in 0 .. 1 \(alphabet 2\); received 2 at index \(0, 1\)"):
        function(kind([[0, 2, -3]]))
    with pytest.raises(InputError, match=r"received -1 at index \(1, 0\)"):
        function(kind([[0, 1], [-1, 0]]), alphabet=3)
    for wrong in ([[0.0, 1.0]], [[float("nan"), 1.0]]):
        with pytest.raises(TypeError, match="x: must hold whole numbers; received dtype float"):
            function(kind(wrong))
    with pytest.raises(InputError, match=r"x: must have shape \(B, T\); received shape \(3,\)"):
        function(kind([0, 1, 1]))
    with pytest.raises(InputError, match="alphabet: must be a whole number in"):
        function(kind([[0, 1]]), alphabet=1)


def test_text_and_ragged_lists_are_refused():
    with pytest.raises(SymbolTypeError, match="whole numbers"):
        ptw_log_probs([["0", "1"]])
    with pytest.raises(InputError, match="rectangular"):
        ptw_log_probs([[0, 1], [0]])


def test_settings_are_checked():
    x = [[0, 1]]
    with pytest.raises(InputError, match="prune"):
        lin_log_probs(x, prune=-1.0)
    with pytest.raises(InputError, match="decay"):
        decayed_kt_log_probs(x, 0.0)
    with pytest.raises(InputError, match="window"):
        window_kt_log_probs(x, 0)


# ------------------------------------------------------------------------------------------------------------- numerics
def test_precision_does_not_fade_on_long_sequences():
    """Against the recursion on log-marginals in extended precision, where float64 has numbers it can hold."""
    rng = np.random.default_rng(5)
    x = (rng.random(1 << 15) < np.repeat([0.02, 0.6, 0.1, 0.9], 1 << 13)).astype(np.int64)
    ours = ptw_log_probs(x[None])[0]
    depth = 15
    half, one = np.longdouble(0.5), np.longdouble(1)
    log_half = np.log(half)
    b = [np.longdouble(0)] * (depth + 1)
    w = [np.longdouble(0)] * (depth + 2)
    m = [np.longdouble(0)] * (depth + 1)
    counts = [[0, 0] for _ in range(depth + 1)]
    before, worst = np.longdouble(0), 0.0
    for t, symbol in enumerate(x.tolist()[:6000]):
        i = 0 if t == 0 else depth - (t ^ (t - 1)).bit_length()
        b[i] = w[i + 1]
        for j in range(i + 1, depth + 1):
            b[j] = w[j] = m[j] = np.longdouble(0)
            counts[j] = [0, 0]
        for j in range(depth + 1):
            m[j] += np.log((counts[j][symbol] + half) / (sum(counts[j]) + one))
            counts[j][symbol] += 1
        w[depth] = m[depth]
        for j in range(depth - 1, -1, -1):
            w[j] = np.logaddexp(log_half + m[j], log_half + w[j + 1] + b[j])
        worst = max(worst, abs(float(w[0] - before) - ours[t]))
        before = w[0]
    assert worst < 1e-12


def test_a_hundred_thousand_equal_symbols():
    x = np.zeros((1, 100_000), np.int64)
    for log_probs_ in (ptw_log_probs(x), kt_log_probs(x)):
        assert np.isfinite(log_probs_).all()
        assert -log_probs_.sum() / np.log(2) < 12
