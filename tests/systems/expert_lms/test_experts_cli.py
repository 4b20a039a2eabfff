"""The verbs on files: a library that grows, answers, a report; and what is refused in one line."""

import json

import pandas as pd
import pytest
from tests.toy_experts import Letters, rows_of
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.expert_lms.cli import app


@pytest.fixture(autouse=True)
def letters(monkeypatch):
    """An encoder that takes no time."""
    monkeypatch.setattr("holdfast.encoders.sentences.default_encoder", Letters)


def written(path, rows, labelled=True):
    lines = ({"input": r.input, "choices": r.choices} | ({"target": r.answer} if labelled else {}) for r in rows)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def library(tmp_path):
    for name, turned in (("bread", False), ("cliff", True)):
        task = written(tmp_path / f"{name}.jsonl", rows_of(name, turned=turned))
        assert run("add", tmp_path / "lib", task, "--name", name, "--steps", 60, "--lr", 0.01, "-q").exit_code == 0
    return tmp_path / "lib"


def test_a_library_grows_and_answers(library, tmp_path):
    rows = rows_of("cliff", seed=3, turned=True)
    new = written(tmp_path / "new.jsonl", rows, labelled=False)
    found = run("route", library, new, "-o", tmp_path / "answers.jsonl")
    assert "cliff" in found.stdout
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [a["input"] for a in answers] == [row.input for row in rows]
    assert sum(a["answer"] == row.answer for a, row in zip(answers, rows, strict=True)) > 0.95 * len(rows)
    assert {a["expert"] for a in answers} == {"cliff"}
    run("route", library, new, "--expert", "bread", "-o", tmp_path / "answers.csv")
    table = pd.read_csv(tmp_path / "answers.csv")
    assert set(table["expert"]) == {"bread"}
    assert (table["answer"] != [row.answer for row in rows]).mean() > 0.8


def test_texts_a_line_take_their_choices_from_the_command(library, tmp_path):
    (tmp_path / "new.txt").write_text("bread oo aa mmmm\nbread ee ee qqqq\n")
    run("route", library, tmp_path / "new.txt", "--choices", "no, yes", "-o", tmp_path / "a.jsonl")
    answers = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [a["answer"] for a in answers] == ["yes", "no"]


def test_where_nothing_is_sure_the_base_answers_and_it_is_said(library, tmp_path):
    mixed = rows_of("bread", seed=4)[:6] + rows_of("cliff", seed=4)[:6]
    found = run("route", library, written(tmp_path / "mixed.jsonl", mixed), "-o", tmp_path / "a.jsonl")
    assert "not sure: the vote is split" in found.stderr
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])["expert"] == "base"


def test_the_report_is_a_table_and_a_figure(library, tmp_path):
    tasks = [written(tmp_path / f"{n}.jsonl", rows_of("bread", seed=i)) for i, n in enumerate(("monday", "tuesday"))]
    found = run("report", library, *tasks, "-o", tmp_path / "r.csv", "--figure", tmp_path / "r.svg")
    assert "monday" in found.stdout
    table = pd.read_csv(tmp_path / "r.csv", index_col="task")
    assert table.loc["mean", "roe"] > 95
    assert (tmp_path / "r.svg").stat().st_size > 1000


def test_p3_files_make_experts(tmp_path):
    lines = (
        {"inputs_pretokenized": r.input, "answer_choices": r.choices, "targets_pretokenized": r.answer}
        for r in rows_of("wind")
    )
    (tmp_path / "p3.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run("add", tmp_path / "lib", tmp_path / "p3.jsonl", "--name", "wind", "--steps", 2, "-q").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "lib", "bread.jsonl", "--name", "bread"), "--name: must be new in this library"),
        (("add", "lib", "empty.jsonl", "--name", "x"), r"empty\.jsonl: must hold"),
        (("add", "lib", "nan.jsonl", "--name", "x"), r"nan\.jsonl, line 1: must have a text"),
        (("add", "lib", "one.jsonl", "--name", "x"), r"one\.jsonl: must have at least two rows"),
        (("add", "lib", "none.jsonl", "--name", "x"), r"none\.jsonl: must be a text file"),
        (("add", "lib", "bread.jsonl", "--name", "x", "--stored", "0"), "--stored: must"),
        (("add", "other", "bread.jsonl", "--name", "x"), "other: must be a library"),
        (("route", "lib", "new.txt", "-o", "a.jsonl"), "must have choices"),
        (("route", "lib", "new.txt", "--choices", "yes", "-o", "a.jsonl"), "choices must be two or more"),
        (("route", "lib", "new.txt", "--choices", "a,b", "-o", "a.doc"), "must end in"),
        (
            ("route", "lib", "new.txt", "--choices", "a,b", "-o", "a.jsonl", "--expert", "x"),
            "must be one of bread, cliff",
        ),
        (("route", "lib", "new.txt", "--choices", "a,b", "-o", "a.jsonl", "--vote", "x"), "--vote: must"),
        (
            ("route", "lib", "new.txt", "--choices", "a,b", "-o", "a.jsonl", "--fallback", "mt"),
            "needs a multitask model",
        ),
        (("route", "other", "new.txt", "--choices", "a,b", "-o", "a.jsonl"), "other: must be a library"),
        (("route", "lib", "new.jsonl", "-o", "new.jsonl"), "must"),
        (("report", "lib", "unlabelled.jsonl"), "must have 'target'"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_lost(library, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("empty.jsonl", ""), ("nan.jsonl", '{"input": NaN}\n'), ("new.txt", "bread oo\n"),
        ("one.jsonl", '{"input": "a", "choices": ["b", "c"], "target": 0}\n'),
        ("unlabelled.jsonl", '{"input": "a", "choices": ["b", "c"]}\n'),
        ("new.jsonl", '{"input": "a", "choices": ["b", "c"]}\n'),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.tex").write_text("dear")
    before = {p.name: p.read_bytes() for p in library.iterdir()}
    with pytest.raises(InputError, match=message):
        run(*words)
    assert {p.name: p.read_bytes() for p in library.iterdir()} == before
    assert not (tmp_path / "a.jsonl").exists()
