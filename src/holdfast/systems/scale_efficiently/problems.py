"""A world of facts: what is stored of it is the upstream quality, questions of two steps the downstream one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from holdfast.data.synthetic.facts import FactWorld, tokens
from holdfast.experiment import Problem

TEMPLATES = 4  # ways in which each fact is said


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of words, filled up with word 0, and the place of the word that is to be told.

    Attributes:
        line: int64 (N, T); place: int64 (N,).
    """

    line: np.ndarray
    place: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Lines:
        return Lines(self.line[rows], self.place[rows])


@dataclass(frozen=True, eq=False)
class Facts:
    """What a model is trained on, and asked.

    Attributes:
        words: in the vocabulary.
        bits: that it takes to know all facts.
        count: of facts.
        statements: the upstream text.
        train, validation, test: questions of two steps.
    """

    words: int
    bits: float
    count: int
    statements: Lines
    train: Lines
    validation: Lines
    test: Lines


@dataclass(frozen=True)
class FactQuestions(Problem):
    """A world of facts, drawn anew for every replicate.

    Attributes:
        towns, countries: in the world.
    """

    towns: int = 20
    countries: int = 8
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator, people: int) -> Facts:
        """Statements of all facts; half of the questions to train, a quarter each to validate and to test."""
        world = FactWorld.draw(rng, people=people, towns=self.towns, countries=self.countries)
        number = {word: i for i, word in enumerate(world.words())}
        facts, hops = world.facts(), world.two_hops()
        said = [tokens(world.statement(fact, t)) for fact in facts for t in range(TEMPLATES)]
        asked = [[*tokens(hop.text), hop.answer] for hop in hops]
        statements = numbered(said, [len(words) - 2 for words in said], number)
        questions = numbered(asked, [len(words) - 1 for words in asked], number)
        order, half = rng.permutation(len(hops)), len(hops) // 2
        parts = np.split(order, [half, half + (len(hops) - half) // 2])
        return Facts(len(number), world.bits(), len(facts), statements, *(questions[part] for part in parts))

    def describe(self) -> str:
        return f"facts about people, {self.towns} towns and {self.countries} countries; questions of two steps"


def numbered(texts: Sequence[Sequence[str]], places: Sequence[int], number: dict[str, int]) -> Lines:
    """Words as their numbers."""
    line = np.zeros((len(texts), max(map(len, texts))), np.int64)
    for row, words in zip(line, texts, strict=True):
        row[: len(words)] = [number[word] for word in words]
    return Lines(line, np.array(places, np.int64))


__all__ = ["FactQuestions", "Facts", "Lines"]
