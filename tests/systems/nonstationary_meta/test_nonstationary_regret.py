"""Expected regret against the definition in loops, its limits, and numpy against torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import cumulative_regret, excess_regret, expected_regret


def explicit(p, theta):
    """Sum over symbols of -theta_s log p_s, minus the entropy of theta."""
    loss = sum(-s * math.log(q) for s, q in ((1 - theta, 1 - p), (theta, p)) if s > 0)
    entropy = sum(-s * math.log(s) for s in (1 - theta, theta) if s > 0)
    return loss - entropy


def log_probs(p):
    p = np.asarray(p, float)
    with np.errstate(divide="ignore"):
        return np.log(np.stack([1 - p, p], axis=-1))


@given(st.floats(0.001, 0.999), st.floats(0, 1))
def test_regret_is_the_divergence_of_the_definition(p, theta):
    found = float(expected_regret(log_probs([[p]]), np.array([[theta]]))[0, 0])
    assert found == pytest.approx(explicit(p, theta), abs=1e-12)
    assert found >= -1e-12
    assert float(expected_regret(log_probs([[theta]]), np.array([[theta]]))[0, 0]) == pytest.approx(0, abs=1e-12)


def test_certain_sources_and_impossible_symbols():
    theta = np.array([[0.0, 1.0, 1.0, 0.5]])
    p = np.array([[0.0, 1.0, 0.25, 0.0]])
    found = expected_regret(log_probs(p), theta)[0]
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2] == pytest.approx(math.log(4))
    assert found[3] == math.inf


def test_cumulative_is_the_mean_over_sequences_of_sums():
    rng = np.random.default_rng(0)
    p, q, theta = rng.uniform(0.1, 0.9, (3, 4, 5))
    by_hand = [
        sum(explicit(p[b, s], theta[b, s]) for b in range(4) for s in range(t + 1)) / 4 for t in range(5)
    ]  # fmt: skip
    assert np.allclose(cumulative_regret(log_probs(p), theta), by_hand)
    above = excess_regret(log_probs(p), log_probs(q), theta)
    losses = [-(1 - theta) * np.log(1 - a) - theta * np.log(a) for a in (p, q)]
    assert np.allclose(above, losses[0] - losses[1]), "the entropy cancels"


def test_tensors_give_tensors_with_the_same_numbers():
    rng = np.random.default_rng(1)
    p, theta = rng.uniform(size=(2, 3, 4))
    ours = expected_regret(torch.from_numpy(log_probs(p)), torch.from_numpy(theta))
    assert isinstance(ours, torch.Tensor)
    assert np.allclose(ours.numpy(), expected_regret(log_probs(p), theta), atol=1e-14)
    assert cumulative_regret(torch.from_numpy(log_probs(p)).float(), torch.from_numpy(theta)).dtype == torch.float64


def test_wrong_input_is_named():
    good, theta = log_probs(np.full((2, 3), 0.5)), np.full((2, 3), 0.5)
    wrong = [
        (good, np.full((2, 4), 0.5), "log_probs"),
        (good, np.full((2, 3), 1.5), "theta"),
        (good, np.full((2, 3), np.nan), "theta"),
        (good + 1, theta, "log_probs"),
        (np.where(good < 0, np.nan, 0), theta, "log_probs"),
        (good[..., 0], theta, "log_probs"),
        (torch.from_numpy(good), theta, "theta"),
    ]
    for given_log_probs, given_theta, named in wrong:
        with pytest.raises(InputError, match=named):
            expected_regret(given_log_probs, given_theta)
    with pytest.raises(InputError, match="at least one sequence"):
        cumulative_regret(good[:0], theta[:0])
    assert expected_regret(good[:, :0], theta[:, :0]).shape == (2, 0)
