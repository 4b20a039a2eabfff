"""Feedback in files: read with its texts or features, labels and users; what is kept written as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.readers.arrays import read_npy
from holdfast.data.readers.records import Role, read_records
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.reading import TEXT_FILES, open_table
from holdfast.data.readers.tables.table import Column, Table, no_column
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


NAMED = 12  # users whose names are in the figure


@dataclass(frozen=True, eq=False)
class Feedback:
    """A user's file.

    Attributes:
        table: all of its columns; of text files every cell exactly as written.
        label: name of the label's column.
        X: N texts, or numbers (N, F).
        y: (N,) labels as texts.
        users: (N,) ids, None where there is none; None without such a column.
    """

    table: Table
    label: str
    X: Any
    y: list[str]
    users: list[Any] | None

    def columns(self, keep: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        """All columns at the rows to keep; the label's cells change only where the label does."""
        kept = {column.name: column.series()[keep] for column in self.table.columns}
        changed = np.array(self.y) != y
        if changed.any():
            labels = self.table.column(self.label).series()
            first = {
                said: row for row, said in reversed(list(enumerate(self.y)))
            }  # where a label stands as in the file
            kept[self.label] = labels.iloc[[first[y[i]] if changed[i] else i for i in np.flatnonzero(keep)]]
        return kept


def read_feedback(
    path: Path, text: str | None, features: str | None, label: str, user: str | None, reading: TableOptions
) -> Feedback:
    """A file of feedback.

    Args:
        path: a table of any format.
        text: name of the column of texts; or None, and
        features: names of columns of numbers, separated by commas, or an npy file with a row for each of the table's.
        label, user: names of columns; user None = no such column.
        reading: what the user said about the table. Words for "no value" that it names count among users as well;
            without them every id is a name, "NA" and "null" too.

    Raises:
        InputError: a missing column (with the nearest name), neither or both of texts and features, a row without
            label or text (says which), features that are no numbers, an npy file of another length.
    """
    if (text is None) == (features is None):
        raise InputError("--text", "must name a column of texts, or --features numbers", "both" if text else "neither")
    file = open_table(path, options=reading)
    for name in [name for name in (text, label, user) if name is not None]:
        if name not in file.names:
            raise no_column(str(path), name, file.names)
    plain = path.name.lower().endswith(TEXT_FILES)
    table = file.read(dict.fromkeys(file.names, "text") if plain else {}, file.names)
    if not len(table):
        raise InputError(str(path), "must have at least one row", f"{len(file.names)} columns, 0 rows")
    X = _texts(table, text) if text is not None else _numbers(path, table, str(features), reading)
    users = None if user is None else _users(table.column(user), reading)
    return Feedback(table, label, X, _texts(table, label), users)


def _users(column: Column, reading: TableOptions) -> list[Any]:
    """Ids, None where there is none."""
    none = {word.casefold() for word in reading.null or ()}
    return [None if isinstance(value, str) and value.casefold() in none else value for value in column.tolist()]


def _texts(table: Table, name: str) -> list[str]:
    column: Column = table.column(name)
    if column.missing.any():
        first = int(column.missing.argmax())
        rule = "must have a value in every row"
        raise InputError(f"{table.path}, column {name!r}", rule, f"none in row {table.rows[first]}")
    return [str(value) for value in column.tolist()]


def _numbers(path: Path, table: Table, features: str, reading: TableOptions) -> np.ndarray:
    if features.lower().endswith(".npy"):
        array = np.asarray(read_npy(Path(features)))
        if len(array) != len(table):
            raise InputError(features, f"must have a row for each of {path} ({len(table)})", f"{len(array)} rows")
        return array.reshape(len(array), -1)
    names: Sequence[str] = [name.strip() for name in features.split(",") if name.strip()]
    role = Role("features", kind="number", several=True)
    found = read_records(path, [role], {"features": names}, reading, option="--features")
    return found.frame("features").to_numpy(float)


def users_figure(report: pd.DataFrame) -> Figure:
    """Users by how many examples they gave and how far they are trusted; those of whom nothing is left are crosses."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for dropped, marker, colour, name in ((False, "o", "#2a6f97", "kept"), (True, "x", "#c1121f", "dropped")):
        rows = report[report["dropped"] == dropped]
        if len(rows):
            shown = f"{name} ({len(rows)})"
            axes.scatter(rows["examples"], rows["mean_trust"], marker=marker, c=colour, label=shown, alpha=0.8)
    axes.axhline(0.5, color="0.6", linewidth=1, linestyle=":")
    axes.set(xlabel="examples of the user", ylabel="mean trust", ylim=(-0.02, 1.02))
    most = int(report["examples"].max())
    if most > 20 * report["examples"].min():
        axes.set(xscale="log")
    else:
        axes.set(xlim=(0, 1.2 * most))
    named: list[tuple[float, float]] = []
    for row in report[report["dropped"]].itertuples():
        place = (row.examples, row.mean_trust)
        if len(named) < NAMED and all(abs(x - place[0]) > most / 5 or abs(y - place[1]) > 0.04 for x, y in named):
            axes.annotate(str(row.user)[:20], place, (6, -3), textcoords="offset points", size=8)
            named.append(place)
    axes.legend(loc="best")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


__all__ = ["Feedback", "read_feedback", "users_figure"]
