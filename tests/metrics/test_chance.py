"""Better than guessing or not, against scipy's exact test and by counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from holdfast.errors import InputError
from holdfast.metrics.chance import AgainstChance, at_best


@pytest.mark.parametrize("n", [1, 7, 100, 360])
@pytest.mark.parametrize("chance", [1 / 6, 0.5, 0.9])
def test_the_bound_is_that_of_the_exact_one_sided_test(n: int, chance: float) -> None:
    for right in range(n + 1):
        expected = binomtest(right, n, chance, alternative="greater").pvalue <= 0.01
        assert AgainstChance(right, n, chance).beaten == expected


def test_guessing_is_taken_for_knowledge_once_in_a_hundred() -> None:
    rng = np.random.default_rng(0)
    rights = rng.binomial(60, 1 / 3, 4000)
    assert np.mean([AgainstChance(int(k), 60, 1 / 3).beaten for k in rights]) < 0.015


def test_nobody_beats_a_single_class() -> None:
    assert not AgainstChance(50, 50, 1.0).beaten


def test_right_at_best_is_what_the_best_arrangement_of_labels_gives() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        true = rng.integers(0, 3, 30)
        predicted = rng.integers(0, 3, 30)
        there, given = np.bincount(true, minlength=3), np.bincount(predicted, minlength=3)
        left, right = there.copy(), 0
        for k in predicted:  # hand every prediction a label of its class while there are any
            if left[k]:
                left[k] -= 1
                right += 1
        best = at_best(given, there / 30)
        assert (best.right, best.n, best.chance) == (right, 30, there.max() / 30)


def test_one_class_for_nearly_everything_is_not_told_from_chance() -> None:
    six, two = np.full(6, 1 / 6), np.array([0.5, 0.5])
    assert not at_best(np.array([360, 0, 0, 0, 0, 0]), six).beaten
    assert not at_best(np.array([350, 10, 0, 0, 0, 0]), six).beaten
    assert at_best(np.array([330, 10, 10, 10, 0, 0]), six).beaten
    assert not at_best(np.array([350, 10]), two).beaten
    assert at_best(np.array([320, 40]), two).beaten


@pytest.mark.parametrize(
    ("right", "n", "chance", "argument"), [(0, 0, 0.5, "n"), (3, 2, 0.5, "right"), (1, 2, 0.0, "chance")]
)
def test_what_cannot_be_is_named(right: int, n: int, chance: float, argument: str) -> None:
    with pytest.raises(InputError) as e:
        AgainstChance(right, n, chance)
    assert e.value.argument == argument
