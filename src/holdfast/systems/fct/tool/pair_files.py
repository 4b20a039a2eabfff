"""Pairs for fitting and reporting: one file with all columns, or a file of old and one of new embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.vectors.columns import read_columns, read_keys
from holdfast.data.vectors.matching import VectorFile, matched
from holdfast.errors import InputError


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
    say: Callable[[str], None] | None = None,
) -> PairFiles:
    """Pairs from one file with columns `old`, `new` and perhaps `side`, `label`, `id`, or from a file for each.

    Where several files come with ids, rows belong together that have the same id; otherwise those of the same number.

    Args:
        pairs: the one file.
        old, new, side, labels: a file for each.
        labelled: read the column `label` of the one file, if it is there.
        say: told how many rows of each file have partners.

    Raises:
        InputError: neither or both ways of naming them; files that cannot be read; ids that appear twice, or nowhere
            else. (`fit` refuses NaN rows.)
    """
    if pairs is not None:
        if any(path is not None for path in (old, new, side, labels)):
            raise InputError("--pairs", "must not be given together with --old, --new, --side or --labels")
        found = read_pair_columns(pairs, "--pairs", labelled=labelled)
        return PairFiles(found["old"], found["new"], found.get("side"), found.get("label"), found.get("id"))
    if old is None or new is None:
        raise InputError("--old, --new", "must both be given (a file each), or --pairs (one parquet or npz file)")
    files = {"--old": old, "--new": new, **({} if side is None else {"--side": side})}
    for option, path in files.items():
        if path.suffix.lower() == ".npz":
            raise InputError(option, "must be one matrix; an npz with old and new is given as --pairs", str(path))
    read = {option: VectorFile.read(path) for option, path in files.items()}
    vectors, ids = matched(read, by_row="" if labels is None else "--labels", say=say)
    classes = None if labels is None else read_keys(labels)
    return PairFiles(vectors["--old"], vectors["--new"], vectors.get("--side"), classes, ids)


def read_pair_columns(path: Path, option: str, *, labelled: bool = True) -> dict[str, np.ndarray]:
    """The columns old (N, d_old) and new (N, d_new), and side (N, d_side), id (N,) and label (N,) where there are such.

    Raises:
        InputError: as in `read_columns`.
    """
    keys = ("id", "label") if labelled else ("id",)
    return read_columns(path, option, needed=("old", "new"), vectors=("side",), keys=keys)


__all__ = ["PairFiles", "read_pair_columns", "read_pairs"]
