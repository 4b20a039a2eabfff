"""A table out of a file of any of the formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.table import Table

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet", ".pq", ".xlsx", ".jsonl", ".json")
Wanted = Literal["text", "number", "time"]


def read_table(
    path: str | Path,
    *,
    kinds: Mapping[str, Wanted] | None = None,
    columns: Sequence[str] | None = None,
    options: TableOptions | None = None,
    bounds: Bounds | None = None,
) -> Table:
    """A table of a file; its ending says of what kind.

    Args:
        path: of the file.
        kinds: what columns must be, by name: "text" is left exactly as written, "number" and "time" must be such.
            Others are found from their cells; where these leave it open, the column stays text and a note says so.
        columns: the columns to keep; None = all.
        options: what the user said; None = all from evidence.
        bounds: the most the file may hold; None = `Bounds()`.
    """
    raise NotImplementedError
