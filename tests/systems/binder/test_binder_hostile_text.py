"""Texts of models, endpoints and strangers that once took minutes to read, or took over a terminal."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from holdfast.errors import InputError
from holdfast.language import ModelError, OpenAICompatible, Recorder
from holdfast.language.budget import Budget, Limits
from holdfast.language.endpoint import Prices
from holdfast.language.transport import Patience
from holdfast.sandbox.patterns import PatternTimeout
from holdfast.systems.binder import Binder, Executor, FunctionAnswerer, FunctionMapper, RegexMapper, Table
from holdfast.systems.binder.tool.callrunner import CallFailed
from holdfast.systems.binder.tool.completions import read_program, read_rows, read_values
from holdfast.systems.binder.tool.display import show_result
from holdfast.systems.binder.tool.options import Output
from holdfast.systems.binder.tool.questions import Choice, read_question
from holdfast.systems.binder.tool.repair import repaired
from holdfast.systems.binder.tool.templates import NoTemplate, read_template
from holdfast.systems.binder.tool.wtq import normalize
from scripted_server import Server, send

LONG = 20_000  # each was minutes, and is milliseconds
BLANKS = [" " * LONG, ("\n" + " " * 300) * 60, " " * LONG + ":" + " " * LONG, "sql" + "\t" * LONG]


@pytest.mark.parametrize("blanks", BLANKS, ids=range(len(BLANKS)))
def test_completions_of_blanks(blanks: str) -> None:
    assert read_program(blanks + "x") in ("x", ":" + blanks.split(":")[-1] + "x", "sql" + "\t" * LONG + "x")
    assert read_program(blanks + "SELECT 1 FROM w").endswith("SELECT 1 FROM w")
    assert read_rows(blanks, 3) == [None] * 3
    assert read_values(blanks + "x")[-1].endswith("x")


@pytest.mark.parametrize(
    "question", ["which " + "of " * LONG, "which " + ": " * LONG, "what " + "of a" * LONG, "is it " + "a " * LONG]
)
def test_questions_without_end(question: str) -> None:
    assert not isinstance(read_question(question), Choice)
    with pytest.raises(NoTemplate):
        read_template("how many " + question[:6000], Table.from_dict({"a": ["x"]}))


def test_questions_with_options_are_read_as_before() -> None:
    assert read_question("which colour: red, green or blue?") == Choice(("red", "green", "blue"))
    assert read_question("what kind of ship is it: tug or ferry") == Choice(("tug", "ferry"))
    assert read_question("which of red and green") == Choice(("red", "green"))
    assert read_question("which kind of ship") is None
    assert read_question("which:") is None


def test_answers_without_end() -> None:
    for text in ("x" + "*#+" * LONG + "y", "x" + " (" * LONG, "x" + "[" * LONG):
        assert normalize(text) == text
    assert normalize("x" + "[1]" * 500 + " (a)" * 500) == "x"
    assert normalize("x" + "[1]" * 500 + "y") == "x" + "[1]" * 500 + "y"


def test_texts_are_compared_with_a_stranger_s_cells_only_so_often() -> None:
    letters = random.Random(0)
    cells = ["".join(letters.sample("abcdefghij" * 3, 30)) for _ in range(1000)]
    table = Table.from_dict({"a": cells})
    program = f"SELECT a FROM w WHERE a IN ({', '.join(repr(cell[::-1]) for cell in cells[:350])})"
    assert repaired(program, table) == program
    near = f"SELECT a FROM w WHERE a = '{cells[7].upper()}'"
    assert repaired(near, table) == f"SELECT a FROM w WHERE a = '{cells[7]}'"
    assert Table.from_dict({"a" * LONG: [1], "ab": [2]}).nearest("b" * LONG) is None


def test_patterns_that_backtrack_are_ended() -> None:
    mapper = RegexMapper({"all a?": "^(a+)+$", "number?": r"(\d+)"}, seconds=0.1)
    table = Table.from_dict({"a": ["a" * 60 + "!", "7"]})
    with Executor(mapper=mapper) as executor:
        with pytest.raises(CallFailed, match=r"takes longer than 0\.1 s on 2 rows.*0 of 2 different rows"):
            executor.run('QA("map@all a?"; a)', table)
        mapper.seconds = 600.0
        assert executor.run('QA("map@number?"; a)', table).answer == [None, 7]
    with Budget(Limits(timeout_s=0.1)), pytest.raises(PatternTimeout, match="takes longer than 0"):
        mapper.map("all a?", [("a" * 60 + "!",)], ("a",))


def test_no_cell_answer_or_name_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"
    table = Table.from_dict({"a": [f"{evil}x"], f"b{evil}": ["y"]})
    with Executor(mapper=FunctionMapper(lambda question, cell: evil + cell, name="evil")) as executor:
        result = executor.run(f"SELECT QA(\"map@{evil}?\"; a), '{evil}' FROM w", table)
    show_result(result, Output())
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\x9b\u202e")
    assert out.count("owned") > 8  # in program, names, cells and answers


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_no_program_is_written_into_a_log(
    engine: str, kept_engines: None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The parser warns about statements that it does not know, with their text."""
    with Executor(engine) as executor:
        for program in (
            "SHOW 'x\x1b[2Jowned'",
            "DROP TABLE 'x\x1b[2Jowned'",
            "SELECT json_extract(a, '\x1b[[') FROM w",
        ):
            with pytest.raises(InputError) as refused:
                executor.run(program, Table.from_dict({"a": ["x"]}))
            assert str(refused.value).isprintable()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_half_a_character_is_a_question_mark_wherever_it_comes_from(engine: str, kept_engines: None) -> None:
    """Texts with one cannot be written as UTF-8, which is what engines and files keep."""
    half = "\ud800"
    mapper = FunctionMapper(lambda question, *cells: cells[0] + half, name=half)
    answerer = FunctionAnswerer(lambda question, rows, header: [rows[0][0], half], name="half")
    table = Table.from_dict({f"a{half}": [f"x{half}", "y"], "n": [1, 2]}, title=half)
    with Executor(engine, mapper=mapper, answerer=answerer) as executor:
        for program, answer in (
            (f'QA("map@is it {half}?"; a)', ["x??", "y?"]),
            (f"SELECT n FROM w WHERE QA(\"map@{half}\"; a; '{half}') = 'x??'", [1]),
            (f'SELECT n FROM w WHERE a IN QA("ans@{half}"; a)', [1]),
            (f"SELECT '{half}' || a FROM w WHERE a <> '{half}' AND n = 2", ["?y"]),
        ):
            assert executor.run(program, table).answer == answer


def says(content: bytes, *more: bytes) -> bytes:
    return b'{"choices": [{"message": {"content": "%s"}%s}]%s}' % (content, *(*more, b"", b"")[:2])


PACKED, TWICE = {"Content-Encoding": "gzip"}, {"Content-Encoding": "gzip, gzip"}
ANSWERS: dict[str, tuple[bytes, dict[str, str], object]] = {
    "nested without end": (b"[" * 200_000, {}, "no JSON"),
    "half a character": (says(b"SELECT '\\ud800' FROM w"), {}, ["?"]),
    "tokens beyond measure": (says(b"SELECT 1", b"", b', "usage": {"prompt_tokens": 1%s}' % (b"0" * 400)), {}, [1]),
    "impossible": (says(b"SELECT 1", b', "logprobs": {"content": [{"logprob": -Infinity}]}'), {}, [1]),
    "compressed": (gzip.compress(says(b"SELECT 1")), PACKED, [1]),
    "compressed twice": (gzip.compress(gzip.compress(b" " * 10**7)), TWICE, "not asked for"),
    "bomb": (gzip.compress(b" " * 10**8), PACKED, "more than 16777216 bytes"),
}


@pytest.mark.parametrize(("body", "headers", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answers_of_endpoints_that_broke_something(
    body: bytes, headers: dict[str, str], expected: object, kept_engines: None, tmp_path: Path
) -> None:
    with Server(lambda handler, _: send(handler, 200, body, **headers)).running() as server:
        model = OpenAICompatible(server.url, "m", patience=Patience(timeout_s=30, retries=0), prices=Prices(1, 1))
        binder = Binder(Recorder(model, tmp_path / "record.jsonl"), n_samples=1)
        if isinstance(expected, str):
            with pytest.raises(ModelError, match=expected):
                binder.ask("?", Table.from_dict({"a": ["x"]}))
        else:
            assert binder.ask("?", Table.from_dict({"a": ["x"]})).answer == expected
        model.close()
