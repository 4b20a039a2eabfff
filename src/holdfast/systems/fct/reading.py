"""Pairs for fitting and reporting, from npy files or the columns of a parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import InputError


@dataclass(frozen=True)
class PairFiles:
    """Arrays as they are in the files.

    Attributes:
        old, new: (N, d_old), (N, d_new).
        side: (N, d_side) or None.
        labels: (N,) of any kind, or None.
    """

    old: np.ndarray
    new: np.ndarray
    side: np.ndarray | None
    labels: np.ndarray | None


def read_pairs(
    pairs: Path | None, old: Path | None, new: Path | None, side: Path | None, labels: Path | None
) -> PairFiles:
    """Pairs from npy files, or from one parquet file with columns `old`, `new` and perhaps `side` and `label`.

    Raises:
        InputError: neither or both ways of naming them; files that cannot be read. (`fit` refuses NaN rows.)
    """
    if pairs is not None:
        if any(path is not None for path in (old, new, side, labels)):
            raise InputError("--pairs", "must not be given together with --old, --new, --side or --labels")
        return _columns(pairs)
    if old is None or new is None:
        raise InputError("--old, --new", "must both be given (npy files), or --pairs (a parquet file)")
    return PairFiles(
        _vectors(old),
        _vectors(new),
        None if side is None else _vectors(side),
        None if labels is None else _names(labels),
    )


def _vectors(path: Path) -> np.ndarray:
    from holdfast.systems.fct.stores import open_source

    source = open_source(path)
    return source.read(0, source.rows).vectors


def _names(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(str(path), "must be an npy file of numbers or strings", str(error)) from None
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise InputError(str(path), "must hold one label per row", f"shape {getattr(values, 'shape', None)}")
    return values


def _columns(path: Path) -> PairFiles:
    from holdfast.systems.fct.parquet import ParquetSource

    names = ParquetSource(path, "old").names
    found: dict[str, Any] = {}
    for name in ("old", "new", *(n for n in ("side",) if n in names)):
        source = ParquetSource(path, name)
        found[name] = source.read(0, source.rows).vectors
    labels = None
    if "label" in names:
        source = ParquetSource(path, "old", id_column="label")
        labels = source.read(0, source.rows).ids
    return PairFiles(found["old"], found["new"], found.get("side"), labels)


__all__ = ["PairFiles", "read_pairs"]
