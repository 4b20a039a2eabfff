"""Vector tables of JPL's Horizons service: positions and velocities of a body at epochs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.errors import InputError

BEGIN, END = "$$SOE", "$$EOE"
COLUMNS = ("JDTDB", "X", "Y", "Z", "VX", "VY", "VZ")
MOST = 1 << 30  # bytes


@dataclass(frozen=True, eq=False)
class VectorTable:
    """A body's track.

    Attributes:
        body: name of the target, as the file's head has it ("" if it has none).
        units: of the output, as the head has them, such as "AU-D" or "KM-S".
        jd: (T,) Julian dates.
        pos, vel: (T, 3).
    """

    body: str
    units: str
    jd: np.ndarray
    pos: np.ndarray
    vel: np.ndarray


def read_horizons(path: str | Path) -> VectorTable:
    """Read a table of vectors in CSV format (columns JDTDB, date, X, Y, Z, VX, VY, VZ, ...) between $$SOE and $$EOE.

    Columns are found by the line of names above $$SOE; a file without it must have them in that order. Text around the
    two marks may be anything; "Target body name:" and "Output units" are read from it.

    Raises:
        InputError: no marks, no rows, or a row that is no row of numbers (says which line).

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mars.txt"
        >>> _ = file.write_text("$$SOE\\n2451545.0, A.D. 2000-Jan-01, 1.0, 2.0, 3.0, 0.1, 0.2, 0.3,\\n$$EOE\\n")
        >>> read_horizons(file).pos.tolist()
        [[1.0, 2.0, 3.0]]
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(str(path), "must be a file", "no such file")
    if file.stat().st_size > MOST:
        raise InputError(str(path), "must have at most 1 GB", f"{file.stat().st_size:,} bytes")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    marks = [next((n for n, line in enumerate(lines) if line.strip() == mark), None) for mark in (BEGIN, END)]
    begin, end = marks
    if begin is None or end is None or end < begin:
        raise InputError(
            str(path), f"must have lines {BEGIN} and {END}, as Horizons writes them", f"{len(lines)} lines"
        )
    if end == begin + 1:
        raise InputError(str(path), f"must have a row between {BEGIN} and {END}", "none")
    columns = _columns(lines[:begin])
    rows = []
    for number, line in enumerate(lines[begin + 1 : end], start=begin + 2):
        cells = [cell.strip() for cell in line.split(",")]
        try:
            rows.append([float(cells[column]) for column in columns])
        except (ValueError, IndexError):
            rule = "must be a date and six numbers, separated by commas (CSV format: yes, in Horizons)"
            raise InputError(f"{path}, line {number}", rule, line.strip()) from None
    table = np.array(rows)
    if not np.isfinite(table).all():
        raise InputError(str(path), "must hold finite numbers", "NaN or infinity")
    head = lines[:begin]
    return VectorTable(
        _said(head, "Target body name"), _said(head, "Output units"), table[:, 0], table[:, 1:4], table[:, 4:]
    )


def _columns(head: list[str]) -> list[int]:
    """Which cells hold date, position and velocity."""
    for line in reversed(head):
        names = [name.strip() for name in line.split(",")]
        if set(COLUMNS) <= set(names):
            return [names.index(name) for name in COLUMNS]
    return [0, 2, 3, 4, 5, 6, 7]


def _said(head: list[str], what: str) -> str:
    """What a line of the head says: "Target body name: Mars (499)   {source: mar097}" -> "Mars (499)"."""
    for line in head:
        name, colon, value = line.partition(":")
        if colon and name.strip() == what:
            return value.split("{")[0].split(",")[0].strip()
    return ""


__all__ = ["VectorTable", "read_horizons"]
