"""Columns of one file, and rows of several files that belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.data.vectors.columns import read_columns
from holdfast.data.vectors.matching import VectorFile, matched
from holdfast.errors import InputError
from toy_gallery import lists

X = np.arange(24, dtype=np.float32).reshape(8, 3)


@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
def test_parquet_and_npz_hold_the_same_columns(tmp_path, kind) -> None:
    names = [f"row {i}" for i in range(8)]
    pq.write_table(pa.table({"name": names, "a": lists(X, kind), "other": [0.5] * 8}), tmp_path / "x.parquet")
    np.savez(tmp_path / "x.npz", a=X, name=np.array(names), other=np.full(8, 0.5))
    for file in ("x.parquet", "x.npz"):
        found = read_columns(tmp_path / file, "--data", needed=["a"], vectors=["b"], keys=["name"])
        assert set(found) == {"a", "name"}
        assert np.array_equal(found["a"], X)
        assert found["name"].tolist() == names
        with pytest.raises(InputError, match=r"must have a column 'nane'.*did you mean 'name'"):
            read_columns(tmp_path / file, "--data", needed=["nane"])
        with pytest.raises(InputError, match=r"name: must hold numbers|name: must have shape"):
            read_columns(tmp_path / file, "--data", needed=["name"])


def files(one: list | None, two: list | None) -> dict[str, VectorFile]:
    made = {"--one": (X, one), "--two": (10 * X, two)}
    return {name: VectorFile(Path(name), x[: len(ids or X)], ids and np.array(ids)) for name, (x, ids) in made.items()}


def test_rows_of_one_id_are_brought_together() -> None:
    said: list[str] = []
    vectors, ids = matched(files(["d", "a", "c"], ["a", "b", "c", "e"]), say=said.append)
    assert ids.tolist() == ["a", "c"]
    assert np.array_equal(vectors["--one"], X[[1, 2]])
    assert np.array_equal(vectors["--two"], 10 * X[[0, 2]])
    assert said == ["--one: 2 of 3 rows have a partner by their id", "--two: 2 of 4 rows have a partner by their id"]


def test_files_in_one_order_or_without_ids_are_taken_row_by_row() -> None:
    for ids in (None, [*range(8)]):
        vectors, found = matched(files(ids, ids))
        assert np.array_equal(vectors["--two"], 10 * X)
        assert (found is None) == (ids is None)
    with pytest.raises(InputError, match=r"must come in the order of the other files where one of them \(y is one\)"):
        matched(files([2, 1, 0], [0, 1, 2]), by_row="y")


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        (["a", "b", "a"], ["a", "b", "c"], "--one: must have every id once.*a 2 times"),
        (["a", "b"], ["c", "d"], "must share ids"),
        (["1", "2"], [1, 2], "must share ids"),
    ],
)
def test_ids_that_match_nothing_are_refused(one, two, message) -> None:
    with pytest.raises(InputError, match=message):
        matched(files(one, two))


def test_forged_footers_end_nothing_but_the_reading(tmp_path) -> None:
    """pyarrow's own count of values ends the process at some of these."""
    pq.write_table(pa.table({"a": [[1.0], [2.0, 3.0]], "x": [1, 2]}), tmp_path / "x.parquet")
    good = (tmp_path / "x.parquet").read_bytes()
    length = int.from_bytes(good[-8:-4], "little")
    rng = np.random.default_rng(50)  # the first that ended pyarrow soon
    for _ in range(100):
        content = bytearray(good)
        content[len(content) - 8 - int(rng.integers(1, length))] = int(rng.integers(256))
        (tmp_path / "x.parquet").write_bytes(content)
        with pytest.raises(InputError):  # in the best case the lists are of several lengths
            read_columns(tmp_path / "x.parquet", "--data", needed=["a"])
