"""Formulas, and the whole way from tracks to a law, on worlds of which everything is known."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch

from holdfast.errors import InputError, MissingExtra
from holdfast.systems.orbital_mechanics import (
    NEWTON,
    Candidate,
    FormulaLaw,
    Operon,
    PairwiseLaw,
    PowerLaw,
    accelerations,
    discover_law,
    exponents,
    share_weights,
    simulate,
)
from holdfast.systems.orbital_mechanics.tool.discovery import edge_rows, find_formula, law_accelerations, train_law
from holdfast.systems.orbital_mechanics.tool.symbolic import (
    as_power_law,
    best,
    evaluate,
    local_exponents,
    scored,
)

MASSES = np.array([1.0, 0.3, 0.02])
TRUTH = "log_m_i + log_m_j - 2 * log_r - 4.6"


def world(times=120, law=NEWTON, seed=0):
    pos = np.random.default_rng(seed).normal(size=(times, 3, 3)) * 2
    return np.arange(times, dtype=float), pos, accelerations(pos, law, MASSES)


# ------------------------------------------------------------------------------------------------------------ formulas
def test_formulas_are_computed_as_they_are_written():
    x = np.random.default_rng(0).normal(size=(50, 3))
    a, b, r = x.T
    text = "((-0.5) + (2.0 * ((a0 - (3.5 * a1)) / (+a2 * 2))))"
    for name, column in zip(("a0", "a1", "a2"), ("log_m_i", "log_m_j", "log_r"), strict=True):
        text = text.replace(name, column)
    assert evaluate(text, x) == pytest.approx(-0.5 + 2 * ((a - 3.5 * b) / (r * 2)))
    assert evaluate("1.5", x).tolist() == [1.5] * 50


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getcwd()",
        "log_r ** 99",
        "log_m",
        "log_r if 1 else 2",
        "(log_r",
        "'a'",
        "True",
        "log_r.real",
        "f(1)",
        "(" * 999,
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(InputError, match="formula"):
        evaluate(text, np.zeros((2, 3)))


def test_a_formula_of_symbols_is_the_same_law():
    sympy = pytest.importorskip("sympy")
    a, b, r = sympy.symbols("log_m_i log_m_j log_r")
    found = sympy.expand(evaluate("2.0 * (0.5 * log_m_i + 0.5 * log_m_j - log_r)", (a, b, r)))
    assert sympy.simplify(found - (a + b - 2 * r)) == 0


def test_score_is_the_fall_of_the_logarithm_per_node():
    front = scored(
        [
            Candidate("c", 7, 1e-4),
            Candidate("a", 3, 1.0),
            Candidate("b", 5, 0.5),
            Candidate("x", 6, 0.6),
            Candidate("y", 9, 9e-5),
        ]
    )
    assert [c.formula for c in front] == ["a", "b", "c", "y"]
    assert [c.score for c in front] == pytest.approx([0, np.log(2) / 2, np.log(5000) / 2, np.log(10 / 9) / 2])
    assert best(front).formula == "c"
    exact = scored([Candidate("a", 1, 1.0), Candidate("b", 2, 0.0)])
    assert np.isfinite(exact[1].score)


def test_slopes_are_in_the_order_r_i_j():
    x = np.random.default_rng(0).normal(size=(20, 3))
    assert local_exponents("2 * log_m_i - 3 * log_m_j + 0.5 * log_r * log_r", x) == pytest.approx(
        np.stack([x[:, 2], np.full(20, 2), np.full(20, -3)], 1), abs=1e-9
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TRUTH, PowerLaw()),
        ("0.96 * log_m_i + 1.04 * log_m_j - 1.96 * log_r", PowerLaw()),
        ("0.94 * log_m_i + 1.04 * log_m_j - 2 * log_r", None),
        ("0.5 * log_m_i + log_m_j - 1.5 * log_r", PowerLaw(r=-1.5, m_i=0.5)),
        ("log_m_i + log_m_j - 2 * log_r + 0.1 * log_r * log_r", None),
        ("log_m_i + log_m_j - 2 * log_r + 0.02 * log_r * log_r", PowerLaw()),
        ("log_m_i + log_m_j - 2 * log_r / (log_r - log_r)", None),
    ],
)
def test_a_power_law_is_known_where_slopes_are_those_of_one_everywhere(text, expected):
    with np.errstate(all="ignore"):
        assert as_power_law(text, np.zeros(3), np.ones(3)) == expected
    if expected is not None:
        repelling = as_power_law(text, np.zeros(3), np.ones(3), -1.0)
        assert repelling is not None
        assert repelling.constant == -1.0


def test_operon_finds_a_law_and_the_same_again():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (300, 3))
    y = evaluate(TRUTH, x) + 0.01 * rng.normal(size=300)
    found = scored(Operon(80, 10)(x, y, 3))
    assert as_power_law(best(found).formula, x.min(0), x.max(0)) == NEWTON
    assert best(found).loss == pytest.approx(1e-4, rel=0.3)
    assert scored(Operon(80, 10)(x, y, 3)) == found
    assert all(c.complexity <= 15 + 4 for c in found)


def test_a_missing_package_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyoperon"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pyoperon is not installed; pip install 'holdfast\[science\]'"):
        discover_law(*world(), regressor="operon", steps=1)


def test_a_formula_moves_bodies_as_the_law_that_it_is():
    masses, x, v = np.array([1.0, 0.1]), np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 0], [0, 1.2]])
    one, _ = simulate(NEWTON, masses, x, v, [0, 1, 2])
    other, _ = simulate(FormulaLaw("log_m_i + log_m_j - 2 * log_r"), masses, x, v, [0, 1, 2])
    assert other == pytest.approx(one, abs=1e-9)
    away, _ = simulate(FormulaLaw("0.9 * log_m_i + log_m_j - 2 * log_r", -1.0), masses, x, 0 * v, [0, 1])
    assert np.linalg.norm(away[-1, 1] - away[-1, 0]) > 1


# ----------------------------------------------------------------------------------------------------------- discovery
def exact(law, masses=MASSES):
    """A trained law that is the given one."""
    found = PairwiseLaw(len(masses), edge=law).double()
    with torch.no_grad():
        found.scalars.copy_(torch.from_numpy(np.log10(masses))[:, None])
    return found


def test_rows_of_a_law_that_is_known():
    _, pos, acc = world(7)
    law = exact(lambda r, m_i, m_j: -m_i * m_j / r**2)
    rows = edge_rows(law, pos)
    assert law_accelerations(law, pos) == pytest.approx(-acc, rel=1e-9)
    assert rows.sign == -1
    assert edge_rows(exact(NEWTON), pos).sign == 1
    i, j = np.array([1, 2, 2]), np.array([0, 0, 1])
    r = np.linalg.norm(pos[:, j] - pos[:, i], axis=-1)
    force = MASSES[i] * MASSES[j] / r**2
    assert rows.log_r == pytest.approx(np.log10(r).ravel())
    assert rows.log_f == pytest.approx(np.log10(force).ravel())
    assert rows.weights == pytest.approx(share_weights(force, MASSES).ravel())
    assert rows.inputs[:3] == pytest.approx(np.stack([np.log10(MASSES[i]), np.log10(MASSES[j]), np.log10(r[0])], 1))
    assert rows.exponents() == pytest.approx([-2, 1, 1], abs=1e-9)
    unweighted = edge_rows(exact(lambda r, m_i, m_j: m_i * m_j / r**2 + 0.01), pos)
    args = unweighted.log_r, unweighted.log_m_i, unweighted.log_m_j, unweighted.log_f
    assert unweighted.exponents(False) == pytest.approx(exponents(*args))
    assert unweighted.exponents() == pytest.approx(exponents(*args, unweighted.weights))


def test_rows_are_drawn_by_weight_with_bodies_swapped_in_half():
    rows = edge_rows(exact(NEWTON), world(50)[1])
    x, y = rows.drawn(20_000, np.random.default_rng(0))
    assert y == pytest.approx(evaluate("log_m_i + log_m_j - 2 * log_r", x), abs=1e-9)
    expected = np.average(rows.log_r, weights=rows.weights)
    assert x[:, 2].mean() == pytest.approx(expected, abs=0.01)
    assert abs(rows.log_r.mean() - expected) > 0.03
    assert x[:, 0].mean() == pytest.approx(x[:, 1].mean(), abs=0.03)


def test_a_formula_that_is_no_power_law_stays_one():
    rows = edge_rows(exact(NEWTON), world(50)[1])
    bent = "log_m_i + log_m_j - 2 * log_r + 0.5 * log_r * log_r"
    front, law = find_formula(rows, 0, lambda x, y, seed: [Candidate("1.0", 1, 1.0), Candidate(bent, 5, 1e-3)])
    assert law == FormulaLaw(bent, 1.0)
    assert [c.formula for c in front] == ["1.0", bent]
    with pytest.raises(InputError, match="regressor"):
        find_formula(rows, 0, lambda x, y, seed: [])


def test_training_learns_and_repeats_and_gives_accelerations_in_their_units():
    _, pos, acc = world()
    acc = acc * 1e-5
    law = train_law(pos, acc, steps=200, seed=1)
    predicted = law_accelerations(law, pos)
    off = np.sqrt(((predicted - acc) ** 2).sum((0, 2)) / (acc**2).sum((0, 2)))
    assert off.mean() < 0.6
    again = train_law(pos, acc, steps=200, seed=1)
    assert torch.equal(again.scalars, law.scalars)
    other = train_law(pos, acc, steps=200, seed=1, batch_seed=5)
    assert not torch.equal(other.scalars, law.scalars)
    assert law.scalars.dtype == torch.float64


def test_from_tracks_to_a_law_and_on():
    t = np.linspace(0, 8, 150)
    x0 = np.array([[0.0, 0, 0], [1, 0, 0.1], [-2, 0.3, 0]])
    v0 = np.array([[0.0, 0, 0], [0, 1, 0], [0, -0.7, 0.1]])
    masses = np.array([1.0, 0.05, 0.1])
    pos, vel = simulate(NEWTON, masses, x0, v0, t)
    told = []
    found = discover_law(
        t, pos, vel, regressor=Operon(150, 12), steps=600, seed=0, progress=lambda *done: told.append(done)
    )
    assert told[-1] == (600, 600)
    assert found.law == NEWTON
    assert found.scalars == pytest.approx(masses, rel=1e-3)
    assert found.refit is not None
    assert (found.sd < 1e-3 * masses.max()).all()
    assert (found.power.law.r, found.power.law.m_i) == pytest.approx((-2, 1), abs=1e-2)
    assert found.score == max(c.score for c in found.pareto)
    assert found.network_errors.shape == found.network_masses.shape == (3,)
    slopes = [float(found.formula_sympy.coeff(name)) for name in ("log_r", "log_m_i", "log_m_j")]
    assert slopes == pytest.approx([-2, 1, 1], abs=0.06)
    there, _ = found.simulate(pos[0], vel[0], t)
    assert np.abs(there - pos).max() < 1e-2


def test_without_a_search_the_nearest_power_law_is_taken():
    t, pos, acc = world()
    found = discover_law(t, pos, acc=acc, regressor="power", steps=3)
    assert found.pareto == []
    assert (found.formula, found.score) == ("", 0.0)
    assert isinstance(found.law, FormulaLaw)
    x = found.rows.inputs
    r, m_i, m_j = found.rows.exponents()
    predicted = evaluate(found.law.formula, x)
    assert np.average(found.rows.log_f - predicted, weights=found.rows.weights) == pytest.approx(0, abs=1e-9)
    assert local_exponents(found.law.formula, x[:4]) == pytest.approx(np.tile([r, m_i, m_j], (4, 1)), abs=1e-6)
    assert np.isnan(found.sd).all()
    assert found.scalars == pytest.approx(found.network_masses)


@pytest.mark.parametrize("equivariance", ["augment", "none"])
def test_variants_of_the_paper_train(equivariance):
    t, pos, acc = world(40)
    found = discover_law(t, pos, acc=acc, regressor="power", steps=3, equivariance=equivariance)
    assert np.isfinite(found.rows.exponents()).all()
    with pytest.raises(InputError, match="equivariance: must be central"):
        discover_law(t, pos[..., :2], regressor="power", steps=3, equivariance=equivariance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": np.zeros(120)}, "t: must increase"),
        ({"t": np.arange(3.0)}, "pos: must have a row for each of the 3 times"),
        ({"acc": np.zeros((3, 3, 3))}, "acc"),
        ({"pos": np.zeros((120, 3, 3))}, "coincide at time 0"),
        ({"regressor": "eureka"}, "regressor"),
        ({"equivariance": "full"}, "equivariance"),
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
        ({"lr": 0.0}, "lr"),
        ({"scalar_lr": -1.0}, "scalar_lr"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_discovery_refuses(change, message):
    t, pos, acc = world()
    with pytest.raises(InputError, match=message):
        discover_law(**{"t": t, "pos": pos, "acc": acc, "regressor": "power", "steps": 1, **change})
