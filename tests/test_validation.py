"""Checks of values: what passes is unchanged, what fails is named together with the rule and what was received."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from holdfast.errors import InputError
from holdfast.validation import (
    check_array,
    check_choice,
    check_fraction,
    check_integer,
    check_labels,
    check_number,
    check_positive,
    check_present,
    check_same_length,
)


# --------------------------------------------------------------------------------------------------------------- shapes
@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_sizes_are_bound_to_the_names_in_the_pattern(shape):
    names = ["N", "C", "H", "W"][: len(shape)]
    for x in (np.zeros(shape), torch.zeros(shape)):
        sizes: dict[str, int] = {}
        assert check_array(x, " ".join(names), name="x", sizes=sizes) is x
        assert sizes == dict(zip(names, shape, strict=True))
        assert check_array(x, " ".join(map(str, shape)), name="x") is x
        assert check_array(x, f"... {shape[-1]}", name="x") is x
        for wrong in (
            " ".join([*names, "Z"]),
            " ".join(["7", *names[1:]]),
            "... 9",
            " ".join(["_"] * (len(shape) + 1)),
        ):
            with pytest.raises(InputError, match="x: must have shape"):
                check_array(x, wrong, name="x")


def test_the_same_name_means_the_same_size_within_and_across_arrays():
    check_array(np.zeros((3, 3)), "N N", name="x")
    with pytest.raises(InputError, match=r"must have shape \(N, N\); received shape \(3, 4\)"):
        check_array(np.zeros((3, 4)), "N N", name="x")
    sizes: dict[str, int] = {}
    check_array(np.zeros((5, 3)), "N C", name="a", sizes=sizes)
    with pytest.raises(InputError, match=r"b: must have shape \(M, C=3\); received shape \(2, 4\)"):
        check_array(np.zeros((2, 4)), "M C", name="b", sizes=sizes)
    assert sizes == {"N": 5, "C": 3}  # a refused array binds nothing


def test_empty_arrays():
    for x in (np.zeros((0, 3)), torch.zeros(2, 0)):
        with pytest.raises(InputError, match="x: must not be empty"):
            check_array(x, "N C", name="x")
        assert check_array(x, "N C", name="x", empty=True, low=0) is x


# --------------------------------------------------------------------------------------------------------------- values
@given(
    x=arrays(np.float32, (3, 4), elements=st.floats(-9, 9, width=32)),
    holes=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from([np.nan, np.inf, -np.inf])), min_size=1
    ),
)
def test_not_finite_values_are_counted_and_located(x, holes):
    for i, j, value in holes:
        x[i, j] = value
    nan = sum(bool(np.isnan(v)) for row in x for v in row)
    infinite = sum(bool(np.isinf(v)) for row in x for v in row)
    first = next((i, j) for i in range(3) for j in range(4) if not np.isfinite(x[i, j]))
    received = f"{nan} NaN, {infinite} infinite of 12 values, first at index {first}"
    for array in (x, torch.from_numpy(x), torch.from_numpy(x).bfloat16()):
        with pytest.raises(InputError) as e:
            check_array(array, "N C", name="x")
        assert (e.value.argument, e.value.rule, e.value.received) == ("x", "must be finite", received)
        assert check_array(array, "N C", name="x", finite=False) is array


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_ranges(make):
    x = make([0.0, 0.5, 1.0])
    assert check_array(x, "N", name="x", low=0, high=1) is x
    with pytest.raises(InputError, match=r"must have all values in \[0, 0.9\]; received values from 0.0 to 1.0"):
        check_array(x, "N", name="x", low=0, high=0.9)
    with pytest.raises(InputError, match=r"at least 0.1"):
        check_array(x, "N", name="x", low=0.1)
    with pytest.raises(InputError, match=r"at most 0.5"):
        check_array(x, "N", name="x", high=0.5)


# ---------------------------------------------------------------------------------------------------------------- types
@pytest.mark.parametrize(
    ("x", "rule"),
    [
        (np.array(["1", "2"]), "must hold numbers"),
        (np.array([1, "a"], dtype=object), "must hold numbers"),
        (np.array([1j]), "must hold numbers"),
        (torch.tensor([1j]), "must hold numbers"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "must hold numbers"),
        (np.array([True]), "must hold numbers"),
        (torch.tensor([True]), "must hold numbers"),
        ([[1.0], [1.0, 2.0]], "must be a rectangular array"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "must have no masked values"),
        (pd.Series(["a", "b"]), "must hold numbers"),
    ],
)
def test_things_that_are_not_numbers(x, rule):
    with pytest.raises(InputError, match=f"x: {rule}"):
        check_array(x, "N", name="x")


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_conversions_lose_nothing(make):
    as_uint8 = check_array(make([0, 255]), "N", name="x", dtype="uint8")
    assert as_uint8.tolist() == [0, 255]
    assert str(as_uint8.dtype).endswith("uint8")
    assert check_array(make([1.0, 2.0]), "N", name="x", dtype="int64").tolist() == [1, 2]
    with pytest.raises(InputError, match="must hold whole numbers"):
        check_array(make([1.5]), "N", name="x", dtype="int64")
    with pytest.raises(InputError, match="must fit into uint8; received values from -1 to 256"):
        check_array(make([-1, 256]), "N", name="x", dtype="uint8")
    big = check_array(make(np.array([1e300])), "N", name="x", dtype="float64")
    with pytest.raises(InputError, match="must fit into float32"):
        check_array(big, "N", name="x", dtype="float32")
    for dtype, values in (("floating", [1]), ("integer", [1.0]), ("bool", [1])):
        with pytest.raises(InputError, match="must hold"):
            check_array(make(values), "N", name="x", dtype=dtype)
    same = make(np.array([1.0], dtype=np.float32))
    assert check_array(same, "N", name="x", dtype="float32") is same


def test_tensors_keep_their_graph():
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    check_array(x, "N", name="x", dtype="float32").sum().backward()
    assert torch.equal(x.grad, torch.ones(2, dtype=torch.float64))


def test_foreign_byte_order_becomes_native():
    x = check_array(np.array([1.5, 2.0], dtype=">f4"), "N", name="x", dtype="float32")
    assert x.dtype.isnative
    assert x.tolist() == [1.5, 2.0]


def test_lists_and_pandas_become_numpy():
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert check_array(frame, "N F", name="x", dtype="float32").tolist() == [[1.0, 0.5], [2.0, 1.5]]


# --------------------------------------------------------------------------------------------------------------- labels
@pytest.mark.parametrize("make", [np.asarray, torch.tensor, list])
def test_class_indices(make):
    assert check_labels(make([0, 2, 1]), 3).tolist() == [0, 2, 1]
    with pytest.raises(
        InputError, match=r"y: must lie in \[0, 3\); received 3 at index 1 \(2 of 4 labels are outside\)"
    ):
        check_labels(make([0, 3, 1, -1]), 3)


# -------------------------------------------------------------------------------------------------------------- numbers
def test_lengths():
    assert check_same_length(x=[1, 2], y=None, z=torch.zeros(2)) == 2
    with pytest.raises(InputError, match=r"z: must have as many rows as x \(2\); received 3"):
        check_same_length(x=[1, 2], z=np.zeros(3))


NOT_NUMBERS = [None, "1", True, float("nan"), float("inf"), [1], 1j]


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_no_number_is_refused_everywhere(value):
    for check in (check_integer, check_number, check_positive, check_fraction):
        with pytest.raises(InputError, match="steps: must be"):
            check(value, "steps")


def test_bounds():
    assert check_integer(np.int32(3), "n", low=3, high=3) == 3
    assert check_number(np.float32(0.5), "n", low=0.5) == 0.5
    assert check_positive(1e-9, "n") == 1e-9
    assert (check_fraction(0, "n"), check_fraction(1, "n")) == (0.0, 1.0)
    for bad, words in (
        (lambda: check_integer(2, "n", low=3), "whole number of at least 3"),
        (lambda: check_integer(4, "n", high=3), "whole number of at most 3"),
        (lambda: check_integer(2.0, "n"), "must be a whole number"),
        (lambda: check_number(2, "n", low=3, high=4), r"finite number in \[3, 4\]"),
        (lambda: check_positive(0, "n"), "above 0"),
        (lambda: check_fraction(1, "n", one=False), r"in \[0, 1\)"),
        (lambda: check_fraction(0, "n", zero=False), r"in \(0, 1\]"),
        (lambda: check_fraction(1.1, "n"), r"in \[0, 1\]"),
    ):
        with pytest.raises(InputError, match=f"n: .*{words}"):
            bad()


def test_choices():
    assert check_choice("a", ("a", "b"), "kind") == "a"
    assert check_choice(None, (None, 1), "kind") is None
    for value in ("c", True, np.ones(2)):
        with pytest.raises(InputError, match="kind: must be one of"):
            check_choice(value, ("a", 1), "kind")


def test_importing_needs_no_torch():
    code = "import sys, holdfast.validation, holdfast.estimator.labels; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "values",
    [
        [0.0, np.nan, 2.0, np.nan],
        ["a", None, "b", None],
        np.array(["a", np.nan, 1, None], dtype=object),
        pd.Series(["a", None, "b", pd.NA], dtype="string"),
        pd.Series([1, pd.NA, 2, pd.NA], dtype="Int64"),
        np.array(["2026-01-01", "NaT", "2026-01-02", "NaT"], dtype="datetime64[D]"),
        torch.tensor([0.0, np.nan, 1.0, np.nan]),
    ],
)
def test_missing_labels_are_counted_and_located(values):
    with pytest.raises(
        InputError, match="y: must have a value in every row; received 2 missing of 4, the first in row 1"
    ):
        check_present(values, "y")


@pytest.mark.parametrize("values", [[1, 2], ["a", ""], [True, False], [1.5, np.inf], pd.Series(["nan", "None"])])
def test_labels_that_are_there_pass(values):
    assert list(check_present(values, "y")) == list(values)
