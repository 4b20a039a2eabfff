"""Sets of points of different sizes, from arrays and from tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from holdfast.data.point_sets import pad_sets, read_points, side_of_cube
from holdfast.errors import InputError
from holdfast.metrics.determination import R2


def points(n=40, d=2, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.permutation([f"s{k}" for k in rng.integers(0, 7, n)])
    return ids, rng.random((n, d)) + 1.7e9, rng.normal(size=(n, 3)), rng.normal(size=n)


def test_padding_against_a_loop():
    ids, pos, x, y = points()
    sets, names, rows = pad_sets(ids, pos, x, y)
    assert names.tolist() == list(dict.fromkeys(ids.tolist()))
    for s, name in enumerate(names):
        mine = np.flatnonzero(ids == name)
        assert rows[s, : len(mine)].tolist() == mine.tolist()
        assert (rows[s, len(mine) :] == -1).all()
        assert sets.real[s].tolist() == [k < len(mine) for k in range(rows.shape[1])]
        centred = pos[mine] - pos[mine].mean(0)  # in float64: positions are about 1.7e9
        np.testing.assert_allclose(sets.pos[s, : len(mine)], centred, atol=1e-6)
        np.testing.assert_allclose(sets.x[s, : len(mine)], x[mine], rtol=1e-6)
        np.testing.assert_allclose(sets.y[s, : len(mine)], y[mine], rtol=1e-6)
        assert not sets.pos[s, len(mine) :].any()
        assert not sets.x[s, len(mine) :].any()
    some = sets[torch.tensor([2, 0])]
    assert torch.equal(some.pos, sets.pos[[2, 0]])
    assert len(some) == 2
    guess = torch.zeros_like(sets.y)
    assert R2().of_cases(np.array(sets.cases(guess))) == pytest.approx(1 - (y**2).sum() / ((y - y.mean()) ** 2).sum())


def test_without_numbers_or_targets():
    sets, names, _ = pad_sets([5, 5, 2], [[0.0], [2.0], [9.0]])
    assert sets.x.shape == (2, 2, 0)
    assert sets.y.tolist() == [[0, 0], [0, 0]]
    assert names.tolist() == [5, 2]


def test_the_side_of_a_cube_is_found_again():
    rng = np.random.default_rng(0)
    sets, _, _ = pad_sets(np.repeat(np.arange(60), 50), 7 * rng.random((3000, 3)))
    assert side_of_cube(sets) == pytest.approx(7, rel=0.02)
    assert side_of_cube(pad_sets([0, 0], [[1.0], [1.0]])[0]) == 1.0


def test_arrays_that_are_wrong():
    for changed, message in (
        ({"pos": [[0.0], [np.nan]]}, "pos"),
        ({"pos": [0.0, 1.0]}, "pos"),
        ({"x": [[1.0]]}, "X"),
        ({"y": [1.0, np.inf]}, "y"),
    ):
        with pytest.raises(InputError, match=message):
            pad_sets([0, 0], **{"pos": [[0.0], [1.0]], **changed})


def test_a_table_with_dates_text_and_other_numbers(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(
        "who,when,size,note,y\na,2024-01-01 10:00,1,x,0.5\na,2024-01-01 10:01,2,y,1.5\nb,2024-01-02 10:00,3,z,2\n"
    )
    found = read_points(path, "who", ["when"], "y")
    assert found.ids.tolist() == ["a", "a", "b"]
    assert np.diff(found.pos[:, 0]).tolist() == [60.0, 86340.0]
    assert found.features == ("size",)
    assert found.x.tolist() == [[1], [2], [3]]
    assert found.y.tolist() == [0.5, 1.5, 2]
    assert found.rows.tolist() == [2, 3, 4]
    assert any("note" in note for note in found.notes)
    without = read_points(path, "who", ["when"], None, [])
    assert without.y is None
    assert without.x.shape == (3, 0)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("x", np.nan, "must have a value in every row"),
        ("x", np.inf, "finite number"),
        ("y", np.nan, "must have a value in every row"),
        ("c", np.nan, "none in row 4"),
        ("x", "far", "must hold numbers or dates"),
    ],
)
def test_tables_that_are_wrong(tmp_path, column, value, message):
    table = pd.DataFrame({"id": list("aabb"), "x": [0.0, 1, 2, 3], "c": [1.0, 2, 3, 4], "y": [1.0, 2, 3, 4]})
    table[column] = table[column].astype(object)
    table.loc[2, column] = value
    table.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InputError) as error:
        read_points(tmp_path / "p.csv", "id", ["x"], "y")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="must name a column"):
        read_points(tmp_path / "p.csv", "id", ["x", "height"], "y")
    with pytest.raises(InputError, match="--pos: must name each column of the position once; received x, x"):
        read_points(tmp_path / "p.csv", "id", ["x", "x"], "y", option="--pos")
