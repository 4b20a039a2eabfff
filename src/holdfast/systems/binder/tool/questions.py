"""Questions about a cell that can be answered by comparing meanings: "is it a fruit?", "is it red, green or blue?"."""

from __future__ import annotations

import re
from dataclasses import dataclass

ARTICLE = r"(?:an?|the|some|any|one of the|a kind of|a type of|a sort of)"
SUBJECT = r"(?:it|this|that|he/she|he or she|he|she|they|these|those|the \w+|this \w+|that \w+)"
YES_NO = re.compile(rf"^(?:is|are|was|were)\s+{SUBJECT}\s+(?:{ARTICLE}\s+)?(?P<label>.+)$", re.IGNORECASE)
WHICH = re.compile(r"^(?:which|what)\b", re.IGNORECASE)
OF = re.compile(r"\bof\b", re.IGNORECASE)
SEVERAL = re.compile(r".\b(?:or|and)\b.|.,.", re.IGNORECASE)
PARTS = re.compile(r"\s*,\s*(?:or\s+|and\s+)?|\s+or\s+|\s+and\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Membership:
    """Does the cell belong to what the label names? Answered "yes" or "no"."""

    label: str


@dataclass(frozen=True)
class Choice:
    """Which of the labels fits the cell best? Answered with the label."""

    labels: tuple[str, ...]


def read_question(question: str) -> Membership | Choice | None:
    """What a question asks, or None where comparing meanings cannot answer it.

    Example:
        >>> read_question("Is it a musical instrument?")
        Membership(label='musical instrument')
        >>> read_question("is it red, green or blue?")
        Choice(labels=('red', 'green', 'blue'))
        >>> read_question("which of these: red, green or blue?")
        Choice(labels=('red', 'green', 'blue'))
        >>> read_question("how many feet?") is None
        True
    """
    plain = " ".join(question.split()).strip().rstrip("?.! ").strip()
    if WHICH.match(plain) and (listed := _after_colon_or_of(plain)) and SEVERAL.search(listed):
        return Choice(_options(listed))
    if match := YES_NO.match(plain):
        label = match["label"].strip()
        options = _options(label)
        return Choice(options) if len(options) > 1 else Membership(label)
    return None


def _after_colon_or_of(text: str) -> str:
    """What follows the first colon; where there is none, the first "of"; nothing without either."""
    _, colon, options = text.partition(":")
    if not colon and (of := OF.search(text)):
        options = text[of.end() :]
    return options


def _options(text: str) -> tuple[str, ...]:
    found = (re.sub(rf"^{ARTICLE}\s+", "", part.strip(), flags=re.IGNORECASE) for part in PARTS.split(text))
    return tuple(dict.fromkeys(part for part in found if part))


def head_of(label: str) -> str | None:
    """The noun of a label that says more than a noun ("coastal city" -> "city"), or None.

    Example:
        >>> head_of("coastal city"), head_of("city"), head_of("city on the coast")
        ('city', None, 'city')
    """
    words = label.split()
    for i, word in enumerate(words):
        if i and word.lower() in ("on", "in", "of", "at", "by", "from", "with", "near", "for", "that", "who", "which"):
            return " ".join(words[:i])
    return words[-1] if len(words) > 1 else None


__all__ = ["Choice", "Membership", "head_of", "read_question"]
