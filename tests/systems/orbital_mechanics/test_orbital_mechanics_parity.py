"""Against reference values: 400 epochs of DE421 with Newton's accelerations and masses by least squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from holdfast.baselines.pairwise import relative_errors
from holdfast.data.ephemerides import BODIES, _ephemeris, acceleration_de421, gm_de421
from holdfast.data.solar_system import SPLIT, Horizons, SolarSystem
from holdfast.errors import InputError
from holdfast.systems.orbital_mechanics import NEWTON, accelerations, fit_masses, load_de421, load_horizons, simulate


@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).parents[2] / "vectors" / "orbital_mechanics.npz") as file:
        return {name: file[name] for name in file.files}


def test_positions_velocities_and_accelerations_are_the_stored_ones(reference):
    assert tuple(reference["names"]) == BODIES
    jd = reference["jd"]
    pos, vel = load_de421(BODIES, jd)
    # The stored ones are of an AU that is 4e-4 km longer.
    assert np.abs(pos * (149_597_870.6996262 / 149_597_870.7) - reference["pos_au"]).max() < 1e-13 * 40
    assert np.abs(vel - reference["vel_au_day"]).max() < 1e-12
    acc = acceleration_de421(BODIES, jd)
    assert relative_errors(acc, reference["acc_au_day2"]).max() < 2e-6


def test_masses_of_the_constants(reference):
    assert gm_de421() == pytest.approx(reference["gm_au3_day2"], rel=1e-12)
    assert gm_de421(["moon", "pluto"])[0] == reference["gm_au3_day2"][4]


def test_newton_with_the_constants_gives_the_accelerations(reference):
    found = accelerations(reference["pos_au"], NEWTON, reference["gm_au3_day2"])
    assert relative_errors(found, reference["newton_acc_au_day2"]).max() < 1e-12
    off = relative_errors(found, reference["acc_au_day2"])
    assert off[0] < 2.01e-6  # of the Sun; 2e-6 when rounded
    assert off[1:].max() < 2e-7


def test_least_squares_recovers_the_masses(reference):
    found = fit_masses(reference["pos_au"], reference["acc_au_day2"])
    assert np.abs(found.values / reference["gm_au3_day2"] - 1).max() < 5e-4
    assert np.abs(found.values / reference["lsq_gm"] - 1).max() < 6e-4
    assert found.sd[0] / found.values[0] < 1e-7


def test_two_years_of_newton_stay_near_the_ephemeris(reference):
    there = SolarSystem().onward(2.0)
    pos, _ = simulate(NEWTON, reference["gm_au3_day2"], there.pos[0], there.vel[0], there.jd)
    assert np.linalg.norm(pos - there.pos, axis=-1).max() < 1e-5


def test_steps_of_a_sixteenth_of_a_day_are_fine_and_of_a_day_are_not(reference):
    jd = SPLIT + np.array([0.0, 120.0])
    pos, vel = load_de421(BODIES, jd)
    off = []
    for step in (1 / 16, 1.0):
        x, _ = simulate(NEWTON, reference["gm_au3_day2"], pos[0], vel[0], jd, integrator="leapfrog", step=step)
        off.append(np.linalg.norm(x[1] - pos[1], axis=-1).max())
    assert off[0] < 2.5e-4 < 2e-3 < off[1]


def test_centre_of_mass_of_earth_and_moon():
    (pos, _), share = load_de421(["earth", "moon"], [2_450_000.5, 2_451_000.5]), 1 / 82.30056907

    both = _ephemeris().position("earthmoon", np.array([2_450_000.5, 2_451_000.5])).T / 149_597_870.6996262
    assert (1 - share) * pos[:, 0] + share * pos[:, 1] == pytest.approx(both, abs=1e-12)
    distance = np.linalg.norm(pos[:, 1] - pos[:, 0], axis=1)
    assert ((distance > 0.0023) & (distance < 0.0028)).all()


@pytest.mark.parametrize(
    ("bodies", "jd", "message"), [(["ceres"], 2.45e6, "bodies"), (["sun"], 1e6, "jd"), (["sun"], np.nan, "jd")]
)
def test_ephemeris_refuses(bodies, jd, message):
    with pytest.raises(InputError, match=message):
        load_de421(bodies, jd)


def test_epochs_are_drawn_and_split_in_time():
    tracks = SolarSystem().load(np.random.default_rng(0), 200)
    train, validation, test = tracks.split()
    assert len(train.jd) + len(validation.jd) + len(test.jd) == 200
    assert train.jd.max() < validation.jd.min() <= validation.jd.max() < SPLIT <= test.jd.min()
    assert len(validation.jd) == round(0.1 * (len(train.jd) + len(validation.jd)))
    other = SolarSystem().load(np.random.default_rng(1), 200)
    assert not np.isin(other.jd, tracks.jd).any()


def table(path, pos, vel, jd, units="AU-D"):
    rows = "\n".join(
        f"{t:.9f}, A.D. 2004-Jan-01 00:00:00.0000, " + ", ".join(f"{x: .15E}" for x in (*p, *v)) + ","
        for t, p, v in zip(jd, pos, vel, strict=True)
    )
    path.write_text(
        f"*******\nTarget body name: {path.stem} (10)   {{source: DE441}}\nOutput units    : {units}\n"
        f"   JDTDB,  Calendar Date (TDB),  X,  Y,  Z,  VX,  VY,  VZ,\n****\n$$SOE\n{rows}\n$$EOE\n****\n"
    )


def test_files_of_horizons_make_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    folder = tmp_path / "horizons"
    folder.mkdir()
    problem = Horizons()
    assert not problem.available()
    bodies = ("sun", "earth", "jupiter")
    jd = SPLIT - 40 + np.arange(0, 120, 0.5)
    pos, vel = load_de421(bodies, jd)
    for n, body in enumerate(bodies):
        table(folder / f"{body}.txt", pos[:, n], vel[:, n], jd)
    (folder / "gm.csv").write_text(
        "".join(f"{b},{gm!r}\n" for b, gm in zip(bodies, gm_de421(bodies).tolist(), strict=True))
    )
    assert problem.available()
    assert problem.masses() == pytest.approx(gm_de421(bodies))
    tracks = problem.load(np.random.default_rng(0), 100)
    assert len(tracks.jd) == 100
    assert relative_errors(tracks.acc, acceleration_de421(bodies, tracks.jd)).max() < 1e-3
    on = problem.onward(0.1)
    assert on.jd[0] == SPLIT
    assert on.jd[-1] <= SPLIT + 36.6
    read, x, v = load_horizons([folder / f"{body}.txt" for body in bodies])
    assert read == pytest.approx(jd)
    assert x == pytest.approx(pos, abs=1e-14)
    assert v == pytest.approx(vel, abs=1e-14)
    table(folder / "earth.txt", pos[1:, 1], vel[1:, 1], jd[1:])
    with pytest.raises(InputError, match=r"earth\.txt: must have the 240 dates"):
        problem.load(np.random.default_rng(0), 10)
    table(folder / "earth.txt", pos[:, 1], vel[:, 1], jd, "KM-S")
    with pytest.raises(InputError, match="must be in AU-D"):
        problem.load(np.random.default_rng(0), 10)
    (folder / "gm.csv").write_text("sun,heavy\n")
    with pytest.raises(InputError, match=r"gm\.csv, line 1"):
        problem.masses()
    with pytest.raises(InputError, match="paths"):
        load_horizons([])
