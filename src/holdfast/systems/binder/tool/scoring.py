"""Predictions in a file against WikiTableQuestions' answers: by the official rules, and by the paper's looser ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.systems.binder.tool.wtq import BinderScorer, WTQEvaluator


@dataclass(frozen=True)
class Score:
    """How many predictions are right.

    Attributes:
        questions: in the gold file.
        predicted: of these, with a prediction.
        official, looser: right by the official evaluation, and by the scorer of the paper's figures.
    """

    questions: int
    predicted: int
    official: int
    looser: int

    def as_json(self) -> dict[str, Any]:
        """Counts and shares."""
        shares = {"official_accuracy": self.official / self.questions, "looser_accuracy": self.looser / self.questions}
        return vars(self) | shares


def unescaped(text: str) -> str:
    """A field of the data set's files, where \\n, \\p and \\\\ stand for a new line, | and a backslash.

    Example:
        >>> unescaped("a\\\\pb")
        'a|b'
    """
    return text.replace("\\n", "\n").replace("\\p", "|").replace("\\\\", "\\")


def read_tsv(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of a tab-separated file whose first line has the names; `needed` must be among them."""
    lines = _lines(path, "WikiTableQuestions")
    header = lines[0].split("\t")
    if missing := [name for name in needed if name not in header]:
        raise InputError(str(path), f"must have columns {', '.join(needed)}", f"no {missing[0]}")
    for line in lines[1:]:
        if line:
            yield dict(zip(header, line.split("\t"), strict=False))


def _lines(path: Path, what: str) -> list[str]:
    check_regular(path)
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(str(path), f"must be a readable file of {what}", error.strerror or "") from error
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"must be a file of {what}: text in UTF-8", error.reason) from error


def read_predictions(path: Path) -> dict[str, list[str]]:
    """Question id -> values, from lines of tab-separated fields: id, then every value.

    Raises:
        InputError: the file cannot be read, or has an id twice.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(_lines(path, "predictions"), start=1):
        if not line.strip():
            continue
        name, *values = line.split("\t")
        if name in found:
            raise InputError(str(path), "must have each id once", f"{name} again in line {number}")
        found[name] = [unescaped(value) for value in values]
    return found


def score(predictions: Path, gold: Path) -> Score:
    """Score a file of predictions; a question without a prediction is wrong.

    Args:
        predictions: lines of id and values.
        gold: a `.tagged` file of the data set.

    Raises:
        InputError: a file is not what it should be, or no prediction is about a question of the gold file.
    """
    given = read_predictions(predictions)
    official, looser = WTQEvaluator(), BinderScorer()
    questions = predicted = right = nearly = 0
    for row in read_tsv(gold, ("id", "utterance", "targetValue", "targetCanon")):
        questions += 1
        if row["id"] not in given:
            continue
        predicted += 1
        target = [unescaped(value) for value in row["targetValue"].split("|")]
        canon = [unescaped(value) for value in row["targetCanon"].split("|")]
        right += official.match(target, given[row["id"]], canon)
        nearly += looser.match(target, given[row["id"]], unescaped(row["utterance"]), canon)
    if not predicted:
        raise InputError(
            str(predictions), f"must be about questions of {gold}", f"ids such as {next(iter(given), None)}"
        )
    return Score(questions, predicted, right, nearly)


__all__ = ["Score", "read_predictions", "read_tsv", "score", "unescaped"]
