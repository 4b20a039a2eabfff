"""Rows of features or images from a user's files, and the table of what was made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.arrays import read_npy
from holdfast.data.readers.image_inputs import open_images
from holdfast.data.readers.tables.reading import is_table
from holdfast.data.readers.vectors import read_vectors
from holdfast.systems.hcsc.tool.tree_folder import level_columns


def read_rows(
    path: Path, size: int, shape: Sequence[int] | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Features (N, d) of a .npy or a table, else images (N, C, size, size), C as in `shape`; and their names."""
    if is_table(path) or (path.suffix.lower() == ".npy" and read_npy(path).ndim == 2):
        rows = read_vectors(path)
        return rows, [str(i) for i in range(len(rows))]
    images = open_images(path, str(path), labelled=False)
    colour = images.is_colour() if shape is None else shape[0] == 3
    return images.read(size, 3 if colour else 1, progress=progress), images.rows()


def embedding_table(names: list[str], paths: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """A row per image: its name, its clusters from fine to coarse, its embedding."""
    return {"row": names, **level_columns(paths), **{f"e{i}": found[:, i] for i in range(found.shape[1])}}


__all__ = ["embedding_table", "read_rows"]
