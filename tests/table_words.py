"""What tests ask of a table that was read."""

from __future__ import annotations

from typing import Any

from holdfast.data.readers.tables import Table


def cells(table: Table) -> dict[str, list[Any]]:
    """The cells of each column, None where there is no value."""
    return {column.name: column.tolist() for column in table.columns}


def kinds(table: Table) -> dict[str, str]:
    """The kind of each column."""
    return {column.name: column.kind for column in table.columns}


def said(table: Table, *words: str) -> str:
    """The one note that has these words."""
    found = [note for note in table.notes if all(word in note for word in words)]
    assert len(found) == 1, table.notes
    return found[0]
