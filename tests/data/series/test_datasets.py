"""Published formats of series, on files of a few lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from holdfast.data.series import datasets
from holdfast.errors import InputError


@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_reals(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("solar_AL.txt" + (".gz" if packed else ""))
    text = b"0.5,1\n2,3e1\n-4,5\n"
    path.write_bytes(gzip.compress(text) if packed else text)
    assert datasets.read_matrix(path).tolist() == [[0.5, 1.0], [2.0, 30.0], [-4.0, 5.0]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty file"),
        ("1,2\n3,4,5\n", "equally many numbers"),
        ("1,2\n3,x\n", "finite numbers only; received 1 others, the first in row 2, column 2"),
        ("1,2\n,4\ninf,1\n", "2 others, the first in row 2, column 1"),
    ],
)
def test_lines_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "traffic.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        datasets.read_matrix(path)


def test_ett(tmp_path: Path) -> None:
    path = tmp_path / "ETTm1.csv"
    path.write_text("date,HUFL,OT\n2016-07-01 00:00:00,1.5,30\n2016-07-01 00:15:00,2.5,31\n")
    stamps, channels = datasets.read_ett(path)
    assert [str(s) for s in stamps] == ["2016-07-01 00:00:00", "2016-07-01 00:15:00"]
    assert {name: values.tolist() for name, values in channels.items()} == {"HUFL": [1.5, 2.5], "OT": [30.0, 31.0]}
    y, x = datasets.target_from(channels, "OT")
    assert (y.tolist(), x.tolist()) == ([30.0, 31.0], [[1.5], [2.5]])
    with pytest.raises(InputError, match="target: must be one of HUFL, OT"):
        datasets.target_from(channels, "MULL")
    path.write_text("time,HUFL\n1,2\n")
    with pytest.raises(InputError, match="column date"):
        datasets.read_ett(path)
