"""The verbs on tracks of our own making, whole and broken."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.orbital_mechanics import NEWTON, Operon, simulate
from holdfast.systems.orbital_mechanics.cli import app
from holdfast.systems.orbital_mechanics.tool import discovery

NAMES = ("sun", "ada", "bea")
X0 = np.array([[0.0, 0, 0], [1, 0, 0.1], [-2, 0.3, 0]])
V0 = np.array([[0.0, 0, 0], [0, 1, 0], [0, -0.7, 0.1]])
MASSES = [1.0, 0.05, 0.1]
SHORT = ("--regressor", "power", "--steps", "10", "--quiet")


def frame(t=None):
    t = np.linspace(0, 8, 120) if t is None else t
    x, v = simulate(NEWTON, MASSES, X0, V0, t)
    columns = {"t": np.repeat(t, 3), "body": list(NAMES) * len(t)}
    columns |= {name: x[..., k].ravel() for k, name in enumerate("xyz")}
    return pd.DataFrame(columns | {f"v{name}": v[..., k].ravel() for k, name in enumerate("xyz")})


def run(*words):
    """Run a verb; an exception is raised here as the command line's main would see it."""
    found = CliRunner().invoke(app, [str(word) for word in words])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found


def written(folder, table, name="tracks.csv"):
    path = folder / name
    table.to_csv(path, index=False)
    return path


def test_fit_writes_a_law_and_simulate_goes_on(tmp_path):
    tracks, out = written(tmp_path, frame().sample(frac=1, random_state=0)), tmp_path / "law"
    found = run("fit", tracks, "--vel", "vx,vy,vz", "-o", out, *SHORT)
    assert "free power law: F = m_i^1 m_j^1 r^-2" in found.stdout
    assert found.stdout.index("free power law") < found.stdout.index("network: F ~")
    assert sorted(p.name for p in out.iterdir()) == ["law.json", "law.svg", "pareto.csv"]
    law = json.loads((out / "law.json").read_text())
    assert set(law["bodies"]) == set(NAMES)
    assert len(law["masses"]) == len(law["sd"]) == 3
    power = dict(zip(law["bodies"], law["power law"]["masses"], strict=True))
    assert [power[n] / power["sun"] for n in NAMES] == pytest.approx(MASSES, rel=1e-2)
    run("fit", tracks, "-o", out, *SHORT)  # over an earlier law
    # Onward by the true law, from positions alone and with velocities.
    law["law"] = {"kind": "PowerLaw", "constant": 1.0, "r": -2.0, "m_i": 1.0, "m_j": 1.0}
    law["masses"] = [dict(zip(NAMES, MASSES, strict=True))[name] for name in law["bodies"]]
    (out / "law.json").write_text(json.dumps(law))
    expected, _ = simulate(NEWTON, MASSES, X0, V0, [0, 8, 10])
    for words, near in (((), 1e-2), (("--vel", "vx,vy,vz"), 1e-5)):
        run("simulate", out, "--start", tracks, "--until", "10", "-o", tmp_path / "s.csv", "--points", "5", *words)
        moved = pd.read_csv(tmp_path / "s.csv")
        assert list(moved.columns) == ["t", "body", "x", "y", "z", "vx", "vy", "vz"]
        assert len(moved) == 15
        last = moved[moved.t == 10].set_index("body").loc[list(NAMES), ["x", "y", "z"]].to_numpy()
        assert np.abs(last - expected[-1]).max() < near


def test_formulas_are_in_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "OPERON", Operon(60, 6))
    tracks, out = written(tmp_path, frame()), tmp_path / "law"
    run("fit", tracks, "-o", out, "--steps", "10", "--quiet")
    front = pd.read_csv(out / "pareto.csv")
    assert list(front.columns) == ["complexity", "loss", "score", "chosen", "formula"]
    assert front.chosen.sum() == 1
    assert front.score[front.chosen].item() == front.score.max()
    law = json.loads((out / "law.json").read_text())
    assert front.formula[front.chosen].item() == law["formula"]
    run("simulate", out, "--start", tracks, "--until", "8.01", "-o", tmp_path / "s.csv", "--integrator", "leapfrog")


def changed(change):
    def of(table):
        change(table)
        return table

    return of


def cell(column, value, row=7):
    def change(table):
        table[column] = table[column].astype(object)
        table.loc[row, column] = value

    return changed(change)


BROKEN = {
    "empty": (lambda t: t.iloc[:0], "must have at least one row"),
    "no such column": (lambda t: t.drop(columns="z"), "must name a column of"),
    "no time": (lambda t: t.drop(columns="t"), "must name a column of"),
    "text": (cell("x", "left"), "x"),
    "no value": (cell("y", np.nan), "must have a value in every row"),
    "infinite": (cell("x", np.inf), "must"),
    "twice": (lambda t: pd.concat([t, t.iloc[[7]]]), "must not have a body twice at a time; received ada at 0.134"),
    "gone": (lambda t: t.drop(index=8), "must be the same for all bodies; received no bea at 0.134"),
    "alone": (lambda t: t[t.body == "sun"], "must have at least two bodies"),
    "few": (lambda t: t[t.t < 0.1], "must have at least 3 times; received 2"),
    "one place": (
        changed(lambda t: t.__setitem__("x", 0) or t.__setitem__("y", 0) or t.__setitem__("z", 0)),
        "sun and ada coincide at time 0",
    ),
    "still": (
        changed(
            lambda t: (
                t.__setitem__("x", t.x.where(t.body != "bea", 3.0))
                or t.__setitem__("y", t.y.where(t.body != "bea", 3.0))
                or t.__setitem__("z", t.z.where(t.body != "bea", 3.0))
            )
        ),
        "received bea never moves",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_tracks_are_refused_in_one_line_and_nothing_is_written(tmp_path, what):
    change, message = BROKEN[what]
    path = written(tmp_path, change(frame()))
    with pytest.raises(InputError) as error:
        run("fit", path, "-o", tmp_path / "law", *SHORT)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "law").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pos", "x"), "--pos: must name 2 or 3 columns"),
        (("--vel", "vx,vy"), "--vel: must name 3 columns"),
        (("--steps", "0"), "--steps"),
        (("--regressor", "eureka"), "regressor"),
        (("--equivariance", "full"), "equivariance"),
    ],
)
def test_options_are_checked(tmp_path, words, message):
    with pytest.raises(InputError, match=message):
        run(
            "fit",
            written(tmp_path, frame()),
            "-o",
            tmp_path / "law",
            *(() if "--regressor" in words else SHORT[:2]),
            *words,
        )


def test_simulate_refuses_what_is_no_law_or_no_start(tmp_path):
    tracks, out = written(tmp_path, frame()), tmp_path / "law"
    with pytest.raises(InputError, match=r"law\.json"):
        run("simulate", tmp_path, "--start", tracks, "--until", "9")
    run("fit", tracks, "-o", out, *SHORT)
    with pytest.raises(InputError, match="--until: must be after the last time"):
        run("simulate", out, "--start", tracks, "--until", "8")
    other = frame().replace("bea", "eve")
    with pytest.raises(
        InputError, match="--start: must have the bodies of the law: sun, ada, bea; received different: bea, eve"
    ):
        run("simulate", out, "--start", written(tmp_path, other, "other.csv"), "--until", "9")
    good = json.loads((out / "law.json").read_text())
    for change in ({"law": {"kind": "os.system"}}, {"masses": [1.0]}, {"masses": "x"}, {"bodies": None}):
        (out / "law.json").write_text(json.dumps(good | change))
        with pytest.raises(InputError, match=r"law\.json: must"):
            run("simulate", out, "--start", tracks, "--until", "9")
    evil = {"kind": "FormulaLaw", "formula": "__import__('os').getcwd()", "sign": 1.0}
    (out / "law.json").write_text(json.dumps(good | {"law": evil}))
    with pytest.raises(InputError, match="formula: must be made of numbers"):
        run("simulate", out, "--start", tracks, "--until", "9")


def test_fit_writes_over_nothing_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(InputError, match="--out: must be new, empty or an earlier law"):
        run("fit", written(tmp_path, frame()), "-o", tmp_path, *SHORT)
    assert (tmp_path / "thesis.txt").read_text() == "all of it"


def test_fit_says_which_bodies_the_network_misses(tmp_path):
    tracks, out = written(tmp_path, frame()), tmp_path / "law"
    found = run("fit", tracks, "-o", out, "--vel", "vx,vy,vz", *SHORT)  # ten steps teach nothing
    law = json.loads((out / "law.json").read_text())
    errors = dict(zip(law["bodies"], law["network errors"], strict=True))
    worst = max(errors, key=errors.get)
    assert f"the network misses accelerations of {worst} ({100 * errors[worst]:.0f} %)" in found.stderr
    assert "--seed" in found.stderr
    found = run("fit", tracks, "-o", out, "--vel", "vx,vy,vz", "--regressor", "power", "--steps", "600", "--quiet")
    law = json.loads((out / "law.json").read_text())
    assert max(law["network errors"]) < 0.1
    assert "misses" not in found.output
