"""Derivatives, fits of given forms, and motion, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.baselines.pairwise import _PowerForm, relative_errors
from holdfast.data.series.derivatives import stencil_weights
from holdfast.data.synthetic.bodies import is_proportional
from holdfast.errors import InputError
from holdfast.systems.orbital_mechanics import (
    NEWTON,
    FormulaLaw,
    PowerLaw,
    accelerations,
    finite_difference_acceleration,
    fit_masses,
    fit_pair_terms,
    fit_power_law,
    simulate,
)

MASSES = np.array([1.0, 0.3, 0.02, 0.005])


def world(times=40, seed=0, law=NEWTON, masses=MASSES):
    pos = np.random.default_rng(seed).normal(size=(times, len(masses), 3)) * 2
    return pos, accelerations(pos, law, masses)


# --------------------------------------------------------------------------------------------------------- derivatives
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


# ---------------------------------------------------------------------------------------------------------------- fits
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


def test_masses_are_exact_without_noise():
    found = fit_masses(*world())
    assert found.values == pytest.approx(MASSES, rel=1e-10)
    assert found.error < 1e-10


def test_masses_weigh_each_body_by_its_own_acceleration():
    pos, acc = world()
    acc = acc + 1e-3 * np.random.default_rng(1).normal(size=acc.shape)
    found = fit_masses(pos, acc)
    rms = np.sqrt((acc**2).sum(-1).mean(0))
    rows, target = [], []
    for t in range(len(pos)):
        for i in range(4):
            for k in range(3):
                d = pos[t] - pos[t, i]
                r = np.linalg.norm(d, axis=1)
                rows.append([0 if i == j else d[j, k] / r[j] ** 3 / rms[i] for j in range(4)])
                target.append(acc[t, i, k] / rms[i])
    rows, target = np.array(rows), np.array(target)
    expected = np.linalg.solve(rows.T @ rows, rows.T @ target)
    assert found.values == pytest.approx(expected, rel=1e-8)
    left = target - rows @ expected
    covariance = left @ left / (len(rows) - 4) * np.linalg.inv(rows.T @ rows)
    assert found.covariance == pytest.approx(covariance, rel=1e-6)
    assert found.sd == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
    assert found.error == pytest.approx(np.sqrt(left @ left / (target @ target)), rel=1e-8)


def test_error_bars_hold_the_truth_about_as_often_as_they_say():
    rng, inside = np.random.default_rng(0), []
    for seed in range(60):
        pos, acc = world(30, seed)
        rms = np.sqrt((acc**2).sum(-1).mean(0))
        found = fit_masses(pos, acc + 0.05 * rms[:, None] * rng.normal(size=acc.shape))
        inside += list(np.abs(found.values - MASSES) < 1.96 * found.sd)
    assert 0.9 < np.mean(inside) < 0.99


@pytest.mark.parametrize("law", [NEWTON, PowerLaw(-1.0, -1.0), PowerLaw(1.0, 0.5), PowerLaw(1.0, -3.0, 0.8, 0.8)])
def test_free_power_law_finds_exponents_and_sign(law):
    pos, acc = world(60, law=law)
    found = fit_power_law(pos, acc)
    assert (found.law.r, found.law.m_i, found.law.m_j) == pytest.approx((law.r, law.m_i, law.m_j), abs=1e-4)
    assert found.law.constant == law.constant
    assert found.error < 1e-5
    if law.m_i == 1:
        assert found.masses == pytest.approx(MASSES, rel=1e-3)


def test_jacobian_of_the_power_law_by_differences():
    pos, acc = world(6)
    rms = np.sqrt((acc**2).sum(-1).mean(0))
    form = _PowerForm(pos, acc, rms, -1.0)
    at = np.array([0.1, -0.4, 0.3, -0.9, -1.7, 0.9, 1.2])
    found = form.jacobian(at)
    for k in range(len(at)):
        move = np.zeros(len(at))
        move[k] = 1e-6
        expected = (form.residuals(at + move) - form.residuals(at - move)) / 2e-6
        assert found[:, k] == pytest.approx(expected, abs=1e-5 * np.abs(expected).max())
    law = PowerLaw(-1.0, -1.7, 0.9, 1.2)
    predicted = accelerations(pos, law, 10.0 ** at[:4])
    assert form.residuals(at) == pytest.approx(((predicted - acc) / rms[:, None]).ravel(), rel=1e-9)


def test_pair_terms_keep_the_right_power_and_drop_the_others():
    pos, acc = world(80)
    found = fit_pair_terms(pos, acc, threshold=1e-3)
    assert found.powers == (-1, -2, -3)
    for i in range(4):
        for j in range(4):
            if i != j and MASSES[j] > 0.01:
                assert found.coefficients[i, j] == pytest.approx([0, MASSES[j], 0], abs=1e-6)
    assert np.abs(found.coefficients[range(4), range(4)]).max() == 0
    assert relative_errors(found.accelerations(pos), acc).max() < 1e-2
    nothing = fit_pair_terms(pos, acc, threshold=1e6)
    assert np.abs(nothing.coefficients).max() == 0


def test_relative_errors_by_hand():
    a = np.array([[[3.0, 4.0]], [[0.0, 5.0]]])
    assert relative_errors(a + np.array([0.0, 1.0]), a) == pytest.approx([np.sqrt(2 / 50)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, a: (p[:, :1], a[:, :1]), "at least two bodies"),
        (lambda p, a: (p, a[:, :2]), "acc: must be of the positions' shape"),
        (lambda p, a: (p * np.nan, a), "pos"),
        (lambda p, a: (p, a * [[1], [1], [0], [1]]), "must not be all zero for a body; received body 2"),
        (lambda p, a: (p[:1, :4], a[:1, :4]), ""),
        (lambda p, a: (np.concatenate([p[:, :3], p[:, :1]], 1), a), "0 and 3 coincide at row 0"),
    ],
)
def test_fits_refuse(change, message):
    pos, acc = change(*world())
    if not message:
        assert fit_masses(pos, acc).values == pytest.approx(MASSES, rel=1e-6)
        return
    with pytest.raises(InputError, match=message):
        fit_masses(pos, acc)


def test_masses_need_a_law_that_is_proportional_to_them():
    with pytest.raises(InputError, match="law: must be proportional to both masses"):
        fit_masses(*world(), law=PowerLaw(m_i=0.5))


# -------------------------------------------------------------------------------------------------------------- motion
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


def test_a_formula_moves_bodies_as_the_law_that_it_is():
    masses, x, v = np.array([1.0, 0.1]), np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 0], [0, 1.2]])
    one, _ = simulate(NEWTON, masses, x, v, [0, 1, 2])
    other, _ = simulate(FormulaLaw("log_m_i + log_m_j - 2 * log_r"), masses, x, v, [0, 1, 2])
    assert other == pytest.approx(one, abs=1e-9)
    away, _ = simulate(FormulaLaw("0.9 * log_m_i + log_m_j - 2 * log_r", -1.0), masses, x, 0 * v, [0, 1])
    assert np.linalg.norm(away[-1, 1] - away[-1, 0]) > 1


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
