"""The verbs on files of one's own, on the corpus' format, on broken ones; the model is a tiny T5."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from tests.language.test_translation import t5, tokenizer
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.nmt_hallucinations.cli import app

GERMAN = ["das haus ist rot", "der hund", "rot rot das", "das haus"]
ENGLISH = ["the house is red", "the staff were friendly", "the staff were friendly", "red red red red red red red red"]
CSV = """,src,mt,ref,correctness,repetitions,named-entities,omission,strong-unsupport,full-unsupport
0,Das Haus ist rot.,The house is red.,The house is red.,1,0,0,0,0,0
1,Der Hund.,The staff were friendly.,The dog.,0,0,0,0,0,1
2,Guten Tag,Hello hello hello hello,Good day,0,1,0,0,1,0
"""


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, lines in (("a.de", GERMAN), ("b.en", ENGLISH)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "annotated.csv").write_text(CSV, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("a model")
    torch.manual_seed(3)
    t5(folder)
    tokenizer(folder)
    return folder


def test_two_files_become_scores_with_the_worst_shown_first(here):
    done = run("score", "--src", "a.de", "--mt", "b.en", "-o", "scores.tsv")
    assert done.exit_code == 0, done.output
    table = pd.read_csv("scores.tsv", sep="\t")
    assert table["row"].tolist() == [1, 2, 3, 4]
    assert table["repeated_targets"].tolist() == [1, 2, 2, 1]
    assert table["top_2gram"].tolist() == [0, 0, 0, 6]
    assert table["mt"].tolist() == ENGLISH
    assert table["suspicion"].idxmin() == 0
    shown = done.output[done.output.index("suspicion") :]
    assert shown.index("the house is red") > shown.index("red red red")
    assert "4 translations" in done.output


def test_a_table_with_references_and_its_evaluation(here):
    assert run("score", "annotated.csv", "-o", "s.parquet", "--quiet").exit_code == 0
    scores = pd.read_parquet("s.parquet")
    assert scores["chrf"].idxmin() == 0
    done = run("evaluate", "annotated.csv", "s.parquet", "--protocol", "per_type", "-o", "r.md", "--figure", "f.svg")
    assert done.exit_code == 0, done.output
    assert (here / "r.md").read_text().count("\n") == 2 + 3 * 7
    assert (here / "f.svg").is_file()
    rows = json.loads(run("evaluate", "annotated.csv", "s.parquet", "--json").output)["rows"]
    assert {row["count"] for row in rows} == {2}
    assert next(row for row in rows if row["detector"] == "chrf")["auroc"] == 100


def test_labels_and_columns_of_other_names(here):
    pd.DataFrame({"deutsch": GERMAN, "english": ENGLISH, "bad": [0, 1, 1, 1]}).to_csv("own.csv", index=False)
    mapped = ["--column", "src=deutsch", "--column", "mt=english"]
    assert run("score", "own.csv", *mapped, "-o", "s.csv").exit_code == 0
    done = run("evaluate", "own.csv", "s.csv", "--label", "bad", "--json")
    assert json.loads(done.output)["rows"][0]["count"] == 3
    with pytest.raises(InputError, match="hallucination"):
        run("evaluate", "own.csv", "s.csv")
    with pytest.raises(InputError, match="0 and 1"):
        run("evaluate", "s.csv", "s.csv", "--label", "top_2gram")


def test_an_empty_translation_is_scored_and_not_refused(here):
    (here / "b.en").write_text("the house is red\n\nthe dog\n\n")
    assert run("score", "--src", "a.de", "--mt", "b.en", "-o", "s.csv").exit_code == 0
    found = pd.read_csv("s.csv")
    assert found["length_ratio"].tolist()[1::2] == [0, 0]


def test_a_model_adds_what_it_says(here, model):
    done = run("score", "--src", "a.de", "--mt", "b.en", "-o", "s.csv", "--model", model, "--device", "cpu", "-q")
    assert done.exit_code == 0, done.output
    table = pd.read_csv("s.csv")
    assert (table["seq_logprob"] > 0).all()
    assert table["attn_to_eos"].between(0, 1).all()
    assert table["wass_to_unif"].between(0, 1).all()
    assert table["attn_ignored_source"].between(0, 1).all()


def test_translating_again_what_is_flagged(here, model):
    options = ["--model", model, "--device", "cpu", "-n", 2, "--beam", 2, "--max-tokens", 5, "--quantile", 0.5, "-q"]
    done = run("translate", "a.de", "-o", "t.tsv", *options)
    assert done.exit_code == 0, done.output
    table = pd.read_csv("t.tsv", sep="\t", keep_default_na=False)
    assert table["src"].tolist() == GERMAN
    assert 1 <= table["flagged"].sum() <= 3
    kept = table[~table["flagged"]]
    assert (kept["mt"] == kept["first"]).all()
    assert table["score"][table["flagged"]].min() >= kept["score"].max()
    assert "of these sources themselves" in done.output
    again = run("translate", "a.de", "-o", "u.tsv", *options, "--clean", "a.de")
    assert "of these sources" not in again.output
    assert np.array_equal(pd.read_csv("u.tsv", sep="\t"), pd.read_csv("t.tsv", sep="\t"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score"], "must be given"),
        (["score", "--src", "a.de"], "must be given"),
        (["score", "annotated.csv", "--src", "a.de", "--mt", "b.en"], "received both"),
        (["score", "--src", "a.de", "--mt", "empty"], "must hold sentences"),
        (["score", "--src", "a.de", "--mt", "none"], "must be a text file"),
        (["score", "--src", "a.de", "--mt", "short"], "as many lines"),
        (["score", "numbers.csv"], "src"),
        (["score", "--src", "a.de", "--mt", "b.en", "-o", "a.de"], "must end in"),
        (["score", "--src", "a.de", "--mt", "b.en", "--model", "."], "translation model"),
        (["evaluate", "annotated.csv", "short.csv"], "3 rows"),
        (["evaluate", "annotated.csv", "annotated.csv", "-o", "r.txt"], "must end in .md or .json"),
        (["evaluate", "annotated.csv", "words.csv"], "columns of scores"),
        (["evaluate", "annotated.csv", "nan.csv"], "no NaN"),
        (["translate", "empty", "--model", "."], "must hold sentences"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(here, words, said):
    (here / "empty").write_text("\n\n")
    (here / "short").write_text("one\n")
    (here / "numbers.csv").write_text("a,b\n1,2\n")
    (here / "short.csv").write_text("score\n1\n2\n")
    (here / "words.csv").write_text("mt\nx\ny\nz\n")
    (here / "nan.csv").write_text("score,n\n1,1\n,2\n3,3\n")
    with pytest.raises(InputError, match=said):
        run(*words)
    assert not (here / "scores.tsv").exists()
