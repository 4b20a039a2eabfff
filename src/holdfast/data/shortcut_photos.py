"""Photographs with a shortcut, as published: Waterbirds and CelebA."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.photo_tables import PhotoTable, read_celeba, read_waterbirds
from holdfast.data.readers.images import ImageFiles
from holdfast.data.shortcuts import Grouped, Part, Shortcut
from holdfast.errors import InputError
from holdfast.layers.resnet import ResNet50


class Photographs(FileProblem, Shortcut):
    """Photographs of a table, decoded at a size and kept in memory (Waterbirds at 64x64: 0.6 GB; CelebA: 10 GB).

    A replicate draws nothing but what arms draw.
    """

    size: int

    @abstractmethod
    def table(self) -> PhotoTable:
        """The published table."""

    def load(self, rng: np.random.Generator) -> Grouped:
        self.found()
        table = self.table()
        parts = []
        for split in range(3):
            rows = np.flatnonzero(table.split == split)
            if not len(rows):
                raise InputError(str(self.paths[0]), "must have rows of every split", f"none of split {split}")
            pixels = ImageFiles([table.files[i] for i in rows], size=self.size, mode="RGB").read()
            y = torch.from_numpy(table.label[rows])
            parts.append(Part(pixels, y, 2 * y + torch.from_numpy(table.shortcut[rows])))
        return Grouped(parts[0], parts[1], parts[2], list(range(len(parts[2].y))))

    def backbone(self, data: Grouped) -> nn.Module:
        return ResNet50(256)


@dataclass(frozen=True)
class Waterbirds(Photographs):
    """Birds of land and water on the other's background as well (Sagawa et al., 2020).

    Args:
        folder: with metadata.csv (img_id, img_filename, y, split, place, place_filename) and the images.
        size: side in pixels.
    """

    folder: str = "waterbird_complete95_forest2water2"
    size: int = 64

    how_to_get: ClassVar[str] = (
        "waterbird_complete95_forest2water2.tar.gz, linked from github.com/kohpangwei/group_DRO; made of CUB-200-2011 "
        "and Places, for non-commercial research"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.folder) / "metadata.csv",)

    def table(self) -> PhotoTable:
        return read_waterbirds(self.paths[0])

    def describe(self) -> str:
        return f"Waterbirds, {self.size}x{self.size}: bird of land or water, background the shortcut"


@dataclass(frozen=True)
class CelebA(Photographs):
    """Faces of celebrities (Liu et al., 2015): blond hair or not, the gender in the table is the shortcut.

    Args:
        folder: with list_attr_celeba.txt, list_eval_partition.txt as published, and img_align_celeba/.
        size: side in pixels.
        label, shortcut: attributes.
    """

    folder: str = "celeba"
    size: int = 64
    label: str = "Blond_Hair"
    shortcut: str = "Male"

    how_to_get: ClassVar[str] = (
        "list_attr_celeba.txt, list_eval_partition.txt and img_align_celeba.zip from "
        "mmlab.ie.cuhk.edu.hk/projects/CelebA.html; non-commercial research only"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(self.folder) / f"list_{name}.txt" for name in ("attr_celeba", "eval_partition"))

    def table(self) -> PhotoTable:
        attributes, partition = self.paths
        return read_celeba(attributes, partition, self.label, self.shortcut)

    def describe(self) -> str:
        return f"CelebA, {self.size}x{self.size}: {self.label}, with {self.shortcut} as the shortcut"


__all__ = ["CelebA", "Waterbirds"]
