"""Accelerations and motion of bodies, against loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.data.synthetic.bodies import NEWTON, PowerLaw, accelerations, is_proportional, simulate
from holdfast.errors import InputError

MASSES = np.array([1.0, 0.3, 0.02, 0.005])


def world(times=40, seed=0, law=NEWTON, masses=MASSES):
    pos = np.random.default_rng(seed).normal(size=(times, len(masses), 3)) * 2
    return pos, accelerations(pos, law, masses)


def test_accelerations_against_loops():
    pos, acc = world(3)
    for t in range(3):
        for i in range(4):
            expected = np.zeros(3)
            for j in range(4):
                if i != j:
                    d = pos[t, j] - pos[t, i]
                    expected += MASSES[j] * d / np.linalg.norm(d) ** 3
            assert acc[t, i] == pytest.approx(expected, rel=1e-12)


def test_accelerations_of_a_law_that_is_not_proportional_against_loops():
    law = PowerLaw(-1.0, -1.3, 0.7, 0.4)
    pos, acc = world(2, law=law)
    assert not is_proportional(law)
    for t in range(2):
        expected = np.zeros((4, 3))
        for i in range(4):
            for j in range(i):
                d = pos[t, j] - pos[t, i]
                force = -(np.linalg.norm(d) ** -1.3) * MASSES[i] ** 0.7 * MASSES[j] ** 0.4
                expected[i] += force * d / np.linalg.norm(d) / MASSES[i]
                expected[j] -= force * d / np.linalg.norm(d) / MASSES[j]
        assert acc[t] == pytest.approx(expected, rel=1e-10)


def circle(r=1.7, gm=0.4):
    x = np.array([[0.0, 0, 0], [r, 0, 0]])
    v = np.array([[0.0, 0, 0], [0, np.sqrt(gm / r), 0]])
    return np.array([gm, gm * 1e-12]), x, v, 2 * np.pi * np.sqrt(r**3 / gm)


def energy(masses, x, v):
    kinetic = 0.5 * (masses[:, None] * v**2).sum((-1, -2))
    potential = 0
    for i in range(len(masses)):
        for j in range(i):
            potential = potential - masses[i] * masses[j] / np.linalg.norm(x[..., i, :] - x[..., j, :], axis=-1)
    return kinetic + potential


@pytest.mark.parametrize(("how", "near"), [({}, 1e-8), ({"integrator": "leapfrog", "step": 0.01}, 1e-4)])
def test_a_circular_orbit_has_the_period_of_kepler(how, near):
    masses, x, v, period = circle()
    xs, vs = simulate(NEWTON, masses, x, v, [0, period / 2, period], **how)
    assert np.abs(xs[2] - x).max() < near * 10
    assert xs[1, 1] == pytest.approx([-1.7, 0, 0], abs=near * 10)
    assert vs[2, 1] == pytest.approx(v[1], abs=near * 10)


def test_leapfrog_keeps_energy_in_bounds_and_can_be_turned_back():
    masses, x, v = np.array([1.0, 0.1]), np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 0], [0, 1.2]])
    t = np.linspace(0, 200, 400)
    xs, vs = simulate(NEWTON, masses, x, v, t, integrator="leapfrog", step=0.05)
    drift = np.abs(energy(masses, xs, vs) / energy(masses, x, v) - 1)
    assert drift[-100:].max() < 2 * drift[:100].max() < 0.02
    back, _ = simulate(NEWTON, masses, xs[-1], -vs[-1], t, integrator="leapfrog", step=0.05)
    assert np.abs(back[-1] - x).max() < 1e-9


def test_leapfrog_is_of_second_order():
    masses, x, v, period = circle()
    off = []
    for step in (0.1, 0.05):
        xs, _ = simulate(NEWTON, masses, x, v, [0, period], integrator="leapfrog", step=step)
        off.append(np.abs(xs[-1] - x).max())
    assert off[0] / off[1] == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": [0]}, "t: must have at least 2"),
        ({"t": [1, 0]}, "t: must increase"),
        ({"masses": [1.0]}, "v0: must be of shape"),
        ({"v0": np.zeros((2, 2))}, "v0: must be of shape"),
        ({"x0": np.zeros((2, 3))}, "x0: must be different for different bodies; received 0 and 1 coincide"),
        ({"integrator": "euler"}, "integrator"),
        ({"integrator": "leapfrog", "step": 0}, "step"),
        ({"law": PowerLaw(m_i=0.5), "masses": [1.0, -1.0]}, "masses: must be positive"),
    ],
)
def test_simulation_refuses(change, message):
    masses, x, v, _ = circle()
    with pytest.raises(InputError, match=message):
        simulate(**{"law": NEWTON, "masses": masses, "x0": x, "v0": v, "t": [0, 1], **change})
