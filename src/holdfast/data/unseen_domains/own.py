"""The user's own table as a problem: `--on data.csv --column domain=state --column meta=lat,lon`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.unseen_domains.tables import DomainTable, domain_means, is_classes, read_training, world_of
from holdfast.data.unseen_domains.worlds import DomainsProblem, World
from holdfast.errors import InputError

FEWEST = 8  # domains


@dataclass(frozen=True)
class OwnTable(FileProblem, DomainsProblem):
    """Rows with a domain each; a replicate draws which domains are for training, validation and the test.

    Attributes:
        path: of the table.
        target, domain, meta: names of its columns.
    """

    path: str
    target: str
    domain: str
    meta: tuple[str, ...]

    how_to_get: ClassVar[str] = "give a table with a target, a domain and numbers that describe the domain"

    @property
    def paths(self) -> tuple[Path, ...]:
        return (Path(self.path),)

    @property
    def resplit(self) -> tuple[int, int]:
        train, validation, test = self.sizes()
        return test, train + validation

    def describe(self) -> str:
        return f"{self.path}: {self.target} by {self.domain}, a quarter of the domains held out"

    def table(self) -> DomainTable:
        """The rows."""
        return _read(self.path, self.target, self.domain, self.meta)

    def sizes(self) -> tuple[int, int, int]:
        """How many domains are for training, validation and the test."""
        count = len(set(self._domains().tolist()))
        test, validation = max(2, count // 4), max(1, count // 8)
        return count - test - validation, validation, test

    def _domains(self) -> np.ndarray:
        domain = self.table().domain
        assert domain is not None
        return domain

    def world(self, rng: np.random.Generator) -> World:
        order = rng.permutation(sum(self.sizes()))
        ends = np.cumsum(self.sizes())
        groups = [np.sort(order[: ends[0]]), order[ends[0] : ends[1]], order[ends[1] :]]
        world, _, _ = world_of(self.table(), (), groups, classes=True)
        return world


@functools.lru_cache(maxsize=2)
def _read(path: str, target: str, domain: str, meta: tuple[str, ...]) -> DomainTable:
    return read_training(Path(path), {"target": target, "domain": domain, "meta": meta})


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> OwnTable:
    """One table as a problem; the claims are about accuracy, so that its target must be classes.

    Raises:
        InputError: several files, no metadata named, too few domains, a target of numbers.
    """
    if len(paths) != 1:
        raise InputError("--on", "must name one table", f"{len(paths)} paths")
    meta = tuple(name.strip() for name in columns.get("meta", "").split(",") if name.strip())
    if not meta:
        raise InputError("--column", "must name the metadata of domains: meta=lat,lon", dict(columns) or "none")
    problem = OwnTable(str(paths[0]), columns.get("target", "target"), columns.get("domain", "domain"), meta)
    table = problem.table()
    assert table.y is not None
    assert table.domain is not None
    if not is_classes(table.y):
        rule = "must be classes: the claims are about accuracy"
        raise InputError(f"{problem.path}, column {problem.target!r}", rule, "numbers")
    if len(np.unique(table.y.astype(str))) < 2:
        raise InputError(f"{problem.path}, column {problem.target!r}", "must have at least two classes", "one")
    if (found := len(set(table.domain.tolist()))) < FEWEST:
        raise InputError(f"{problem.path}, column {problem.domain!r}", f"must name at least {FEWEST} domains", found)
    assert table.metadata is not None
    domain_means(table.metadata, table.domain)  # says so where they are the same for all
    return problem


__all__ = ["OwnTable", "own"]
