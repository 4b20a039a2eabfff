"""Columns of Python objects, as workbooks and json files give them: numbers, texts, dates, some of each."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from holdfast.data.readers.tables.cells import Cells
from holdfast.data.readers.tables.columns import Reading, Wanted
from holdfast.data.readers.tables.evidence import Evidence
from holdfast.data.readers.tables.options import Decimal, TableOptions
from holdfast.data.readers.tables.splitting import TEXT
from holdfast.data.readers.tables.table import NUMERIC, Column, Kind
from holdfast.errors import InputError

INT64 = range(-(2**63), 2**63)


class ObjectReading:
    """A column of objects that is being read.

    Texts among numbers are read as the cells of a text file are. A column of texts alone stays one where the format
    has numbers of its own (`typed`), unless it is declared to be something else.

    Args:
        name: of the column.
        values: (N,) None, bool, int, float, str, date, datetime or others.
        rows: (N,) numbers of the rows in the file.
        wanted: what the caller declares the column to be.
        options: what the user said.
        path: of the file, for messages.
        typed: whether texts in the file are meant to be texts.
    """

    def __init__(
        self,
        name: str,
        values: Sequence[Any],
        rows: np.ndarray,
        wanted: Wanted | None,
        options: TableOptions,
        path: str,
        *,
        typed: bool,
    ) -> None:
        self._name, self._rows, self._wanted, self._typed = name, rows, wanted, typed
        self._where = f"{path}, column {name!r}"
        self._values = [None if value != value else value for value in values]  # NaN is no value
        kinds = [_kind(value) for value in self._values]
        self._kinds = set(kinds) - {"nothing"}
        self._are_text = np.array([kind == "text" for kind in kinds], bool)
        self._missing = np.array([kind == "nothing" for kind in kinds], bool)
        texts = pa.array([value for value, kind in zip(self._values, kinds, strict=True) if kind == "text"], TEXT)
        alone = self._kinds <= {"text"}
        inner: Wanted | None = "text" if wanted == "text" or (typed and alone and wanted is None) else wanted
        self._texts = Reading(Cells(name, texts, rows[self._are_text], options), inner, path)

    @property
    def is_open(self) -> bool:
        """Whether other columns must be asked."""
        return self._texts.is_open

    def evidence(self) -> tuple[set[Decimal], set[bool]]:
        """Decimal signs, and orders of day (True) and month, that the texts cannot do without."""
        return self._texts.evidence()

    def decide(self, evidence: Evidence) -> tuple[Column, list[str]]:
        """The column, and what is to be said of it.

        Raises:
            InputError: declared to be numbers or times, and it is not, or leaves open what its cells are.
        """
        if self._wanted == "text":
            return self._as_text()
        native = self._kinds - {"text"}
        if not native and self._are_text.any():
            column, notes = self._texts.decide(evidence)
            return self._spread(column), notes
        made = self._native(native)
        if self._are_text.any():
            if not self._texts.cells.known.any():  # words that mean "no value" among the others
                return made, [f"{self._name}: {said}" for said in self._texts.cells.said_of_words("numbers")]
            fits = (
                self._texts.all_numbers
                if made.kind in ("integer", "real")
                else made.kind == "time" and self._texts.all_times
            )
            if fits or self._wanted:
                column, notes = self._texts.decide(evidence)
                if _alike(column.kind, made.kind):
                    return _merged(made, self._spread(column), self._are_text), notes
                return self._mixed(notes)
            return self._mixed()
        self._check_declared(made)
        if made.kind == "other" and len(native) > 1:
            return self._mixed()
        if made.kind == "text":
            return made, [f"{self._name}: whole numbers with too many digits, so it is read as text"]
        return made, []

    def _check_declared(self, made: Column) -> None:
        allowed = {"number": NUMERIC, "time": ("time", "integer", "real")}.get(str(self._wanted))
        if allowed and made.kind not in allowed and not made.missing.all():
            place = int(np.flatnonzero(~made.missing)[0])
            received = f"{str(self._values[place])[:40]!r} in row {self._rows[place]}"
            raise InputError(self._where, f"must hold {'numbers' if self._wanted == 'number' else 'dates'}", received)

    def _mixed(self, notes: Sequence[str] = ()) -> tuple[Column, list[str]]:
        """Cells of several kinds: texts, which all of them can be. `notes` say why, if the texts alone tell."""
        if self._wanted is not None:
            places = np.flatnonzero(self._are_text | np.array([_kind(v) == "other" for v in self._values]))
            place = int(places[0]) if len(places) else 0
            received = f"{str(self._values[place])[:40]!r} in row {self._rows[place]}"
            raise InputError(self._where, f"must hold {self._wanted}s throughout", received)
        column, _ = self._as_text()
        count, total = int(self._are_text.sum()), int((~self._missing).sum())
        return column, list(notes) or [f"{self._name}: {count:,} of {total:,} cells are text, so all are read as text"]

    def _as_text(self) -> tuple[Column, list[str]]:
        texts = [_text(value) for value in self._values]
        missing = np.array([text is None or not text.strip() for text in texts], bool)
        values = np.empty(len(texts), object)
        values[:] = [None if gone else text for text, gone in zip(texts, missing, strict=True)]
        return Column(self._name, "text", values, missing), []

    def _native(self, kinds: set[str]) -> Column:
        """The column without its texts, which are left without value."""
        values = [None if is_text else value for value, is_text in zip(self._values, self._are_text, strict=True)]
        missing = self._missing | self._are_text
        kind, make = _maker(kinds, values)
        if self._wanted == "number" and kind == "text":  # whole numbers beyond int64
            kind, make = "real", _reals
        if not kinds and self._wanted == "time":
            kind, make = "time", _times
        return Column(self._name, kind, make(values), missing, "UTC" if kinds == {"zoned"} else "")

    def _spread(self, column: Column) -> Column:
        """A column of the texts alone as one of all rows."""
        blank: dict[Kind, Any] = {"integer": 0, "real": np.nan, "time": np.datetime64("NaT"), "boolean": False}
        values = np.full(len(self._values), blank.get(column.kind), column.values.dtype)
        missing = np.ones(len(self._values), bool)
        values[self._are_text], missing[self._are_text] = column.values, column.missing
        return Column(column.name, column.kind, values, missing, column.unit)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "text" if value.strip() else "nothing"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if value in INT64 else "large"
    if isinstance(value, float):
        return "real"
    if isinstance(value, dt.datetime):
        return "time" if value.tzinfo is None else "zoned"
    return "time" if isinstance(value, dt.date) else "other"


def _maker(kinds: set[str], values: Sequence[Any]) -> tuple[Kind, Callable[[Sequence[Any]], np.ndarray]]:
    if kinds == {"boolean"}:
        return "boolean", lambda cells: np.array([bool(cell) for cell in cells], bool)
    if kinds == {"integer"}:
        return "integer", lambda cells: np.array([cell or 0 for cell in cells], np.int64)
    if kinds <= {"integer", "real"}:
        return "real", _reals
    if kinds <= {"integer", "large"}:
        return "text", lambda cells: np.array([None if cell is None else str(cell) for cell in cells], object)
    if kinds <= {"integer", "large", "real"}:
        return "real", _reals
    if kinds in ({"time"}, {"zoned"}):
        return "time", _times
    return "other", _objects


def _reals(values: Sequence[Any]) -> np.ndarray:
    return np.array([np.nan if value is None else _double(value) for value in values], np.float64)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError("number", "must be at most 1.8e308", f"a whole number of {value.bit_length()} bits") from None  # type: ignore[attr-defined]


def _times(values: Sequence[Any]) -> np.ndarray:
    """Days if no time of day differs from midnight, else microseconds."""
    moments = np.array([None if value is None else _utc(value) for value in values], "datetime64[us]")
    days = moments.astype("datetime64[D]")
    return days if bool((days.astype(moments.dtype) == moments)[~np.isnat(moments)].all()) else moments


def _utc(value: dt.date) -> dt.date:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return value


def _objects(values: Sequence[Any]) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _alike(one: Kind, two: Kind) -> bool:
    return one == two or {one, two} <= {"integer", "real"}


def _merged(first: Column, second: Column, from_second: np.ndarray) -> Column:
    values = np.where(from_second, second.values, first.values)
    kind = "real" if "real" in (first.kind, second.kind) else first.kind
    missing = np.where(from_second, second.missing, first.missing)
    if kind == "real":
        values = np.where(missing, np.nan, values)
    return Column(first.name, kind, values, missing, second.unit or first.unit)


__all__ = ["ObjectReading"]
