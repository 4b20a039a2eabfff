"""Attacks are counted: `python -m tests.security` makes the table of docs/reliability.md from what the tests did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest


@dataclass
class Attack:
    """One kind of attack: what, how, what came of it, and how often it was tried."""

    fault: str
    how: str
    outcome: str
    tried: int = 0

    def again(self, times: int = 1) -> None:
        """Count a try that was met as `outcome` says."""
        self.tried += times


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Iterator[Callable[[str, str, str], Attack]]:
    """Makes an attack whose count is kept if the test passes."""
    made: list[Attack] = []

    def start(fault: str, how: str, outcome: str) -> Attack:
        made.append(Attack(fault, how, outcome))
        return made[-1]

    yield start
    assert all(one.tried for one in made), "an attack that never took place"
    request.node.user_properties += [("attack", vars(one)) for one in made]
