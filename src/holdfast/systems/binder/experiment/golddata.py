"""Real annotations: programs that people wrote, and columns that people filled by hand. Files of the user's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.errors import InputError
from holdfast.files import read_json
from holdfast.sql.table import SQLTable

PROMPTS = ("wikitq_binder.txt", "tab_fact_binder.txt")
ANNOTATIONS = "nsql_annotations_tab_fact_train.json"
POOL = "qa_retrieve_pool.json"
SOURCE = "the authors' repository (github.com/HKUNLP/Binder, Apache-2.0); put its files into $HOLDFAST_DATA/binder"


@dataclass(frozen=True)
class Written:
    """A program with the table of its prompt: three rows."""

    program: str
    question: str
    table: SQLTable


def read_prompts(text: str) -> list[Written]:
    """Programs of a prompt in the authors' format: CREATE TABLE, example rows in a comment, Q:, NeuralSQL:.

    Raises:
        InputError: there is none.
    """
    found = []
    for part in re.split(r"(?m)^CREATE TABLE ", text)[1:]:
        title = part.split("(\n", 1)[0]
        block = re.search(r"/\*\n(.*?)\n\*/\nQ: (.*?)\nNeuralSQL: (.*?)(?:\n\n|\Z)", part, re.DOTALL)
        if block is None:
            raise InputError("prompt", "must have example rows, Q: and NeuralSQL: after every CREATE TABLE", title)
        lines = [line.split("\t") for line in block[1].splitlines()]
        start = next(i for i, line in enumerate(lines) if line[0] == "row_id")
        header, rows = lines[start][1:], [line[1:] for line in lines[start + 1 :]]
        rows = [(row + [""] * len(header))[: len(header)] for row in rows]
        found.append(Written(block[3].strip(), block[2], SQLTable.from_rows(header, rows, title).normalized()))
    if not found:
        raise InputError("prompt", "must hold at least one CREATE TABLE", text[:60])
    return found


@dataclass(frozen=True)
class _Files(FileProblem):
    """Files in a folder."""

    folder: str = "binder"
    how_to_get: ClassVar[str] = SOURCE
    fixed_test: ClassVar[bool] = True
    files: ClassVar[tuple[str, ...]] = ()

    def path(self, name: str) -> Path:
        """Where a file is."""
        return data_folder(self.folder) / name

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.path(name) for name in self.files)


@dataclass(frozen=True)
class WrittenPrograms(_Files):
    """The 227 programs of the authors' prompts and annotations."""

    files: ClassVar[tuple[str, ...]] = (*PROMPTS, ANNOTATIONS)

    def programs(self) -> list[str]:
        """All of them, in the files' order."""
        annotated: dict[str, str] = read_json(self.path(ANNOTATIONS))
        return [*(written.program for written in self.prompts()), *annotated.values()]

    def prompts(self) -> list[Written]:
        """Those that come with example rows."""
        return [w for name in PROMPTS for w in read_prompts(self.path(name).read_text(encoding="utf-8"))]

    def describe(self) -> str:
        return "programs that the authors wrote for their prompts and annotations (32 and 195)"


@dataclass(frozen=True)
class GoldColumn:
    """A question about every cell of a column, answered by hand.

    Attributes:
        question: without "map@".
        header: name of the column.
        cells, answers: in order; answers in lower case, without blanks around them.
    """

    question: str
    header: str
    cells: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def yes_no(self) -> bool:
        """Whether all answers are yes, no or "/" (none)."""
        return set(self.answers) <= {"yes", "no", "/"}


@dataclass(frozen=True)
class GoldColumns(_Files):
    """The authors' annotated columns: 25 of yes and no (334 cells), or 28 of free texts (438 cells).

    Attributes:
        yes_no: which of the two.
    """

    yes_no: bool = True
    files: ClassVar[tuple[str, ...]] = (POOL,)
    block: ClassVar[int] = 16  # cells of a column depend on each other; a column has 13 to 16 on average

    def columns(self) -> list[GoldColumn]:
        """The columns."""
        every = [_column(entry) for entry in read_json(self.path(POOL))]
        return [column for column in every if column.yes_no == self.yes_no]

    def describe(self) -> str:
        kind = "yes or no" if self.yes_no else "free text"
        return f"columns filled by hand by the authors, answers {kind}"


def _column(entry: dict[str, Any]) -> GoldColumn:
    place = entry["table"]["header"].index(entry["qa_column"]) if entry["qa_column"] in entry["table"]["header"] else 0
    return GoldColumn(
        question=entry["qa_question"].removeprefix("map@").strip(),
        header=entry["qa_column"],
        cells=tuple(row[place] for row in entry["table"]["rows"]),
        answers=tuple(answer.strip().lower() for answer in entry["qa_answer"]),
    )


def always_no(column: GoldColumn) -> Sequence[str]:
    """The floor for yes and no: the more frequent answer."""
    return ["no"] * len(column.cells)


def most_frequent(column: GoldColumn) -> Sequence[str]:
    """What a guesser who knows each column's most frequent answer reaches: no method, a bound for guessing."""
    return [Counter(column.answers).most_common(1)[0][0]] * len(column.cells)


def first_number(column: GoldColumn) -> Sequence[str]:
    """The first number of the cell, without separators of thousands."""
    found = (re.search(r"[-+]?\d[\d,]*\.?\d*", cell) for cell in column.cells)
    return [match[0].replace(",", "") if match else "/" for match in found]


def copied(column: GoldColumn) -> Sequence[str]:
    """The cell itself."""
    return [cell.strip().lower() for cell in column.cells]


def recorded(column: GoldColumn) -> str:
    """The completion that a perfect language model would give for a column, as a recording has it."""
    return "\n".join(f"{i}\t{answer}" for i, answer in enumerate(column.answers))


__all__ = [
    "GoldColumn",
    "GoldColumns",
    "Written",
    "WrittenPrograms",
    "always_no",
    "copied",
    "first_number",
    "most_frequent",
    "read_prompts",
    "recorded",
]
