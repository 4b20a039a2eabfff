"""The verbs: shapes for a budget, the frontier of runs, and what is refused in one line."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.scale_efficiently import T5Shape, plan
from holdfast.systems.scale_efficiently.cli import app, number_of

RUNS = "name,params,upstream,superglue\ntiny,15.6,2.41,58.1\nmini,31.2,2.22,60.2\nodd,60,2.3,59\nsmall,60.5,2.07,66\n"


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_a_plan_is_a_table(tmp_path):
    found = run("plan", "--params", "220M", "--gpu-memory", 24, "-o", tmp_path / "plan.csv")
    table = pd.read_csv(tmp_path / "plan.csv")
    expected = plan(220e6, budget_memory_gb=24.0)
    assert table["shape"].tolist() == [one.name for one in expected]
    assert expected[0].name in found.stdout
    for row in table.itertuples():
        shape = T5Shape(row.el, row.dl, row.dm, row.ff, row.kv, row.nh)
        assert shape.params().total == row.params == T5Shape.from_name(row.shape).params().total
    assert "nearest released size: base" in found.stderr


def test_options_reach_the_planner():
    few = run("plan", "--blocks", 12, "--batch", 8, "--seq", 128, "--family", "uniform", "--top", 1, "--flops", "1e13")
    assert few.stdout.count("a released size") == 1
    assert "small" in few.stdout


@pytest.mark.parametrize(("text", "value"), [("220M", 220e6), ("1.5B", 1.5e9), ("2e20", 2e20), ("3k", 3e3)])
def test_numbers_have_units(text, value):
    assert number_of(text, "--params") == value


def test_runs_are_put_on_a_frontier(tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS)
    columns = ["--column", "cost=params", "--column", "quality=superglue"]
    out = ["-o", tmp_path / "f.csv", "--figure", tmp_path / "f.svg"]
    found = run("pareto", tmp_path / "runs.csv", *columns, *out)
    table = pd.read_csv(tmp_path / "f.csv")
    assert table["frontier"].tolist() == [True, True, False, True]
    assert table["saved"].round(3).tolist() == [0, 0, 28.8, 0]
    assert "3 of 4 runs" in found.stderr
    assert "upstream loss orders these runs well: rank correlation 1.00" in found.stderr
    assert (tmp_path / "f.svg").stat().st_size > 1000
    losses = run("pareto", tmp_path / "runs.csv", "--column", "cost=params", "--column", "quality=upstream", "--losses")
    assert "3 of 4 runs" in losses.stderr


def test_a_bad_guide_is_called_one(tmp_path):
    (tmp_path / "runs.csv").write_text("cost,quality,upstream\n1,5,2.0\n2,6,2.1\n3,4,2.2\n4,7,2.3\n")
    assert "is a bad guide to quality in these runs" in run("pareto", tmp_path / "runs.csv").stderr


def test_a_table_with_the_usual_names_needs_no_options(tmp_path):
    (tmp_path / "runs.csv").write_text("cost,quality\n1,2\n2,1\n")
    assert "1 of 2 runs" in run("pareto", tmp_path / "runs.csv").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plan",), "--params: must be given"),
        (("plan", "--params", "many"), "--params: must be a number"),
        (("plan", "--params", "-3M"), "--params: must be positive"),
        (("plan", "--params", "nan"), "--params: must be positive"),
        (("plan", "--params", "1M"), "budget: must be at least"),
        (("plan", "--params", "1B", "--family", "x"), "--family: must"),
        (("plan", "--params", "1B", "--seq", "0"), "--seq: must"),
        (("plan", "--params", "1B", "-o", "a.doc"), "must end in"),
        (("pareto", "none.csv"), "must be a file"),
        (("pareto", "empty.csv"), "empty.csv"),
        (("pareto", "runs.csv"), "--column: must say which column"),
        (("pareto", "text.csv"), "text.csv"),
        (("pareto", "nan.csv"), "must have a value in every row"),
        (("pareto", "zero.csv"), "must have positive costs"),
        (("pareto", "zero.csv", "-o", "zero.csv"), "must"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("runs.csv", RUNS), ("empty.csv", ""), ("text.csv", "cost,quality\na,b\n"),
        ("nan.csv", "cost,quality\n1,\n2,3\n"), ("zero.csv", "cost,quality\n0,1\n2,3\n"),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        run(*words)
    assert (tmp_path / "zero.csv").read_text() == "cost,quality\n0,1\n2,3\n"
