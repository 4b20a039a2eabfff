"""A user's graph as two tables: one of nodes with their features and labels, one of edges between ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.readers.records import Records, Role, read_records
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.table import NUMERIC
from holdfast.errors import InputError

ID = Role("id", also=("node", "node_id", "name"))
ENDS = (
    Role("source", also=("from", "src", "u", "node1", "id1")),
    Role("target", also=("to", "dst", "v", "node2", "id2")),
)
REST = Role("feature", kind="any", required=False, rest=True, missing=True)


@dataclass(frozen=True, eq=False)
class GraphTables:
    """Nodes and edges.

    Attributes:
        ids: (v,) names of the nodes, as written.
        X: (v, F) float64, finite.
        features: names of the columns of X.
        label: (v,) text, None for a node without one; or None if no column was named.
        edge_index: (2, E) int64, edges as they stand: nobody has added the other direction.
        notes: what was decided in reading, one line each.
    """

    ids: np.ndarray
    X: np.ndarray
    features: tuple[str, ...]
    label: np.ndarray | None
    edge_index: np.ndarray
    notes: tuple[str, ...]


def read_graph_tables(
    nodes: str | Path,
    edges: str | Path,
    *,
    label: str | None = None,
    features: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    options: TableOptions | None = None,
) -> GraphTables:
    """Read both tables.

    Args:
        nodes: a row per node: an id, columns of numbers, a label if `label` names one (cells may be empty).
        edges: a row per edge: source and target, ids of nodes. A table of two columns needs no names for them.
        label: column of the label.
        features: columns of numbers; None = all of the nodes' that are neither id nor label.
        columns: what the user maps, each as `role=column`, of the roles id, source, target.
        options: what the user said about the tables.

    Raises:
        InputError: what `read_records` raises; two nodes of one id; an edge to an id that no node has (names the row);
            no column of numbers, or one with a value that is missing or not finite; no node has a label.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "n.csv").write_text("id,age,fraud\\n007,30,no\\n7,41,\\nx,9,yes\\n")
        >>> _ = (folder / "e.csv").write_text("source,target\\n007,x\\nx,7\\n")
        >>> found = read_graph_tables(folder / "n.csv", folder / "e.csv", label="fraud")
        >>> found.edge_index.tolist(), found.label.tolist(), found.features
        ([[0, 2], [2, 1]], ['no', None, 'yes'], ('age',))
    """
    mapped = _of_tables(columns)
    chosen = {"id": mapped["id"]} if "id" in mapped else {}
    roles = [ID, REST]
    if label is not None:
        chosen["label"] = label
        roles.insert(1, Role("label", missing=True))
    table = read_records(nodes, roles, chosen, options, option="--label, --column")
    ids = table["id"]
    place = {name: index for index, name in enumerate(ids)}
    if len(place) < len(ids):
        twice = next(i for i, name in enumerate(ids) if place[name] != i)
        raise InputError(f"{nodes}, ids", "must differ", f"{ids[twice]!r} in rows {table.rows[twice]} and later")
    X, names, left = _numbers(table, features, str(nodes))
    known = None if label is None else table["label"]
    if known is not None and all(value is None for value in known):
        raise InputError(f"{nodes}, column {label!r}", "must hold a label for at least one node", "none")
    edge_index, more = _edges(edges, place, {k: v for k, v in mapped.items() if k != "id"}, options, str(nodes))
    unused = (f"{nodes}: not used, being no numbers: {', '.join(left)}",) if left else ()
    return GraphTables(ids, X, names, known, edge_index, (*table.notes, *unused, *more))


def _of_tables(columns: Sequence[str]) -> dict[str, str]:
    from holdfast.data.readers.roles import parse_columns

    return {role: found[0] for role, found in parse_columns(columns, (ID, *ENDS)).items()}


def _numbers(
    table: Records, features: Sequence[str] | None, path: str
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    columns = table.columns.get("feature", {})
    numeric = [name for name, column in columns.items() if column.kind in NUMERIC]
    if features is None and not numeric:
        raise InputError(path, "must have a column of numbers besides id and label", ", ".join(columns) or "none")
    wanted = numeric if features is None else list(features)
    values = []
    for name in wanted:
        if name not in columns:
            raise InputError(path, f"must have the column {name!r}", ", ".join(columns) or "no other columns")
        numbers = columns[name].numbers()
        bad = ~np.isfinite(numbers)
        if bad.any():
            rule = "must have a finite number in every row (fill it in, or take the column out of the file)"
            raise InputError(f"{path}, column {name!r}", rule, f"none in row {table.rows[int(bad.argmax())]}")
        values.append(numbers)
    return np.stack(values, 1), tuple(wanted), tuple(name for name in columns if name not in numeric)


def _edges(
    path: str | Path,
    place: Mapping[str, int],
    mapped: Mapping[str, str],
    options: TableOptions | None,
    nodes: str,
) -> tuple[np.ndarray, tuple[str, ...]]:
    from holdfast.data.readers.tables.reading import open_table

    names = open_table(path, options=options).names
    usual = {name for role in ENDS for name in (role.name, *role.also)}
    if not mapped and len(names) == 2 and not usual & set(names):
        mapped = {"source": names[0], "target": names[1]}
    table = read_records(path, [*ENDS, REST], mapped, options)
    ends = []
    for role in ("source", "target"):
        numbers = np.array([place.get(name, -1) for name in table[role]], np.int64)
        if (numbers < 0).any():
            where = int((numbers < 0).argmax())
            missing = f"{table[role][where]!r} in row {table.rows[where]}"
            more = f" ({int((numbers < 0).sum()):,} such)" if (numbers < 0).sum() > 1 else ""
            raise InputError(f"{path}, {role}", f"must be the id of a node of {nodes}", missing + more)
        ends.append(numbers)
    left = ", ".join(table.columns.get("feature", {}))
    return np.stack(ends), (*table.notes, *((f"{path}: not used: {left}",) if left else ()))


__all__ = ["GraphTables", "read_graph_tables"]
