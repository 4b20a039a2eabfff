"""A small gallery of embeddings with ids, its migrator, and what writes it to the kinds of store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from holdfast.systems.fct import EmbeddingMigrator

RNG = np.random.default_rng(0)
ROWS = 1003
OLD = RNG.normal(size=(ROWS, 8)).astype(np.float32)
NEW = np.tanh(OLD @ RNG.normal(size=(8, 4))).astype(np.float32)
MIGRATOR = EmbeddingMigrator("ridge", device="cpu").fit(OLD, NEW)
MOVED = MIGRATOR.transform(OLD)
IDS = np.array([f"doc {i}" for i in range(ROWS)])


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
