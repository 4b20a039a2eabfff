"""Two problems: an invented language pair, whose hallucinations are counted by rule, and the annotated corpus."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.synthetic.language_pair import LanguagePair
from holdfast.errors import InputError
from holdfast.experiment import Problem

FULL, STRONG, OSCILLATION = 0.15, 0.4, 3  # coverage, coverage, how often a pair of words comes
CSV_LABELS = {"full": "full-unsupport", "strong": "strong-unsupport", "oscillatory": "repetitions"}
TYPES = tuple(CSV_LABELS)


# --------------------------------------------------------------------------------------------------- the invented pair
@dataclass(frozen=True)
class Language(Problem):
    """The invented pair of `data.synthetic.language_pair`, drawn anew in every replicate.

    Attributes:
        lr: of Adam, for the translator.
    """

    pair: LanguagePair = field(default_factory=LanguagePair)
    lr: float = 1e-3
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def describe(self) -> str:
        share = f"{self.pair.misaligned:.0%} of the training pairs are misaligned"
        return f"an invented language pair of {self.pair.words} words; {share}; Adam at {self.lr:g}"


def labels_of(gold: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """What is wrong with each output, from its words alone: "full", "strong" and "oscillatory" -> bool (N,).

    Coverage is the share of the different gold words that the output has: fully detached below .15, strongly below .4.
    Oscillatory: a pair of neighbours comes three times or more, and not as often in the gold translation.
    """
    coverage = np.array([len(set(g) & set(y)) / len(set(g)) for g, y in zip(gold, said, strict=True)])
    often = np.array([most_frequent_pair(y) for y in said])
    theirs = np.array([most_frequent_pair(g) for g in gold])
    return {
        "full": coverage < FULL,
        "strong": (coverage >= FULL) & (coverage < STRONG),
        "oscillatory": (often >= OSCILLATION) & (theirs < often),
    }


def most_frequent_pair(words: Sequence[str]) -> int:
    """How often the most frequent pair of neighbours comes."""
    pairs = list(itertools.pairwise(words))
    return max((pairs.count(pair) for pair in set(pairs)), default=0)


# ------------------------------------------------------------------------------------------------- the annotated corpus
@dataclass(frozen=True, eq=False)
class Annotated:
    """Translations with human labels.

    Attributes:
        src, mt, ref: texts (N,); ref is empty where the file has none.
        labels: type -> bool (N,), as annotated: a row may have several.
    """

    src: list[str]
    mt: list[str]
    ref: list[str]
    labels: dict[str, np.ndarray]

    @property
    def hallucination(self) -> np.ndarray:
        """Any of the types, bool (N,)."""
        return np.logical_or.reduce(list(self.labels.values()))


def read_annotated(path: str | Path) -> Annotated:
    """The published csv: src, mt, ref, and 0/1 in repetitions, strong-unsupport and full-unsupport.

    Raises:
        InputError: the file cannot be read; a column is missing; a label that is neither 0 nor 1.
    """
    from holdfast.data.readers.records import Role, read_records

    roles = [Role("src"), Role("mt"), Role("ref", required=False), *(Role(name, kind="number") for name in TYPES)]
    mapped = [f"{name}={column}" for name, column in CSV_LABELS.items()]
    found = read_records(path, roles, mapped, option="a column")
    labels = {}
    for name in TYPES:
        values = np.asarray(found[name], float)
        if (wrong := ~np.isin(values, (0, 1))).any():
            raise InputError(str(path), f"must have 0 or 1 in {CSV_LABELS[name]}", float(values[wrong][0]))
        labels[name] = values == 1
    texts = {name: [str(text) for text in found[name]] if name in found else [] for name in ("src", "mt", "ref")}
    return Annotated(texts["src"], texts["mt"], texts["ref"], labels)


@dataclass(frozen=True)
class Corpus(FileProblem):
    """3,415 translations of a German-English system with human labels (Guerreiro, Voita, Martins)."""

    path: str = "nmt_hallucinations/annotated_corpus.csv"
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = (
        "annotated_corpus.csv of github.com/deep-spin/hallucinations-in-nmt (no licence is named) in the folder "
        "nmt_hallucinations of the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.path),)

    def describe(self) -> str:
        return "3,415 German-English translations with human labels"

    def load(self) -> Annotated:
        """The texts and labels."""
        return read_annotated(self.found()[0])


__all__ = ["Annotated", "Corpus", "Language", "labels_of", "read_annotated"]
