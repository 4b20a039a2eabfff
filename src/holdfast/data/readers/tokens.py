"""Texts as flat files of token ids (`.bin`), as many trainers of language models write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError


def read_tokens(path: Path, vocabulary: int) -> Tensor:
    """Token ids of a flat file of little-endian unsigned 16-bit numbers, (N,) int64.

    Raises:
        InputError: an odd number of bytes, fewer than two tokens, or an id beyond the vocabulary.
    """
    size = path.stat().st_size
    if size % 2 or size < 4:
        raise InputError(str(path), "must hold 16-bit token ids", f"{size} bytes")
    ids = np.fromfile(path, dtype="<u2")
    if ids.max() >= vocabulary:
        raise InputError(str(path), f"must hold ids below {vocabulary}", int(ids.max()))
    return torch.from_numpy(ids.astype(np.int64))


__all__ = ["read_tokens"]
