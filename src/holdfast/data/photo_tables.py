"""Published tables of photographs with a label and an attribute that goes with it: Waterbirds, CelebA."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.errors import InputError


@dataclass(frozen=True, eq=False)
class PhotoTable:
    """A published table of photographs: files, label and shortcut (N,) in {0, 1}, split (N,) 0 train, 1 dev, 2 test."""

    files: tuple[Path, ...]
    label: np.ndarray
    shortcut: np.ndarray
    split: np.ndarray

    @classmethod
    def of(cls, path: Path, rows: Iterable[tuple[Path, int, int, int]]) -> PhotoTable:
        """From (file, label, shortcut, split); the path is for messages."""
        table = list(rows)
        if not table:
            raise InputError(str(path), "must have at least one row", "none")
        files, *numbers = zip(*table, strict=True)
        label, shortcut, split = (np.array(column, np.int64) for column in numbers)
        for name, column, high in (("label", label, 1), ("shortcut", shortcut, 1), ("split", split, 2)):
            if column.min() < 0 or column.max() > high:
                raise InputError(f"{path}: {name}", f"must be in 0 .. {high}", f"{column.min()} .. {column.max()}")
        return cls(tuple(files), label, shortcut, split)


def read_waterbirds(path: Path) -> PhotoTable:
    """metadata.csv of Waterbirds (Sagawa et al., 2020): img_id, img_filename, y, split, place, place_filename.

    The label is y (1 = bird of water), the shortcut place (1 = water); files lie beside the table.

    Raises:
        InputError: a column or value that is missing or out of range; names the row.
    """
    names = ("img_filename", "y", "place", "split")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            (path.parent / name, _whole(path, y), _whole(path, place), _whole(path, split))
            for name, y, place, split in _columns(path, csv.DictReader(file), names)
        ]
    return PhotoTable.of(path, rows)


def read_celeba(attributes: Path, partition: Path, label: str = "Blond_Hair", shortcut: str = "Male") -> PhotoTable:
    """list_attr_celeba.txt and list_eval_partition.txt of CelebA (Liu et al., 2015), attributes 1 and -1.

    Args:
        attributes: number of images, a line of names, then a line per image.
        partition: a line per image: its name, and 0, 1 or 2.
        label, shortcut: two of the attributes.

    Raises:
        InputError: an attribute, image or number that is missing; names the row.
    """
    lines = attributes.read_text(encoding="utf-8").splitlines()
    if len(lines) < 2:
        rule = "must have a line with the number of images, and one with names"
        raise InputError(str(attributes), rule, f"{len(lines)} lines")
    names = ["file", *lines[1].split()]
    splits = dict(line.split() for line in partition.read_text(encoding="utf-8").splitlines() if line.strip())
    folder = attributes.parent / "img_align_celeba"
    found = _columns(
        attributes, (dict(zip(names, line.split(), strict=False)) for line in lines[2:]), ("file", label, shortcut)
    )
    rows = [
        (folder / file, _whole(attributes, y) == 1, _whole(attributes, a) == 1, _whole(partition, splits.get(file)))
        for file, y, a in found
    ]
    return PhotoTable.of(attributes, rows)


def _columns(path: Path, rows: Iterable[Mapping[str, str]], names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for number, row in enumerate(rows, start=1):
        if lacking := [name for name in names if row.get(name) is None]:
            raise InputError(f"{path}, row {number}", f"must have a value for {', '.join(names)}", f"no {lacking[0]}")
        yield tuple(row[name] for name in names)


def _whole(path: Path, text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise InputError(str(path), "must hold whole numbers", repr(text)) from None


__all__ = ["PhotoTable", "read_celeba", "read_waterbirds"]
