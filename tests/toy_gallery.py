"""A small gallery of vectors with ids, a function that moves them, and what writes them to the kinds of store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

RNG = np.random.default_rng(0)
ROWS = 1003
OLD = RNG.normal(size=(ROWS, 8)).astype(np.float32)
MATRIX = RNG.normal(size=(8, 4)).astype(np.float32)
IDS = np.array([f"doc {i}" for i in range(ROWS)])


def move(x: np.ndarray, side: np.ndarray | None = None) -> np.ndarray:
    """Each row for itself, (n, 8) to (n, 4)."""
    moved = x.astype(np.float32) @ MATRIX
    return moved if side is None else moved + side.sum(1, keepdims=True, dtype=np.float32)


MOVED = move(OLD)


def lists(x, kind="fixed"):
    flat = pa.array(np.ascontiguousarray(x).reshape(-1))
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(flat, x.shape[1])
    make = pa.LargeListArray if kind == "large" else pa.ListArray
    return make.from_arrays(
        pa.array(np.arange(len(x) + 1) * x.shape[1], pa.int64() if kind == "large" else pa.int32()), flat
    )


def table(kind="fixed", x=OLD):
    return pa.table({"id": IDS, "embedding": lists(x, kind), "year": np.arange(ROWS) % 30})


def written(path: Path, x: np.ndarray = OLD) -> Path:
    np.save(path, x)
    return path
