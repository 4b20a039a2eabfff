"""Rows of several files of vectors that belong together: those with the same id, or else with the same number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.vectors.columns import as_keys
from holdfast.data.vectors.stores import open_source
from holdfast.errors import InputError
from holdfast.validation import check_present


@dataclass(frozen=True)
class VectorFile:
    """The vectors of a file, (N, D), and the ids of its rows, (N,), where it has such."""

    path: Path
    vectors: np.ndarray
    ids: np.ndarray | None

    @classmethod
    def read(cls, path: Path) -> VectorFile:
        """The whole file, of any kind that `open_source` reads."""
        source = open_source(path)
        rows = source.read(0, source.rows)
        return cls(path, rows.vectors, as_keys(rows.ids, f"{path}: ids") if source.has_ids else None)


def matched(
    files: Mapping[str, VectorFile], *, by_row: str = "", say: Callable[[str], None] | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The vectors of rows that all files have, in the order of the first file with ids; and their ids.

    Files whose ids are the same in the same order, or that have none, are taken row by row.

    Args:
        files: by the option that each was given as.
        by_row: what else comes row by row, and so allows no other order; "" = nothing.
        say: told of each file how many of its rows have partners, where they had to be looked for.

    Raises:
        InputError: ids that appear twice or nowhere else; another order where a file has no ids.
    """
    ids = {option: rows.ids for option, rows in files.items() if rows.ids is not None}
    vectors = {option: rows.vectors for option, rows in files.items()}
    if not ids:
        return vectors, None
    first = next(iter(ids.values()))
    if all(np.array_equal(first, others) for others in ids.values()):
        return vectors, first
    if len(ids) < len(files) or by_row:
        named = f" ({by_row} is one)" if by_row else ""
        rule = f"must come in the order of the other files where one of them{named} has no ids"
        raise InputError(", ".join(ids), rule, "ids in another order, or others")
    common = first
    for option, own in ids.items():
        _check_once(own, option, files[option].path)
        alike = (own.dtype.kind == "U") == (common.dtype.kind == "U")
        common = common[np.isin(common, own)] if alike else common[:0]
    if not len(common):
        raise InputError(", ".join(ids), "must share ids", f"none in common, such as {first[0]!s}")
    for option, own in ids.items():
        order = np.argsort(own, kind="stable")
        vectors[option] = vectors[option][order[np.searchsorted(own[order], common)]]
        if say is not None:
            say(f"{files[option].path}: {len(common):,} of {len(own):,} rows have a partner by their id")
    return vectors, common


def _check_once(ids: np.ndarray, option: str, path: Path) -> None:
    values, counts = np.unique(check_present(ids, option), return_counts=True)
    if (counts > 1).any():
        received = f"{values[counts > 1][0]!s} {counts[counts > 1][0]} times in {path}"
        raise InputError(option, "must have every id once, to be matched with the other file by it", received)


__all__ = ["VectorFile", "matched"]
