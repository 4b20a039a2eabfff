"""Texts with choices from jsonl: holdfast's plain fields, or those that P3 and T0 publish."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.data.choice_rows import ChoiceRow
from holdfast.data.readers.lines import read_lines
from holdfast.errors import InputError
from holdfast.files import check_regular

FIELDS = ("input", "choices", "target")
P3 = ("inputs_pretokenized", "answer_choices", "targets_pretokenized")


def read_choice_rows(
    path: str | Path, *, choices: Sequence[str] = (), labelled: bool = True, name: str = "path"
) -> list[ChoiceRow]:
    """The rows of a file.

    A `.jsonl` file has an object on every line: `{"input": text, "choices": [text, ...], "target": text or place}`, or
    `{"inputs_pretokenized": ..., "answer_choices": [...], "targets_pretokenized": ...}` as P3 has it. Any other file
    is read as texts, one a line.

    Args:
        path: of the file.
        choices: of all rows whose file has none.
        labelled: whether every row must say which choice is right; if not, what a file says is kept all the same.
        name: of the argument, for messages.

    Raises:
        InputError: no such file, no rows, a line that is no such object, a target that is no choice; names the line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "task.jsonl"
        >>> _ = file.write_text('{"input": "It rained.", "choices": ["no", "yes"], "target": "yes"}\\n')
        >>> read_choice_rows(file)[0].target
        1
    """
    path = Path(path)
    if path.exists():
        check_regular(path)
    rows = []
    for number, line in enumerate(read_lines(path, name), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            rows.append(_row(line, path.suffix.lower() == ".jsonl", tuple(choices), labelled, where))
        except InputError as error:
            if error.argument == where:
                raise
            raise InputError(where, f"{error.argument} {error.rule}", error.received) from None
    return rows


def _row(line: str, is_json: bool, choices: tuple[str, ...], labelled: bool, where: str) -> ChoiceRow:
    if not is_json:
        if labelled:
            raise InputError(where, "must be in a .jsonl file, with its target", line[:40])
        return ChoiceRow(line, _choices(choices, where))
    try:
        found = json.loads(line)
    except ValueError as error:
        raise InputError(where, "must be JSON", str(error)) from None
    if not isinstance(found, dict):
        raise InputError(where, "must be an object", line[:40])
    names = P3 if P3[0] in found else FIELDS
    text, given, target = (found.get(key) for key in names)
    if not isinstance(text, str):
        raise InputError(where, f"must have a text as {names[0]!r}", str(text)[:40])
    if given is not None and not (isinstance(given, list) and all(isinstance(one, str) for one in given)):
        raise InputError(where, f"must have a list of texts as {names[1]!r}", str(given)[:40])
    answers = _choices(tuple(given) if given else choices, where)
    if target is None:
        if labelled:
            raise InputError(where, f"must have {names[2]!r}, one of its choices", "none")
        return ChoiceRow(text, answers)
    return ChoiceRow(text, answers, _place(target, answers, where))


def _choices(choices: tuple[str, ...], where: str) -> tuple[str, ...]:
    if not choices:
        raise InputError(where, "must have choices, or they must be given for all rows", "none")
    return choices


def _place(target: Any, answers: tuple[str, ...], where: str) -> int:
    """Of a target given as text or as place."""
    if isinstance(target, str):
        same = [i for i, answer in enumerate(answers) if answer.strip() == target.strip()]
        if same:
            return same[0]
    elif isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(answers):
        return target
    raise InputError(where, f"must have a target among {list(answers)}", target)


__all__ = ["read_choice_rows"]
