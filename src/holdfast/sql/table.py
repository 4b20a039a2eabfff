"""The table that a program is asked about: always called `w`, with an integer `row_id` before its own columns."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError
from holdfast.sql.columntypes import Cell, ColumnType, column_type, normalized, plain

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.data.readers.tables import TableOptions

NAME = "w"
ROW_ID = "row_id"
LONGEST_NAME = 100  # characters of a name that is compared with others
MAX_COLUMNS = 1500  # SQLite has 2,000; generated columns need room


@dataclass(frozen=True, eq=False)
class SQLTable:
    """A table with typed columns and unique names. Made by `from_file`, `from_pandas` and the others.

    Names are kept as they are, but made unique without regard to case ("a", "A" become "a", "A_2"), as SQL has none;
    empty names become "column_3". Control characters are written out ("career\\nsr" has a backslash and an n), as
    programs write them. Cells are kept as they are: `normalized` is the step that changes them.

    Attributes:
        frame: the cells: int columns as Int64, real as float64, date and text as object with None for no value.
        types: "int", "real", "date" (year-month-day as text) or "text", one per column.
        title: what the table is about; language models read it.
        original_names: the columns' names before they were made unique.
        notes: what was found out about the file it was read from, and what else a user should know, one line each.

    Example:
        >>> from holdfast.sql.table import SQLTable
        >>> table = SQLTable.from_dict({"Venue": ["Home ", "AWAY"], "Goals": ["1,200", "-"]}, title="Games")
        >>> table.types, table.normalized().types, list(table.normalized().rows())
        (('text', 'text'), ('text', 'int'), [('home', 1200), ('away', None)])
    """

    frame: pd.DataFrame
    types: tuple[ColumnType, ...]
    title: str = ""
    original_names: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    # ------------------------------------------------------------------------------------------------------- making
    @classmethod
    def from_pandas(cls, frame: pd.DataFrame, title: str = "") -> SQLTable:
        """A table of a pandas data frame; its index is left out.

        Raises:
            InputError: not a data frame, no columns, or more than 1,500.
        """
        import pandas as pd

        if not isinstance(frame, pd.DataFrame):
            raise InputError("frame", "must be a pandas.DataFrame", type(frame).__name__)
        names = [str(name) if not isinstance(name, tuple) else " ".join(map(str, name)) for name in frame.columns]
        _check_width(len(names))
        columns = [(name, *column_type(frame.iloc[:, i].reset_index(drop=True))) for i, name in enumerate(names)]
        return cls.of_columns(columns, title)

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[Any]], title: str = "") -> SQLTable:
        """A table of columns by name, all of the same length."""
        import pandas as pd

        lengths = {name: len(cells) for name, cells in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InputError("columns", "must all have the same number of cells", lengths)
        data = {str(name): pd.Series([plain(cell) for cell in cells], dtype=object) for name, cells in columns.items()}
        return cls.of_columns([(name, *column_type(cells)) for name, cells in data.items()], title)

    @classmethod
    def from_rows(cls, header: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> SQLTable:
        """A table of rows; texts stay texts, also where they look like numbers (`normalized` reads them)."""
        import pandas as pd

        for number, row in enumerate(rows):
            if len(row) != len(header):
                raise InputError("rows", f"must have {len(header)} cells as the header", f"{len(row)} in row {number}")
        cells = [pd.Series([plain(row[i]) for row in rows], dtype=object) for i in range(len(header))]
        return cls.of_columns([(name, *column_type(c)) for name, c in zip(header, cells, strict=True)], title)

    @classmethod
    def from_file(
        cls, path: str | Path, title: str | None = None, part: str | None = None, options: TableOptions | None = None
    ) -> SQLTable:
        """A table of a file: csv, tsv, txt, parquet, xlsx, jsonl, sqlite, db, duckdb, ...; see `holdfast.sql.files`.

        Args:
            path: of the file; its ending says of what kind it is.
            title: of the table; None = its name, or the file's.
            part: the table or sheet, where the file has several.
            options: what the user says about how the file is written; None = all from the evidence in it.
        """
        from holdfast.sql import files

        return files.read(Path(path), title, part, options)

    @classmethod
    def from_csv(cls, path: str | Path, title: str | None = None, sep: str | None = None) -> SQLTable:
        """A table of a CSV file; `sep` is told by the file unless it is given."""
        from holdfast.data.readers.tables import TableOptions

        return cls.from_file(path, title, options=TableOptions(delimiter=sep))

    @classmethod
    def of_columns(
        cls, columns: Sequence[tuple[str, pd.Series, ColumnType]], title: str = "", notes: Sequence[str] = ()
    ) -> SQLTable:
        """A table of columns that have their types: name, cells, type, all of one length."""
        import pandas as pd

        names = [name for name, _, _ in columns]
        _check_width(len(names))
        frame = pd.concat([column for _, column, _ in columns], axis=1)
        frame.columns = pd.Index(unique_names(names), dtype=object)
        return cls(frame, tuple(kind for _, _, kind in columns), title, tuple(names), tuple(notes))

    # -------------------------------------------------------------------------------------------------------- using
    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, without row_id."""
        return tuple(self.frame.columns)

    def __len__(self) -> int:
        return len(self.frame)

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[Cell, ...]]:
        """Rows as tuples of int, float, str and None, without row_id; some at a time, so no second copy is kept."""
        import pandas as pd

        stop = len(self) if stop is None else min(stop, len(self))
        for low in range(start, stop, 10_000):
            part = self.frame.iloc[low : min(low + 10_000, stop)]
            cells = [
                [None if v is pd.NA or v != v else v for v in part.iloc[:, i].tolist()] for i in range(part.shape[1])
            ]
            yield from zip(*cells, strict=True)

    def normalized(self) -> SQLTable:
        """The table as the paper prepares it: names and cells in lower case, numbers and dates read, types found.

        Of a text column, all cells that are not missing ("", "-", "n/a", ...) must be numbers ("1,200" too) to make it
        "int" or "real", or days to make it "date"; missing ones are then no value. Other cells lose surrounding and
        repeated whitespace and are put into Unicode's form NFC.
        """
        names = [" ".join(name.lower().split()) for name in self.original_names or self.columns]
        done = [(name, *normalized(self.frame.iloc[:, i], self.types[i])) for i, name in enumerate(names)]
        return self.of_columns(done, self.title, self.notes)

    def nearest(self, name: str) -> str | None:
        """The column whose name is most like `name`, if any is alike."""
        folded = {c.casefold(): c for c in (*self.columns, ROW_ID) if len(c) <= LONGEST_NAME}
        if len(name) > LONGEST_NAME:  # comparing long texts takes long, and both come from strangers
            return None
        found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
        return folded[found[0]] if found else None


def _check_width(columns: int) -> None:
    if not 1 <= columns <= MAX_COLUMNS:
        raise InputError("table", f"must have at least one and at most {MAX_COLUMNS} columns", columns)


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def unique_names(names: Sequence[str]) -> list[str]:
    """Names that SQL can tell apart: none empty, none equal to another or to row_id without regard to case.

    Example:
        >>> from holdfast.sql.table import unique_names
        >>> unique_names(["a", "A", "", "row_id", "x\\ny"])
        ['a', 'A_2', 'column_3', 'row_id_2', 'x\\\\ny']
    """
    taken, unique = {ROW_ID}, []
    for position, raw in enumerate(names, 1):
        text = re.sub(r"[\n\r\t]", lambda m: _ESCAPES[m[0]], str(raw).strip())
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Cf"))
        base = name = text.strip() or f"column_{position}"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.casefold())
        unique.append(name)
    return unique


__all__ = ["MAX_COLUMNS", "NAME", "ROW_ID", "SQLTable", "unique_names"]
