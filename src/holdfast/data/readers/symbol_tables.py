"""Symbols, and the times beside them, in columns of tables and of a csv that comes through a pipe."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from holdfast.data.readers.names import suggest
from holdfast.data.readers.roles import Role, assign
from holdfast.data.readers.symbol_words import Note, SymbolWords, ignore, is_usual
from holdfast.data.readers.tables import Column, Table, TableOptions, open_table
from holdfast.data.readers.tables.numerals import looks_like_number
from holdfast.errors import InputError

TIME = Role("time", "time", required=False, also=("timestamp", "datetime", "date", "ds", "day", "week", "month"))
HEADLESS = "say --header 0 if the first row has no names (columns are then called column_1, column_2, ...)"


def table_symbols(
    path: str, column: str | None, options: TableOptions | None, words: SymbolWords
) -> tuple[np.ndarray, Table]:
    """The symbols (T,) int64 of a column, not yet checked against an alphabet, and the column read as a table.

    Raises:
        InputError: see `read_table`; no such column; a cell that is no symbol (names its row); the file has no header.
    """
    file = open_table(path, options=options)
    chosen = chosen_column(file.names, column, path)
    table = file.read({chosen: "text"} if words.named else {}, [chosen])
    found = table.columns[0]
    if found.kind in ("integer", "boolean") and not found.missing.any():
        symbols = found.values.astype(np.int64)
    else:
        cells = zip(found.tolist(), table.rows.tolist(), strict=True)
        numbers = (words.number("" if cell is None else str(cell).strip(), f"row {row}") for cell, row in cells)
        symbols = np.fromiter(numbers, np.int64)
    among_cells = chosen.lower() in ("true", "false") if found.kind == "boolean" else words.stands_for(chosen)
    if among_cells and (options is None or options.header is None):
        raise InputError(path, f"must begin with the columns' names; {HEADLESS}, --header 1 if these are names",
                         ", ".join(file.names[:6]))  # fmt: skip
    return np.asarray(symbols), table


def chosen_column(names: Sequence[str], column: str | None, path: str) -> str:
    """The column that the user named, or the only one.

    Raises:
        InputError: none named among several, or one that is not there; says which there are.
    """
    if column is None and len(names) == 1:
        return names[0]
    shown = ", ".join(names)
    if column is None:
        hint = f"; {HEADLESS}" if _may_be_values(names) else ""
        raise InputError("--column", f"must name one of the columns of {path}{hint}", shown)
    if column not in names:
        hint = f"; {HEADLESS}" if _may_be_values(names) and column.startswith("column_") else ""
        raise InputError(
            "--column", f"must be a column of {path}{suggest(column, names)}{hint}", f"{column!r}; has {shown}"
        )
    return column


def _may_be_values(names: Sequence[str]) -> bool:
    return any(looks_like_number(name) or is_usual(name) for name in names)


# ------------------------------------------------------------------------------------------------------------- times
def table_times(
    path: str, symbols: str, rows: np.ndarray, time: str | None, options: TableOptions | None, note: Note = ignore
) -> Column | None:
    """The column with the times of a table's rows: the one that is named, is called so, or alone holds dates.

    Args:
        path: of the table.
        symbols: the column that holds the symbols.
        rows: numbers of the rows that have been read.
        time: the column, where the user names it.
        options: what the user said about the table.
        note: is told what was decided from evidence.

    Raises:
        InputError: no such column.
    """
    file = open_table(path, options=options)
    others = [name for name in file.names if name != symbols]
    mapped = assign({} if time is None else {"time": [time]}, [TIME], others, path, "--time").get("time", [])
    if not others:
        return None
    table = file.read({}, mapped or others)
    dated = [column for column in table.columns if column.kind == "time"]
    found = table.columns[0] if mapped else dated[0] if len(dated) == 1 else None
    if found is None:
        return None
    for line in table.notes:
        if line.startswith(f"{found.name}: "):
            note(line)
    # Rows that are empty but for other columns were left out where the symbols were read alone.
    place = {row: at for at, row in enumerate(table.rows.tolist())}
    keep = np.array([place[row] for row in rows.tolist()], np.int64)
    return Column(found.name, found.kind, found.values[keep], found.missing[keep], found.unit)


def time_labels(column: Column) -> list[str]:
    """How times are shown: dates as 2024-01-31, with the time of day where there is one; other cells as they are.

    Example:
        >>> days = np.array(["2024-01-31T08:00:00", "NaT"], "datetime64[us]")
        >>> time_labels(Column("time", "time", days, np.isnat(days)))
        ['2024-01-31T08:00:00', '']
    """
    if column.kind != "time":
        return ["" if cell is None else str(cell) for cell in column.tolist()]
    values = column.values
    for unit in ("D", "s"):
        whole = values.astype(f"datetime64[{unit}]")
        if bool(((whole == values) | column.missing).all()):
            values = whole
            break
    return ["" if gone else str(cell) for cell, gone in zip(np.datetime_as_string(values), column.missing, strict=True)]


def order_of_time(column: Column, rows: np.ndarray, note: Note = ignore) -> slice:
    """In which order rows are to be taken: from the last to the first where the newest stands first, which is said."""
    forwards = slice(None)
    if column.kind not in ("time", "integer", "real") or column.missing.any() or len(column) < 2:
        return forwards
    back, on = column.values[1:] < column.values[:-1], column.values[1:] > column.values[:-1]
    if back.any() and not on.any():
        note(f"{column.name}: the newest row stands first, so rows are read from the last to the first")
        return slice(None, None, -1)
    if back.any():
        note(f"{column.name} goes back in row {rows[int(back.argmax()) + 1]}: rows are taken as they stand, not sorted")
    return forwards


# -------------------------------------------------------------------------------------------------------------- pipes
def pipe_symbols(
    pieces: Iterable[bytes], column: str, time: str | None, words: SymbolWords, name: str
) -> Iterator[tuple[np.ndarray, list[str] | None]]:
    """Symbols of a csv with commas as its lines come, and the times beside them, if it has any.

    Raises:
        InputError: a column that is not there, a line with another number of fields, a quote that never closes.
    """
    names: list[str] = []
    place, beside = 0, -1
    for records in _records(pieces, name):
        found, times = [], []
        for number, fields in records:
            if not names:
                names, place = fields, fields.index(chosen_column(fields, column, name))
                others = [other for other in names if other != column]
                mapped = assign({} if time is None else {"time": [time]}, [TIME], others, name, "--time")
                beside = names.index(mapped["time"][0]) if mapped else -1
                continue
            if len(fields) != len(names):
                rule = f"must have {len(names)} fields in every line, as in the first"
                raise InputError(name, rule, f"{len(fields)} in line {number}")
            found.append(words.number(fields[place], f"line {number}"))
            times.append(fields[beside])
        if found:
            yield np.array(found, np.int64), times if beside >= 0 else None


def _records(pieces: Iterable[bytes], name: str) -> Iterator[list[tuple[int, list[str]]]]:
    """The records that each piece completes, with the lines they begin in; a cell in quotes may hold line breaks."""
    rest, held, begin, number = b"", "", 0, 0
    for piece in itertools.chain(pieces, [b"\n"]):
        *lines, rest = (rest + piece).split(b"\n")
        found = []
        for raw in lines:
            number += 1
            text = held + raw.decode("utf-8", errors="replace").rstrip("\r")
            begin = begin if held else number
            if text.count('"') % 2:  # a quote is open
                held = text + "\n"
                continue
            held = ""
            if text.strip():
                found.append((begin, [field.strip() for field in next(csv.reader([text]))]))
        yield found
    if held:
        raise InputError(name, "must close every quote", f"one that is open from line {begin} on")


__all__ = ["chosen_column", "order_of_time", "pipe_symbols", "table_symbols", "table_times", "time_labels"]
