"""Code that moves makes no plan stale; code that changes does."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from holdfast import ledger
from holdfast.ledger import renamed as table
from holdfast.ledger.renamed import renamed
from ledger.test_plans_and_ledgers import decided, frozen
from toy_system import ToySystem

WITH_FUNCTION = [
    ("    bonus: float = 0.0\n", "    bonus: float = 0.0\n    how: object = len\n"),
    ("class Method:", "def first(x):\n    return x\n\n\n@dataclass(frozen=True)\nclass Method:"),
    ("@dataclass(frozen=True)\ndef first", "def first"),
    ("how: object = len", "how: object = first"),
]


def with_function(toy: ToySystem) -> None:
    for old, new in WITH_FUNCTION:
        toy.edit(old, new)
    toy.commit("an arm names a function")


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(table, "MOVED", {})
    monkeypatch.setattr(table, "RETITLED", {})
    return table


def test_a_moved_function_and_a_renamed_class_are_the_same_arm(toy: ToySystem, tables: Any) -> None:
    with_function(toy)
    decided(toy)
    toy.edit("first", "foremost")
    toy.edit("class Method:", "class Way:")
    toy.edit("Method(", "Way(")
    assert ledger.state(toy.system, "small") == "stale"
    tables.MOVED[f"{toy.name}.experiment:first"] = f"{toy.name}.experiment:foremost"
    assert ledger.state(toy.system, "small") == "stale", "the class has another name, too"
    tables.RETITLED["Method"] = "Way"
    assert ledger.state(toy.system, "small") in ("older code", "current")
    plan = ledger.read_plan(toy.system, "small")
    assert plan is not None
    assert plan["declaration"]["arms"]["good"]["method"]["type"] == "Way"


def test_a_changed_arm_is_stale_in_spite_of_the_table(toy: ToySystem, tables: Any) -> None:
    with_function(toy)
    frozen(toy)
    toy.edit("first", "foremost")
    toy.edit("mean: float", "average: float")
    toy.edit("run.arm.mean", "run.arm.average")
    tables.MOVED[f"{toy.name}.experiment:first"] = f"{toy.name}.experiment:foremost"
    assert ledger.state(toy.system, "small") == "stale"


def test_only_whole_names_are_replaced() -> None:
    said = {"type": "Old", "text": "Old old:f", "of": ["old:f", "old:ff"], "name": "Old", "type2": "Old", "n": 1}
    assert renamed(said, {"old:f": "new:f"}, {"Old": "New"}) == {
        "type": "New", "text": "Old old:f", "of": ["new:f", "old:ff"], "name": "Old", "type2": "Old", "n": 1,
    }  # fmt: skip
    assert renamed(said, {}, {}) == said


def test_the_table_leads_from_names_that_are_free_to_names_that_exist() -> None:
    for old, new in table.MOVED.items():
        assert _found(new), f"{new} is not there"
        assert not _found(old), f"{old} is something else today"
        assert new not in table.MOVED, f"{old}: say the newest name at once"
    assert not set(table.RETITLED) & set(table.RETITLED.values())


def _found(name: str) -> bool:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return False
    for part in path.split("."):
        found = getattr(found, part, None)
    return getattr(found, "__module__", None) == module
