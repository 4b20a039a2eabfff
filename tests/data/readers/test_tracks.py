"""Tracks of bodies in a table; broken ones are tested with the verbs of orbital_mechanics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from holdfast.data.readers.tracks import read_tracks, suspicions
from holdfast.data.synthetic.bodies import NEWTON, simulate

NAMES = ("sun", "ada", "bea")
X0 = np.array([[0.0, 0, 0], [1, 0, 0.1], [-2, 0.3, 0]])
V0 = np.array([[0.0, 0, 0], [0, 1, 0], [0, -0.7, 0.1]])
MASSES = [1.0, 0.05, 0.1]


def frame(t=None):
    t = np.linspace(0, 8, 120) if t is None else t
    x, v = simulate(NEWTON, MASSES, X0, V0, t)
    columns = {"t": np.repeat(t, 3), "body": list(NAMES) * len(t)}
    columns |= {name: x[..., k].ravel() for k, name in enumerate("xyz")}
    return pd.DataFrame(columns | {f"v{name}": v[..., k].ravel() for k, name in enumerate("xyz")})


def test_dates_are_days_and_two_coordinates_will_do(tmp_path):
    table = frame()
    table["t"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(table["t"] * 24, unit="h")
    table.to_csv(tmp_path / "tracks.csv", index=False)
    found = read_tracks(tmp_path / "tracks.csv", "t", "body", ["x", "y"])
    assert found.t == pytest.approx(np.linspace(0, 8, 120), abs=1e-6)
    assert found.pos.shape == (120, 3, 2)
    assert found.vel is None
    assert found.bodies == NAMES


def test_suspicions_about_units_and_times():
    t = np.linspace(0, 8, 120)
    x, v = simulate(NEWTON, MASSES, X0, V0, t)
    assert suspicions(t, NAMES, x, v) == []
    assert "faster than light" in suspicions(t, NAMES, x * 1.5e8, None)[0]
    mixed = suspicions(t, NAMES, x * 10, v)
    assert "look like different units" in mixed[0]
    assert mixed[0].startswith("bea moves") or mixed[0].startswith("ada moves")
    rough = suspicions(t[::15], NAMES, x[::15], None)
    assert "times are too far apart for accelerations" in rough[-1]
    assert suspicions(t[:1], NAMES, x[:1], v[:1]) == []
