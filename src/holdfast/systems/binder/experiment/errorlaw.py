"""What mapper errors do to answers: injected ones through the real pipeline, and what probability theory says.

Each of the n cells of the generated column is flipped (yes <-> no) with probability e, independently. With m members
the answer is right

- SUM, rough law: if no cell is flipped, (1 - e)^n. Flips that cancel to the same sum are possible but rare.
- COUNT: if as many members are lost as others are taken in: sum over j of B(j; m, e) B(j; n - m, e), B the binomial
  probability. This is more than (1 - e)^n, as errors cancel.
- MAX over different prices: if the dearest member is kept and no dearer other is taken in: (1 - e)^(1 + dearer others).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from holdfast.systems.binder.experiment.arms import run_program, table_of
from holdfast.systems.binder.experiment.itemtables import Case
from holdfast.systems.binder.tool.calls import Row
from holdfast.systems.binder.tool.executor import Executor
from holdfast.systems.binder.tool.templates import template_program

RATES = (0.0, 0.05, 0.1, 0.2)


def all_right(case: Case, e: float) -> float:
    """(1 - e)^n: the probability that every cell is right.

    Example:
        >>> case = Case(("fig", "fox"), (3, 5), ("fruit", "animal"), "COUNT", ("fruit",))
        >>> round(all_right(case, 0.1), 2), round(closed_form(case, 0.1), 2)
        (0.81, 0.82)
    """
    return (1 - e) ** len(case.items)


def closed_form(case: Case, e: float) -> float:
    """Probability of a right answer; exact for COUNT and for MAX, for SUM leaving out flips that cancel."""
    members = case.members
    m, others = int(members.sum()), int((~members).sum())
    if case.function == "COUNT":
        return sum(_binomial(j, m, e) * _binomial(j, others, e) for j in range(min(m, others) + 1))
    if case.function == "MAX":
        prices = np.array(case.prices)
        return float((1 - e) ** (1 + int((prices[~members] > prices[members].max()).sum())))
    return all_right(case, e)


def _binomial(j: int, n: int, p: float) -> float:
    return math.comb(n, j) * p**j * (1 - p) ** (n - j)


class ErringMapper:
    """Knows the truth about the items of one table and tells the opposite where it is told to.

    Attributes:
        told: item -> "yes" or "no".
    """

    def __init__(self) -> None:
        self.told: dict[str, str] = {}
        self._turn = 0

    @property
    def id(self) -> str:
        """Another one at every turn: no answer of an earlier turn may come out of the cache."""
        return f"erring {self._turn}"

    def tell(self, case: Case, flipped: np.ndarray) -> None:
        """Answers for the next program: true ones, except where `flipped` (N,) is true."""
        self._turn += 1
        self.told = {
            item: "yes" if member != flip else "no"
            for item, member, flip in zip(case.items, case.members, flipped, strict=True)
        }

    def map(self, question: str, rows: list[Row], header: Row) -> list[str]:
        """As told."""
        return [self.told[row[0]] for row in rows]


def measured_accuracy(
    cases: Sequence[Case], rates: Sequence[float], draws: int, rng: np.random.Generator
) -> list[float]:
    """Share of right answers of Binder at each rate of errors, over all cases and draws of errors.

    Args:
        cases: questions about one kind each.
        rates: probabilities that a cell is wrong.
        draws: of errors, per case and rate.
        rng: of the errors.
    """
    mapper = ErringMapper()
    right = np.zeros(len(rates))
    with Executor(mapper=mapper) as executor:
        for case in cases:
            table = table_of(case)
            program = template_program(case.question, table)
            for k, e in enumerate(rates):
                for flipped in rng.random((draws, len(case.items))) < e:
                    mapper.tell(case, flipped)
                    right[k] += (run_program(executor, program, table) or 0) == case.answer
    return [float(r) for r in right / (len(cases) * draws)]


__all__ = ["RATES", "ErringMapper", "all_right", "closed_form", "measured_accuracy"]
