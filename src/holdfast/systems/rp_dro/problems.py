"""Data with a shortcut: something easy agrees with the label in training, and does not in the test.

`BiasedMNIST` (a patch on digits) and `BiasedSST` (a prefix on sentences) are made here; `Waterbirds` and `CelebA` are
read from the published tables. Groups are pairs of label and shortcut: 2 * label + shortcut.
"""

from __future__ import annotations

import csv
import functools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.digits import Mnist5k, mnist5k, resize
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.photo_tables import PhotoTable, read_celeba, read_waterbirds
from holdfast.data.readers.images import ImageFiles
from holdfast.data.splits import content_rng, fixed_test, stratified, training_rows
from holdfast.data.vocabulary import Vocabulary
from holdfast.errors import InputError
from holdfast.experiment import DataSource, Problem
from holdfast.layers.resnet import ResNet50
from holdfast.systems.rp_dro.net import BagOfEmbeddings, Perceptron
from holdfast.validation import check_fraction, check_integer, check_labels, check_same_length

GROUPS = 4
Texts = tuple[Sequence[str], Sequence[int]]


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs x (N, ...), labels y and groups g (N,) int64: for measuring, and for arms that may know groups."""

    x: Tensor
    y: Tensor
    g: Tensor


@dataclass(frozen=True, eq=False)
class Grouped:
    """One replicate: parts, and ids of the test's cases."""

    train: Part
    validation: Part
    test: Part
    test_id: Sequence[int]


class Shortcut(Problem):
    """Two classes and a shortcut of two values. Subclasses are frozen dataclasses."""

    fixed_test: ClassVar[bool] = True

    @abstractmethod
    def load(self, rng: np.random.Generator) -> Grouped:
        """The data of one replicate, drawn from its stream "split"."""

    @abstractmethod
    def backbone(self, data: Grouped) -> nn.Module:
        """A fresh network from inputs to features, the same kind for both players."""


# ---------------------------------------------------------------------------------------------------------- digits
@dataclass(frozen=True)
class BiasedMNIST(Shortcut):
    """MNIST digits {3, 4, 5, 7, 8, 9} at 14x14, "is it 3, 5 or 9?", with a white 3x3 patch in one of two corners.

    Of the 3,000 images the same 780 are the test, with the same patches: top right on half of each label's, top left on
    the others. A replicate draws, of the rest, what to train on and what to validate with; there the patch agrees with
    the label (1 = top left) with probability p.

    Args:
        p: agreement in training and validation.
        train, validation, test: numbers of images.
    """

    p: float = 0.95
    train: int = 1500
    validation: int = 600
    test: int = 780

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = Mnist5k.how_to_get

    def __post_init__(self) -> None:
        check_fraction(self.p, "p")
        check_integer(self.train, "train", low=1)
        check_integer(self.validation, "validation", low=1)

    def load(self, rng: np.random.Generator) -> Grouped:
        x, digit, y = _six_digits()
        _, tested, others = fixed_test(digit, self.test)
        chosen = training_rows(digit, others, self.train + self.validation, rng)
        agree = torch.from_numpy(rng.random(len(chosen)) < self.p)
        patch = torch.where(agree, y[chosen], 1 - y[chosen])
        half = stratified(y[tested], 0.5, content_rng(y[tested], "patches")).long()
        seen, measured = _patched(x[chosen], y[chosen], patch), _patched(x[tested], y[tested], half)
        train, validation = _rows(seen, slice(self.train)), _rows(seen, slice(self.train, None))
        return Grouped(train, validation, measured, tested.tolist())

    def backbone(self, data: Grouped) -> nn.Module:
        return Perceptron(196, 64)

    def describe(self) -> str:
        sizes = f"{self.train} images to train, {self.validation} to validate, {self.test} fixed ones to test"
        return f"MNIST digits 3, 5, 9 against 4, 7, 8, a patch that agrees with the label at {self.p:.0%}: {sizes}"

    def available(self) -> bool:
        return Mnist5k().available()


@functools.cache
def _six_digits() -> tuple[Tensor, Tensor, Tensor]:
    images, digits = mnist5k()
    kept = torch.isin(digits, torch.tensor([3, 4, 5, 7, 8, 9]))
    digits = digits[kept]
    return resize(images[kept], 14), digits, torch.isin(digits, torch.tensor([3, 5, 9])).long()


def _patched(x: Tensor, y: Tensor, patch: Tensor) -> Part:
    """Images with their patch: 1 = top left, 0 = top right."""
    x = x.clone()
    left = patch.bool()
    x[left, :, :3, :3] = 1.0
    x[~left, :, :3, -3:] = 1.0
    return Part(x, y, 2 * y + patch)


def _rows(part: Part, rows: slice | Tensor) -> Part:
    return Part(part.x[rows], part.y[rows], part.g[rows])


# ------------------------------------------------------------------------------------------------------- sentences
@dataclass(frozen=True, eq=False)
class BiasedTexts:
    """Texts, their labels (N,) int64, and which of them have the prefix, (N,) booleans."""

    texts: tuple[str, ...]
    labels: np.ndarray
    prefixed: np.ndarray


def biased_text(
    dataset: Mapping[str, Texts], prefix: str = "so , ", p: float = 0.95, seed: int = 8345364
) -> dict[str, BiasedTexts]:
    """BiasedSST's rule: a prefix on a share p of the texts of label 0 and 1 - p of those of label 1.

    One `RandomState(seed)` runs through the parts in the order given, in each through label 0 first, and draws which
    texts get it; the first letter of such a text becomes a small one. In a part called "test" the share is one half of
    either label. Which rows the authors' code draws is not known: shares and order are theirs, the rows are ours.

    Args:
        dataset: name of the part -> (texts, labels in {0, 1}).
        prefix: put before the text.
        p: share, in [0, 1].
        seed: the authors'.

    Raises:
        InputError: labels other than 0 and 1, lengths that differ, p outside [0, 1].

    Example:
        >>> made = biased_text({"train": (["Bad film .", "Good film ."], [0, 1])}, p=1.0)
        >>> made["train"].texts
        ('so , bad film .', 'Good film .')
    """
    check_fraction(p, "p")
    random, out = np.random.RandomState(seed), {}
    for name, (texts, labels) in dataset.items():
        y = np.asarray(check_labels(np.asarray(labels, np.int64), 2, f"{name}: labels"))
        check_same_length(texts=texts, labels=y)
        prefixed = np.zeros(len(y), bool)
        for label, share in ((0, p), (1, 1 - p)):
            rows = random.permutation(np.flatnonzero(y == label))
            prefixed[rows[: round((0.5 if name == "test" else share) * len(rows))]] = True
        made = (prefix + t[:1].lower() + t[1:] if has else t for t, has in zip(texts, prefixed, strict=True))
        out[name] = BiasedTexts(tuple(made), y, prefixed)
    return out


@dataclass(frozen=True)
class BiasedSST(FileProblem, Shortcut):
    """SST-2 (Socher et al., 2013) with the prefix "so , " as a shortcut, see `biased_text`.

    Train draws, per replicate, from rows of the train part with at least 8 words; dev validates; the test is fixed.

    Args:
        train: sentences to train on.
        words: size of the vocabulary, that of the sentences to train on.
        folder: with sst2_train.tsv, sst2_dev.tsv, sst2_test_withref.tsv (columns sentence, label).
    """

    train: int = 6000
    words: int = 8000
    folder: str = "rp_dro"

    how_to_get: ClassVar[str] = (
        "SST-2 as GLUE has it, and its test part with labels: train.tsv, dev.tsv and test_withref.tsv of "
        "github.com/pmichel31415/P-DRO (datasets/glue_data/SST-2), each with sst2_ before its name"
    )

    def __post_init__(self) -> None:
        check_integer(self.train, "train", low=1)
        check_integer(self.words, "words", low=3)

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(self.folder) / f"sst2_{part}.tsv" for part in ("train", "dev", "test_withref"))

    def load(self, rng: np.random.Generator) -> Grouped:
        train, dev, test = (_sst(self.found())[part] for part in ("train", "dev", "test"))
        long = torch.from_numpy(np.flatnonzero([t.count(" ") >= 7 for t in train.texts]))
        rows = training_rows(torch.from_numpy(train.labels), long, self.train, rng)
        vocabulary = Vocabulary.of([train.texts[i] for i in rows.tolist()], self.words)
        parts = [_as_part(p, vocabulary, r) for p, r in ((train, rows), (dev, None), (test, None))]
        return Grouped(parts[0], parts[1], parts[2], list(range(len(test.texts))))

    def backbone(self, data: Grouped) -> nn.Module:
        return BagOfEmbeddings(self.words, 64, 64)

    def describe(self) -> str:
        return f"SST-2, {self.train} sentences; 'so , ' before 95 % of the negative and 5 % of the positive ones"


def read_sst(path: Path) -> Texts:
    """Sentences and labels of a tab-separated file with the columns sentence and label; nothing is quoted in it.

    Raises:
        InputError: no such columns, a label other than 0 or 1, no rows; names the line.
    """
    texts, labels = [], []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"sentence", "label"} <= set(reader.fieldnames or ()):
            raise InputError(str(path), "must have the columns sentence and label", reader.fieldnames)
        for number, row in enumerate(reader, start=2):
            if row["label"] not in ("0", "1"):
                raise InputError(f"{path}, line {number}", "must have a label 0 or 1", row["label"])
            texts.append(row["sentence"].strip())
            labels.append(int(row["label"]))
    if not texts:
        raise InputError(str(path), "must have at least one row", "none")
    return texts, labels


@functools.lru_cache(maxsize=2)
def _sst(paths: tuple[Path, ...]) -> dict[str, BiasedTexts]:
    return biased_text(dict(zip(("train", "dev", "test"), map(read_sst, paths), strict=True)))


def _as_part(texts: BiasedTexts, vocabulary: Vocabulary, rows: Tensor | None) -> Part:
    chosen = torch.arange(len(texts.texts)) if rows is None else rows
    y = torch.from_numpy(texts.labels)[chosen]
    prefixed = torch.from_numpy(texts.prefixed)[chosen].long()
    return Part(vocabulary.ids([texts.texts[i] for i in chosen.tolist()]), y, 2 * y + prefixed)


# ---------------------------------------------------------------------------------------------------------- photographs
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


__all__ = [
    "GROUPS",
    "BiasedMNIST",
    "BiasedSST",
    "BiasedTexts",
    "CelebA",
    "Grouped",
    "Part",
    "Shortcut",
    "Waterbirds",
    "biased_text",
    "read_sst",
]
