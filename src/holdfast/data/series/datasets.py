"""Readers of the formats in which the paper's data sets are published."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.errors import InputError
from holdfast.files import check_regular

if TYPE_CHECKING:
    import pandas as pd


def read_matrix(path: str | Path) -> np.ndarray:
    """electricity.txt, traffic.txt, solar_AL.txt, exchange_rate.txt, PeMSD7_V_*.csv: T lines of n reals, no header.

    Args:
        path: the file, plain or compressed (.gz); values separated by commas.

    Returns:
        (T, n) float64.

    Raises:
        InputError: empty, lines of different lengths, or anything that is not a finite number; says where.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path, header=None)
    except pd.errors.EmptyDataError as error:
        raise InputError(str(path), "must hold lines of numbers separated by commas", "an empty file") from error
    except (pd.errors.ParserError, UnicodeDecodeError, OSError, EOFError) as error:
        rule = "must hold lines of equally many numbers separated by commas"
        raise InputError(str(path), rule, " ".join(str(error).split())) from error
    values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    _check_finite(path, values)
    return values


def read_ett(path: str | Path) -> tuple[pd.DatetimeIndex, dict[str, np.ndarray]]:
    """ETTh1.csv, ETTm1.csv, ...: a header `date,HUFL,...,OT` and a line per step.

    Returns:
        (stamps (T,), {channel: (T,) float64} in the order of the file).

    Raises:
        InputError: no column `date`, or a value that is no finite number.
    """
    import pandas as pd

    frame = pd.read_csv(path)
    if "date" not in frame.columns or len(frame.columns) < 2 or not len(frame):
        raise InputError(str(path), "must have a column date and others", ", ".join(map(str, frame.columns)))
    values = frame.drop(columns="date").apply(pd.to_numeric, errors="coerce")
    _check_finite(path, values.to_numpy(float))
    return pd.DatetimeIndex(pd.to_datetime(frame["date"])), {str(c): values[c].to_numpy(float) for c in values}


def read_sml2010(paths: Sequence[str | Path]) -> dict[str, np.ndarray]:
    """SML2010: text files NEW-DATA-1.T15.txt and NEW-DATA-2.T15.txt, one after the other.

    The first line of each names the columns as "# 1:Date 2:Time 3:Temperature_Comedor_Sensor ..."; then a line per
    quarter of an hour, values separated by spaces. Date and time are left out.

    Returns:
        {column: (T,) float64} in the order of the header.

    Raises:
        InputError: a header of another form, files with different columns, or a value that is no finite number.
    """
    found: list[dict[str, np.ndarray]] = []
    for path in paths:
        check_regular(Path(path))
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        names = re.findall(r"\d+:(\S+)", lines[0]) if lines else []
        rows = [line.split() for line in lines[1:] if line.strip()]
        if not names or not rows or any(len(row) != len(names) for row in rows):
            rule = "must begin with a line '# 1:Date 2:Time ...' and have as many values in every other line"
            raise InputError(str(path), rule, lines[0][:80] if lines else "an empty file")
        kept = [i for i, name in enumerate(names) if name.lower() not in ("date", "time")]
        try:
            values = np.array([[float(row[i]) for i in kept] for row in rows])
        except ValueError as error:
            raise InputError(str(path), "must hold numbers", str(error)) from error
        _check_finite(path, values)
        found.append({names[i]: values[:, j] for j, i in enumerate(kept)})
    if len({tuple(part) for part in found}) != 1:
        raise InputError("files", "must have the same columns", ", ".join(map(str, paths)))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def read_nasdaq100(path: str | Path) -> dict[str, np.ndarray]:
    """nasdaq100_padding.csv: a header of 81 stocks and, last, the index NDX; a line per minute.

    Returns:
        {column: (T,) float64} in the order of the file.

    Raises:
        InputError: no header, fewer than two columns, or a value that is no finite number.
    """
    import pandas as pd

    frame = pd.read_csv(path)
    values = frame.apply(pd.to_numeric, errors="coerce")
    if values.shape[1] < 2 or not len(values):
        raise InputError(str(path), "must hold a header and lines of stocks, the index last", f"{values.shape}")
    if all(_is_number(str(name)) for name in frame.columns):
        raise InputError(str(path), "must begin with the names of the columns", str(frame.columns[0]))
    _check_finite(path, values.to_numpy(float))
    return {str(name): values[name].to_numpy(float) for name in values}


def target_from(columns: Mapping[str, np.ndarray], target: str) -> tuple[np.ndarray, np.ndarray]:
    """(target (T,), all other columns (T, M)) of a table of columns.

    Raises:
        InputError: there is no such column.
    """
    if target not in columns:
        raise InputError("target", f"must be one of {', '.join(columns)}", target)
    others = [values for name, values in columns.items() if name != target]
    return columns[target], np.stack(others, axis=1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_finite(path: str | Path, values: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        where = f"{len(bad)} others, the first in row {row + 1}, column {column + 1}"
        raise InputError(str(path), "must hold finite numbers only", where)


__all__ = ["read_ett", "read_matrix", "read_nasdaq100", "read_sml2010", "target_from"]
