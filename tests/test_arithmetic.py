"""Formulas as text against Python's own arithmetic, and texts that are none."""

import numpy as np
import pytest

from holdfast.arithmetic import compute
from holdfast.errors import InputError


@pytest.mark.parametrize("formula", ["a + 2 * b", "-(a - b) / 4", "+a * (b + 1.5e-3)", "7"])
def test_arithmetic(formula):
    a, b = np.array([1.0, -2.0]), np.array([0.5, 4.0])
    assert np.allclose(compute(formula, {"a": a, "b": b}), eval(formula, {"a": a, "b": b}))


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a ** 2", "a.real", "c", "a if b else a", "'a'", "True", "a +", "", "(" * 9000, "a b"]
)
def test_nothing_else_is_computed(text):
    with pytest.raises(InputError, match="formula"):
        compute(text, {"a": 1.0, "b": 2.0})
