"""WikiTableQuestions and TabFact in their published formats, and samples of them that an endpoint is asked about."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from holdfast.data.location import data_folder
from holdfast.errors import InputError
from holdfast.experiment import Problem
from holdfast.files import read_json
from holdfast.sql.table import SQLTable
from holdfast.systems.binder.tool.scoring import read_tsv, unescaped

ENDPOINT, MODEL, KEY = "HOLDFAST_BINDER_ENDPOINT", "HOLDFAST_BINDER_MODEL", "HOLDFAST_BINDER_KEY_ENV"
WTQ_SOURCE = "github.com/ppasupat/WikiTableQuestions (CC BY-SA 4.0), release 1.0.2; put its folder at $HOLDFAST_DATA/"
TABFACT_SOURCE = "github.com/wenhuchen/Table-Fact-Checking (MIT); put its folder at $HOLDFAST_DATA/"


@dataclass(frozen=True)
class Task:
    """A question or statement about a table, with its answer.

    Attributes:
        id: in the data set.
        text: question or statement.
        target: values of the answer; of a statement ("1",) or ("0",).
        canon: the values in canonical form, where the data set has them.
        table: as published.
    """

    id: str
    text: str
    target: tuple[str, ...]
    canon: tuple[str, ...] | None
    table: SQLTable


# ------------------------------------------------------------------------------------------------ WikiTableQuestions
def read_tagged(path: Path, tables: Path) -> Iterator[Task]:
    """Questions of a `.tagged` file of WikiTableQuestions; tables are `.tsv` files beside the `.csv` files it names.

    Raises:
        InputError: a file is missing or has no such columns.
    """
    known: dict[str, SQLTable] = {}
    for row in read_tsv(path, ("id", "utterance", "context", "targetValue", "targetCanon")):
        context = row["context"]
        if context not in known:
            known[context] = _wtq_table((tables / context).with_suffix(".tsv"))
        target = tuple(unescaped(value) for value in row["targetValue"].split("|"))
        canon = tuple(unescaped(value) for value in row["targetCanon"].split("|"))
        yield Task(row["id"], unescaped(row["utterance"]), target, canon, known[context])


def _wtq_table(path: Path) -> SQLTable:
    try:
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except OSError as error:
        raise InputError(str(path), "must be a table of WikiTableQuestions", error.strerror or "") from error
    header, *rows = [[unescaped(cell) for cell in line.split("\t")] for line in lines]
    return SQLTable.from_rows(header, [_fitted(row, len(header)) for row in rows], path.stem)


def _fitted(row: list[str], width: int) -> list[str]:
    return [*row, *[""] * (width - len(row))][:width]


# ------------------------------------------------------------------------------------------------------------ TabFact
def read_tabfact(folder: Path, ids: set[str] | None = None) -> Iterator[Task]:
    """Statements of TabFact's test set.

    Args:
        folder: of the repository: `tokenized_data/test_examples.json`, `data/all_csv/*.csv` (cells separated by #).
        ids: tables to read; None = those of `data/small_test_id.json`.
    """
    examples: dict[str, Any] = read_json(folder / "tokenized_data" / "test_examples.json")
    wanted = set(read_json(folder / "data" / "small_test_id.json")) if ids is None else ids
    for name in sorted(wanted & set(examples)):
        statements, labels, caption = examples[name]
        path = folder / "data" / "all_csv" / name
        try:
            with path.open(encoding="utf-8", newline="") as file:
                header, *rows = list(csv.reader(file, delimiter="#", quoting=csv.QUOTE_NONE))
        except (OSError, ValueError) as error:
            raise InputError(str(path), "must be a table of TabFact", str(error)) from error
        table = SQLTable.from_rows(header, [_fitted(row, len(header)) for row in rows], caption)
        for i, (statement, label) in enumerate(zip(statements, labels, strict=True)):
            yield Task(f"{name}#{i}", statement, (str(int(label)),), None, table)


# ----------------------------------------------------------------------------------------------------------- problems
def endpoint_settings() -> dict[str, str]:
    """The endpoint that the environment names; {} if it names none."""
    found = {name: os.environ.get(name, "") for name in (ENDPOINT, MODEL, KEY)}
    return found if found[ENDPOINT] and found[MODEL] else {}


@dataclass(frozen=True)
class Benchmark(Problem):
    """Questions or statements of a data set on the disk.

    Attributes:
        folder: inside of $HOLDFAST_DATA.
        endpoint: whether an endpoint is needed.
    """

    folder: str = ""
    endpoint: bool = True
    source: ClassVar[Literal["file"]] = "file"
    fixed_test: ClassVar[bool] = True
    statements: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ()

    @property
    def root(self) -> Path:
        """Where the files are."""
        return data_folder(self.folder)

    def available(self) -> bool:
        """Whether the files are there, and the environment names an endpoint where one is needed."""
        there = all((self.root / name).exists() for name in self.files)
        return there and (not self.endpoint or bool(endpoint_settings()))

    def fingerprint(self) -> str:
        """Of the files, and of the endpoint and model that answer."""
        digest = hashlib.sha256()
        for name in self.files:
            if (self.root / name).is_file():
                digest.update((self.root / name).read_bytes())
        asked = endpoint_settings() if self.endpoint else {}
        digest.update(json.dumps([asked.get(ENDPOINT, ""), asked.get(MODEL, "")]).encode())
        return digest.hexdigest()[:16]

    def tasks(self) -> Iterator[Task]:
        """In the data set's order."""
        raise NotImplementedError


@dataclass(frozen=True)
class WTQSample(Benchmark):
    """400 questions of the test set of WikiTableQuestions."""

    folder: str = "binder"
    files: ClassVar[tuple[str, ...]] = ("wtq_sample.jsonl", "wtq_tables.json")
    how_to_get: ClassVar[str] = f"{WTQ_SOURCE}WikiTableQuestions; an endpoint: {ENDPOINT} and {MODEL}"

    def tasks(self) -> Iterator[Task]:
        tables = read_json(self.root / self.files[1])
        for line in (self.root / self.files[0]).read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            table = tables[entry["table_id"]]
            rows = [_fitted(row, len(table["header"])) for row in table["rows"]]
            made = SQLTable.from_rows(table["header"], rows, entry["table_id"])
            yield Task(entry["id"], entry["question"], tuple(entry["target"]), tuple(entry["target_canon"]), made)

    def describe(self) -> str:
        return "400 questions of WikiTableQuestions' test set"


@dataclass(frozen=True)
class TabFactSample(Benchmark):
    """422 statements of 60 tables of TabFact's small test set."""

    folder: str = "binder"
    statements: ClassVar[bool] = True
    files: ClassVar[tuple[str, ...]] = ("tabfact_sample.json",)
    how_to_get: ClassVar[str] = f"{TABFACT_SOURCE}Table-Fact-Checking; an endpoint: {ENDPOINT} and {MODEL}"

    def tasks(self) -> Iterator[Task]:
        for entry in read_json(self.root / self.files[0]):
            table = SQLTable.from_rows(
                entry["header"], [_fitted(row, len(entry["header"])) for row in entry["rows"]], entry["caption"]
            )
            for i, (text, label) in enumerate(zip(entry["statements"], entry["labels"], strict=True)):
                yield Task(f"{entry['table_id']}#{i}", text, (str(label),), None, table)

    def describe(self) -> str:
        return "422 statements of TabFact's small test set"


@dataclass(frozen=True)
class WTQTest(Benchmark):
    """The whole test set of WikiTableQuestions: 4,344 questions."""

    folder: str = "WikiTableQuestions"
    files: ClassVar[tuple[str, ...]] = ("tagged/data/pristine-unseen-tables.tagged", "csv")
    how_to_get: ClassVar[str] = f"{WTQ_SOURCE}WikiTableQuestions; an endpoint: {ENDPOINT} and {MODEL}"

    def tasks(self) -> Iterator[Task]:
        yield from read_tagged(self.root / self.files[0], self.root)

    def describe(self) -> str:
        return "the 4,344 questions of WikiTableQuestions' test set"


@dataclass(frozen=True)
class TabFactTest(Benchmark):
    """The whole small test set of TabFact: 1,998 statements."""

    folder: str = "Table-Fact-Checking"
    statements: ClassVar[bool] = True
    files: ClassVar[tuple[str, ...]] = (
        "tokenized_data/test_examples.json", "data/small_test_id.json", "data/all_csv",
    )  # fmt: skip
    how_to_get: ClassVar[str] = f"{TABFACT_SOURCE}Table-Fact-Checking; an endpoint: {ENDPOINT} and {MODEL}"

    def tasks(self) -> Iterator[Task]:
        yield from read_tabfact(self.root)

    def describe(self) -> str:
        return "the 1,998 statements of TabFact's small test set"


__all__ = [
    "Benchmark",
    "TabFactSample",
    "TabFactTest",
    "Task",
    "WTQSample",
    "WTQTest",
    "endpoint_settings",
    "read_tabfact",
    "read_tagged",
]
