"""A user's own pairs of embeddings: `holdfast run fct --on pairs.parquet` asks which migrator suits them."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch

from holdfast.data.readers.listings import Listing
from holdfast.data.readers.names import suggest
from holdfast.errors import InputError
from holdfast.experiment import Problem
from holdfast.systems.fct.vectors import Vectors, rows_of, vectors_of
from holdfast.unpacking import DAMAGED, check_archive, check_memory
from holdfast.validation import check_array, check_same_length

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 20_000  # pairs that are used; more would change the answer little and the time much
FEWEST = 60
TABLES = (".parquet", ".pq")


@dataclass(frozen=True)
class OwnPairs(Problem):
    """Pairs of a parquet or npz file with `old` and `new`, and optionally `side`, `id` and `label`.

    Every replicate draws anew which rows are fitted on (60 %), chosen by (15 %) and measured on (25 %). Rows with the
    same id stay in one part, so that several vectors of one document are never on both sides.

    Attributes:
        path: the file.
        files: changes when the file does.

    Raises:
        InputError: on construction: the file cannot be read or holds no such columns, rows that do not fit together,
            values that are not finite, fewer than 60 pairs.
    """

    path: str
    files: str = field(init=False, default="")
    source: ClassVar[Literal["file"]] = "file"
    how_to_get: ClassVar[str] = "give a parquet or npz file with columns old and new (and side, id, label)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        object.__setattr__(self, "files", _state(Path(self.path)))
        self.read()

    def read(self) -> Mapping[str, np.ndarray]:
        """The columns, of at most 20,000 rows that are spread evenly over the file."""
        return _some_rows(Path(self.path), self.files)

    def sizes(self) -> dict[str, int]:
        """Rows of each part."""
        total = len(self.read()["old"])
        test, held = round(0.25 * total), round(0.15 * total)
        return {"fit": total - test - held, "validation": held, "test": test}

    @property
    def resplit(self) -> tuple[int, int]:
        sizes = self.sizes()
        return sizes["test"], sizes["fit"]

    def available(self) -> bool:
        return os.path.isfile(self.path)

    def fingerprint(self) -> str:
        return _state(Path(self.path)) if self.available() else ""

    def describe(self) -> str:
        pairs = self.read()
        side = f" with {pairs['side'].shape[1]} numbers of side-information" if "side" in pairs else ""
        return f"{len(pairs['old']):,} pairs, {pairs['old'].shape[1]} -> {pairs['new'].shape[1]} numbers{side}"

    def split(self, rng: np.random.Generator, rows: int | None = None) -> Vectors:
        """The replicate's parts; the distance is the cosine where all new embeddings have length 1.

        Args:
            rng: draws them.
            rows: most rows to fit on, half of that in other parts; None = all.
        """
        pairs = self.read()
        tensors = {name: torch.from_numpy(np.ascontiguousarray(pairs[name])) for name in ("old", "new")}
        if "side" in pairs:
            tensors["side/own"] = torch.from_numpy(np.ascontiguousarray(pairs["side"]))
        if "label" in pairs:
            tensors["labels"] = torch.from_numpy(np.unique(pairs["label"], return_inverse=True)[1].astype(np.int64))
        order, sizes = _grouped(pairs.get("id"), len(pairs["old"]), self.sizes(), rng)
        unit = np.allclose(np.linalg.norm(pairs["new"], axis=1), 1, atol=1e-3)
        divided = rows_of(tensors, order, sizes)
        if rows is not None:
            most = {"fit": rows, "validation": rows // 2, "test": rows // 2}
            divided = {name: tensor[: most[name.partition("/")[0]]] for name, tensor in divided.items()}
        return vectors_of(divided, "cosine" if unit else "l2")


def _state(file: Path) -> str:
    """Changes when the file is written to; "" where there is none."""
    return Listing(file.parent, (file,), None, ()).fingerprint() if file.is_file() else ""


@functools.lru_cache(maxsize=1)
def _some_rows(path: Path, state: str) -> Mapping[str, np.ndarray]:
    pairs = read_pairs(path)
    rows = np.linspace(0, len(pairs["old"]) - 1, min(MOST, len(pairs["old"]))).round().astype(np.int64)
    return MappingProxyType({name: column[rows] for name, column in pairs.items()})


def _grouped(
    ids: np.ndarray | None, total: int, sizes: Mapping[str, int], rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, int]]:
    """A random order in which rows of one id follow each other, and part sizes that cut between ids only.

    Raises:
        InputError: so few ids that a part stays without rows.
    """
    if ids is None:
        return rng.permutation(total), dict(sizes)
    _, group = np.unique(ids, return_inverse=True)
    place = rng.permutation(int(group.max()) + 1)[group]
    order = np.argsort(place, kind="stable")
    ends = np.flatnonzero(np.diff(place[order], append=-1)) + 1  # where a cut is allowed
    cuts = [int(ends[np.abs(ends - wanted).argmin()]) for wanted in np.cumsum([*sizes.values()])[:-1]]
    counts = np.diff([0, *cuts, total]).tolist()
    if min(counts) < 12:
        raise InputError(
            "id", "must differ between enough rows to divide them", f"{int(group.max()) + 1} different ids"
        )
    return order, dict(zip(sizes, counts, strict=True))


# ------------------------------------------------------------------------------------------------------------- reading
def read_pairs(path: Path) -> dict[str, np.ndarray]:
    """The columns old (N, d_old), new (N, d_new), side (N, d_side), id (N,) and label (N,), as far as there are.

    Vectors are float32 in memory.

    Raises:
        InputError: see `OwnPairs`.
    """
    if not path.is_file():
        raise InputError("--on", "must be a parquet or npz file with old and new", f"{path} (not found)")
    suffix = path.suffix.lower()
    if suffix not in (*TABLES, ".npz"):
        raise InputError("--on", "must be a parquet or npz file", str(path))
    try:
        found = _npz(path) if suffix == ".npz" else _parquet(path)
    except InputError:
        raise
    except (*DAMAGED, TypeError, MemoryError) as error:
        raise InputError(str(path), f"must be a readable {suffix[1:]} file of plain arrays", str(error)) from None
    checked: dict[str, np.ndarray] = {}
    for name in ("old", "new", "side"):
        if name in found:
            checked[name] = check_array(found[name], "N D", name=f"{path}: {name}", dtype="float32")
    for name in ("id", "label"):
        if name in found:
            checked[name] = _keys(found[name], f"{path}: {name}")
    check_same_length(**checked)
    if len(checked["old"]) < FEWEST:
        raise InputError(str(path), f"must hold at least {FEWEST} pairs", len(checked["old"]))
    return checked


def _wanted(names: list[str], path: Path) -> list[str]:
    for name in ("old", "new"):
        if name not in names:
            raise InputError(str(path), f"must have a column {name!r}{suggest(name, names)}", names)
    return [name for name in ("old", "new", "side", "id", "label") if name in names]


def _npz(path: Path) -> dict[str, np.ndarray]:
    check_archive(path)
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in _wanted(list(archive.files), path)}


def _parquet(path: Path) -> dict[str, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = _wanted([str(name) for name in file.schema_arrow.names], path)
        about = file.metadata
        columns = [about.row_group(g).column(c) for g in range(about.num_row_groups) for c in range(about.num_columns)]
        check_memory(8 * sum(column.num_values for column in columns), str(path))
        table = file.read(names)
    except pa.ArrowException as error:
        raise InputError(str(path), "must be a readable parquet file", str(error)) from None
    return {name: _column(table[name].combine_chunks(), f"{path}: {name}") for name in names}


def _column(column: pa.Array, name: str) -> np.ndarray:
    """A column of numbers, words or lists of one length as an array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):  # a column without rows stays in its chunks
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if column.null_count:
        first = pc.index(column.is_null(), True).as_py()
        raise InputError(name, "must have no missing values", f"{column.null_count}, the first in row {first}")
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or _fixed(column.type)):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    lengths = np.full(len(column), column.type.list_size) if _fixed(column.type) else pc.list_value_length(column)
    sizes = np.unique(np.asarray(lengths))
    if len(sizes) != 1:
        other = int(np.flatnonzero(np.asarray(lengths) != np.asarray(lengths)[0])[0]) if len(sizes) else 0
        raise InputError(name, "must have lists of one length", f"{sizes.tolist()[:5]}, row {other} is the first other")
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values).reshape(len(column), int(sizes[0]))


def _fixed(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_fixed_size_list(kind))


def _keys(values: np.ndarray, name: str) -> np.ndarray:
    """Ids or labels: whole numbers or words, one per row."""
    if values.ndim != 1:
        raise InputError(name, "must hold one value per row", f"shape {values.shape}")
    if values.dtype.kind == "O" and all(isinstance(v, str) for v in values):
        values = values.astype(str)
    if values.dtype.kind not in "iuU":
        raise InputError(name, "must hold whole numbers or words", f"dtype {values.dtype}")
    return values


__all__ = ["OwnPairs", "read_pairs"]
