"""Ways of answering questions about item tables: Binder with its mappers, SQL alone, vectors alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.encoders.sentences import default_encoder
from holdfast.experiment import Measurement, Run, Scalar
from holdfast.sql.table import SQLTable
from holdfast.systems.binder.experiment.itemtables import KINDS, Case, ItemTables, aggregate
from holdfast.systems.binder.tool.calls import Mapper, Row
from holdfast.systems.binder.tool.embedding import EmbeddingMapper
from holdfast.systems.binder.tool.executor import Executor
from holdfast.systems.binder.tool.questions import Membership, read_question
from holdfast.systems.binder.tool.templates import template_program

Number = float | int | None


class ItemArm(ABC):
    """Answers questions about item tables."""

    @abstractmethod
    def answers(self, cases: Sequence[Case]) -> list[Number]:
        """One number per case; None = no answer."""

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Share of right answers on the replicate's tables, and on tables of the nouns kept for tuning."""
        count: int = run.scale.cases
        yield Scalar("accuracy", self._accuracy(run, count, validation=False))
        yield Scalar("validation accuracy", self._accuracy(run, count, validation=True))

    def _accuracy(self, run: Run, count: int, *, validation: bool) -> float:
        tables: ItemTables = run.problem
        stream = run.rng("split validation" if validation else "split")
        cases = list(tables.cases(stream, count, validation=validation))
        right = [answer == case.answer for case, answer in zip(cases, self.answers(cases), strict=True)]
        return 100 * sum(right) / len(right)


def table_of(case: Case) -> SQLTable:
    """The case's table."""
    return SQLTable.from_dict({"item": list(case.items), "price": list(case.prices)}, title="price list")


def run_program(executor: Executor, program: str, table: SQLTable) -> Number:
    """The single number a program gives."""
    answer = executor.run(program, table).answer
    return answer[0] if answer and isinstance(answer[0], int | float) else None


class Programs(ItemArm):
    """Questions become programs by templates; an executor runs them with the arm's mapper."""

    engine = "sqlite"

    def mapper(self) -> Mapper | None:
        raise NotImplementedError

    def program(self, case: Case, table: SQLTable) -> str:
        return template_program(case.question, table)

    def answers(self, cases: Sequence[Case]) -> list[Number]:
        """Answers of the programs."""
        with Executor(engine=self.engine, mapper=self.mapper()) as executor:
            done: list[Number] = []
            for case in cases:
                table = table_of(case)
                done.append(run_program(executor, self.program(case, table), table))
            return done


@dataclass(frozen=True)
class BinderMiniLM(Programs):
    """Binder; calls are answered by the sentence encoder that knows the kinds there are."""

    template: str = "a kind of {label}"
    labels: tuple[str, ...] | None = tuple(KINDS)
    engine: str = "sqlite"

    def mapper(self) -> Mapper:
        return EmbeddingMapper(self.labels, self.template)


@dataclass(frozen=True)
class BinderEveryday(Programs):
    """Binder; the encoder compares with everyday kinds of things, as it does for users who name no labels."""

    template: str = "a kind of {label}"
    margin: float = 0.05

    def mapper(self) -> Mapper:
        return EmbeddingMapper(None, self.template, self.margin)


@dataclass(frozen=True)
class LetterMapper:
    """Nearest label by shared runs of letters (cosine of counts): what spelling alone can tell."""

    letters: int

    @property
    def id(self) -> str:
        return f"runs of {self.letters} letters"

    def map(self, question: str, rows: list[Row], header: Row) -> list[str]:
        """Yes where the label asked for shares more with the cell than every other kind does."""
        asked = read_question(question)
        assert isinstance(asked, Membership)
        others = [self._runs(kind) for kind in KINDS if kind != asked.label]
        label = self._runs(asked.label)
        return [
            "yes" if (own := _cosine(runs, label)) > 0 and own > max(_cosine(runs, o) for o in others) else "no"
            for runs in (self._runs(row[0]) for row in rows)
        ]

    def _runs(self, text: str) -> dict[str, int]:
        padded = f" {text} "
        runs: dict[str, int] = {}
        for i in range(len(padded) - self.letters + 1):
            run = padded[i : i + self.letters]
            runs[run] = runs.get(run, 0) + 1
        return runs


def _cosine(a: dict[str, int], b: dict[str, int]) -> float:
    dot = sum(count * b.get(run, 0) for run, count in a.items())
    norms = sum(x * x for x in a.values()) * sum(x * x for x in b.values())
    return dot / norms**0.5 if norms else 0.0


@dataclass(frozen=True)
class BinderLetters(Programs):
    """Binder with a mapper that sees letters, not meaning."""

    letters: int = 3

    def mapper(self) -> Mapper:
        return LetterMapper(self.letters)


@dataclass(frozen=True)
class SqlLike(Programs):
    """SQL alone: items whose name contains the kind, or a piece of it."""

    pattern: str = "whole"

    def mapper(self) -> None:
        return None

    def program(self, case: Case, table: SQLTable) -> str:
        """The same query with LIKE for the calls."""
        what = {"COUNT": "COUNT(*)", "SUM": "SUM(price)", "MAX": "MAX(price)"}[case.function]
        conditions = " OR ".join(f"item LIKE '{pattern}'" for kind in case.asked for pattern in self._patterns(kind))
        return f"SELECT {what} FROM w WHERE {conditions}"

    def _patterns(self, kind: str) -> list[str]:
        pieces: dict[str, Callable[[], list[str]]] = {
            "whole": lambda: [kind],
            "words": lambda: kind.split(),
            "first four": lambda: [kind[:4]],
            "last four": lambda: [kind[-4:]],
        }
        return [f"%{piece}%" for piece in pieces[self.pattern]()]


@dataclass(frozen=True)
class NoCondition(Programs):
    """SQL alone: the aggregate over all rows."""

    def mapper(self) -> None:
        return None

    def program(self, case: Case, table: SQLTable) -> str:
        """The query without its condition."""
        what = {"COUNT": "COUNT(*)", "SUM": "SUM(price)", "MAX": "MAX(price)"}[case.function]
        return f"SELECT {what} FROM w"


@dataclass(frozen=True)
class NearestRow(ItemArm):
    """Vectors alone: the price of the row whose text is most like the question (1 for a count)."""

    template: str = "{item}"

    def answers(self, cases: Sequence[Case]) -> list[Number]:
        """One number of one row per case."""
        return [self._one(case) for case in cases]

    def _one(self, case: Case) -> Number:
        rows = [
            self.template.format(item=item, price=price) for item, price in zip(case.items, case.prices, strict=True)
        ]
        vectors = default_encoder().encode([case.question, *rows])
        return 1 if case.function == "COUNT" else case.prices[int((vectors[1:] @ vectors[0]).argmax())]


@dataclass(frozen=True)
class SoftPooling(ItemArm):
    """Vectors alone, as a network would pool them: rows weighted by likeness, no hard condition, the result rounded.

    Weight of a row = sigmoid((cosine to the question's kinds - threshold) / width); COUNT = sum of weights, SUM = sum
    of weights times prices, MAX = mean of prices weighted by weight times exp(price / 10).
    """

    threshold: float = 0.3
    width: float = 0.02

    def answers(self, cases: Sequence[Case]) -> list[Number]:
        """Rounded pooled numbers."""
        return [self._one(case) for case in cases]

    def _one(self, case: Case) -> Number:
        encode = default_encoder().encode
        likeness = (encode(list(case.items)) @ encode([f"a kind of {kind}" for kind in case.asked]).T).max(1)
        weights = 1 / (1 + np.exp(-(likeness - self.threshold) / self.width))
        prices = np.array(case.prices, dtype=float)
        if case.function == "COUNT":
            return round(float(weights.sum()))
        if case.function == "SUM":
            return round(float(weights @ prices))
        sharp = weights * np.exp((prices - prices.max()) / 10)
        return round(float(sharp @ prices / sharp.sum()))


@dataclass(frozen=True)
class ThresholdSum(ItemArm):
    """Vectors and arithmetic without a choice of labels: rows whose cosine to a kind asked for passes a threshold."""

    threshold: float = 0.3
    template: str = "a kind of {label}"

    def answers(self, cases: Sequence[Case]) -> list[Number]:
        """Exact aggregates over the rows that pass."""
        encode = default_encoder().encode
        done: list[Number] = []
        for case in cases:
            prompts = encode([self.template.format(label=kind) for kind in case.asked])
            members = (encode(list(case.items)) @ prompts.T).max(1) > self.threshold
            done.append(aggregate(case.function, np.array(case.prices), members))
        return done


__all__ = [
    "BinderEveryday",
    "BinderLetters",
    "BinderMiniLM",
    "ItemArm",
    "LetterMapper",
    "NearestRow",
    "NoCondition",
    "Number",
    "Programs",
    "SoftPooling",
    "SqlLike",
    "ThresholdSum",
    "table_of",
]
