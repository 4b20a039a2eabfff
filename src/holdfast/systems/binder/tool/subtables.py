"""The sub-table that an ans@ call is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.errors import InputError
from holdfast.sql.dialect import identifier
from holdfast.sql.table import SQLTable
from holdfast.systems.binder.tool.arguments import ColumnArgument, LiteralArgument, read_argument
from holdfast.systems.binder.tool.calls import Row, cell_text

Query = Callable[[str], tuple[str, list[str], list[list[Any]]]]


@dataclass(frozen=True)
class Subtable:
    """Rows as texts, the names of their columns, and the queries that gave them."""

    header: Row
    rows: list[Row]
    sql: str


def read_subtable(arguments: Sequence[str], table: SQLTable, generated: Sequence[str], query: Query) -> Subtable:
    """The arguments of an ans@ call side by side.

    Args:
        arguments: their texts, inner calls replaced.
        table: whose columns they name.
        generated: names of the generated columns.
        query: runs a SELECT and gives it as it ran, its columns and its rows.

    Raises:
        InputError: columns of different lengths. A literal is as long as the others.
    """
    parts: list[tuple[list[str], list[list[Any]]]] = []
    literals: list[tuple[int, Any]] = []
    queries = []
    for text in arguments:
        argument = read_argument(text, table, generated)
        if isinstance(argument, LiteralArgument):
            literals.append((len(parts), argument.value))
            parts.append(([str(argument.value)], []))
            continue
        if isinstance(argument, ColumnArgument):
            sql = f"SELECT {identifier(argument.name)} FROM w ORDER BY row_id"
        else:
            sql = argument.sql
        ran, columns, found = query(sql)
        queries.append(ran)
        parts.append((columns, found))
    lengths = {len(rows) for i, (_, rows) in enumerate(parts) if i not in dict(literals)} or {1}
    if len(lengths) > 1:
        raise InputError("program", "must give arguments of one call with equal numbers of rows", sorted(lengths))
    for i, value in literals:
        parts[i] = (parts[i][0], [[value]] * min(lengths))
    header = tuple(name for names, _ in parts for name in names)
    rows = [tuple(cell_text(c) for cells in row for c in cells) for row in zip(*(r for _, r in parts), strict=True)]
    return Subtable(header, rows, "; ".join(queries))


__all__ = ["Subtable", "read_subtable"]
