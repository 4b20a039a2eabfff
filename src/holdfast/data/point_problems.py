"""Problems of sets of points with a number to predict for every point; a user's table as one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.point_sets import PointSets, pad_sets, read_points, side_of_cube
from holdfast.errors import InputError
from holdfast.experiment import Problem

FEWEST = 8  # sets of a user's table that is to be divided


@dataclass(frozen=True, eq=False)
class Parts:
    """One replicate of sets of points.

    Attributes:
        train, validation, test: divided by sets.
        test_id: names of the test's sets.
        larger: sets that fill more space than any in training, or None.
    """

    train: PointSets
    validation: PointSets
    test: PointSets
    test_id: tuple[str, ...]
    larger: PointSets | None = None


class PointProblem(Problem):
    """A number to predict for every point of a set."""

    @abstractmethod
    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        """Parts with `train` sets for training and `held` each for validation and test, as far as there are so many."""


@dataclass(frozen=True)
class OwnSets(FileProblem, PointProblem):
    """A user's table: a quarter of its sets is the test, the same in every replicate, an eighth for tuning.

    Attributes:
        path: of the table.
        set, target: columns.
        pos: columns of the position.
    """

    path: str
    set: str
    pos: tuple[str, ...]
    target: str
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = "give a table with a row per point: its set, position, target, and other numbers"

    @property
    def paths(self) -> tuple[Path, ...]:
        return (Path(self.path),)

    def describe(self) -> str:
        return f"{self.path}: {self.target} of points at {', '.join(self.pos)}, in sets by {self.set}"

    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        """All sets of the test; four fifths of the others, drawn anew, for training."""
        sets, names = scaled_sets(self.path, self.set, self.pos, self.target)
        if len(sets) < FEWEST:
            raise InputError(f"{self.path}, {self.set}", f"must name at least {FEWEST} sets", f"{len(sets)}")
        order = np.random.default_rng(0).permutation(len(sets))
        test, tuning, rest = np.split(order, [len(sets) // 4, len(sets) // 4 + max(1, len(sets) // 8)])
        chosen = rng.permutation(rest)[: max(2, len(rest) * 4 // 5)]
        return Parts(sets[chosen], sets[tuning], sets[test], tuple(names[test].astype(str)))


def scaled_sets(path: str, set: str, pos: Sequence[str], target: str) -> tuple[PointSets, np.ndarray]:
    """Sets with positions of the spread of a unit cube, numbers and target standardised."""
    table = read_points(path, set, pos, target)
    assert table.y is not None
    spread = np.where(table.x.std(0) > 0, table.x.std(0), 1.0)
    sets, names, _ = pad_sets(table.ids, table.pos, (table.x - table.x.mean(0)) / spread, table.y)
    side = side_of_cube(sets)
    y = ((sets.y - float(table.y.mean())) / (float(table.y.std()) or 1.0)) * sets.real
    return PointSets(sets.pos / side, sets.x, y, sets.real), names


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> OwnSets:
    """The user's table for `holdfast run ... --on points.csv --column set=id --column pos=x,y,z --column target=y`."""
    if len(paths) != 1:
        raise InputError("--on", "must name one table", ", ".join(map(str, paths)))
    for role in ("set", "pos", "target"):
        if role not in columns:
            raise InputError("--column", f"must say {role}=COLUMN", ", ".join(columns) or "nothing")
    pos = tuple(name.strip() for name in columns["pos"].split(","))
    problem = OwnSets(str(paths[0]), columns["set"], pos, columns["target"])
    problem.load(np.random.default_rng(0), 1, 1)  # so that what is wrong with the table is said before any trial
    return problem


__all__ = ["OwnSets", "Parts", "PointProblem", "own", "scaled_sets"]
