"""Files in the form of the python versions of CIFAR-100 and CIFAR-10, with few rows."""

from __future__ import annotations

import pickle

import numpy as np


def write_cifar(folder, rows=40, classes=100, **change):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        labels = [(7 * i) % classes for i in range(rows)]
        content = {"data": rng.integers(0, 256, (rows, 3072), np.uint8), "fine_labels": labels, "coarse_labels": labels}
        content |= {"filenames": [f"{i}.png" for i in range(rows)], "batch_label": name}
        (folder / name).write_bytes(pickle.dumps({**content, **change}, 2))


def write_cifar10(folder, rows=3):
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        labels = [int(k) for k in rng.integers(0, 10, rows)]
        content = {b"data": rng.integers(0, 256, (rows, 3072), np.uint8), b"labels": labels, b"batch_label": b"x"}
        (folder / name).write_bytes(pickle.dumps(content, 2))
