"""Mappers and answerers without a language model: a pattern, a function, a recording."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from holdfast.errors import InputError
from holdfast.files import read_json
from holdfast.language.budget import current_budget
from holdfast.sandbox.patterns import Searcher
from holdfast.systems.binder.tool.calls import Row
from holdfast.validation import check_positive

LONGEST_CELL = 10_000


class RegexMapper:
    """Answers from a regular expression: "yes" or "no", or the first group if the expression has one.

    Args:
        patterns: regular expression for each question; a question without one is an error.
        missing: the answer of a row in which an expression with a group finds nothing.
        seconds: for all rows of one request. Cells come from strangers, and on some texts some expressions take for
            ever, so they are searched for in a process of their own, which is ended then. Only the first 10,000
            characters of a row are looked at.

    Example:
        >>> from holdfast.systems.binder.tool.mappers import RegexMapper
        >>> mapper = RegexMapper({"prominence in ft?": r"([\\d,]+) ft", "is it high?": "high"})
        >>> mapper.map("prominence in ft?", [("10,016 ft 3,053 m",), ("?",)], ("prominence",))
        ['10,016', '']
        >>> mapper.map("is it high?", [("very high",), ("low",)], ("height",))
        ['yes', 'no']
    """

    def __init__(self, patterns: Mapping[str, str], missing: str = "", seconds: float = 10.0) -> None:
        self._compiled = {}
        for question, pattern in patterns.items():
            try:
                self._compiled[question] = re.compile(pattern, re.IGNORECASE)
            except re.error as error:
                raise InputError("patterns", f"must be regular expressions ({error})", pattern) from None
        self.missing, self.seconds = missing, check_positive(seconds, "seconds")
        self._searcher = Searcher()

    @property
    def id(self) -> str:
        return f"regex {sorted((q, p.pattern) for q, p in self._compiled.items())} {self.missing!r}"

    def map(self, question: str, rows: list[Row], header: Row) -> list[str]:
        """One answer per row; a row's cells are joined by blanks.

        Raises:
            InputError: there is no pattern for the question.
            PatternTimeout: its pattern takes too long.
        """
        if question not in self._compiled:
            raise InputError("patterns", f"must have one for each question; there are {list(self._compiled)}", question)
        pattern = self._compiled[question]
        texts = [" ".join(row)[:LONGEST_CELL] for row in rows]
        budget = current_budget()
        left = budget.remaining_s if budget is not None else None
        found = self._searcher.search(pattern.pattern, texts, self.seconds if left is None else min(left, self.seconds))
        if not pattern.groups:
            return ["no" if answer is None else "yes" for answer in found]
        return [self.missing if answer is None else answer for answer in found]


class FunctionMapper:
    """Answers from a Python function of the question and the cells of one row.

    Args:
        function: called as function(question, *cells); what it returns is turned into text.
        name: names the function and its version: answers are cached under it.

    Example:
        >>> from holdfast.systems.binder.tool.mappers import FunctionMapper
        >>> FunctionMapper(lambda question, cell: len(cell), name="length").map("how long?", [("abc",)], ("a",))
        ['3']
    """

    def __init__(self, function: Callable[..., object], name: str) -> None:
        self.function, self.name = function, name

    @property
    def id(self) -> str:
        return f"function {self.name}"

    def map(self, question: str, rows: list[Row], header: Row) -> list[str]:
        """One answer per row."""
        return [str(self.function(question, *row)) for row in rows]


class FunctionAnswerer:
    """Answers from a Python function of the question, the rows and the header of a sub-table.

    Example:
        >>> from holdfast.systems.binder.tool.mappers import FunctionAnswerer
        >>> last = FunctionAnswerer(lambda question, rows, header: [rows[-1][0]], name="last")
        >>> last.answer("?", [("a",), ("b",)], ("x",))
        ['b']
    """

    def __init__(self, function: Callable[[str, list[Row], Row], Sequence[object]], name: str) -> None:
        self.function, self.name = function, name

    @property
    def id(self) -> str:
        return f"function {self.name}"

    def answer(self, question: str, rows: list[Row], header: Row) -> list[str]:
        """The values of the function as texts."""
        return [str(value) for value in self.function(question, rows, header)]


class ReplayMapper:
    """Answers from a table of known ones: question -> row -> answer. What is not in it has no answer.

    Example:
        >>> from holdfast.systems.binder.tool.mappers import ReplayMapper
        >>> known = ReplayMapper({"is it a fruit?": {("apple",): "yes"}})
        >>> known.map("is it a fruit?", [("apple",), ("car",)], ("item",))
        ['yes', None]
    """

    def __init__(self, answers: Mapping[str, Mapping[Row, str]], name: str = "replay") -> None:
        self.answers = {question: dict(known) for question, known in answers.items()}
        self.name = name

    @classmethod
    def from_file(cls, path: str | Path) -> ReplayMapper:
        """Of a JSON file [[question, [cell, ...], answer], ...]."""
        answers: dict[str, dict[Row, str]] = {}
        for number, entry in enumerate(read_json(Path(path))):
            fits = isinstance(entry, list) and len(entry) == 3 and isinstance(entry[1], list)
            if not fits or not all(isinstance(text, str) for text in (entry[0], *entry[1], entry[2])):
                raise InputError(str(path), "must be a list of [question, [cell, ...], answer]", f"entry {number}")
            answers.setdefault(entry[0], {})[tuple(entry[1])] = entry[2]
        return cls(answers)

    @property
    def id(self) -> str:
        known = sorted(
            (question, row, answer) for question, rows in self.answers.items() for row, answer in rows.items()
        )
        return f"{self.name} {hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]}"

    def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
        """The known answers, None where there is none."""
        known = self.answers.get(question, {})
        return [known.get(row) for row in rows]


__all__ = ["FunctionAnswerer", "FunctionMapper", "RegexMapper", "ReplayMapper"]
