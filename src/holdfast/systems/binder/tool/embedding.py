"""A mapper without a language model: a cell belongs to a kind of thing if its meaning lies nearest to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from holdfast.encoders.sentences import SentenceEncoder, default_encoder
from holdfast.errors import InputError
from holdfast.systems.binder.tool.calls import Row
from holdfast.systems.binder.tool.questions import Choice, Membership, head_of, read_question
from holdfast.validation import check_fraction

# What a cell may be instead of what is asked for, where the user names no alternatives.
EVERYDAY_KINDS = tuple(
    """person, place, city, country, food, drink, plant, tree, flower, animal, bird, fish, insect, body part, disease,
    medicine, clothing, tool, machine, vehicle, building, furniture, toy, sport, game, musical instrument, song, book,
    film, newspaper, company, profession, event, holiday, date, time, number, money, colour, shape, material, metal,
    chemical, weapon, language, school subject, weather, river, mountain, sea, planet, emotion, computer, software,
    electronic device, kitchen utensil, jewellery, fruit, vegetable, meat""".replace("\n    ", " ").split(", ")
)


class NeedsLanguageModel(InputError):
    """A question that comparing meanings cannot answer."""

    def __init__(self, question: str) -> None:
        rule = (
            "needs a language model (--endpoint and --model, or --local); the sentence encoder answers only 'is it a "
            "...?' and 'is it a ..., a ... or a ...?' about the meaning of a cell"
        )
        super().__init__("call", rule, question)
        self.question = question

    def __reduce__(self) -> tuple[type[NeedsLanguageModel], tuple[str]]:
        return type(self), (self.question,)


@dataclass(frozen=True)
class EmbeddingMapper:
    """Zero-shot answers by a sentence encoder: the label whose prompt lies nearest to the cell.

    A question "is it a fruit?" is answered "yes" where "a kind of fruit" lies nearer than the alternatives: the other
    labels, if they are given; else everyday kinds of things that are not too much like the label and, where the label
    has a modifier ("coastal city"), its noun alone ("city"), all less a margin. A question that names its
    options ("is it red, green or blue?") is answered with one of them.

    It knows what things are, not facts about them: it tells fruit from vehicles, and is unreliable about modifiers,
    numbers, dates and names. Look at the column it made.

    Attributes:
        labels: the kinds there are, if they are known; the best way to make it more accurate.
        template: the prompt of a label.
        margin: how much farther than the nearest alternative a label may be; not used with `labels`.
        alike: everyday kinds with at least this cosine to the label are no alternatives to it.
        encoder: None = the packaged all-MiniLM-L6-v2.

    Example:
        >>> mapper = EmbeddingMapper(labels=("fruit", "vehicle", "animal"))
        >>> mapper.map("is it a fruit?", [("cherry",), ("lorry",)], ("item",))
        ['yes', 'no']
    """

    labels: tuple[str, ...] | None = None
    template: str = "a kind of {label}"
    margin: float = 0.05
    alike: float = 0.65
    encoder: SentenceEncoder | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.labels, str):
            raise InputError("labels", "must be a sequence of labels", self.labels)
        if self.labels is not None and len(set(self.labels)) < 2:
            raise InputError("labels", "must be at least two different labels", list(self.labels))
        if "{label}" not in self.template:
            raise InputError("template", "must contain {label}", self.template)
        check_fraction(self.margin, "margin")
        check_fraction(self.alike, "alike")

    @property
    def id(self) -> str:
        """Model and settings: answers are cached under it."""
        settings = repr((self.labels, self.template, self.margin, self.alike))
        return f"{self._encoder.name}/{hashlib.sha256(settings.encode()).hexdigest()[:12]}"

    @property
    def _encoder(self) -> SentenceEncoder:
        return self.encoder or default_encoder()

    def map(self, question: str, rows: list[Row], header: Row) -> list[str]:
        """One answer per row; a row of several cells is compared as one text.

        Raises:
            NeedsLanguageModel: the question is none that comparing meanings can answer.
        """
        asked = read_question(question)
        if asked is None:
            raise NeedsLanguageModel(question)
        cells = self._encoder.encode([", ".join(row) for row in rows])
        if isinstance(asked, Choice):
            nearest = (cells @ self._prompts(asked.labels).T).argmax(1)
            return [asked.labels[i] for i in nearest]
        return ["yes" if belongs else "no" for belongs in self._lead(cells, asked) > 0]

    def lead(self, question: str, rows: list[Row]) -> np.ndarray:
        """(N,) by how much each row's cosine to the label exceeds what it must: "yes" above 0.

        Raises:
            InputError: the question is not of the form "is it a ...?".
        """
        asked = read_question(question)
        if not isinstance(asked, Membership):
            raise InputError("question", "must be of the form 'is it a ...?'", question)
        return self._lead(self._encoder.encode([", ".join(row) for row in rows]), asked)

    def _lead(self, cells: np.ndarray, asked: Membership) -> np.ndarray:
        label = self._prompts([asked.label])[0]
        if self.labels is not None:
            others, allowed = self._prompts([o for o in self.labels if o.lower() != asked.label.lower()]), 0.0
        else:
            kinds, noun = self._prompts(EVERYDAY_KINDS), head_of(asked.label)
            others, allowed = kinds[kinds @ label < self.alike], self.margin
            if noun is not None:
                others = np.concatenate([others, self._prompts([noun])])
        return np.asarray(cells @ label - (cells @ others.T).max(1) + allowed)

    def _prompts(self, labels: Sequence[str]) -> np.ndarray:
        return self._encoder.encode([self.template.format(label=label) for label in labels])


__all__ = ["EVERYDAY_KINDS", "EmbeddingMapper", "NeedsLanguageModel"]
