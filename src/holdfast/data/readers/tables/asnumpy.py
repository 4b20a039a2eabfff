"""Arrow's columns as numpy holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def array(column: Any) -> np.ndarray:
    """A column, chunked or not, as an array that may be written to; nulls as pyarrow has them (NaN, None)."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks != 1:
            parts = [np.asarray(chunk.to_numpy(zero_copy_only=False)) for chunk in column.chunks]
            return np.concatenate(parts) if parts else np.asarray(column.to_numpy())
        column = column.chunk(0)
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    return values if values.flags.writeable else values.copy()


def mask(column: Any) -> np.ndarray:
    """A column of booleans; null is False."""
    return np.asarray(array(pc.fill_null(column, False)), bool)


def strings(column: Any) -> np.ndarray:
    """A column of texts as objects; null is ""."""
    return np.asarray(array(pc.fill_null(column, "")), object)


def may_hold(texts: Any, characters: str) -> bool:
    """Whether one of some ASCII characters may be in a column of texts: looks through its bytes, which is fast."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    buffers = [bytes_ for chunk in chunks if (bytes_ := chunk.buffers()[2]) is not None]
    wanted = [np.uint8(ord(character)) for character in characters]
    return any(bool((np.frombuffer(part, np.uint8) == one).any()) for part in buffers for one in wanted)


__all__ = ["array", "mask", "may_hold", "strings"]
