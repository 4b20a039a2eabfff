"""`holdfast trolls clean` on files: what is kept is what was there, errors are one line."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.trolls.cli import app

FAST = ["--encoder", "tfidf"]


def run(*arguments):
    """Stdout and stderr of a verb that must succeed."""
    result = CliRunner().invoke(app, ["clean", *map(str, arguments)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def refused(*arguments):
    """The error of a verb that must be refused."""
    result = CliRunner().invoke(app, ["clean", *map(str, arguments)])
    assert isinstance(result.exception, InputError | SystemExit), result.output
    return f"{result.exception} {result.output}"


def table(n=120):
    rng = np.random.default_rng(0)
    rude = rng.random(n) < 0.5
    words = (("thanks", "lovely", "kind"), ("stupid", "ugly", "liar"))
    rows = pd.DataFrame(
        {
            "id": [f"00{i}" for i in range(n)],
            "message": [f"you, {rng.choice(words[int(r)])} {rng.choice(words[int(r)])}" for r in rude],
            "verdict": np.where(rude, "bad", "ok"),
            "who": [f"user {i % 10}" for i in range(n)],
            "price": ["1.50", "NA", "x,y"] * (n // 3),
            "a": rude * 2.0 + rng.normal(size=n) * 0.5,
            "b": rng.normal(size=n),
        }
    )
    trolls = rows["who"].isin(["user 0", "user 7"])
    rows.loc[trolls, "verdict"] = np.where(rude[trolls], "ok", "bad")
    return rows


@pytest.fixture
def feedback(tmp_path):
    table().to_csv(tmp_path / "feedback.csv", index=False)
    return tmp_path / "feedback.csv"


COLUMNS = ["--text", "message", "--label", "verdict", "--user", "who", *FAST]


def test_trolls_are_dropped_and_all_other_cells_stay(feedback, tmp_path):
    said = run(feedback, *COLUMNS, "-o", tmp_path / "clean.csv", "--report", tmp_path / "users.csv", "--quiet")
    before = feedback.read_text().splitlines()
    after = (tmp_path / "clean.csv").read_text().splitlines()
    assert after[0] == before[0]
    assert after[1:] == [line for line in before[1:] if "user 0" not in line and "user 7" not in line]
    report = pd.read_csv(tmp_path / "users.csv")
    assert set(report.loc[report["dropped"], "user"]) == {"user 0", "user 7"}
    assert report.columns.tolist() == ["user", "examples", "kept", "mean_trust", "disagreement", "dropped"]
    assert "'ok' is taken for positive" in said
    assert "96 of 120 rows kept" in said
    assert "texts: read by words (TF-IDF)" in said


def test_flip_changes_the_label_alone(feedback, tmp_path):
    run(feedback, *COLUMNS, "--method", "flip", "-o", tmp_path / "clean.csv")
    before, after = (pd.read_csv(path, dtype=str, na_filter=False) for path in (feedback, tmp_path / "clean.csv"))
    assert before.drop(columns="verdict").equals(after.drop(columns="verdict"))
    changed = before["verdict"] != after["verdict"]
    assert set(before.loc[changed, "who"]) == {"user 0", "user 7"}


@pytest.mark.parametrize("kind", ["columns", "npy"])
def test_numbers_instead_of_texts(kind, feedback, tmp_path):
    np.save(tmp_path / "f.npy", table()[["a", "b"]].to_numpy())
    features = "a, b" if kind == "columns" else tmp_path / "f.npy"
    figure = tmp_path / "users.svg"
    options = [*COLUMNS[2:], "-o", tmp_path / "clean.parquet", "--figure", figure, "--positive", "bad"]
    run(feedback, "--features", features, *options)
    kept = pd.read_parquet(tmp_path / "clean.parquet")
    assert set(kept["who"]) == {f"user {i}" for i in range(10)} - {"user 0", "user 7"}
    assert kept["id"].iloc[0] == "001"
    assert "</svg>" in figure.read_text()


def test_parquet_and_jsonl_with_labels_of_other_types(tmp_path):
    rows = table()
    rows["verdict"] = (rows["verdict"] == "bad").astype(int)
    rows.to_parquet(tmp_path / "feedback.parquet")
    run(tmp_path / "feedback.parquet", *COLUMNS, "-o", tmp_path / "clean.parquet")
    kept = pd.read_parquet(tmp_path / "clean.parquet")
    pd.testing.assert_frame_equal(
        kept, rows[~rows["who"].isin(["user 0", "user 7"])].reset_index(drop=True), check_dtype=False
    )
    assert kept["verdict"].dtype.kind == "i"
    lines = [json.dumps(row) for row in rows.to_dict("records")]
    (tmp_path / "feedback.jsonl").write_text("\n".join(lines))
    run(tmp_path / "feedback.jsonl", *COLUMNS, "--method", "user+example", "-o", tmp_path / "clean.csv")
    assert 60 < len(pd.read_csv(tmp_path / "clean.csv")) <= 96


def test_validation_data(feedback, tmp_path):
    out = tmp_path / "valid_clean.csv"
    said = run(feedback, *COLUMNS, "-o", tmp_path / "c.csv", "--validation", feedback, "--validation-out", out)
    assert f"valid_clean.csv: {len(pd.read_csv(out))} of 120 rows kept" in said
    assert not set(pd.read_csv(out)["who"]) & {"user 0", "user 7"}
    assert "--validation-out" in refused(feedback, *COLUMNS, "-o", tmp_path / "d.csv", "--validation", feedback)


def test_users_may_be_missing(feedback, tmp_path):
    rows = table()
    rows.loc[:4, "who"] = None
    rows.to_csv(feedback, index=False)
    assert "5 of 120 rows have no user" in run(feedback, *COLUMNS, "-o", tmp_path / "clean.csv")


def test_words_for_no_user_count_where_they_are_named(feedback, tmp_path):
    rows = table()
    rows.loc[:4, "who"] = "NULL"
    rows.to_csv(feedback, index=False)
    options = [feedback, *COLUMNS, "-o", tmp_path / "clean.csv", "--report", tmp_path / "users.csv"]
    assert "have no user" not in run(*options)
    assert "NULL" in (tmp_path / "users.csv").read_text()
    assert "5 of 120 rows have no user" in run(*options, "--null", "null")
    assert "NULL" not in (tmp_path / "users.csv").read_text()
    assert "NULL" in (tmp_path / "clean.csv").read_text(), "cells stay as they are"


@pytest.mark.parametrize("kind", ["int", "bool"])
def test_flipped_labels_keep_their_type(kind, tmp_path):
    rows = table()
    rows["verdict"] = (rows["verdict"] == "bad").astype(kind)
    rows.to_parquet(tmp_path / "feedback.parquet")
    run(tmp_path / "feedback.parquet", *COLUMNS, "--method", "flip", "-o", tmp_path / "clean.parquet")
    flipped = pd.read_parquet(tmp_path / "clean.parquet")["verdict"]
    assert flipped.dtype == rows["verdict"].dtype
    assert set(rows.loc[flipped != rows["verdict"], "who"]) == {"user 0", "user 7"}


def test_no_file_is_written_over_another_of_the_same_command(feedback, tmp_path):
    before = feedback.read_text()
    assert "--out: must be another file than one that is read" in refused(feedback, *COLUMNS, "-o", feedback)
    assert feedback.read_text() == before
    out = tmp_path / "clean.csv"
    assert "--report: must be another file than that of --out" in refused(
        feedback, *COLUMNS, "-o", out, "--report", tmp_path / "." / "clean.csv"
    )
    assert not out.exists()


def test_what_was_decided_while_reading_is_said(feedback, tmp_path):
    feedback.write_text(feedback.read_text().replace("id,", "a,", 1))
    assert "'a' is the name of 2 columns" in run(feedback, *COLUMNS, "-o", tmp_path / "clean.csv")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--label", "verdikt"], "verdict"),
        (["--user", "nobody"], "nobody"),
        (["--text", "msg"], "msg"),
        (["--label", "id"], "--label: must have two different labels"),
        (["--positive", "fine"], "--positive"),
        (["--tau", "1.0"], "--tau: removes everything"),
        (["--alpha", "2"], "--alpha"),
        (["--folds", "1"], "--folds"),
        (["--method", "magic"], "--method"),
        (["--features", "a"], "both"),
    ],
)
def test_wrong_options_are_one_line_and_leave_no_file(change, says, feedback, tmp_path):
    out = tmp_path / "clean.csv"
    assert says in refused(feedback, *COLUMNS, "-o", out, *change)
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "must not be empty"),
        ("message,verdict,who\n", "at least one row"),
        ("message,verdict,who\nhello,ok,ann\n", "--label: must have at least 2 different"),
        ("message,verdict,who\nhello,ok,ann\n,bad,bob\n", "value in every row"),
        ("message,verdict,who\nhello,ok,ann\nhey,,bob\n", "value in every row"),
        ("message,verdict,who\nhello,ok,ann\nhey,bad,bob\n", "--folds: must leave both labels"),
    ],
)
def test_broken_files_are_one_line(content, says, tmp_path):
    path = tmp_path / "feedback.csv"
    path.write_text(content)
    error = refused(path, *COLUMNS, "-o", tmp_path / "clean.csv")
    assert says in error
    assert not (tmp_path / "clean.csv").exists()


def test_numbers_that_are_none_and_arrays_that_do_not_fit(feedback, tmp_path):
    options = [*COLUMNS[2:], "-o", tmp_path / "clean.csv"]
    assert "price" in refused(feedback, "--features", "price", *options)
    np.save(tmp_path / "short.npy", np.zeros((3, 2)))
    assert "row for each" in refused(feedback, "--features", tmp_path / "short.npy", *options)
    assert "must end in .csv, .tsv or .parquet" in refused(feedback, *COLUMNS, "-o", tmp_path / "clean.txt")
