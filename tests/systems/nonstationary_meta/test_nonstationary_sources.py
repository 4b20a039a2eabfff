"""Sampled sequences: their segments, the marginal of theta, symbols given theta, seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import PiecewiseBernoulli, RegularShift
from holdfast.systems.nonstationary_meta.tool.partitions import KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_theta_changes_where_segments_start_and_nowhere_else(kind):
    x, theta, starts = PiecewiseBernoulli(kind, T=40, generator=0).sample_segments(100)
    assert x.dtype == np.int64
    assert x.shape == theta.shape == starts.shape == (100, 40)
    assert set(np.unique(x)) <= {0, 1}
    changed = np.diff(theta, axis=1) != 0
    assert np.array_equal(changed, starts[:, 1:])


@pytest.mark.parametrize("beta", [(0.5, 0.5), (2.0, 5.0)])
def test_theta_has_the_beta_distribution(beta):
    theta = PiecewiseBernoulli("ptw", T=8, beta=beta, generator=1).sample(5000)[1]
    assert stats.kstest(theta[:, 0], stats.beta(*beta).cdf).pvalue > 0.001
    assert stats.kstest(theta[:, -1], stats.beta(*beta).cdf).pvalue > 0.001


def test_symbols_are_drawn_with_probability_theta():
    x, theta = PiecewiseBernoulli("lin", T=20, generator=2).sample(5000)
    standardised = (x - theta).sum() / np.sqrt((theta * (1 - theta)).sum())
    assert abs(standardised) < 3.3
    for low in np.arange(0, 1, 0.25):
        here = (theta >= low) & (theta < low + 0.25)
        expected, variance = theta[here].sum(), (theta[here] * (1 - theta[here])).sum()
        assert abs(x[here].sum() - expected) < 3.3 * np.sqrt(variance)


def test_a_seed_fixes_all_draws_and_draws_go_on():
    one, two = PiecewiseBernoulli("ptw", T=16, generator=5), PiecewiseBernoulli("ptw", T=16, generator=5)
    first = one.sample(3)
    assert np.array_equal(first[0], two.sample(3)[0])
    assert not np.array_equal(first[1], one.sample(3)[1])
    assert np.array_equal(
        PiecewiseBernoulli(T=16, generator=torch.Generator().manual_seed(1)).sample(4)[1],
        PiecewiseBernoulli(T=16, generator=torch.Generator().manual_seed(1)).sample(4)[1],
    )
    fresh = [PiecewiseBernoulli(T=16).sample(2)[1] for _ in range(2)]
    assert not np.array_equal(*fresh)


def test_partitions_can_be_given_and_an_empty_batch_is_empty():
    x, theta = PiecewiseBernoulli(RegularShift(2), T=6, generator=0).sample(1)
    assert len(np.unique(theta)) == 3
    assert PiecewiseBernoulli("lin", T=4, generator=0).sample(0)[0].shape == (0, 4)
    assert x.shape == (1, 6)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"T": 0}, "T"),
        ({"T": 2.5}, "T"),
        ({"kind": "nothing"}, "kind"),
        ({"beta": (0.0, 1.0)}, "beta"),
        ({"beta": 0.5}, "beta"),
        ({"generator": "seed"}, "generator"),
        ({"generator": -1}, "generator"),
        ({"generator": torch.zeros(2)}, "generator"),
    ],
)
def test_wrong_arguments_are_named(arguments, named):
    with pytest.raises(InputError, match=named):
        PiecewiseBernoulli(**arguments)
    with pytest.raises(InputError, match="B"):
        PiecewiseBernoulli(T=3).sample(-1)
