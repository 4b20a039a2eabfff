"""How large a table may become in memory. Looked at before anything is unpacked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """The most that a table may hold; larger numbers let larger files in.

    Attributes:
        size: bytes unpacked: of a text file, of what a gz file or workbook unpacks to, of a parquet file's columns.
        ratio: bytes unpacked for each packed one, of gz files and workbooks of more than 64 MB unpacked.
        cells: rows x columns.
    """

    size: int = 8 * 10**9
    ratio: float = 200.0
    cells: int = 10**9


__all__ = ["Bounds"]
