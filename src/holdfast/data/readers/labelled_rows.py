"""Rows of a user's table: what the networks see, the label, the group, and every other column to look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.readers.records import Records, Role, read_records
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.table import NUMERIC
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one table.

    Attributes:
        X: (N, F) float64, or N texts.
        features: names of the columns of X, or of the one with the text.
        label, group: (N,) as text, or None; group_name: of the column.
        frame: all columns but label and group, as they are.
        number: (N,) of the rows in the file.
        notes: what was decided in reading.
    """

    X: Any
    features: tuple[str, ...]
    label: np.ndarray | None
    group: np.ndarray | None
    group_name: str | None
    frame: pd.DataFrame
    number: np.ndarray
    notes: tuple[str, ...]

    def by_weight(self, weights: np.ndarray, predicted: np.ndarray, label: str) -> pd.DataFrame:
        """All rows, those of the largest weight first: number in the file, weight, prediction, label, other columns.

        Args:
            weights, predicted: (N,).
            label: what this column is called in the file.
        """
        import pandas as pd

        group = {} if self.group_name is None else {self.group_name: self.group}
        kept = {label: self.label, **group, **dict(self.frame.items())}
        ours = {"row": self.number, "weight": weights, "predicted": predicted}
        columns = {next(n for n in _unused(name) if n not in kept): values for name, values in ours.items()}
        return pd.DataFrame({**columns, **kept}).iloc[np.argsort(-weights, kind="stable")].reset_index(drop=True)


def _unused(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))


def read_rows(
    path: Path,
    *,
    label: str | None,
    group: str | None,
    text: str | None,
    reading: TableOptions | None = None,
    features: Sequence[str] | None = None,
) -> Rows:
    """Read a table.

    Args:
        path: csv, tsv, parquet, ...
        label, group: names of columns; None = not read.
        text: name of the column whose words are what networks see; None = they see the columns of numbers.
        features: names of these columns of numbers; None = all that are neither label nor group.

    Raises:
        InputError: what `read_records` raises; no column of numbers; a number or text that is missing (names the row).
    """
    given = {"label": label, "group": group, "text": text}
    mapped = {role: column for role, column in given.items() if column is not None}
    roles = [Role(name, required=name in mapped) for name in mapped]
    roles.append(Role("feature", kind="any", required=False, rest=True, missing=True))
    records = read_records(path, roles, mapped, reading, option="--label, --group, --text")
    frame = records.frame("feature")
    if text is not None:
        X: Any = records["text"].tolist()
        frame.insert(0, text, records["text"])
        names: tuple[str, ...] = (text,)
    else:
        X, names = _numbers(records, features, str(path))
    notes = records.notes
    return Rows(X, names, records["label"], records["group"], group, frame, records.rows, notes)


def _numbers(records: Records, features: Sequence[str] | None, path: str) -> tuple[np.ndarray, tuple[str, ...]]:
    columns = records.columns.get("feature", {})
    if features is None:
        features = [name for name, column in columns.items() if column.kind in NUMERIC]
        if not features:
            shown = ", ".join(columns) or "none besides label and group"
            raise InputError(
                path, "must have a column of numbers, or --text must name one of text", f"columns: {shown}"
            )
    wanted = []
    for name in features:
        if name not in columns:
            raise InputError(
                path, f"must have the column {name!r}, as the model was fitted with it", ", ".join(columns)
            )
        values = columns[name].numbers()
        if not np.isfinite(values).all():
            row = records.rows[int((~np.isfinite(values)).argmax())]
            rule = "must have a finite number in every row (fill it in, or take the row or column out of the file)"
            raise InputError(f"{path}, column {name!r}", rule, f"none in row {row}")
        wanted.append(values)
    return np.stack(wanted, axis=1), tuple(features)


__all__ = ["Rows", "read_rows"]
