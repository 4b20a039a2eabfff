"""The tokenizer and parser: agreement with the reference on real programs, and what it stumbles over."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.sql.dialect import to_engine
from holdfast.sql.reading import check
from holdfast.sql.tokens import ParseError, tokenize
from holdfast.systems.binder.method.program import BinderProgram
from holdfast.systems.binder.tool.repair import drop_surplus_parentheses

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "binder.json").read_text(encoding="utf-8"))
PROGRAMS: list[dict[str, Any]] = VECTORS["programs"]
WELL_FORMED = [entry for entry in PROGRAMS if "error" not in entry]
MALFORMED = [entry["program"] for entry in PROGRAMS if "error" in entry]


def test_the_vectors_are_all_there() -> None:
    assert len(WELL_FORMED) == 224
    assert len(MALFORMED) == 3


def test_real_programs_parse_as_in_the_reference() -> None:
    for entry in WELL_FORMED:
        program = BinderProgram.parse(entry["program"])
        assert program.steps == entry["steps"]
        assert [[f"{call.kind}@{call.question}", list(call.args)] for call in program.calls] == entry["qa"]


@pytest.mark.parametrize("text", MALFORMED)
def test_real_malformed_programs_are_rejected_where_they_break(text: str) -> None:
    with pytest.raises(ParseError, match="has no '\\(' before it") as caught:
        BinderProgram.parse(text)
    position = caught.value.position
    assert text[position] == ")"
    before = text[:position]  # an independent count: outside of quotes, as many closed as opened
    bare = "".join(part for i, part in enumerate(before.replace('"', "'").split("'")) if i % 2 == 0)
    assert bare.count("(") == bare.count(")")
    BinderProgram.parse(drop_surplus_parentheses(text))


def test_tokens_join_to_the_program() -> None:
    for entry in PROGRAMS:
        assert "".join(token.text for token in tokenize(entry["program"])) == entry["program"]


def position_of_error(text: str, read: Callable[[str], object]) -> int | None:
    try:
        read(text)
    except ParseError as error:
        return error.position
    return None


@given(st.text(alphabet="aQA()'\"`;[]-/* @.,\n1é", max_size=40))
def test_any_text_is_tokenized_or_rejected_with_a_position(text: str) -> None:
    broken = position_of_error(text, tokenize)
    if broken is not None:
        assert 0 <= broken <= len(text)
        return
    tokens = tokenize(text)
    assert "".join(token.text for token in tokens) == text
    assert [token.start for token in tokens] == [0, *(token.end for token in tokens[:-1])][: len(tokens)]


@given(st.text(alphabet="aQA()'\"`;[]- @map\n1", max_size=60))
def test_any_text_is_parsed_or_rejected_with_a_position(text: str) -> None:
    broken = position_of_error(text, BinderProgram.parse)
    if broken is not None:
        assert 0 <= broken <= len(text)
        return
    for call in BinderProgram.parse(text).occurrences:
        assert text[slice(*call.span)] == call.text


# ------------------------------------------------------------------------------------------------------------- pitfalls
@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'QA(\"map@x\"; a)' FROM w",
        'SELECT a FROM w -- QA("map@x"; a)',
        'SELECT a FROM w /* QA("map@x"; a) */',
        'SELECT `QA("map@x"; a)` FROM w',
        'SELECT [QA("map@x"; a)] FROM w',
        "SELECT QAX FROM w",
    ],
)
def test_what_looks_like_a_call_inside_of_quotes_is_none(text: str) -> None:
    assert BinderProgram.parse(text).calls == ()


@pytest.mark.parametrize(
    ("text", "question", "args"),
    [
        ('QA("map@is (a) a win; or not?"; `home team score (a)`)', "is (a) a win; or not?", ("`home team score (a)`",)),
        ('QA("map@x"; `career\\nsr`)', "x", ("`career\\nsr`",)),
        ('QA("map@it\'s?"; a)', "it's?", ("a",)),
        ('QA("map@say ""hi"""; a)', 'say "hi"', ("a",)),
        ("QA('map@x'; a; 'lit;eral)'; \"b)\")", "x", ("a", "'lit;eral)'", '"b)"')),
        ('QA ( "map@x" ; SELECT a FROM w WHERE b IN (1; 2) )', "x", ("SELECT a FROM w WHERE b IN (1; 2)",)),
        ('qa("MAP@x"; a /* ) */ )', "x", ("a",)),
        ('QA("map@a@b"; a)', "a@b", ("a",)),
    ],
)
def test_calls_that_the_reference_cannot_read(text: str, question: str, args: tuple[str, ...]) -> None:
    program = BinderProgram.parse(text)
    assert [(call.question, call.args) for call in program.calls] == [(question, args)]
    assert program.is_call


def test_calls_run_inner_first_and_equal_ones_once() -> None:
    inner, outer = 'QA("map@in"; a)', 'QA("ans@out"; SELECT a FROM w WHERE QA("map@in"; a) = 1)'
    program = BinderProgram.parse(f"SELECT {inner}, {outer}, {inner} FROM w")
    assert [call.text for call in program.calls] == [inner, outer]
    assert len(program.occurrences) == 4
    assert program.skeleton == "SELECT call_1, call_2, call_1 FROM w"


def test_substitution_goes_by_position() -> None:
    """A call whose text is the beginning of a longer text: replacing text would damage the literal."""
    call = 'QA("map@x"; a)'
    program = BinderProgram.parse(f"SELECT {call}, '{call}+' FROM w")
    assert program.replace(lambda found: "col_1") == f"SELECT col_1, '{call}+' FROM w"


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("", 0, "empty"),
        ("SELECT (a FROM w", 7, r"'\(' is never closed"),
        ("SELECT a) FROM w", 8, r"no '\('"),
        ("SELECT 'a FROM w", 7, "never closed"),
        ("SELECT a /* FROM w", 9, "never closed"),
        ("SELECT a\0 FROM w", 8, "NUL"),
        ("SELECT QA(a; b) FROM w", 9, "question in quotes"),
        ('SELECT QA("x"; b) FROM w', 10, "map@ or ans@"),
        ('SELECT QA("sum@x"; b) FROM w', 10, "map@ or ans@"),
        ('SELECT QA("map@ "; b) FROM w', 10, "must not be empty"),
        ('SELECT QA("map@x") FROM w', 17, "columns, a SELECT or literals"),
        ('SELECT QA("map@x"; ) FROM w', 19, "columns, a SELECT or literals"),
        ("SELECT " + "(" * 51 + ")" * 51, 57, "at most 50"),
        ("SELECT 1 -- " + "x" * 20_000, 20_000, "at most 20,000"),
    ],
)
def test_malformed_programs_are_rejected_where_they_break(text: str, position: int, rule: str) -> None:
    with pytest.raises(ParseError, match=rule) as caught:
        BinderProgram.parse(text)
    assert caught.value.position == position
    assert isinstance(caught.value, InputError)
    assert "\n" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_the_position_is_told_in_lines_and_columns() -> None:
    with pytest.raises(ParseError, match="line 2, column 9"):
        BinderProgram.parse("SELECT a\nFROM w  ) x")


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_every_real_program_passes(engine: str) -> None:
    for entry in PROGRAMS:
        if "error" in entry:
            continue
        program = BinderProgram.parse(entry["program"])
        statements = [arg for call in program.calls for arg in call.args if arg.upper().startswith("SELECT")]
        for sql in [*statements, *([] if program.is_call else [program.skeleton])]:
            check(to_engine(sql, [], engine), engine)
