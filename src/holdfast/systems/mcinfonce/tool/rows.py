"""A user's rows with labels and names, their ranking, and its figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.features import read_arrays
from holdfast.data.readers.records import read_records
from holdfast.data.readers.roles import Role
from holdfast.data.readers.tables import TableOptions
from holdfast.errors import InputError

SHOWN = 2000  # points of the figure


def read_rows(path: Path) -> np.ndarray:
    """(N, F) numbers of a .npy, .npz or table.

    Raises:
        InputError: what `read_arrays` raises; anything but rows of numbers.
    """
    x, _ = read_arrays(path)
    if x.ndim != 2 or not x.size:
        raise InputError(str(path), "must hold rows of numbers, of shape (N, F)", f"shape {x.shape}")
    return x


def read_column(path: Path, role: str, column: str | None, rows: int, reading: TableOptions | None) -> np.ndarray:
    """A text for each of `rows` rows, in their order: labels or names.

    Args:
        path: a table.
        role: what the column is called where `column` is None.
        column: its name.

    Raises:
        InputError: no such column, cells without a value, another number of rows.
    """
    columns = {} if column is None else {role: column}
    found = read_records(path, [Role(role)], columns, reading, option=f"--{role}-column")
    if len(found) != rows:
        raise InputError(str(path), f"must have a row for each of the {rows} rows of features", len(found))
    return np.asarray(found[role])


def ranking(mu: np.ndarray, kappa: np.ndarray, names: np.ndarray | None, inside: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the table, the most ambiguous row first: row (from 0), id, kappa, credible rows, mu.

    Args:
        inside: (N,) how many rows of the file are in each row's 95 % credible set.
    """
    order = np.argsort(kappa, kind="stable")
    ids = {} if names is None else {"id": names[order]}
    parts = {f"mu_{i}": mu[order, i] for i in range(mu.shape[1])}
    return {"row": order, **ids, "kappa": kappa[order], "credible_rows": inside[order], **parts}


def kappa_figure(kappa: np.ndarray, inside: np.ndarray) -> Any:
    """How ambiguous the rows are: kappa of all, and against how many rows each may be mistaken for."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    ends = np.geomspace(kappa.min() / 1.01, kappa.max() * 1.01, min(40, 3 + len(kappa) // 5))
    left.hist(kappa, bins=ends, color="#4c72b0")
    left.set_xlabel("kappa (no unit; low = ambiguous)")
    left.set_ylabel("rows")
    every = slice(None, None, -(-len(kappa) // SHOWN))
    right.scatter(kappa[every], inside[every], s=6, alpha=0.5, color="#4c72b0")
    right.set_xlabel("kappa (no unit; low = ambiguous)")
    right.set_ylabel("rows in the 95 % credible set")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


__all__ = ["kappa_figure", "ranking", "read_column", "read_rows"]
