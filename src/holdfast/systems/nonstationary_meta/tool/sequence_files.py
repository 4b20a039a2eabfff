"""Sequences with the truth that made them, on disk: what `simulate` writes and `regret` reads (`read_sequences`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from holdfast.data.readers.true_sequences import NAMES
from holdfast.errors import InputError
from holdfast.files import replacing, write_text
from holdfast.verbs import write_table


def write_sequences(path: Path, x: np.ndarray, theta: np.ndarray) -> None:
    """Write x and theta (B, T): .npz as two arrays, .csv as rows (sequence, t, x, theta), .txt as digits of one
    sequence.

    Raises:
        InputError: another suffix; .txt with several sequences.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".csv", ".txt"):
        raise InputError("--out", "must end in .npz, .csv or .txt", str(path))
    if suffix == ".txt" and len(x) != 1:
        raise InputError("--out", "must end in .npz or .csv for several sequences", str(path))
    if suffix == ".npz":
        with replacing(path) as temporary:
            np.savez_compressed(temporary, x=x, theta=theta)
    elif suffix == ".txt":
        write_text(path, "".join(map(str, x[0].tolist())) + "\n")
    else:
        row, t = np.indices(x.shape)
        columns = (row.ravel() + 1, t.ravel() + 1, x.ravel(), theta.ravel())
        write_table(path, dict(zip(NAMES, columns, strict=True)))


__all__ = ["write_sequences"]
