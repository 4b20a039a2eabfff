"""Vector tables of Horizons: whole ones, and broken ones."""

from __future__ import annotations

import pytest

from holdfast.data.readers.horizons import read_horizons
from holdfast.errors import InputError

HEAD = """*******************************************************************************
Target body name: Mars (499)                      {source: mar097}
Center body name: Solar System Barycenter (0)
Output units    : AU-D
*******************************************************************************
            JDTDB,            Calendar Date (TDB),                      X,                      Y,                      Z,                     VX,                     VY,                     VZ,                     LT,
**************************************************************************************
"""  # noqa: E501
ROW = "2451545.000000000, A.D. 2000-Jan-01 12:00:00.0000, 1.39E+00, -1.3E-02, -3.4E-02, 6.7E-04, 1.5E-02, 3.0E-04, 8,"


def written(path, text):
    path.write_text(text)
    return path


def test_a_table_with_its_head(tmp_path):
    found = read_horizons(written(tmp_path / "mars.txt", f"{HEAD}$$SOE\n{ROW}\n{ROW}\n$$EOE\nfoot, 1, 2\n"))
    assert (found.body, found.units) == ("Mars (499)", "AU-D")
    assert found.jd.tolist() == [2451545.0] * 2
    assert found.pos[0].tolist() == [1.39, -0.013, -0.034]
    assert found.vel[1].tolist() == [0.00067, 0.015, 0.0003]


def test_columns_are_found_by_their_names(tmp_path):
    names = "JDTDB, Calendar Date (TDB), delta-T, VX, VY, VZ, X, Y, Z,"
    text = f"{names}\n$$SOE\n1.5, A.D. 2000, 63.1, 4, 5, 6, 1, 2, 3,\n$$EOE\n"
    found = read_horizons(written(tmp_path / "a.txt", text))
    assert (found.body, found.units) == ("", "")
    assert found.pos.tolist() == [[1, 2, 3]]
    assert found.vel.tolist() == [[4, 5, 6]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must have lines \$\$SOE and \$\$EOE"),
        (f"$$EOE\n{ROW}\n$$SOE\n", "must have lines"),
        (f"$$SOE\n{ROW}\n", "must have lines"),
        ("$$SOE\n$$EOE\n", "must have a row"),
        (f"{HEAD}$$SOE\n{ROW}\n2451545.0, A.D. 2000, 1.0\n$$EOE\n", "line 10: must be a date and six numbers"),
        (f"$$SOE\n{ROW.replace('1.39E+00', 'n.a.')}\n$$EOE\n", "line 2: must be a date"),
        (f"$$SOE\n{ROW.replace('1.39E+00', 'nan')}\n$$EOE\n", "must hold finite numbers"),
    ],
)
def test_broken_tables_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_horizons(written(tmp_path / "a.txt", text))


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="must be a file"):
        read_horizons(tmp_path)
