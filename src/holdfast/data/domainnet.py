"""DomainNet (Peng et al., "Moment Matching for Multi-Source Domain Adaptation", ICCV 2019) in its published layout."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import LoaderBatches
from holdfast.data.domain_stream import DomainStream
from holdfast.data.domain_training import DomainTraining
from holdfast.data.domains import DomainProblem, Pool
from holdfast.data.imagesets import Progress
from holdfast.data.location import data_folder
from holdfast.data.readers.images import ImageFiles
from holdfast.data.readers.listings import class_names, read_list
from holdfast.data.splits import DomainSplit, content_rng, first_of_each_class, stratified
from holdfast.errors import InputError
from holdfast.experiment import DataSource
from holdfast.randomness import derived_seed
from holdfast.validation import check_choice, check_fraction, check_integer

DOMAINS = ("clipart", "infograph", "painting", "quickdraw", "real", "sketch")
ADAPT_ON = 4096  # images that batch-norm statistics are taken from where a method adapts after training


@dataclass(frozen=True, eq=False)
class DomainFiles:
    """The parts of a split as images decoded on demand; `unlabelled.labels` are for diagnostics only."""

    source: ImageFiles
    unlabelled: ImageFiles
    validation: ImageFiles
    test: ImageFiles
    classes: tuple[str, ...]


@dataclass(frozen=True)
class DomainNet(DomainProblem):
    """One pair of DomainNet's six domains: 345 classes, 0.6 million photographs, drawings and paintings in all.

    Layout: `<root>/<domain>/<class>/*.jpg` and `<root>/<domain>_{train,test}.txt` with lines `path label`. Source =
    the train list of the source domain; test = the test list of the target domain, the same in every replicate. Of the
    target's train list a fixed, stratified 20 % is the validation part, the rest is unlabelled.

    `files(rng)` gives lazily decoded sets and is what training at full size should use; `load(rng)` decodes everything
    (real -> clipart at 64x64: 8 GB).

    Args:
        root: the folder; relative ones are looked for in the folder named by HOLDFAST_DATA, else here.
        source_domain, target_domain: two of clipart, infograph, painting, quickdraw, real, sketch.
        size: side in pixels.
        validation: share of the target's train list.

    Raises:
        InputError: on construction for settings; on loading for a missing list or image (names list and line).
    """

    root: str = "domainnet"
    source_domain: str = "real"
    target_domain: str = "clipart"
    size: int = 64
    validation: float = 0.2

    source: ClassVar[DataSource] = "file"
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = (
        "download the zip and the train and test lists of both domains (cleaned version) from "
        "http://ai.bu.edu/M3SDA/ and unpack them into one folder. The page releases the images under a fair use "
        "notice: some are copyrighted; non-commercial research and education only; other uses need the owners' "
        "permission. Read the notice there before use."
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", str(self.root))
        check_choice(self.source_domain, DOMAINS, "source_domain")
        check_choice(self.target_domain, DOMAINS, "target_domain")
        if self.source_domain == self.target_domain:
            raise InputError("target_domain", "must differ from source_domain", self.target_domain)
        check_integer(self.size, "size", low=1)
        check_fraction(self.validation, "validation", one=False)

    @property
    def folder(self) -> Path:
        """Where it is looked for."""
        return data_folder(self.root)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._sets()[1]

    def available(self) -> bool:
        needed = (
            f"{self.source_domain}_train.txt",
            f"{self.target_domain}_train.txt",
            f"{self.target_domain}_test.txt",
        )
        folders = (self.source_domain, self.target_domain)
        return all(os.path.isfile(self.folder / name) for name in needed) and all(
            os.path.isdir(self.folder / d) for d in folders
        )

    def describe(self) -> str:
        return f"DomainNet {self.source_domain} -> {self.target_domain}, {self.size}x{self.size}, 345 classes"

    def fingerprint(self) -> str:
        return str(self.folder)

    def files(self, rng: np.random.Generator) -> DomainFiles:
        """The replicate's parts as lazily decoded sets; rng only orders the unlabelled images."""
        (source, train, test), classes = self._sets()
        held, rest = self._divide(_labels(train), rng)
        return DomainFiles(source, train.subset(rest), train.subset(held), test, classes)

    def training(
        self,
        rng: np.random.Generator,
        *,
        batch: int,
        ratio: int,
        seed: int,
        target_labels: int = 0,
        workers: int = 0,
        device: str = "cpu",
    ) -> DomainTraining:
        """As for other problems, with training images decoded on demand; only what is measured on is held in memory."""
        files = self.files(rng)
        labels = _labels(files.unlabelled)
        few = first_of_each_class(labels, target_labels, files.classes) if target_labels else labels[:0]
        labelled = (files.unlabelled.read(few.tolist()), labels[few]) if target_labels else None
        stream = DomainStream(
            LoaderBatches(files.source, batch, derived_seed(seed, "source"), workers=workers, collate=_as_batch),
            LoaderBatches(
                files.unlabelled, ratio * batch, derived_seed(seed, "target"), workers=workers, collate=_as_batch
            ),
            labelled,
            batch=batch,
            seed=seed,
        )
        return DomainTraining(
            stream=stream,
            adapt_x=files.unlabelled.read(range(min(ADAPT_ON, len(files.unlabelled)))).to(device),
            validation_x=files.validation.read().to(device),
            validation_y=_labels(files.validation).to(device),
            test_x=files.test.read().to(device),
            test_y=_labels(files.test).to(device),
            test_id=torch.arange(len(files.test)),
            classes=files.classes,
        )

    def pool(self, progress: Progress | None = None) -> Pool:
        """All images decoded: source_x, source_y, target_x, target_y (train list), test_x, test_y."""
        sets = dict(zip(("source", "target", "test"), self._sets()[0], strict=True))
        total, done, pool = sum(map(len, sets.values())), 0, {}
        for name, files in sets.items():
            before = done  # bound below, so that the count goes on from set to set
            follow = None if progress is None else lambda n, _, before=before: progress(before + n, total)
            pool[f"{name}_x"], pool[f"{name}_y"] = files.read(progress=follow), _labels(files)
            done += len(files)
        return pool

    def split(self, pool: Pool, rng: np.random.Generator) -> DomainSplit:
        x, y = pool["target_x"], pool["target_y"]
        held, rest = self._divide(y, rng)
        return DomainSplit(
            source_x=pool["source_x"],
            source_y=pool["source_y"],
            unlabelled_x=x[rest],
            audit_y=y[rest],
            labelled_x=x[:0],
            labelled_y=y[:0],
            validation_x=x[held],
            validation_y=y[held],
            test_x=pool["test_x"],
            test_y=pool["test_y"],
            unlabelled_id=rest,
            validation_id=held,
            test_id=torch.arange(len(pool["test_y"])),
            classes=self.classes,
        )

    def _divide(self, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Positions in the target's train list: (validation, unlabelled in random order)."""
        held = stratified(labels, self.validation, content_rng(labels, "validation"))
        rest = torch.nonzero(~held).squeeze(1)
        if not len(rest):
            raise InputError("target", "must have images left to train on", f"{len(labels)} images in the train list")
        return torch.nonzero(held).squeeze(1), rest[torch.from_numpy(rng.permutation(len(rest)))]

    def _sets(self) -> tuple[tuple[ImageFiles, ImageFiles, ImageFiles], tuple[str, ...]]:
        """(source train, target train, target test) and the classes of all three lists together."""
        lists = (f"{self.source_domain}_train.txt", f"{self.target_domain}_train.txt", f"{self.target_domain}_test.txt")
        found = [read_list(self.folder, name, "list") for name in lists]
        pairs = [pair for one in found for pair in zip(one.paths, one.labels or (), strict=True)]
        source, train, test = (ImageFiles.of(one, self.size, "RGB") for one in found)
        return (source, train, test), class_names(pairs)


def _as_batch(items: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {"x": torch.stack([x for x, _ in items]), "y": torch.stack([y for _, y in items])}


def _labels(files: ImageFiles) -> Tensor:
    assert files.labels is not None  # list files always have labels
    return files.labels


__all__ = ["DOMAINS", "DomainFiles", "DomainNet"]
