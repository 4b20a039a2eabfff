"""Annotated examples for prompts, of our own writing: questions, statements and calls with their tables.

Files of JSON lines, so that users can bring their own. `questions` and `statements` have a program that gives their
answer when their calls are answered as noted (a test runs them all); these calls, and those of `calls`, are what
prompts for calls choose from.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.sql.table import SQLTable

HERE = Path(__file__).parent
Rows = tuple[tuple[str, ...], ...]
Line = TypeVar("Line", bound=BaseModel)


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
    alone = [_read(_Call, entry, where).example("", where) for entry, where in _lines("calls")]
    return tuple(dict.fromkeys(call for call in [*inside, *alone] if call.kind == kind))


def _lines(name: str) -> Iterator[tuple[str, str]]:
    path = HERE / f"{name}.jsonl" if name in ("questions", "statements", "calls") else Path(name)
    if path.exists():
        check_regular(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("exemplars", "must be a file of JSON lines or a packaged name", f"{name} ({error})") from error
    yield from ((line, f"{path.name}, line {k}") for k, line in enumerate(lines, start=1) if line.strip())


Cell = str | int | float


class _Call(BaseModel, strict=True):
    """With rows of its own, or about columns of its program's table."""

    kind: Literal["map", "ans"]
    question: str
    answers: list[Cell]
    columns: list[str] = []
    header: list[str] = []
    rows: list[list[Cell]] = []
    title: str = ""

    def example(self, title: str, where: str) -> CallExample:
        rows, answers = _texts(self.header, self.rows, where), tuple(map(str, self.answers))
        if self.kind == "map" and len(answers) != len(rows):
            raise InputError("exemplars", f"{where}: needs one answer per row ({len(rows)})", len(answers))
        return CallExample(self.kind, self.question, tuple(self.header), rows, answers, self.title or title)


class _Program(BaseModel, strict=True):
    title: str
    header: list[str]
    rows: list[list[Cell]]
    question: str
    program: str
    answer: list[Cell] = []
    calls: list[_Call] = []


def _program(entry: str, where: str) -> ProgramExample:
    line = _read(_Program, entry, where)
    header, rows, calls = tuple(line.header), _texts(line.header, line.rows, where), []
    for call in line.calls:
        if unknown := [name for name in call.columns if name not in header]:
            raise InputError("exemplars", f"{where}: columns of calls must be in the header {line.header}", unknown[0])
        if call.columns:
            places = [header.index(name) for name in call.columns]
            call.header, call.rows = call.columns, [[row[i] for i in places] for row in rows]
        calls.append(call.example(line.title, where))
    return ProgramExample(line.title, header, rows, line.question, line.program, tuple(line.answer), tuple(calls))


def _read(kind: type[Line], entry: str, where: str) -> Line:
    try:
        return kind.model_validate_json(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        rule = f"{where} must be an object with {', '.join(kind.model_fields)}; {'.'.join(map(str, first['loc']))}"
        raise InputError("exemplars", f"{rule}: {first['msg']}", first["input"]) from None


def _texts(header: Sequence[str], rows: Sequence[Sequence[Cell]], where: str) -> Rows:
    for row in rows:
        if len(row) != len(header):
            raise InputError("exemplars", f"{where}: rows must have {len(header)} cells as the header", row)
    return tuple(tuple(map(str, row)) for row in rows)


__all__ = ["CallExample", "ProgramExample", "load_calls", "load_programs"]
