"""Worlds of small text tasks, and the published format of prompted tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.choice_rows import read_choice_rows
from holdfast.data.synthetic.text_tasks import TaskWorld, TextTask
from holdfast.errors import InputError
from holdfast.experiment import Problem


@dataclass(frozen=True)
class TaskWorlds(Problem):
    """Nine tasks to learn from and seven to be asked, drawn anew for every replicate."""

    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def world(self, seed: int, count: int) -> TaskWorld:
        return TaskWorld.draw(np.random.default_rng(seed), count)

    def describe(self) -> str:
        return "six families of short English texts: words, frames, options, what is turned and held out are drawn"


@dataclass(frozen=True)
class PromptedTasks(FileProblem):
    """Prompted tasks as P3 publishes them: jsonl files, a task each, in the folders `seen` and `unseen`.

    Attributes:
        path: of the folder, in the one that HOLDFAST_DATA names.
    """

    path: str = "p3"
    how_to_get: ClassVar[str] = (
        "bigscience/P3 of the Hugging Face hub, written as jsonl files (inputs_pretokenized, answer_choices, "
        "targets_pretokenized), one a task, in p3/seen and p3/unseen"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(f"{self.path}/seen"), data_folder(f"{self.path}/unseen"))

    def describe(self) -> str:
        return "prompted tasks of P3, from files"

    def world(self, seed: int, count: int) -> TaskWorld:
        """So many rows of every task, in an order drawn from the seed.

        Raises:
            InputError: no files; a row that cannot be read; a task with fewer rows.
        """
        rng = np.random.default_rng(seed)
        return TaskWorld(*(tuple(_drawn(file, rng, count) for file in _files(folder)) for folder in self.found()))


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise InputError("HOLDFAST_DATA", "must hold jsonl files, one a task", str(folder))
    return files


def _drawn(file: Path, rng: np.random.Generator, count: int) -> TextTask:
    rows = read_choice_rows(file)
    if len(rows) < count:
        raise InputError(str(file), f"must have at least {count} rows", len(rows))
    return TextTask(file.stem, "prompted", tuple(rows[i] for i in rng.permutation(len(rows))[:count]))


__all__ = ["PromptedTasks", "TaskWorlds"]
