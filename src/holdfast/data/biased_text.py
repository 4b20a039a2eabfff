"""BiasedSST: a prefix on sentences that agrees with their label (Michel et al., arXiv 2103.10282)."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.shortcuts import Grouped, Part, Shortcut
from holdfast.data.splits import training_rows
from holdfast.data.vocabulary import Vocabulary
from holdfast.errors import InputError
from holdfast.layers.bag_of_embeddings import BagOfEmbeddings
from holdfast.validation import check_fraction, check_integer, check_labels, check_same_length

Texts = tuple[Sequence[str], Sequence[int]]


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


__all__ = ["BiasedSST", "BiasedTexts", "biased_text", "read_sst"]
