"""The verbs on tables of our own making, whole and broken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.flt.cli import app

SHORT = ("--steps", "40", "--features", "32", "--quiet")
FIT = ("--set", "id", "--pos", "x,y", "--target", "field")


def table(path, **changed):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((120, 2)) * 5, columns=["x", "y"])
    frame = frame.assign(id=np.repeat([f"s{k}" for k in range(10)], 12), charge=rng.normal(size=120), note="n")
    frame["field"] = 2 * frame["charge"] + rng.normal(size=120) / 9
    for column, (row, value) in changed.items():
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
    frame.to_csv(path, index=False)
    return path


def run(*words):
    """Run a verb; an exception is raised here as the command line's main would see it."""
    found = CliRunner().invoke(app, [str(word) for word in words])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    data = table(folder / "points.csv")
    found = run("fit", data, *FIT, "-o", folder / "m", "--figure", folder / "bias.svg", *SHORT)
    return folder, found


def test_fit_says_r2_beside_plainer_ways(fitted):
    folder, found = fitted
    for words in (
        "FLT",
        "neighbour means",
        "mean",
        "2 sets held out",
        "all pairs of points (sets of at most 512)",
        "not used, being no numbers: note",
    ):
        assert words in found.output
    assert (folder / "m" / "model.safetensors").exists()
    assert b"<svg" in (folder / "bias.svg").read_bytes()


def test_predict_writes_a_row_per_point(fitted):
    folder, _ = fitted
    data = pd.read_csv(folder / "points.csv").drop(columns=["field", "note"]).sample(frac=1, random_state=0)
    data.to_parquet(folder / "new.parquet", index=False)
    run("predict", folder / "m", folder / "new.parquet", "-o", folder / "p.csv")
    found = pd.read_csv(folder / "p.csv")
    assert list(found) == ["row", "id", "field"]
    assert found["id"].tolist() == data["id"].tolist()
    assert np.corrcoef(found["field"], data["charge"])[0, 1] > 0.9


def test_inspect_draws_and_shows_the_bias(fitted):
    folder, _ = fitted
    found = run("inspect", folder / "m", "-o", folder / "bias.png")
    assert (folder / "bias.png").read_bytes()[:4] == b"\x89PNG"
    assert "head" in found.output
    assert "2 heads" in found.output


def test_time_stamps_and_chosen_columns(tmp_path):
    table(tmp_path / "p.csv")
    frame = pd.read_csv(tmp_path / "p.csv")
    frame["t"] = pd.Timestamp("2024-05-01") + pd.to_timedelta((frame["x"] * 3600).round(), unit="s")
    frame.drop(columns=["x"]).to_csv(tmp_path / "t.csv", index=False)
    words = ("--set", "id", "--pos", "t", "--target", "field", "--column", "feature=charge", "--attention", "linear")
    found = run("fit", tmp_path / "t.csv", *words, "--kind", "local", "-o", tmp_path / "m", *SHORT)
    assert "FAVOR+ with 32 features" in found.output
    run("inspect", tmp_path / "m", "-o", tmp_path / "b.png")


def test_axes_of_different_units_are_said(tmp_path, fitted):
    assert "hardly varies" not in fitted[1].output
    frame = pd.read_csv(table(tmp_path / "p.csv"))
    frame.assign(y=1000 * frame["y"]).to_csv(tmp_path / "p.csv", index=False)
    found = run("fit", tmp_path / "p.csv", *FIT, "-o", tmp_path / "m", *SHORT)
    assert "beside y, x hardly varies" in found.output


@pytest.mark.parametrize(
    ("changed", "words", "message"),
    [
        ({}, ("--set", "id", "--pos", "x,height", "--target", "field"), "must name a column"),
        ({}, ("--set", "id", "--pos", "x,x", "--target", "field"), "must name each column of the position once"),
        ({}, ("--set", "id", "--pos", "x,,y", "--target", "field"), "--pos: must be names of columns"),
        ({}, ("--set", "who", "--pos", "x,y", "--target", "field"), "must name a column"),
        ({}, ("--set", "id", "--pos", "x,y", "--target", "note"), "column 'note'"),
        ({"x": (4, np.nan)}, FIT, "must have a value in every row"),
        ({"y": (4, np.inf)}, FIT, "finite number"),
        ({"field": (4, np.nan)}, FIT, "must have a value in every row"),
        ({"charge": (4, np.nan)}, FIT, "none in row 6"),
        ({"id": (4, "alone")}, FIT, "one point in 'alone'"),
        ({}, (*FIT, "--kind", "box"), "kind"),
        ({}, (*FIT, "--column", "colour=x"), "must begin with one of the roles feature"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, changed, words, message):
    with pytest.raises(InputError) as error:
        run("fit", table(tmp_path / "p.csv", **changed), *words, "-o", tmp_path / "m", *SHORT)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "m").exists()


def test_files_that_are_no_tables(tmp_path, fitted):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="empty"):
        run("fit", tmp_path / "empty.csv", *FIT, "-o", tmp_path / "m")
    (tmp_path / "head.csv").write_text("id,x,y,field\n")
    with pytest.raises(InputError, match="at least one row"):
        run("fit", tmp_path / "head.csv", *FIT, "-o", tmp_path / "m")
    other = table(tmp_path / "other.csv")
    pd.read_csv(other).drop(columns="charge").to_csv(other, index=False)
    with pytest.raises(InputError, match=r"columns of the model: .*'charge'"):
        run("predict", fitted[0] / "m", other, "-o", tmp_path / "p.csv")
    with pytest.raises(InputError):
        run("predict", tmp_path, other, "-o", tmp_path / "p.csv")
