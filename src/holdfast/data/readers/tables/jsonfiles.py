"""jsonl files (an object on every line) and json files that are a list of objects."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.columns import Wanted, read_columns
from holdfast.data.readers.tables.contents import read_bytes
from holdfast.data.readers.tables.encodings import to_utf8
from holdfast.data.readers.tables.headers import said_of_names, unique_names
from holdfast.data.readers.tables.objects import ObjectReading
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.table import Table
from holdfast.errors import InputError
from holdfast.unpacking import check_memory

TIMES_LARGER = 12  # as Python's objects than as text, about; "[]," is the worst


class JsonFile:
    """A json or jsonl file, read whole. A key that an object lacks is a cell without a value.

    Args:
        path: of the file.
        options: what the user said.
        bounds: the most that it may hold.

    Attributes:
        names: of the columns, in the order in which keys come first.

    Raises:
        InputError: no file, no json, something else than objects, a key twice in one object.
    """

    def __init__(self, path: Path, options: TableOptions, bounds: Bounds) -> None:
        self._path, self._options = str(path), options
        data, notes = to_utf8(read_bytes(path, bounds), options.encoding, self._path)
        check_memory(TIMES_LARGER * len(data), self._path)
        lines = path.suffix.lower() == ".jsonl"
        cells: dict[str, tuple[list[int], list[Any]]] = {}
        rows: list[int] = []
        for number, item in self._lines(data) if lines else self._items(data):
            if not isinstance(item, dict):
                where = "every line" if lines else "every element of the list"
                raise InputError(self._path, f"must have an object in {where}", f"{str(item)[:40]!r} in row {number}")
            for key, value in item.items():
                places, values = cells.setdefault(key, ([], []))
                places.append(len(rows))
                values.append(value)
            rows.append(number)
        if not cells:
            raise InputError(self._path, "must have objects with keys, which name the columns", f"{len(rows)} objects")
        bounds.check_cells(len(rows), len(cells), self._path)
        check_memory(8 * len(rows) * len(cells), self._path)
        self._rows = np.array(rows, np.int64)
        self.names = unique_names(list(cells))
        self._cells = dict(zip(self.names, cells.values(), strict=True))
        self._notes = [*notes, *said_of_names(list(cells), self.names)]

    def read(self, kinds: Mapping[str, Wanted], columns: Sequence[str]) -> Table:
        """Columns as what they are declared to be, or else are; see `TextFile.read`."""
        others = (self._reading(name, None) for name in self.names if name not in columns)
        read, notes = read_columns([self._reading(name, kinds.get(name)) for name in columns], lambda: others)
        return Table(self._path, tuple(read), self._rows, (*self._notes, *notes))

    def _reading(self, name: str, wanted: Wanted | None) -> ObjectReading:
        places, found = self._cells[name]
        values: list[Any] = [None] * len(self._rows)
        for place, value in zip(places, found, strict=True):
            values[place] = value
        return ObjectReading(name, values, self._rows, wanted, self._options, self._path, typed=True)

    def _lines(self, data: bytes) -> Iterator[tuple[int, Any]]:
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                yield number, self._loaded(line, f"line {number}")

    def _items(self, data: bytes) -> Iterator[tuple[int, Any]]:
        found = self._loaded(data, "it")
        if not isinstance(found, list):
            rule = "must be a list of objects, [{...}, ...]; a file with an object on every line ends in .jsonl"
            raise InputError(self._path, rule, type(found).__name__)
        yield from enumerate(found, 1)

    def _loaded(self, text: bytes, where: str) -> Any:
        try:
            return json.loads(text.decode("utf-8"), object_pairs_hook=_object, parse_float=_real)
        except (ValueError, RecursionError) as error:
            raise InputError(self._path, f"must be json, and {where} is not", str(error)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:40]!r} is twice in one object")
    return made


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is beyond the largest double")
    return value


__all__ = ["JsonFile"]
