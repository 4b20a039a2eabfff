"""How large a table may become in memory: looked at before anything is unpacked."""

from __future__ import annotations

from dataclasses import dataclass, fields

from holdfast.errors import InputError

HARMLESS = 64 * 2**20  # bytes that a file may unpack to, however small it is


@dataclass(frozen=True)
class Bounds:
    """The most that a table may hold; larger numbers let larger files in.

    What would not fit into the free memory is refused in any case.

    Attributes:
        size: bytes: of a text file, and of what a gz file, a workbook or a parquet file unpacks to.
        ratio: bytes unpacked for each packed one, of gz files and workbooks that unpack to more than 64 MB.
        cells: rows x columns.
        columns: number of columns.

    Raises:
        InputError: a number that is not above 0.

    Example:
        >>> from holdfast.data.readers.tables import Bounds
        >>> Bounds(size=10).check_size(50, "a.csv")
        Traceback (most recent call last):
        holdfast.errors.InputError: a.csv: must hold at most 10 bytes (Bounds(size=...) allows more); received 50 bytes
    """

    size: int = 8_000_000_000
    ratio: float = 200.0
    cells: int = 1_000_000_000
    columns: int = 50_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise InputError(field.name, "must be a number above 0", repr(value))

    def check_size(self, size: int, name: str, what: str = "bytes") -> None:
        """Refuse a number of bytes."""
        if size > self.size:
            rule = f"must hold at most {self.size:,} bytes ({_how('size')})"
            raise InputError(name, rule, f"{size:,} {what}")

    def check_ratio(self, unpacked: int, packed: int, name: str) -> None:
        """Refuse what unpacks to many times its own size."""
        if unpacked > HARMLESS and unpacked > self.ratio * packed:
            rule = f"must unpack to at most {self.ratio:g} times its own {packed:,} bytes ({_how('ratio')})"
            raise InputError(name, rule, f"{unpacked:,} bytes or more")

    def check_cells(self, rows: int, columns: int, name: str) -> None:
        """Refuse a number of rows and columns."""
        if columns > self.columns:
            raise InputError(name, f"must have at most {self.columns:,} columns ({_how('columns')})", f"{columns:,}")
        if rows * columns > self.cells:
            rule = f"must have at most {self.cells:,} cells ({_how('cells')})"
            raise InputError(name, rule, f"{rows:,} rows of {columns:,}")


def _how(field: str) -> str:
    return f"Bounds({field}=...) allows more"


__all__ = ["HARMLESS", "Bounds"]
