"""Derivatives at regular and irregular times, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.data.series.derivatives import finite_difference_acceleration, last_velocity, stencil_weights
from holdfast.errors import InputError


def test_on_equal_steps_these_are_the_central_differences():
    assert stencil_weights(np.arange(-2.0, 3.0), 1) == pytest.approx(np.array([1, -8, 0, 8, -1]) / 12)
    assert stencil_weights(np.arange(-2.0, 3.0), 2) == pytest.approx(np.array([-1, 16, -30, 16, -1]) / 12)
    t = np.linspace(0, 2, 41)
    v = np.sin(3 * t)
    found = finite_difference_acceleration(t, vel=v)
    expected = (8 * (v[3:-1] - v[1:-3]) - (v[4:] - v[:-4])) / (12 * 0.05)
    assert found[2:-2] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "derivative"), [("vel", 1), ("pos", 2)])
def test_polynomials_are_exact_at_irregular_times(name, derivative):
    t = np.sort(np.random.default_rng(0).uniform(0, 3, 30))
    values = np.stack([t**4 - t, 2 - t**3], 1)
    first = np.stack([4 * t**3 - 1, -3 * t**2], 1)
    expected = first if derivative == 1 else np.stack([12 * t**2, -6 * t], 1)
    assert finite_difference_acceleration(t, **{name: values}) == pytest.approx(expected, abs=1e-5)


def test_the_error_falls_with_the_fourth_power_of_the_step():
    off = []
    for count in (41, 81):
        t = np.linspace(0, 2, count)
        found = finite_difference_acceleration(t, vel=np.sin(3 * t))
        off.append(np.abs(found - 3 * np.cos(3 * t))[3:-3].max())
    assert off[0] / off[1] == pytest.approx(16, rel=0.1)


def test_irregular_times_use_their_neighbours():
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.uniform(0.01, 0.03, 200))
    found = finite_difference_acceleration(t, pos=np.sin(3 * t))
    assert np.abs(found + 9 * np.sin(3 * t))[3:-3].max() < 1e-3


def test_three_times_are_enough_and_two_are_not():
    t = np.array([0.0, 1.0, 3.0])
    assert finite_difference_acceleration(t, pos=t**2) == pytest.approx([2, 2, 2])
    with pytest.raises(InputError, match="t: must have at least 3"):
        finite_difference_acceleration(t[:2], pos=t[:2])


@pytest.mark.parametrize(
    ("t", "given", "message"),
    [
        ([0, 2, 1], {"pos": np.zeros((3, 2))}, "t: must increase; received 2, then 1"),
        ([0, 1, 1], {"pos": np.zeros((3, 2))}, "must increase"),
        ([0, 1, np.nan], {"pos": np.zeros((3, 2))}, "t: "),
        ([0, 1, 2], {}, "pos: must be given"),
        ([0, 1, 2], {"vel": np.zeros((4, 2))}, "vel: must have a row for each of the 3 times"),
        ([0, 1, 2], {"pos": [[0.0], [np.inf], [0.0]]}, "pos"),
    ],
)
def test_derivatives_refuse(t, given, message):
    with pytest.raises(InputError, match=message):
        finite_difference_acceleration(t, **given)


def test_the_last_velocity_is_exact_for_polynomials():
    t = np.cumsum(np.random.default_rng(0).uniform(0.1, 0.3, 9))
    x = np.stack([t**4, 1 - t], 1)
    assert last_velocity(t, x) == pytest.approx([4 * t[-1] ** 3, -1])
    assert last_velocity(t[:3], t[:3] ** 2) == pytest.approx(2 * t[2])
