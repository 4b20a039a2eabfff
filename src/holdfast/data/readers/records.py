"""Rows with named roles: which column of a user's table is the text, which the label, which the group.

A caller declares the roles it knows; the user's file has columns of these names, or the user maps its columns with
`--column role=column`. What comes out are arrays, with the place of every row in its file for later messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.readers.roles import Mapped, Role, assign, parse_columns
from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.reading import open_table
from holdfast.data.readers.tables.table import NUMERIC, Column, Table, text_column
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of one or several files.

    Attributes:
        columns: of each role that the files have, under the names of the first file's columns.
        rows: (N,) int64, numbers of the rows in their files, as a spreadsheet shows them.
        files: (N,) int64, which of `paths` each row is of.
        paths: of the files.
        notes: what was decided in reading, one line each.
    """

    columns: Mapping[str, Mapping[str, Column]]
    rows: np.ndarray
    files: np.ndarray
    paths: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, role: str) -> bool:
        return role in self.columns

    def __getitem__(self, role: str) -> Any:
        """The values (N,) of a role; None if the files have no such column.

        Text: objects (str, None where there is no value). Number: int64, or float64 with NaN where there are fractions
        or no values. Time: datetime64 or numbers. Raises KeyError where several columns have the role: see `frame`.
        """
        columns = self.columns.get(role)
        if columns is None:
            return None
        if len(columns) > 1:
            raise KeyError(f"{role}: {len(columns)} columns have this role; use columns[{role!r}] or frame({role!r})")
        return next(iter(columns.values())).values

    def frame(self, role: str) -> pd.DataFrame:
        """The columns of a role as a data frame, without any if the files have none."""
        import pandas as pd

        columns = self.columns.get(role, {})
        return pd.DataFrame({name: column.series() for name, column in columns.items()}, index=range(len(self)))

    def place(self, index: int) -> str:
        """Where a row stands: "reviews.csv, row 17"."""
        return f"{self.paths[int(self.files[index])]}, row {self.rows[index]}"


def read_records(
    paths: str | Path | Sequence[str | Path],
    roles: Sequence[Role],
    columns: Mapped = (),
    options: TableOptions | None = None,
    bounds: Bounds | None = None,
    *,
    option: str = "--column",
) -> Records:
    """Rows of a table, or of several, one after the other, with named roles.

    Args:
        paths: of the files, of any format that `read_table` reads.
        roles: those that the caller knows.
        columns: what the user maps, each as `role=column`, or as a mapping of roles to columns.
        options: what the user said about the tables.
        bounds: the most that each file may hold.
        option: that the user maps columns with, for messages.

    Raises:
        InputError: no file, no rows; a required role without a column (says which columns there are, and the nearest
            name); a cell without a value where the role does not allow it (with count and first row); what
            `read_table` raises; columns of one role that differ in kind or unit between files.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "reviews.tsv"
        >>> _ = file.write_text("review\\tstars\\tcountry\\ngood\\t5\\tNA\\nbad\\t1\\tUS\\n")
        >>> found = read_records(file, [Role("text"), Role("label", kind="number"), Role("group", required=False)],
        ...                      columns=["text=review", "label=stars", "group=country"])
        >>> found["text"].tolist(), found["label"].tolist(), found["group"].tolist()
        (['good', 'bad'], [5, 1], ['NA', 'US'])
        >>> found.rows.tolist()
        [2, 3]
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise InputError("paths", "must name at least one table", "none")
    mapped = parse_columns(columns, roles, option)
    parts = [_read(path, roles, mapped, options, bounds, option) for path in files]
    first = parts[0].columns
    joined: dict[str, dict[str, Column]] = {}
    for role in roles:
        if any((role.name in part.columns) != (role.name in first) for part in parts):
            raise _differ(parts, role.name, "must all have a column for", [str(role.name in p.columns) for p in parts])
        if role.name in first:
            joined[role.name] = _joined(parts, role)
    return Records(
        joined,
        np.concatenate([part.rows for part in parts]),
        np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        tuple(str(path) for path in files),
        tuple(note if len(files) == 1 else f"{p.paths[0]}: {note}" for p in parts for note in p.notes),
    )


def _read(
    path: str | Path,
    roles: Sequence[Role],
    mapped: Mapping[str, Sequence[str]],
    options: TableOptions | None,
    bounds: Bounds | None,
    option: str,
) -> Records:
    file = open_table(path, options=options, bounds=bounds)
    assigned = assign(mapped, roles, file.names, str(path), option)
    known = {role.name: role for role in roles}
    kinds = {c: kind for name, cols in assigned.items() for c in cols if (kind := known[name].kind) != "any"}
    wanted = list(dict.fromkeys(column for columns in assigned.values() for column in columns))
    table = file.read(kinds, wanted)
    if not len(table):
        raise InputError(str(path), "must have at least one row", f"{len(file.names)} columns, 0 rows")
    columns = {
        name: {column: _column(table, known[name], column) for column in names} for name, names in assigned.items()
    }
    return Records(columns, table.rows, np.zeros(len(table), np.int64), (str(path),), table.notes)


def _column(table: Table, role: Role, name: str) -> Column:
    """A column as the role has it, with a value in every row unless it need not."""
    column, where = table.column(name), f"{table.path}, column {name!r} ({role.name})"
    if column.missing.any() and not role.missing:
        count, place = int(column.missing.sum()), int(column.missing.argmax())
        first = f"{count:,} cells have none, the first" if count > 1 else "1 cell has none,"
        raise InputError(where, "must have a value in every row", f"{first} in row {table.rows[place]}")
    if role.kind == "text" and column.kind != "text":
        return text_column(name, column.values.astype(object), column.missing)
    if role.kind == "number" and (column.kind == "boolean" or column.missing.any()):
        if column.kind == "integer" and np.abs(column.values.astype(np.float64)).max(initial=0) >= 2**53:
            rule = "must have a value in every row where whole numbers go beyond 2^53"
            raise InputError(where, rule, f"{int(column.missing.sum())} cells without")
        return Column(name, "real", column.numbers(), column.missing, column.unit)
    return column


def _joined(parts: Sequence[Records], role: Role) -> dict[str, Column]:
    """The columns of a role of all files, one after the other: by position where one column has it, else by name."""
    names = [list(part.columns[role.name]) for part in parts]
    if len(parts) > 1 and max(map(len, names)) > 1 and any(set(found) != set(names[0]) for found in names):
        raise _differ(parts, role.name, "must have the same columns for", [", ".join(found[:10]) for found in names])
    made = {}
    for place, name in enumerate(names[0]):
        columns = [
            part.columns[role.name][name if len(own) > 1 else own[place]]
            for part, own in zip(parts, names, strict=True)
        ]
        kinds = {column.kind for column in columns}
        if len(kinds) > 1 and not kinds <= set(NUMERIC):
            raise _differ(parts, role.name, "must have one kind of", [column.kind for column in columns])
        if len({column.unit for column in columns}) > 1:
            raise _differ(parts, role.name, "must have one unit in", [column.unit or "none" for column in columns])
        values = np.concatenate([column.numbers() if len(kinds) > 1 else column.values for column in columns])
        missing = np.concatenate([column.missing for column in columns])
        made[name] = Column(name, columns[0].kind if len(kinds) == 1 else "real", values, missing, columns[0].unit)
    return made


def _differ(parts: Sequence[Records], role: str, rule: str, found: Sequence[str]) -> InputError:
    shown = ", ".join(f"{what} in {part.paths[0]}" for what, part in zip(found, parts, strict=True))
    return InputError("paths", f"{rule} the role {role}", shown)


__all__ = ["Records", "Role", "read_records"]
