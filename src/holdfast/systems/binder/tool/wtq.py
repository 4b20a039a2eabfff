"""When is an answer right? The official evaluation of WikiTableQuestions, and the looser one of the Binder paper.

The official rules (version 1.0.2 of the data set): answers are sets of values, a value is a number, a date or a text,
and two values match if their normalised texts are equal, or both are numbers within 1e-6, or both the same date.
Binder's published figures come from the looser rules; compare like with like.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.errors import InputError
from holdfast.sql.columntypes import MONTHS, parse_date, parse_grouped

TOLERANCE = 1e-6
LONGEST = 10_000  # characters of an answer that something may be cut off from: no right one is longer
_REPLACED = {**dict.fromkeys("‘’´`", "'"), **dict.fromkeys("“”", '"'), **dict.fromkeys("‐‑‒–—−", "-")}
_SAME = str.maketrans(_REPLACED)
# Atomic and possessive: "[1]" is of two kinds, and trying both for each of thirty in a row would take for ever.
_CITATIONS = re.compile(r"(?>(?<!^)\[[^\]]*\]|\[\d+\]|[•♦†‡*#+])*+$")
_DETAILS = re.compile(r"(?<!^)( \([^)]*\))*$")
_WRAPPED = re.compile(r'^"([^"]*)"$')


def normalize(text: str) -> str:
    """A text in the form in which two answers are compared.

    Accents are dropped, quotes and dashes made plain, citations and details in parentheses at the end cut off, quotes
    around the whole and one final point removed, whitespace made single, letters lower case.

    Example:
        >>> from holdfast.systems.binder.tool.wtq import normalize
        >>> [normalize(t) for t in ("Beyoncé[3]", "“Yes”", "Paris (France) (capital)", "U.S.")]
        ['beyonce', 'yes', 'paris', 'u.s']
    """
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
    text = text.translate(_SAME)
    while len(text) <= LONGEST:
        before = text
        text = _CITATIONS.sub("", text.strip())
        text = _DETAILS.sub("", text.strip())
        text = _WRAPPED.sub(r"\1", text.strip())
        if text == before:
            break
    if text.endswith("."):
        text = text[:-1]
    return re.sub(r"\s+", " ", text, flags=re.UNICODE).lower().strip()


@dataclass(frozen=True)
class Text:
    """Any value that is neither number nor date."""

    normalized: str


@dataclass(frozen=True)
class Number:
    """A number: an int where it is whole within 1e-6, cut off as by `int` (434.9999999 is 434); else a float."""

    amount: int | float
    normalized: str


@dataclass(frozen=True)
class Date:
    """A date of which parts may be unknown (-1)."""

    year: int
    month: int
    day: int
    normalized: str


Answer = Text | Number | Date


def value_of(raw: str, canonical: str | None = None) -> Answer:
    """The value that an answer stands for.

    Args:
        raw: as given; its normalised form is kept.
        canonical: what to read the number or date from instead, as the data set has it ("xxxx-09-xx" for a September).

    Example:
        >>> from holdfast.systems.binder.tool.wtq import value_of
        >>> value_of("1,000", "1000.0")
        Number(amount=1000, normalized='1,000')
        >>> value_of("September", "xxxx-09-xx")
        Date(year=-1, month=9, day=-1, normalized='september')
    """
    normalized, source = normalize(raw), raw if canonical is None or canonical == "" else canonical
    if (amount := _number(source)) is not None:
        return Number(amount, normalized)
    parts = _date(source)
    if parts is None:
        return Text(normalized)
    year, month, day = parts
    return Number(year, normalized) if month == day == -1 else Date(year, month, day, normalized)


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        amount = float(text)
    except ValueError:
        return None
    if not math.isfinite(amount):
        return None
    return int(amount) if abs(amount - round(amount)) < TOLERANCE else amount


def _date(text: str) -> tuple[int, int, int] | None:
    parts = text.lower().split("-")
    if len(parts) != 3:
        return None
    try:
        year = -1 if parts[0] in ("xx", "xxxx") else int(parts[0])
        month = -1 if parts[1] == "xx" else int(parts[1])
        day = -1 if parts[2] == "xx" else int(parts[2])
    except ValueError:
        return None
    if year == month == day == -1 or not (month == -1 or 1 <= month <= 12) or not (day == -1 or 1 <= day <= 31):
        return None
    return year, month, day


def values_match(target: Answer, predicted: Answer) -> bool:
    """Whether two values are the same by the official rules. An unknown part of a date matches only an unknown one."""
    if target.normalized == predicted.normalized:
        return True
    if isinstance(target, Number) and isinstance(predicted, Number):
        return abs(target.amount - predicted.amount) < TOLERANCE
    if isinstance(target, Date) and isinstance(predicted, Date):
        return (target.year, target.month, target.day) == (predicted.year, predicted.month, predicted.day)
    return False


def _distinct(values: Sequence[Answer]) -> list[Answer]:
    """Values as a set: numbers by amount, dates by their parts, texts by their form."""
    found: dict[object, Answer] = {}
    for value in values:
        if isinstance(value, Number):
            found.setdefault(("number", value.amount), value)
        elif isinstance(value, Date):
            found.setdefault(("date", value.year, value.month, value.day), value)
        else:
            found.setdefault(("text", value.normalized), value)
    return list(found.values())


def _texts(answers: Sequence[Any], name: str) -> list[str]:
    if isinstance(answers, str):
        raise InputError(name, "must be a list of answers", repr(answers))
    return ["" if answer is None else str(answer) for answer in answers]


class WTQEvaluator:
    """The official evaluation.

    Example:
        >>> from holdfast.systems.binder.tool.wtq import WTQEvaluator
        >>> WTQEvaluator().match(["2", "Beyoncé"], ["beyonce", 2.0])
        True
        >>> WTQEvaluator().match(["17"], ["17 years"])
        False
    """

    def match(self, target: Sequence[Any], pred: Sequence[Any], canon: Sequence[str] | None = None) -> bool:
        """Whether the predicted answers are the right ones: as many, and each right one among them.

        Args:
            target: the right answers.
            pred: answers to judge; numbers may be numbers.
            canon: canonical forms of the right answers, as many as there are.
        """
        raw = _texts(target, "target")
        forms: Sequence[str | None] = [None] * len(raw) if canon is None else canon
        if len(forms) != len(raw):
            raise InputError("canon", f"must have as many forms as there are right answers ({len(raw)})", len(forms))
        right = _distinct([value_of(text, form) for text, form in zip(raw, forms, strict=True)])
        given = _distinct([value_of(text) for text in _texts(pred, "pred")])
        return len(right) == len(given) and all(any(values_match(t, p) for p in given) for t in right)

    def accuracy(
        self,
        targets: Sequence[Sequence[Any]],
        predictions: Sequence[Sequence[Any]],
        canonical: Sequence[Sequence[str] | None] | None = None,
    ) -> float:
        """The share of questions answered rightly."""
        if len(targets) != len(predictions) or not targets:
            raise InputError(
                "predictions", f"must have one list for each of the {len(targets)} targets", len(predictions)
            )
        forms = [None] * len(targets) if canonical is None else canonical
        right = [self.match(t, p, c) for t, p, c in zip(targets, predictions, forms, strict=True)]
        return sum(right) / len(right)


class BinderScorer:
    """The looser rules that Binder's published figures on WikiTableQuestions were counted with.

    Right is what the official rules call right, and further, if there is one right and one given answer: 0 and 1 for no
    and yes; 0 and 1 for what stands before and after "or" in the question; the same number with and without a unit ("17
    years", 17); a date of which the other has some parts. Case, thousands' commas and ways to write dates do not count.
    Written from the description of the rules; the reference code's recogniser of numbers and dates in running text is
    replaced by whole-cell reading, so a few odd spellings it accepts are not accepted here.

    Example:
        >>> from holdfast.systems.binder.tool.wtq import BinderScorer
        >>> BinderScorer().match(["17 years"], [17], "how long?"), BinderScorer().match(["yes"], [1], "is it?")
        (True, True)
        >>> BinderScorer().match(["before"], [1], "was it after or before the war?")
        True
    """

    def __init__(self) -> None:
        self._official = WTQEvaluator()

    def match(
        self, target: Sequence[Any], pred: Sequence[Any], question: str, canon: Sequence[str] | None = None
    ) -> bool:
        """Whether the predicted answers are right for this question."""
        if self._official.match(target, pred, canon):
            return True
        right = [_plain(text) for text in _texts(target, "target")]
        given = [_plain(text) for text in _texts(pred, "pred")]
        if self._official.match(right, given):
            return True
        return len(right) == len(given) == 1 and _alike(right[0], given[0], question.lower())


def _plain(text: str) -> str:
    text = " ".join(text.lower().split())
    number = parse_grouped(text)
    if number is not None:
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return parse_date(text) or text


_LEADING = re.compile(r"[-+$€£]?\s*(\d[\d,]*(?:\.\d+)?)\s*(?:[a-z%°]+\.?(?: [a-z]+\.?)?)?")


def _alike(right: str, given: str, question: str) -> bool:
    if {"0": "no", "1": "yes"}.get(given) == right:
        return True
    if given in ("0", "1") and (choice := re.search(r"(\S+) or (\S+)", question)):
        first, second = (word.strip(" ,.?!'\"") for word in choice.groups())
        if right == (first, second)[int(given)]:
            return True
    amounts = [float(found[1].replace(",", "")) if (found := _LEADING.fullmatch(t)) else None for t in (right, given)]
    if amounts[0] is not None and amounts[1] is not None and abs(amounts[0] - amounts[1]) < TOLERANCE:
        return right.startswith("-") == given.startswith("-")
    dates = [_date_parts(text) for text in (right, given)]
    return all(dates) and (dates[0] <= dates[1] or dates[1] <= dates[0])


def _date_parts(text: str) -> set[tuple[str, int]]:
    """Year, month and day of a date that may lack some of them; empty if it is no date."""
    if (iso := _date(text)) is not None:
        return {(name, part) for name, part in zip(("year", "month", "day"), iso, strict=True) if part != -1}
    words = text.replace(",", " ").split()
    found: set[tuple[str, int]] = set()
    for word in words:
        if word in MONTHS:
            found.add(("month", MONTHS.index(word) + 1))
        elif re.fullmatch(r"[12]\d{3}", word):
            found.add(("year", int(word)))
        elif re.fullmatch(r"\d{1,2}", word) and 1 <= int(word) <= 31:
            found.add(("day", int(word)))
        else:
            return set()
    alone = {name for name, _ in found} == {"day"}
    return set() if alone or len(found) != len(words) else found


__all__ = ["BinderScorer", "Date", "Number", "Text", "WTQEvaluator", "normalize", "value_of", "values_match"]
