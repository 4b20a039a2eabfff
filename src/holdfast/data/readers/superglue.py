"""SuperGLUE's jsonl files as texts with choices, worded as T5 read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from holdfast.data.choice_rows import ChoiceRow
from holdfast.data.readers.lines import read_lines
from holdfast.errors import InputError

Made = tuple[str, tuple[str, ...]]


def _boolq(row: Mapping[str, Any]) -> Made:
    return f"boolq passage: {row['passage']} question: {row['question']}", ("False", "True")


def _cb(row: Mapping[str, Any]) -> Made:
    choices = ("entailment", "contradiction", "neutral")
    return f"cb hypothesis: {row['hypothesis']} premise: {row['premise']}", choices


def _copa(row: Mapping[str, Any]) -> Made:
    return f"copa question: {row['question']} premise: {row['premise']}", (row["choice1"], row["choice2"])


def _rte(row: Mapping[str, Any]) -> Made:
    choices = ("entailment", "not_entailment")
    return f"rte hypothesis: {row['hypothesis']} premise: {row['premise']}", choices


def _wic(row: Mapping[str, Any]) -> Made:
    text = f"wic pos: {row['word']} sentence1: {row['sentence1']} sentence2: {row['sentence2']}"
    return text, ("False", "True")


TASKS: Mapping[str, Callable[[Mapping[str, Any]], Made]] = {
    "boolq": _boolq, "cb": _cb, "copa": _copa, "rte": _rte, "wic": _wic,
}  # fmt: skip


def read_superglue(path: str | Path, task: str) -> list[ChoiceRow]:
    """The rows of `train.jsonl` or `val.jsonl` of a task; those of `test.jsonl` have no target.

    Args:
        path: of the file.
        task: "boolq", "cb", "copa", "rte" or "wic".

    Raises:
        InputError: another task, no such file, a line without the task's fields, a label that is no choice.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "val.jsonl"
        >>> _ = file.write_text('{"premise": "It rained.", "hypothesis": "It was wet.", "label": "entailment"}')
        >>> read_superglue(file, "rte")[0].answer
        'entailment'
    """
    if task not in TASKS:
        raise InputError("task", f"must be one of {', '.join(TASKS)}", task)
    rows = []
    for number, line in enumerate(read_lines(Path(path), "path"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            found = json.loads(line)
            text, choices = TASKS[task](found)
        except (ValueError, TypeError) as error:
            raise InputError(where, "must be a JSON object", str(error)) from None
        except KeyError as error:
            raise InputError(where, f"must have the fields of {task}", f"none called {error}") from None
        rows.append(ChoiceRow(text, choices, _place(found.get("label"), choices, where)))
    return rows


def _place(label: Any, choices: tuple[str, ...], where: str) -> int | None:
    """Of a label given as text, truth or number."""
    if label is None:
        return None
    if isinstance(label, str) and label in choices:
        return choices.index(label)
    if isinstance(label, bool | int) and int(label) in range(len(choices)):
        return int(label)
    raise InputError(where, f"must have a label among {list(choices)}", label)


__all__ = ["TASKS", "read_superglue"]
