"""Annotated examples for prompts, of our own writing: questions, statements and calls with their tables.

Files of JSON lines, so that users can bring their own. `questions` and `statements` have a program that gives their
answer when their calls are answered as noted (a test runs them all); these calls, and those of `calls`, are what
prompts for calls choose from.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.sql.table import SQLTable

HERE = Path(__file__).parent
Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class CallExample:
    """A call and its answers.

    Attributes:
        kind: "map" has one answer per row, "ans" the values that answer for the whole table.
        question: without "map@" or "ans@".
        header, rows: the columns that the call is about.
        answers: in order.
        title: of the table.
    """

    kind: Literal["map", "ans"]
    question: str
    header: tuple[str, ...]
    rows: Rows
    answers: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True)
class ProgramExample:
    """A question or statement, its table, and the program that answers it.

    Attributes:
        title, header, rows: the table, normalised.
        question: a question, or a statement to be checked.
        program: SQL with calls.
        answer: what it gives.
        calls: the answers of its calls.
    """

    title: str
    header: tuple[str, ...]
    rows: Rows
    question: str
    program: str
    answer: tuple[str | int | float, ...] = ()
    calls: tuple[CallExample, ...] = ()

    @functools.cached_property
    def table(self) -> SQLTable:
        """The table, with the types of its columns."""
        return SQLTable.from_rows(self.header, self.rows, self.title).normalized()


@functools.cache
def load_programs(name: str = "questions") -> tuple[ProgramExample, ...]:
    """Examples of programs: "questions", "statements", or the path of a file of your own.

    Raises:
        InputError: no such file, or a line that is not an example (names the line).

    Example:
        >>> load_programs("statements")[1].question
        'every game at rover park drew more than 1200 people'
    """
    return tuple(_program(entry, where) for entry, where in _lines(name))


@functools.cache
def load_calls(kind: Literal["map", "ans"]) -> tuple[CallExample, ...]:
    """All packaged calls of a kind, those inside of programs too; each once."""
    programs = [example for name in ("questions", "statements") for example in load_programs(name)]
    inside = [call for example in programs for call in example.calls]
    alone = [_call(entry, entry, where) for entry, where in _lines("calls")]
    return tuple(dict.fromkeys(call for call in [*inside, *alone] if call.kind == kind))


def _lines(name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    path = HERE / f"{name}.jsonl" if name in ("questions", "statements", "calls") else Path(name)
    if path.exists():
        check_regular(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        rule = "must be 'questions', 'statements' or a file of JSON lines"
        raise InputError("exemplars", rule, f"{name} ({error})") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{path.name}, line {number}"
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise InputError("exemplars", f"{where} must be JSON", str(error)) from error
            yield entry, where


def _program(entry: Mapping[str, Any], where: str) -> ProgramExample:
    with_rows = _checked(entry, where, ("title", "header", "rows", "question", "program"))
    return ProgramExample(
        title=str(entry["title"]),
        header=tuple(map(str, entry["header"])),
        rows=with_rows,
        question=str(entry["question"]),
        program=str(entry["program"]),
        answer=tuple(entry.get("answer", ())),
        calls=tuple(_call(call, entry, where) for call in entry.get("calls", ())),
    )


def _call(entry: Mapping[str, Any], table: Mapping[str, Any], where: str) -> CallExample:
    """A call with rows of its own, or about columns of its program's table."""
    if "columns" in entry:
        places = [list(table["header"]).index(name) for name in entry["columns"]]
        header: Sequence[Any] = entry["columns"]
        rows = tuple(tuple(str(row[i]) for i in places) for row in table["rows"])
    else:
        header, rows = entry["header"], _checked(entry, where, ("question", "header", "rows", "answers"))
    answers = tuple(map(str, entry["answers"]))
    if entry["kind"] == "map" and len(answers) != len(rows):
        raise InputError("exemplars", f"{where}: needs one answer per row ({len(rows)})", len(answers))
    title = str(entry.get("title", table["title"]))
    return CallExample(entry["kind"], str(entry["question"]), tuple(map(str, header)), rows, answers, title)


def _checked(entry: Mapping[str, Any], where: str, fields: Sequence[str]) -> Rows:
    if not isinstance(entry, dict) or (missing := [name for name in fields if name not in entry]):
        missing = list(fields) if not isinstance(entry, dict) else missing
        raise InputError("exemplars", f"{where} must be an object with {', '.join(fields)}", f"without {missing[0]}")
    width = len(entry["header"])
    for row in entry["rows"]:
        if len(row) != width:
            raise InputError("exemplars", f"{where}: rows must have {width} cells as the header", row)
    return tuple(tuple(map(str, row)) for row in entry["rows"])


__all__ = ["CallExample", "ProgramExample", "load_calls", "load_programs"]
