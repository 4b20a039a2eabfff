"""Fits of given forms to accelerations of bodies, against normal equations, loops and differences."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.baselines.pairwise import _PowerForm, fit_masses, fit_pair_terms, fit_power_law, relative_errors
from holdfast.data.synthetic.bodies import NEWTON, PowerLaw, accelerations
from holdfast.errors import InputError

MASSES = np.array([1.0, 0.3, 0.02, 0.005])


def world(times=40, seed=0, law=NEWTON, masses=MASSES):
    pos = np.random.default_rng(seed).normal(size=(times, len(masses), 3)) * 2
    return pos, accelerations(pos, law, masses)


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
