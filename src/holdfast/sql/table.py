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
from holdfast.sql.columntypes import Cell, ColumnType, column_type, normalized, plain, typed_text

if TYPE_CHECKING:
    import pandas as pd

NAME = "w"
ROW_ID = "row_id"
LONGEST_NAME = 100  # characters of a name that is compared with others
MAX_COLUMNS = 1500  # SQLite has 2,000; generated columns need room


@dataclass(frozen=True, eq=False)
class SQLTable:
    """A table with typed columns and unique names. Made by `from_pandas`, `from_csv` and the others.

    Names are kept as they are, but made unique without regard to case ("a", "A" become "a", "A_2"), as SQL has none;
    empty names become "column_3". Control characters are written out ("career\\nsr" has a backslash and an n), as
    programs write them. Cells are kept as they are: `normalized` is the step that changes them.

    Attributes:
        frame: the cells: int columns as Int64, real as float64, date and text as object with None for no value.
        types: "int", "real", "date" (year-month-day as text) or "text", one per column.
        title: what the table is about; language models read it.
        original_names: the columns' names before they were made unique.

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
        columns = [column_type(frame.iloc[:, i].reset_index(drop=True)) for i in range(frame.shape[1])]
        return cls._of(names, columns, title)

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[Any]], title: str = "") -> SQLTable:
        """A table of columns by name, all of the same length."""
        import pandas as pd

        lengths = {name: len(cells) for name, cells in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InputError("columns", "must all have the same number of cells", lengths)
        data = {name: pd.Series([plain(cell) for cell in cells], dtype=object) for name, cells in columns.items()}
        return cls.from_pandas(pd.DataFrame(data), title)

    @classmethod
    def from_rows(cls, header: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> SQLTable:
        """A table of rows; texts stay texts, also where they look like numbers (`normalized` reads them)."""
        import pandas as pd

        for number, row in enumerate(rows):
            if len(row) != len(header):
                raise InputError("rows", f"must have {len(header)} cells as the header", f"{len(row)} in row {number}")
        columns = [column_type(pd.Series([plain(row[i]) for row in rows], dtype=object)) for i in range(len(header))]
        return cls._of(list(header), columns, title)

    @classmethod
    def from_text(cls, frame: pd.DataFrame, header: Sequence[str], title: str = "") -> SQLTable:
        """A table of texts as files have them: columns of numbers become numbers, empty cells no value."""
        return cls._of(list(header), [typed_text(frame.iloc[:, i]) for i in range(frame.shape[1])], title)

    @classmethod
    def from_file(cls, path: str | Path, title: str | None = None, table: str | None = None) -> SQLTable:
        """A table of a file; its ending says of what kind: csv, tsv, parquet, xlsx, sqlite, db, duckdb."""
        from holdfast.sql import files

        return files.read(Path(path), title, table)

    @classmethod
    def from_csv(cls, path: str | Path, title: str | None = None, sep: str | None = None) -> SQLTable:
        """A table of a CSV file in UTF-8 with a header line, which tells the separator unless `sep` does."""
        from holdfast.sql import files

        return files.read_csv(Path(path), title, sep)

    @classmethod
    def from_parquet(cls, path: str | Path, title: str | None = None) -> SQLTable:
        """A table of a parquet file."""
        from holdfast.sql import files

        return files.read_parquet(Path(path), title)

    @classmethod
    def from_excel(cls, path: str | Path, title: str | None = None, sheet: str | None = None) -> SQLTable:
        """A table of a sheet of an Excel workbook (the first one); its first row is the header."""
        from holdfast.sql import files

        return files.read_excel(Path(path), title, sheet)

    @classmethod
    def from_sqlite(cls, path: str | Path, title: str | None = None, table: str | None = None) -> SQLTable:
        """A table of a SQLite file, opened for reading; it need not be named if there is only one."""
        from holdfast.sql import files

        return files.read_sqlite(Path(path), title, table)

    @classmethod
    def from_duckdb(cls, path: str | Path, title: str | None = None, table: str | None = None) -> SQLTable:
        """A table of a DuckDB file, opened for reading; it need not be named if there is only one."""
        from holdfast.sql import files

        return files.read_duckdb(Path(path), title, table)

    @classmethod
    def _of(cls, names: list[str], columns: list[tuple[pd.Series, ColumnType]], title: str) -> SQLTable:
        import pandas as pd

        _check_width(len(names))
        unique = unique_names(names)
        frame = pd.concat([column for column, _ in columns], axis=1)
        frame.columns = pd.Index(unique, dtype=object)
        return cls(frame, tuple(kind for _, kind in columns), title, tuple(names))

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
        done = [normalized(self.frame.iloc[:, i], kind) for i, kind in enumerate(self.types)]
        names = [" ".join(name.lower().split()) for name in self.original_names or self.columns]
        return self._of(names, done, self.title)

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
