"""CIFAR-100 (Krizhevsky, 2009) in its python version. Its pickles are read as data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from holdfast.data.images import ImageArray
from holdfast.data.readers.plainpickle import read_plain_pickle
from holdfast.errors import InputError


def read_cifar(path: Path, classes: int = 100) -> ImageArray:
    """The images of one file of CIFAR-100's python version.

    Args:
        path: a pickle of {"data": (N, 3072) uint8, red then green then blue, "fine_labels": N numbers}.
        classes: labels lie in [0, classes).

    Raises:
        InputError: the file is none of that kind, or holds anything but plain data.
    """
    content = read_plain_pickle(path)
    if not isinstance(content, dict):
        raise InputError(str(path), "must hold a dict", type(content).__name__)
    found = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in content.items()}
    for name in ("data", "fine_labels"):
        if name not in found:
            raise InputError(str(path), f"must have an entry {name!r}", sorted(map(str, found)))
    data, labels = found["data"], found["fine_labels"]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        shown = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{path}: data", "must be uint8 of shape (N, 3072)", shown)
    right = isinstance(labels, list) and all(type(k) is int and 0 <= k < classes for k in labels)
    if not right or len(labels) != len(data):
        raise InputError(f"{path}: fine_labels", f"must be {len(data)} whole numbers from 0 to {classes - 1}")
    pixels = torch.from_numpy(data.reshape(-1, 3, 32, 32).astype(np.float32) / 255)
    return ImageArray(pixels, torch.tensor(labels))


__all__ = ["read_cifar"]
