"""Problems of texts whose next token is to be predicted: characters that ship with a package, and WikiText."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.data.characters import shipped_text
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.errors import InputError
from holdfast.experiment import DataSource, Problem

UNKNOWN, END = "<unk>", "<eos>"


class TextProblem(Problem):
    """The next token of a text."""

    @abstractmethod
    def texts(self) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        """Ids (n,) int64 of text for training, validation and test, and the size of the vocabulary."""


@dataclass(frozen=True)
class Characters(TextProblem):
    """What ships with scikit-learn, character by character: small enough to see that the language model works.

    Attributes:
        held: characters of validation and of test.
    """

    held: int = 2000
    source: ClassVar[DataSource] = "package"

    def describe(self) -> str:
        return "the next character of descriptions of data sets"

    def texts(self) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        ids, alphabet = shipped_text()
        return (ids[: -2 * self.held], ids[-2 * self.held : -self.held], ids[-self.held :]), len(alphabet)


@dataclass(frozen=True)
class WikiText(FileProblem, TextProblem):
    """WikiText-103 (or -2) as published: wiki.train.tokens and its companions, words between spaces.

    Attributes:
        folder: under HOLDFAST_DATA.
        words: most frequent words that are told apart; the rest is <unk>.
    """

    folder: str = "wikitext-103"
    words: int = 50_000
    how_to_get: ClassVar[str] = (
        "wikitext-103-v1.zip (Merity et al. 2016, CC BY-SA 3.0), unpacked into wikitext-103/ in the folder that "
        "HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(f"{self.folder}/wiki.{part}.tokens") for part in ("train", "valid", "test"))

    def describe(self) -> str:
        return "WikiText: the next word"

    def texts(self) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        """The vocabulary is the training part's."""
        parts = [read_words(path) for path in self.found()]
        names, counts = np.unique(parts[0], return_counts=True)
        kept = names[np.lexsort((names, -counts))[: self.words]]
        vocabulary = np.unique(np.append(kept, [UNKNOWN, END]))
        unknown = int(np.searchsorted(vocabulary, UNKNOWN))

        def ids(words: np.ndarray) -> Tensor:
            place = np.searchsorted(vocabulary, words).clip(max=len(vocabulary) - 1)
            return torch.from_numpy(np.where(vocabulary[place] == words, place, unknown))

        train, valid, test = map(ids, parts)
        return (train, valid, test), len(vocabulary)


def read_words(path: Path) -> np.ndarray:
    """Words between spaces, `<eos>` at the end of every line that has any.

    Raises:
        InputError: no text in UTF-8, or no words.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(str(path), "must be text in UTF-8", str(error)) from error
    words = [word for line in lines if line.split() for word in (*line.split(), END)]
    if not words:
        raise InputError(str(path), "must hold words between spaces", "none")
    return np.array(words)


__all__ = ["Characters", "TextProblem", "WikiText", "read_words"]
