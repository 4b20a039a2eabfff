"""Columns as the text of a csv file: every digit that reading needs, and no cell that a spreadsheet would run.

Digits: a number is written with the fewest digits that read back as the same number of its own type: .1 in float32 is
0.1, and not 0.10000000149011612. NaN, None and NaT are empty cells. Dates are ISO 8601, without the time of day where
all of a column are at midnight.

Formulas: a spreadsheet computes a cell that begins with = + - @ or a tab or line break, and so a file's name or a label
from a stranger could make it fetch addresses or start programs. Texts that begin so get an apostrophe before them,
unless they are numbers (-1.5, +3), and so does what begins so behind a semicolon, tab or line break inside a text:
where commas are decimal, spreadsheets cut there, whatever quotes say. How many is told. What is for programs alone goes
into parquet, which holds every text as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA = re.compile(r"[=+\-@\t\r\n].", re.DOTALL)
NUMBER = re.compile(r"[-+]?[0-9][0-9.,]*(e[-+]?[0-9]+)?%?", re.IGNORECASE)
INNER = re.compile(r"(?<=[;\t\r\n])(?=[=+\-@].)", re.DOTALL)
QUOTED = re.compile(r'[",;\t\r\n]|^\s|\s$')


class CsvText:
    """Makes the text of a file, in pieces.

    Args:
        between: what stands between cells: a comma, or a tab for .tsv.

    Attributes:
        defused: cells of text so far that got an apostrophe, because a spreadsheet would take them for formulas.

    Example:
        >>> text = CsvText()
        >>> text.head(["name", "x"]) + text.rows([["=1+1", "a,b"], [0.1, None]])
        'name,x\\n\\'=1+1,0.1\\n"a,b",\\n'
    """

    def __init__(self, between: str = ",") -> None:
        self.between, self.defused = between, 0

    def head(self, names: Iterable[str]) -> str:
        """The line of names."""
        return _lines([[self._text(str(name))] for name in names], self.between)

    def rows(self, columns: Sequence[Any]) -> str:
        """The lines of columns of one length: arrays, lists, series."""
        return _lines([self._column(column) for column in columns], self.between)

    def _column(self, column: Any) -> list[str]:
        import numpy as np

        values = column if isinstance(column, np.ndarray) else np.asarray(column, _given_type(column))
        kind = values.dtype.kind
        if kind == "f":
            return _floats(values)
        if kind == "M":
            return _times(values)
        if kind in "iub":
            return list(map(str, values.tolist()))
        return [self._cell(value) for value in values.tolist()]

    def _cell(self, value: Any) -> str:
        if isinstance(value, str):
            return self._text(value)
        if missing(value):
            return ""
        return repr(value) if isinstance(value, float) else self._text(str(value))

    def _text(self, text: str) -> str:
        text = encodable(text)
        safe = INNER.sub("'", text)
        if FORMULA.match(text) and not NUMBER.fullmatch(text):
            safe = f"'{safe}"
        self.defused += safe != text
        text = safe
        return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text


def missing(value: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def encodable(text: str) -> str:
    """Text that UTF-8 can hold: names of files may have bytes that are no text, which then are seen as \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _given_type(column: Any) -> Any:
    """None where numpy finds the right type itself.

    Lists with texts would become texts altogether, and pandas' whole numbers with missing ones floats.
    """
    import numpy as np

    if hasattr(column, "dtype"):
        return None if isinstance(column.dtype, np.dtype) else object
    return object if any(isinstance(value, str) for value in column) else None


def _floats(values: Any) -> list[str]:
    # Python's shortest text is of float64; other floats know their own.
    texts = list(map(repr, values.tolist()) if values.dtype.itemsize == 8 else map(str, values))
    for i in (values != values).nonzero()[0].tolist():
        texts[i] = ""
    return texts


def _times(values: Any) -> list[str]:
    import numpy as np

    known = values[~np.isnat(values)]
    days = bool((known == known.astype("datetime64[D]")).all())
    whole = bool((known == known.astype("datetime64[s]")).all())
    fine = "us" if bool((known == known.astype("datetime64[us]")).all()) else "ns"
    unit: Any = "D" if days else "s" if whole else fine
    texts: Any = np.datetime_as_string(values, unit=unit)
    return ["" if text == "NaT" else text.replace("T", " ") for text in texts.tolist()]


def _lines(columns: Sequence[Sequence[str]], between: str) -> str:
    if len(columns) == 1:  # an empty line would be passed over by readers
        columns = [[text or '""' for text in columns[0]]]
    return "".join(f"{line}\n" for line in map(between.join, zip(*columns, strict=True)))


__all__ = ["CsvText", "encodable", "missing"]
