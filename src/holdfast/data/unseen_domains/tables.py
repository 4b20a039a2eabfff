"""A user's table as examples of domains: features, a target, a domain per row, metadata or a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.readers.records import Records, read_records
from holdfast.data.readers.roles import Role
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.reading import open_table
from holdfast.data.unseen_domains.worlds import Part, World
from holdfast.errors import InputError
from holdfast.validation import check_choice, check_number

DOMAIN = Role("domain")
META = Role("meta", kind="number", required=False, several=True)
FEATURE = Role("feature", kind="number", several=True, rest=True)
MANY_CLASSES = 20  # more different whole numbers than this are an amount, not classes


@dataclass(frozen=True, eq=False)
class DomainTable:
    """Rows of a file.

    Attributes:
        x: (N, F) float64 features.
        y: (N,) target as it was read; None where there is none.
        domain: (N,) names; None where the file has no such column.
        metadata: (N, m) float64; None without metadata.
        columns: names of the columns by role.
        records: what was read, for places of rows in messages.
    """

    x: np.ndarray
    y: np.ndarray | None
    domain: np.ndarray | None
    metadata: np.ndarray | None
    columns: Mapping[str, Sequence[str]]
    records: Records


def read_training(
    path: Path, columns: Mapping[str, Any], options: TableOptions | None = None, *, option: str = "--column"
) -> DomainTable:
    """A table to learn from.

    Args:
        path: of the file.
        columns: names of columns by role: target, domain, meta (several), feature (several; all others without).
        options: what the user said about the file.
        option: that the user names columns with, for messages.

    Raises:
        InputError: what `read_records` raises; columns of features that hold no numbers.
    """
    roles = (Role("target", kind="any"), DOMAIN, META, FEATURE)
    return _table(read_records(path, roles, columns, options, option=option), path)


def read_new(path: Path, columns: Mapping[str, Sequence[str]], options: TableOptions | None = None) -> DomainTable:
    """A table to predict for, with the columns that a model was trained with; the domain's may be missing.

    Raises:
        InputError: what `read_records` raises; a column is missing.
    """
    names = open_table(path, options=options).names
    wanted = {role: list(found) for role, found in columns.items() if role != "target"}
    if wanted.get("domain") and wanted["domain"][0] not in names and wanted.get("meta"):
        del wanted["domain"]
    if missing := [name for found in wanted.values() for name in found if name not in names]:
        rule = f"must have the columns that the model was trained with; {', '.join(map(repr, missing))} not found"
        raise InputError(str(path), rule, f"columns {', '.join(names)}")
    roles = [FEATURE, META, *([DOMAIN] if "domain" in wanted else [])]
    return _table(read_records(path, roles, wanted, options), path)


def _table(records: Records, path: Path) -> DomainTable:
    x = _numbers(records, "feature", path)
    assert x is not None
    columns = {role: list(found) for role, found in records.columns.items()}
    target = records["target"]
    domain = records["domain"]
    return DomainTable(x, target, domain, _numbers(records, "meta", path), columns, records)


def _numbers(records: Records, role: str, path: Path) -> np.ndarray | None:
    if role not in records:
        return None
    table = np.stack([column.numbers() for column in records.columns[role].values()], 1)
    wrong = ~np.isfinite(table)
    if wrong.any():
        row, place = map(int, np.argwhere(wrong)[0])
        name = list(records.columns[role])[place]
        raise InputError(
            f"{path}, column {name!r}", "must hold finite numbers", f"{table[row, place]} in row {records.rows[row]}"
        )
    return table


def read_edges(path: Path) -> list[tuple[str, str, float]]:
    """The edges of a graph of domains: the first two columns name domains, a third column called weight is one.

    Raises:
        InputError: fewer than two columns, no rows, a weight that is negative or no number.
    """
    names = open_table(path).names
    if len(names) < 2:
        raise InputError(str(path), "must have two columns that name domains", f"columns {', '.join(names)}")
    roles = (Role("from"), Role("to"), Role("weight", kind="number", required=False))
    found = read_records(path, roles, {"from": names[0], "to": names[1]})
    weights = found["weight"] if "weight" in found else np.ones(len(found))
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        received = f"{weights[wrong[0]]:g} in row {found.rows[wrong[0]]}"
        raise InputError(f"{path}, column 'weight'", "must be at least 0", received)
    return list(zip(found["from"].tolist(), found["to"].tolist(), map(float, weights), strict=True))


def adjacency_of(names: Sequence[str], edges: Sequence[Sequence[Any]]) -> np.ndarray:
    """(N, N) weights between named domains, symmetric; edges to others are left out."""
    place = {name: i for i, name in enumerate(names)}
    adjacency = np.zeros((len(names), len(names)), np.float32)
    for one, other, weight in edges:
        if one in place and other in place and one != other:
            adjacency[place[one], place[other]] = adjacency[place[other], place[one]] = weight
    return adjacency


def edges_to(names: Sequence[Any], known: Sequence[str], edges: Sequence[Sequence[Any]]) -> np.ndarray:
    """(N, K) weights of the edges from named domains to the known ones; names may be new, or occur twice."""
    unseen = [str(name) for name in dict.fromkeys(names)]
    everyone = list(dict.fromkeys([*map(str, known), *unseen]))
    place = {name: i for i, name in enumerate(everyone)}
    return adjacency_of(everyone, edges)[[place[str(name)] for name in names]][:, : len(known)]


def checked_edges(graph: Any) -> list[list[Any]]:
    """A graph as [name, name, weight], weights 1 where there are none.

    Raises:
        InputError: what is neither pairs nor triples, a weight below 0.
    """
    found = []
    for edge in graph:
        if not isinstance(edge, Sequence) or isinstance(edge, str) or len(edge) not in (2, 3):
            raise InputError("graph", "must hold pairs of names, or triples with a weight", edge)
        weight = check_number(edge[2], "graph: weight", low=0) if len(edge) == 3 else 1.0
        found.append([str(edge[0]), str(edge[1]), float(weight)])
    return found


def is_classes(y: np.ndarray, task: str = "auto") -> bool:
    """Whether a target is classes: texts, booleans, or few different whole numbers; or what the task says.

    Raises:
        InputError: a task that is none, or "numbers" where there are none.
    """
    values = np.asarray(y)
    if check_choice(task, ("auto", "classes", "numbers"), "task") == "classes":
        return True
    if task == "numbers":
        if values.dtype.kind not in "iuf":
            raise InputError("task", "must be classes where the target holds no numbers", task)
        return False
    if values.dtype.kind in "OUSb":
        return True
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        return False
    return len(np.unique(values)) <= MANY_CLASSES


def domain_means(metadata: np.ndarray, domain: np.ndarray) -> tuple[np.ndarray, int]:
    """The mean of each domain's rows, in ascending order of domains, and in how many domains rows differ.

    Raises:
        InputError: several domains have the same metadata, all of them.
    """
    names, place = np.unique(domain.astype(str), return_inverse=True)
    total = np.zeros((len(names), metadata.shape[1]))
    np.add.at(total, place, metadata)
    mean = total / np.bincount(place)[:, None]
    if len(names) > 1 and not np.ptp(mean, axis=0).any():
        raise InputError("metadata", "must differ between domains", f"{mean[0].tolist()} for all {len(names)}")
    differs = np.abs(metadata - mean[place]).max(1) > 1e-9 * (1 + np.abs(metadata).max())
    return mean, len(np.unique(place[differs]))


def world_of(
    table: DomainTable, edges: Sequence[Sequence[Any]], groups: Sequence[np.ndarray], classes: bool
) -> tuple[World, np.ndarray, float]:
    """A world of a table's domains: to train, to validate and to test, by their places in ascending order.

    Features and numeric targets are standardised by the training rows, metadata by the training domains.

    Returns:
        (world, names of the domains, what an error has to be multiplied with to be in the target's unit).
    """
    assert table.domain is not None
    assert table.y is not None
    names, place = np.unique(table.domain.astype(str), return_inverse=True)
    trained = np.isin(place, groups[0])
    x = _standard(table.x, table.x[trained])
    scale = 1.0
    y: Tensor
    if classes:
        _, index = np.unique(table.y.astype(str), return_inverse=True)
        y = torch.from_numpy(index.astype(np.int64))
    else:
        numbers = table.y.astype(np.float64)
        scale = float(numbers[trained].std()) or 1.0
        y = torch.from_numpy(_standard(numbers[:, None], numbers[trained][:, None])).float()
    whole = Part(torch.from_numpy(x).float(), y, torch.from_numpy(place))
    parts = []
    for group in groups:
        rows = torch.from_numpy(np.flatnonzero(np.isin(place, group)))
        parts.append(Part(whole.x[rows], whole.y[rows], whole.domain[rows]))
    metadata = adjacency = None
    if edges:
        adjacency = torch.from_numpy(adjacency_of(names.tolist(), edges))
    else:
        assert table.metadata is not None
        mean, _ = domain_means(table.metadata, table.domain)
        metadata = torch.from_numpy(_standard(mean, mean[groups[0]])).float()
    known = torch.from_numpy(np.sort(groups[0]))
    count = int(y.max()) + 1 if classes else 0
    return World(parts[0], parts[1], parts[2], known, metadata, adjacency, count), names, scale


def _standard(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    spread = by.std(0)
    return (values - by.mean(0)) / np.where(spread > 1e-12, spread, 1.0)


__all__ = [
    "DomainTable",
    "adjacency_of",
    "checked_edges",
    "domain_means",
    "edges_to",
    "is_classes",
    "read_edges",
    "read_new",
    "read_training",
    "world_of",
]
