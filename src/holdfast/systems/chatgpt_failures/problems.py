"""Worlds with a known defect: two versions of a model answer the same cases, and something has changed, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from holdfast.experiment import Problem
from holdfast.systems.chatgpt_failures.tool.cases import CATEGORIES, Suite
from holdfast.systems.chatgpt_failures.tool.running import judge


def judged_suite(per_family: int, pairs: int, seed: int) -> dict[str, np.ndarray]:
    """Cases of a drawn suite, each judged by the real checkers with a right and with a wrong answer.

    Args:
        per_family: cases drawn of each family; soft ones, and those that need a sandbox, are left out.
        pairs: cases kept of each category.

    Returns:
        Over cases: `category` (its number), `right`, `wrong` (whether the checker lets it pass).
    """
    suite = Suite.default(per_family, seed, canonical=0)
    order = np.random.default_rng(seed).permutation(len(suite.cases))
    room = np.full(len(CATEGORIES), pairs)
    rows: list[tuple[int, bool, bool]] = []
    for i in order:
        case = suite.cases[i]
        category = CATEGORIES.index(case.category)
        if case.soft or case.checker == "program" or room[category] == 0:
            continue
        room[category] -= 1
        passes = [judge(case, case.texts(right)).status == "pass" for right in (True, False)]
        rows.append((category, passes[0], passes[1]))
    columns = np.array(sorted(rows))
    return {"category": columns[:, 0], "right": columns[:, 1] == 1, "wrong": columns[:, 2] == 1}


@dataclass(frozen=True)
class Upgrades(Problem):
    """Two versions of a model that knows the answers, and errs.

    Attributes:
        defect: share of cases of one category that the second version gets wrong in addition.
        chance: share that each version gets wrong, on its own.
        shared: share of cases that both get wrong.
    """

    defect: float = 0.1
    chance: float = 0.02
    shared: float = 0.0
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def versions(
        self, cases: dict[str, np.ndarray], worse: int | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which cases each version passes; `worse` is the number of the category with the defect."""
        n = len(cases["category"])
        hard = rng.random(n) < self.shared
        before, after = (hard | (rng.random(n) < self.chance) for _ in range(2))
        after |= (rng.random(n) < self.defect) & (cases["category"] == (-1 if worse is None else worse))
        return tuple(np.where(errs, cases["wrong"], cases["right"]) for errs in (before, after))  # type: ignore[return-value]

    def describe(self) -> str:
        both = f", {100 * self.shared:g} % of cases by both" if self.shared else ""
        chance = f"each version errs by chance on {100 * self.chance:g} %{both}"
        return f"upgrades with one defect on {100 * self.defect:g} % of a category; {chance}"


@dataclass(frozen=True)
class FixedItems(Problem):
    """Fixed items and fresh ones of the same families.

    Attributes:
        chance: share that every subject gets wrong.
    """

    chance: float = 0.02
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def describe(self) -> str:
        return f"five fixed items of each family beside fresh ones; subjects err by chance on {100 * self.chance:g} %"


@dataclass(frozen=True)
class Sums(Problem):
    """Sums, of which a network learns those of one and two digits, apart from some kept back."""

    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def describe(self) -> str:
        return "sums of numbers up to 99 to learn from; asked: sums kept back, and of 4 digits"


__all__ = ["FixedItems", "Sums", "Upgrades", "judged_suite"]
