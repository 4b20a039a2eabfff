"""Sets of points of different sizes, padded to one: positions, numbers and a target per point; from a user's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.readers.records import Records, Role, read_records
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.table import NUMERIC
from holdfast.errors import InputError
from holdfast.estimator.labels import encode_labels
from holdfast.metrics.determination import r2_case
from holdfast.validation import check_array, check_same_length


@dataclass(frozen=True, eq=False)
class PointSets:
    """S sets of at most N points.

    Attributes:
        pos: (S, N, d) float32, the mean of every set is 0.
        x: (S, N, F) float32, numbers of each point.
        y: (S, N) float32, its target.
        real: (S, N) bool, false for padding, where all else is 0.
    """

    pos: Tensor
    x: Tensor
    y: Tensor
    real: Tensor

    def __len__(self) -> int:
        return len(self.pos)

    def __getitem__(self, rows: Any) -> PointSets:
        """Some of the sets."""
        return PointSets(self.pos[rows], self.x[rows], self.y[rows], self.real[rows])

    def cases(self, predicted: Tensor) -> list[tuple[float, float, float, float]]:
        """Of each set what `holdfast.metrics.determination.R2` needs, for predictions (S, N)."""
        return [r2_case(y[real], p[real]) for y, p, real in zip(self.y, predicted, self.real, strict=True)]


def pad_sets(ids: Any, pos: Any, x: Any = None, y: Any = None) -> tuple[PointSets, np.ndarray, np.ndarray]:
    """Sets of points from rows of points.

    Args:
        ids: (n,) name of each point's set; the order of sets is that of their first points.
        pos: (n, d) positions; the mean of each set is taken out before digits are lost to float32.
        x: (n, F) numbers of each point; None = none.
        y: (n,) targets; None = 0.

    Returns:
        The sets; their names (S,); the row of each point, int64 (S, N), -1 for padding.

    Raises:
        InputError: arrays of other shapes or lengths, values that are not finite, no points.

    Example:
        >>> sets, names, rows = pad_sets(["b", "a", "b"], [[0.0], [5.0], [2.0]])
        >>> names.tolist(), rows.tolist(), sets.pos[0, :, 0].tolist()
        (['b', 'a'], [[0, 2], [1, -1]], [-1.0, 1.0])
    """
    index, found = encode_labels(ids, name="set", at_least=1)
    places = np.asarray(check_array(pos, "n d", name="pos", dtype="float64"))
    if x is None or (isinstance(x, np.ndarray) and x.shape == (len(places), 0)):
        numbers = np.zeros((len(places), 0))
    else:
        numbers = np.asarray(check_array(x, "n F", name="X", dtype="float64"))
    target = np.zeros(len(places)) if y is None else np.asarray(check_array(y, "n", name="y", dtype="float64"))
    check_same_length(set=index, pos=places, X=numbers, y=target)
    first = np.full(len(found), len(index))
    np.minimum.at(first, index, np.arange(len(index)))
    order = np.argsort(first)  # of sets
    place = np.argsort(order)[index]
    by_set = np.argsort(place, kind="stable")
    sizes = np.bincount(place, minlength=len(found))
    column = np.arange(len(index)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = np.full((len(found), sizes.max()), -1)
    rows[place[by_set], column] = by_set
    means = np.stack([np.bincount(place, c, minlength=len(found)) / sizes for c in places.T], 1)
    real = rows >= 0

    def padded(values: np.ndarray) -> Tensor:
        taken = values[rows.clip(0)]
        taken[~real] = 0
        return torch.from_numpy(taken.astype(np.float32))

    sets = PointSets(padded(places - means[place]), padded(numbers), padded(target), torch.from_numpy(real))
    return sets, np.asarray(found)[order], rows


def side_of_cube(sets: PointSets) -> float:
    """The side of the cube in which uniform points have the same mean square distance from their centre, per axis."""
    found = float(sets.pos[sets.real].square().mean().sqrt()) * 12**0.5
    return found or 1.0


@dataclass(frozen=True, eq=False)
class PointTable:
    """Points as a table has them.

    Attributes:
        ids: (n,) text.
        pos: (n, d) float64; dates as seconds.
        x: (n, F) float64.
        y: (n,) float64, or None.
        features: names of the columns of x.
        rows: (n,) numbers of the rows in the file.
        notes: what was decided in reading, one line each.
    """

    ids: np.ndarray
    pos: np.ndarray
    x: np.ndarray
    y: np.ndarray | None
    features: tuple[str, ...]
    rows: np.ndarray
    notes: tuple[str, ...]


def read_points(
    path: str | Path,
    set: str,
    pos: Sequence[str],
    target: str | None = None,
    features: Sequence[str] | None = None,
    options: TableOptions | None = None,
    option: str = "--column",
) -> PointTable:
    """A table with a row per point.

    Args:
        path: of the table, of any format that `read_table` reads.
        set: column with the name of the set that the point is of.
        pos: columns of its position: numbers, or dates and times.
        target: column of numbers to predict; None = there is none.
        features: columns of numbers that belong to the point; None = all others that hold numbers.
        options: what the user said about the table.
        option: where the columns were named, for messages.

    Raises:
        InputError: a position named twice; what `read_records` raises; a position or number that is missing or not
            finite (names the row); a column of text where numbers are needed.
    """
    if len(frozenset(pos)) < len(pos):
        raise InputError(option, "must name each column of the position once", ", ".join(pos))
    roles = [
        Role("set"),
        Role("pos", "any", several=True),
        Role("feature", "any", required=False, rest=True, missing=True),
    ]
    mapped: dict[str, Any] = {"set": set, "pos": list(pos)}
    if target is not None:
        roles.insert(2, Role("target", "number"))
        mapped["target"] = target
    if features:
        mapped["feature"] = list(features)
    table = read_records(path, roles, mapped, options, option=option)
    known = {} if features is not None and not features else table.columns.get("feature", {})
    numeric = [name for name, column in known.items() if features or column.kind in NUMERIC]
    left = [name for name in known if name not in numeric]
    places = np.stack([_numbers(table, "pos", name) for name in pos], 1)
    numbers = np.stack([_numbers(table, "feature", name) for name in numeric], 1) if numeric else places[:, :0]
    y = None if target is None else _numbers(table, "target", target)
    notes = (*table.notes, *((f"not used, being no numbers: {', '.join(left)}",) if left else ()))
    return PointTable(table["set"], places, numbers, y, tuple(numeric), table.rows, notes)


def _numbers(table: Records, role: str, name: str) -> np.ndarray:
    column = table.columns[role][name]
    where = f"{table.paths[0]}, column {name!r}"
    if column.kind == "time" and np.issubdtype(column.values.dtype, np.datetime64):
        values = column.values.astype("datetime64[us]").astype(np.float64) / 1e6
        values[column.missing] = np.nan
    elif column.kind in NUMERIC:
        values = column.numbers()
    else:
        raise InputError(where, "must hold numbers" + (" or dates" if role == "pos" else ""), column.kind)
    bad = ~np.isfinite(values)
    if bad.any():
        rule = "must have a finite number in every row"
        raise InputError(where, rule, f"none in row {table.rows[int(bad.argmax())]}")
    return values


__all__ = ["PointSets", "PointTable", "pad_sets", "read_points", "side_of_cube"]
