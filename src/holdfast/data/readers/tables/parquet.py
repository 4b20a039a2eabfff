"""Parquet files: their types are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from holdfast.data.readers.tables.asnumpy import array, mask
from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.cells import Cells
from holdfast.data.readers.tables.columns import Reading, Wanted, read_columns
from holdfast.data.readers.tables.footers import count_values
from holdfast.data.readers.tables.headers import said_of_names, unique_names
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.splitting import TEXT
from holdfast.data.readers.tables.table import NUMERIC, Column, Table, text_column
from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.unpacking import check_memory


class ParquetFile:
    """A parquet file whose cells are not read yet.

    Args:
        path: of the file.
        options: what the user said.
        bounds: the most that it may hold, compared with what the file says of itself, and with what comes.

    Attributes:
        names: of the columns.

    Raises:
        InputError: no parquet file, more than the bounds allow.
    """

    def __init__(self, path: Path, options: TableOptions, bounds: Bounds) -> None:
        self._path, self._options, self._bounds = str(path), options, bounds
        check_regular(path)
        try:
            # A text that is repeated is kept once: a few kilobytes may hold a long one a billion times.
            schema = pq.read_schema(path)
            texts = [field.name for field in schema if _is_text(field.type)]
            self._file = pq.ParquetFile(path, read_dictionary=texts)
            about = self._file.metadata
            unpacked = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
            nested = any(pa.types.is_nested(field.type) for field in schema)
            cells = count_values(path) if nested else about.num_rows * len(schema.names)
        except Exception as error:  # noqa: BLE001  forged metadata goes wrong anywhere inside the library
            raise InputError(self._path, "must be a readable parquet file", str(error)) from None
        given = [str(name) for name in schema.names]
        bounds.check_cells(about.num_rows, len(given), self._path)
        bounds.check_cells(cells, 1, self._path)
        bounds.check_size(max(8 * cells, unpacked), self._path, "bytes unpacked")
        check_memory(max(8 * cells, 8 * about.num_rows * len(given), unpacked), self._path)
        self.names = unique_names(given)
        self._notes = said_of_names(given, self.names)

    def read(self, kinds: Mapping[str, Wanted], columns: Sequence[str]) -> Table:
        """Columns as what they are declared to be, or else are; see `TextFile.read`."""
        found = self._columns([self.names.index(name) for name in columns])
        count = len(found[0]) if found else 0
        rows = np.arange(1, count + 1)
        made: dict[str, Column] = {}
        readings: list[Reading] = []
        for name, cells in zip(columns, found, strict=True):
            wanted = kinds.get(name)
            if wanted in ("number", "time") and _is_text(cells.type):
                texts = self._texts(cells)
                readings.append(Reading(Cells(name, texts, rows, self._options), wanted, self._path))
            else:
                made[name] = self._column(name, cells, wanted)
        read, notes = read_columns(readings, list)
        made |= {column.name: column for column in read}
        return Table(self._path, tuple(made[name] for name in columns), rows, (*self._notes, *notes))

    def _columns(self, places: Sequence[int]) -> list[Any]:
        """Chunked arrays, read some rows at a time as long as they fit."""
        batches, size = [], 0
        try:
            for batch in self._file.iter_batches():
                chosen = batch.select(list(places))
                size += chosen.nbytes
                self._bounds.check_size(size, self._path, "bytes unpacked")
                batches.append(chosen)
            table = pa.Table.from_batches(batches) if batches else self._file.read().select(list(places))
            return [table.column(i) for i in range(len(places))]
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001  as above
            raise InputError(self._path, "must be a readable parquet file", str(error)) from None

    def _texts(self, cells: Any) -> Any:
        """A column of texts, each as long as it is, if there is room for them."""
        if pa.types.is_dictionary(cells.type):
            size = sum(
                int(array(pc.binary_length(c.dictionary))[array(c.indices.drop_null())].sum()) for c in cells.chunks
            )
            self._bounds.check_size(size, self._path, "bytes of text")
            check_memory(2 * size, self._path)
            cells = cells.cast(cells.type.value_type)
        return pc.fill_null(cells.cast(TEXT), "")

    def _column(self, name: str, cells: Any, wanted: Wanted | None) -> Column:
        try:
            column = as_text(name, cells) if wanted == "text" else as_column(name, cells)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise InputError(f"{self._path}, column {name!r}", f"must hold readable {cells.type}", str(error)) from None
        allowed = {"number": NUMERIC, "time": ("time", "integer", "real")}.get(str(wanted))
        if allowed and column.kind not in allowed and not column.missing.all():
            rule = f"must hold {'numbers' if wanted == 'number' else 'dates'}"
            raise InputError(f"{self._path}, column {name!r}", rule, f"values of type {cells.type}")
        return column


def as_column(name: str, cells: Any) -> Column:
    """A chunked array of any type."""
    kind = cells.type
    missing = mask(cells.is_null())
    if pa.types.is_null(kind):
        return Column(name, "real", np.full(len(cells), np.nan), missing)
    if pa.types.is_boolean(kind):
        return Column(name, "boolean", mask(cells), missing)
    if pa.types.is_integer(kind):
        return Column(name, "integer", array(pc.fill_null(cells, 0)), missing)
    if pa.types.is_floating(kind):
        values = array(cells)
        return Column(name, "real", values, missing | np.isnan(values))
    if pa.types.is_decimal(kind):  # by way of texts, which are rounded once
        texts = cells.cast(pa.string())
        whole = kind.scale <= 0 and kind.precision <= 18
        values = array(pc.fill_null(texts.cast(pa.int64()), 0)) if whole else array(texts.cast(pa.float64()))
        return Column(name, "integer" if whole else "real", values, missing)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = "UTC" if pa.types.is_timestamp(kind) and kind.tz else ""
        plain = (
            cells.cast(pa.timestamp(kind.unit))
            if zone
            else cells.cast(pa.date32())
            if pa.types.is_date(kind)
            else cells
        )
        return Column(name, "time", array(plain), missing, zone)
    return as_text(name, cells) if _is_text(kind) else Column(name, "other", _objects(cells), missing)


def as_text(name: str, cells: Any) -> Column:
    """A chunked array as texts; those that are repeated are one object."""
    if not _is_text(cells.type):
        cells = cells.cast(pa.string())
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    parts = []
    for chunk in cells.chunks:
        words = np.array([*chunk.dictionary.cast(pa.string()).to_pylist(), None], object)
        parts.append(words[array(pc.fill_null(chunk.indices, len(words) - 1))])
    values = np.concatenate(parts) if parts else np.empty(0, object)
    missing = np.array([value is None or not value.strip() for value in values.tolist()], bool)
    return text_column(name, values, missing)


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _objects(cells: Any) -> np.ndarray:
    made = np.empty(len(cells), object)
    made[:] = cells.to_pylist()
    return made


__all__ = ["ParquetFile", "as_column", "as_text"]
