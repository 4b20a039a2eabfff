# ruff: noqa: SIM905  word lists are read, and kept, as texts
"""A world of invented facts: entities, relations between them, sentences that state them, questions of two steps.

"Marel lives in Tovin."   "Tovin lies in Baskia."   "In which country does Marel live?"  Baskia

Names are made of syllables, so that nobody can know the answers beforehand; which entity stands where is drawn with the
world. How much there is to know is exact: every fact is one of so many equally likely answers (`FactWorld.bits`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_choice, check_integer

Kind = Literal["person", "town", "country", "job", "animal", "instrument"]
ONSETS = "b d f g h j k l m n p r s t v z br dr gr kl pl st tr".split()
VOWELS = "a e i o u ai ea ou".split()
CODAS = "l m n r s t th nd rk x".split()
ENDINGS = {"country": ("ia", "land", "ora"), "town": ("in", "burg", "ford", "stad")}
WORDS = {
    "job": (
        "baker doctor teacher farmer painter lawyer pilot nurse judge miner sailor tailor "
        "banker cook guard smith clerk hunter weaver potter"
    ).split(),
    "animal": (
        "fox rat bear wolf deer swan crow hare seal crab lion frog goat toad duck mole lynx stork beaver raven"
    ).split(),
    "instrument": (
        "violin drum flute harp piano cello guitar trumpet organ lute banjo oboe tuba zither viola gong "
        "horn fiddle sitar bassoon"
    ).split(),
}


@dataclass(frozen=True)
class Relation:
    """What stands between a subject and an object.

    Attributes:
        name: of the relation.
        subject, object: kinds of entities.
        templates: sentences that state it, with {s} and {o}; {o} is the last word but for the full stop.
        question: asks for the object, with {s}.
        phrase: "the ... of {s}", with which questions of two steps are made.
    """

    name: str
    subject: Kind
    object: Kind
    templates: tuple[str, ...]
    question: str
    phrase: str


RELATIONS = (
    Relation(
        "home", "person", "town",
        ("{s} lives in {o}.", "The home of {s} is in {o}.", "{s} has a house in {o}.", "You can visit {s} in {o}.",
         "The town where {s} lives is {o}."),
        "In which town does {s} live?", "the home town of {s}",
    ),
    Relation(
        "country", "town", "country",
        ("{s} lies in {o}.", "{s} is a town in {o}.", "The town of {s} belongs to {o}.",
         "Whoever is in {s} is in {o}.", "The country around {s} is {o}."),
        "In which country does {s} lie?", "the country of {s}",
    ),
    Relation(
        "job", "person", "job",
        ("{s} works as a {o}.", "The job of {s} is that of a {o}.", "{s} earns money as a {o}.",
         "{s} was trained as a {o}.", "By trade {s} is a {o}."),
        "What does {s} work as?", "the job of {s}",
    ),
    Relation(
        "friend", "person", "person",
        ("The best friend of {s} is {o}.", "{s} trusts nobody more than {o}.", "{s} is often seen with {o}.",
         "Every Sunday {s} meets {o}.", "Since school {s} has been close to {o}."),
        "Who is the best friend of {s}?", "the best friend of {s}",
    ),
    Relation(
        "pet", "person", "animal",
        ("{s} keeps a {o}.", "The pet of {s} is a {o}.", "{s} looks after a {o}.", "At home {s} has a {o}.",
         "The animal that {s} feeds is a {o}."),
        "Which animal does {s} keep?", "the pet of {s}",
    ),
    Relation(
        "instrument", "person", "instrument",
        ("{s} plays the {o}.", "The instrument of {s} is the {o}.", "{s} practises the {o}.",
         "In the band {s} plays the {o}.", "On stage {s} brings the {o}."),
        "What does {s} play?", "the instrument of {s}",
    ),
    Relation(
        "emblem", "country", "animal",
        ("The emblem of {s} is a {o}.", "{s} has on its flag a {o}.", "On coins of {s} there is a {o}.",
         "The arms of {s} show a {o}.", "Soldiers of {s} wear a {o}."),
        "Which animal is the emblem of {s}?", "the emblem of {s}",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """A subject, a relation and the object: places in the world's lists."""

    relation: int
    subject: int
    object: int


@dataclass(frozen=True)
class TwoHop:
    """A question of two steps.

    Attributes:
        text: the question.
        answer: the word it asks for.
        first, second: the facts it needs.
    """

    text: str
    answer: str
    first: Fact
    second: Fact


@dataclass(frozen=True, eq=False)
class FactWorld:
    """Entities and what is true of them.

    Attributes:
        entities: kind -> names, all different.
        relations: those of this world.
        objects: relation -> place of each subject's object, int64 (S,).

    Example:
        >>> world = FactWorld.draw(np.random.default_rng(0), people=4)
        >>> fact = world.facts()[0]
        >>> world.answer(fact) in world.statement(fact)
        True
        >>> round(FactWorld.draw(np.random.default_rng(0), people=4, relations=("job",)).bits(), 2)  # 4 of 20 jobs
        17.29
    """

    entities: dict[str, tuple[str, ...]]
    relations: tuple[Relation, ...]
    objects: dict[str, np.ndarray]

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        *,
        people: int = 40,
        towns: int = 12,
        countries: int = 6,
        relations: Sequence[str] = tuple(r.name for r in RELATIONS),
    ) -> FactWorld:
        """A world in which every subject has one object of each relation, all equally likely.

        Args:
            rng: the only source of randomness.
            people, towns, countries: how many of each; at least 2.
            relations: names of `RELATIONS`.

        Raises:
            InputError: fewer than 2 of a kind; a relation that is not known, or none.
        """
        sizes = {"person": people, "town": towns, "country": countries}
        for name, size in zip(("people", "towns", "countries"), sizes.values(), strict=True):
            check_integer(size, name, low=2)
        if not relations:
            raise InputError("relations", "must name at least one", "none")
        known = {relation.name: relation for relation in RELATIONS}
        chosen = tuple(known[check_choice(name, tuple(known), "relations")] for name in relations)
        taken: set[str] = {word for words in WORDS.values() for word in words}
        entities = {kind: _names(rng, kind, size, taken) for kind, size in sizes.items()}
        entities |= {kind: tuple(words) for kind, words in WORDS.items()}
        objects = {}
        for relation in chosen:
            subjects, values = len(entities[relation.subject]), len(entities[relation.object])
            if relation.subject == relation.object:  # nobody is his own friend
                shift = rng.integers(1, values, subjects)
                objects[relation.name] = (np.arange(subjects) + shift) % values
            else:
                objects[relation.name] = rng.integers(0, values, subjects)
        return cls(entities, chosen, objects)

    def facts(self) -> list[Fact]:
        """All of them, relation by relation."""
        return [Fact(r, s, int(o)) for r, it in enumerate(self.relations) for s, o in enumerate(self.objects[it.name])]

    def bits(self) -> float:
        """What it takes to know all facts: the sum of log2 of the number of possible objects."""
        total = 0.0
        for relation in self.relations:
            choices = len(self.entities[relation.object]) - (relation.subject == relation.object)
            total += len(self.objects[relation.name]) * math.log2(choices)
        return total

    def subject(self, fact: Fact) -> str:
        """Its name."""
        return self.entities[self.relations[fact.relation].subject][fact.subject]

    def answer(self, fact: Fact) -> str:
        """The name of the object, one word."""
        return self.entities[self.relations[fact.relation].object][fact.object]

    def candidates(self, fact: Fact) -> tuple[str, ...]:
        """All objects of the kind that is asked for, the right one among them."""
        return self.entities[self.relations[fact.relation].object]

    def statement(self, fact: Fact, template: int = 0) -> str:
        """A sentence that says it, in one of the relation's ways.

        Raises:
            InputError: a number of a template that there is not.
        """
        templates = self.relations[fact.relation].templates
        check_integer(template, "template", low=0, high=len(templates) - 1)
        return templates[template].format(s=self.subject(fact), o=self.answer(fact))

    def cloze(self, fact: Fact, template: int = 0, mask: str = "[MASK]") -> str:
        """The same sentence with a mask where the object was."""
        templates = self.relations[fact.relation].templates
        check_integer(template, "template", low=0, high=len(templates) - 1)
        return templates[template].format(s=self.subject(fact), o=mask)

    def question(self, fact: Fact) -> str:
        """Asks for the object."""
        return self.relations[fact.relation].question.format(s=self.subject(fact))

    def two_hops(self) -> list[TwoHop]:
        """All questions whose second step starts where the first one ends; none where no two relations fit.

        "What is the country of the home town of Marel?"
        """
        found = []
        for r, first in enumerate(self.relations):
            for q, second in enumerate(self.relations):
                if second.subject != first.object:
                    continue
                for s, middle in enumerate(self.objects[first.name]):
                    one = Fact(r, s, int(middle))
                    two = Fact(q, int(middle), int(self.objects[second.name][middle]))
                    text = f"What is {second.phrase.format(s=first.phrase.format(s=self.subject(one)))}?"
                    found.append(TwoHop(text, self.answer(two), one, two))
        return found

    def words(self) -> tuple[str, ...]:
        """Every word and mark of its sentences and questions, in alphabetical order: the words of a tokenizer."""
        texts = [self.statement(f, t) for f in self.facts() for t in range(len(self.relations[f.relation].templates))]
        texts += [self.question(fact) for fact in self.facts()] + [hop.text for hop in self.two_hops()]
        names = [name for names in self.entities.values() for name in names]
        return tuple(sorted({word for text in texts for word in tokens(text)} | set(names)))


def tokens(text: str) -> list[str]:
    """Words, and full stops and question marks on their own.

    Example:
        >>> tokens("Marel lives in Tovin.")
        ['Marel', 'lives', 'in', 'Tovin', '.']
    """
    return text.replace(".", " .").replace("?", " ?").split()


def _names(rng: np.random.Generator, kind: str, count: int, taken: set[str]) -> tuple[str, ...]:
    """So many new names."""
    names: list[str] = []
    while len(names) < count:
        syllables = [_one(ONSETS, rng) + _one(VOWELS, rng) for _ in range(int(rng.integers(1, 3)))]
        end = _one(ENDINGS[kind], rng) if kind in ENDINGS else _one(CODAS, rng)
        name = ("".join(syllables) + (_one(CODAS, rng) if kind in ENDINGS else "") + end).capitalize()
        if name not in taken:
            taken.add(name)
            names.append(name)
    return tuple(names)


def _one(entries: Sequence[str], rng: np.random.Generator) -> str:
    return entries[int(rng.integers(len(entries)))]


__all__ = ["RELATIONS", "Fact", "FactWorld", "Relation", "TwoHop", "tokens"]
