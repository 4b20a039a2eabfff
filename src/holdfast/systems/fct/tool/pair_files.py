"""Pairs for fitting and reporting: one file with all columns, or a file of old and one of new embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.vectors import open_source
from holdfast.data.vectors.columns import COLUMNS, as_keys, read_columns
from holdfast.errors import InputError
from holdfast.systems.fct.tool.speaking import say


@dataclass(frozen=True)
class PairFiles:
    """Arrays as they are in the files.

    Attributes:
        old, new: (N, d_old), (N, d_new).
        side: (N, d_side) or None.
        labels: (N,) of any kind, or None.
        ids: (N,), what item a row belongs to, or None.
    """

    old: np.ndarray
    new: np.ndarray
    side: np.ndarray | None = None
    labels: np.ndarray | None = None
    ids: np.ndarray | None = None


def read_pairs(
    pairs: Path | None,
    old: Path | None,
    new: Path | None,
    side: Path | None,
    labels: Path | None = None,
    *,
    labelled: bool = True,
) -> PairFiles:
    """Pairs from one file with columns `old`, `new` and perhaps `side`, `label`, `id`, or from a file for each.

    Where several files come with ids, rows belong together that have the same id; otherwise those of the same number.

    Args:
        pairs: the one file.
        old, new, side, labels: a file for each.
        labelled: read the column `label` of the one file, if it is there.

    Raises:
        InputError: neither or both ways of naming them; files that cannot be read; ids that appear twice, or nowhere
            else. (`fit` refuses NaN rows.)
    """
    if pairs is not None:
        if any(path is not None for path in (old, new, side, labels)):
            raise InputError("--pairs", "must not be given together with --old, --new, --side or --labels")
        found = read_columns(pairs, "--pairs", COLUMNS if labelled else [c for c in COLUMNS if c != "label"])
        return PairFiles(found["old"], found["new"], found.get("side"), found.get("label"), found.get("id"))
    if old is None or new is None:
        raise InputError("--old, --new", "must both be given (a file each), or --pairs (one parquet or npz file)")
    files = {"--old": old, "--new": new, **({} if side is None else {"--side": side})}
    vectors, ids = _matched({option: _Rows.read(path, option) for option, path in files.items()}, labels)
    return PairFiles(
        vectors["--old"], vectors["--new"], vectors.get("--side"), None if labels is None else _names(labels), ids
    )


@dataclass(frozen=True)
class _Rows:
    """The vectors of a file, and the ids of its rows where it has such."""

    path: Path
    vectors: np.ndarray
    ids: np.ndarray | None

    @classmethod
    def read(cls, path: Path, option: str) -> _Rows:
        if path.suffix.lower() == ".npz":
            raise InputError(option, "must be one matrix; an npz with old and new is given as --pairs", str(path))
        source = open_source(path)
        rows = source.read(0, source.rows)
        return cls(path, rows.vectors, as_keys(rows.ids, f"{path}: ids") if source.has_ids else None)


def _matched(files: dict[str, _Rows], labels: Path | None) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The vectors of rows that all files have, in the order of the first file with ids; and their ids."""
    ids = {option: rows.ids for option, rows in files.items() if rows.ids is not None}
    vectors = {option: rows.vectors for option, rows in files.items()}
    if not ids:
        return vectors, None
    first = next(iter(ids.values()))
    if all(np.array_equal(first, others) for others in ids.values()):
        return vectors, first
    if len(ids) < len(files) or labels is not None:
        rule = "must come in the order of the other files where one of them (--labels is one) has no ids"
        raise InputError(", ".join(ids), rule, "ids in another order, or others")
    common = first
    for option, own in ids.items():
        _check_once(own, option, files[option].path)
        alike = (own.dtype.kind == "U") == (common.dtype.kind == "U")
        common = common[np.isin(common, own)] if alike else common[:0]
    if not len(common):
        raise InputError(", ".join(ids), "must share ids", f"none in common, such as {first[0]!s}")
    for option, own in ids.items():
        order = np.argsort(own, kind="stable")
        vectors[option] = vectors[option][order[np.searchsorted(own[order], common)]]
        say(f"{files[option].path}: {len(common):,} of {len(own):,} rows have a partner by their id")
    return vectors, common


def _check_once(ids: np.ndarray, option: str, path: Path) -> None:
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        received = f"{values[counts > 1][0]!s} {counts[counts > 1][0]} times in {path}"
        raise InputError(option, "must have every id once, to be matched with the other file by it", received)


def _names(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(str(path), "must be an npy file of numbers or strings", str(error)) from None
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise InputError(str(path), "must hold one label per row", f"shape {getattr(values, 'shape', None)}")
    return values


__all__ = ["PairFiles", "read_pairs"]
