"""Vectors and their values from files of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.data.readers.vectors import read_values, read_vectors
from holdfast.errors import InputError
from holdfast.verbs import write_array

X = np.array([[1.0, 2.5], [3.0, -4.0], [0.0, 1e-3]], np.float32)


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.parquet", "x.npz"])
def test_the_same_rows_come_from_every_kind_of_file(name, tmp_path):
    if name.endswith("npz"):
        np.savez(tmp_path / name, other=np.zeros((2, 2)), x=X)
    else:
        write_array(tmp_path / name, X)
    found = read_vectors(tmp_path / name)
    assert found.dtype == np.float64
    assert np.array_equal(found, X.astype(np.float64))


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2, 2)), np.array([[np.nan, 1.0]]), np.zeros((0, 2))])
def test_what_is_no_rows_of_numbers_is_refused(array, tmp_path):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match=r"x\.npy"):
        read_vectors(tmp_path / "x.npy")


@pytest.mark.parametrize(
    "text", ["label\nb\na\nb\n", "anything\nb\na\nb\n", "id,label\n1,b\n2,a\n3,b\n", "labels,z\nb,1\na,2\nb,3\n"]
)
def test_values_are_those_of_the_role_or_of_the_only_column(text, tmp_path):
    (tmp_path / "y.csv").write_text(text)
    assert read_values(tmp_path / "y.csv", "label", 3, "x.npy").tolist() == ["b", "a", "b"]


def test_values_of_an_array_are_words(tmp_path):
    np.save(tmp_path / "y.npy", np.array([3, 1]))
    assert read_values(tmp_path / "y.npy", "group", 2, "x.npy").tolist() == ["3", "1"]


@pytest.mark.parametrize("text", ["label\nb\na\n", "a,b\n1,2\n3,4\n5,6\n", "label\nb\n\nb\n"])
def test_values_that_do_not_fit_the_rows_are_refused(text, tmp_path):
    (tmp_path / "y.csv").write_text(text)
    with pytest.raises(InputError, match="label"):
        read_values(tmp_path / "y.csv", "label", 3, "x.npy")


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.npy"):
        write_array(tmp_path / "x.txt", X)
