"""Profiles of vectors: others of the same kind are never told apart, those of another scale, place or basis always."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from holdfast.data.vectors.likeness import Profile
from holdfast.errors import InputError

DIM, KNOWN, NEW = 12, 400, 300


def clusters(rng: np.random.Generator, count: int, basis: np.ndarray) -> np.ndarray:
    centres = 3 * rng.normal(size=(8, DIM)) @ basis
    return centres[rng.choice(8, count, p=rng.dirichlet(np.ones(8)))] + rng.normal(size=(count, DIM)) @ basis


KINDS = {
    "Gaussian": lambda rng, count, basis: 0.3 + rng.normal(size=(count, DIM)) @ basis,
    "clustered": clusters,
    "heavy-tailed": lambda rng, count, basis: rng.standard_t(2, size=(count, DIM)) @ basis,
}


def drawn(kind: str, seed: int) -> tuple[Profile, np.ndarray]:
    """The profile of some vectors, and others of the same kind; their variances fall by a factor of 12."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0] / np.arange(1, DIM + 1)[:, None]
    x = KINDS[kind](rng, KNOWN + NEW, basis)
    profile = Profile.of(x[:KNOWN], seed)
    assert profile is not None
    return profile, x[KNOWN:]


@pytest.mark.parametrize("kind", KINDS)
def test_of_200_draws_of_the_same_kind_at_most_2_are_told_apart(kind: str) -> None:
    told = [profile.differences(x) for profile, x in (drawn(kind, seed) for seed in range(200))]
    assert sum(bool(words) for words in told) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_another_scale_place_or_basis_is_told(kind: str) -> None:
    told = dict.fromkeys(("longer", "shorter", "of length 1", "shifted", "permuted", "rotated"), 0)
    for seed in range(20):
        profile, x = drawn(kind, seed)
        rng = np.random.default_rng(seed)
        others = {
            "longer": 1.5 * x,
            "shorter": x / 1.5,
            "of length 1": x / np.linalg.norm(x, axis=1, keepdims=True),
            "shifted": x + x.std(0).max(),
            "permuted": x[:, rng.permutation(DIM)],
            "rotated": x @ np.linalg.qr(rng.normal(size=(DIM, DIM)))[0],
        }
        for name, y in others.items():
            told[name] += bool(profile.differences(y))
    assert {name: count for name, count in told.items() if count < 19} == {}


def test_what_differs_is_said() -> None:
    profile, x = drawn("Gaussian", 0)
    (words, *_) = profile.differences(5 * x, "the pairs")
    low, middle, high = (5 * np.quantile(np.linalg.norm(x, axis=1), q) for q in (0.05, 0.5, 0.95))
    assert words.startswith(f"the store's vectors have length {middle:.3g} [{low:.3g}, {high:.3g}], the pairs' ")
    assert any(
        "standard deviations from that of the pairs" in words for words in profile.differences(x + 2, "the pairs")
    )


def test_a_kind_that_is_missing_is_told_in_both_directions() -> None:
    """Two kinds with the same mean and spread along every axis; one side lacks most of one."""
    rng = np.random.default_rng(0)
    kinds = np.array([[1.0, 1, 0], [-1, -1, 0], [1, -1, 0], [-1, 1, 0]])
    both = 9 * kinds[rng.integers(0, 4, 2000)] + rng.normal(size=(2000, 3))
    one = 9 * kinds[rng.integers(0, 2, 2000)] + rng.normal(size=(2000, 3))
    assert any("farther from the known ones than" in words for words in Profile.of(one).differences(both))
    assert any("are farther from the store's vectors" in words for words in Profile.of(both).differences(one))
    assert Profile.of(both).differences(both[::-1]) == ()


def test_rounding_duplicates_and_order_are_no_difference() -> None:
    rng = np.random.default_rng(0)
    unit = clusters(rng, 1000, np.eye(DIM))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    profile = Profile.of(unit[:500])
    assert profile.differences(unit[500:].astype(np.float16)) == ()
    assert profile.differences(unit[np.argsort(unit[:, 0])][::2]) == ()
    assert Profile.of(unit[:500].repeat(3, 0)).differences(unit[:500]) == ()
    counts = rng.poisson(0.1, size=(1000, DIM)).astype(float)
    assert Profile.of(counts[:500]).differences(counts[500:]) == ()


def test_few_vectors_say_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    assert Profile.of(x[:38]) is None
    assert Profile.of(x).differences(100 * x[:19]) == ()
    assert Profile.of(x).differences(100 * x[:20]) != ()
    assert Profile.of(np.ones((60, 3))).differences(np.ones((60, 3))) == ()
    assert Profile.of(np.zeros((60, 3))).differences(np.ones((60, 3))) != ()


def test_what_does_not_fit_is_refused() -> None:
    profile, x = drawn("Gaussian", 0)
    with pytest.raises(InputError, match=r"must have shape \(n, 12\)"):
        profile.differences(x[:, :5])
    for change in (
        {"place": np.zeros(3)},
        {"directions": np.zeros(4)},
        {"lengths": np.zeros(2)},
        {"points": np.array(1)},
    ):
        with pytest.raises(InputError, match="profile: "):
            replace(profile, **change)
