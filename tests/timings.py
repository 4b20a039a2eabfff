"""Prints the time each system's tests took, and what else there was: `pytest -p tests.timings`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

GENERIC = "tests/test_every_system.py"  # parametrised by system: the id is the first word in brackets
BUDGET_S = 15.0


def group(nodeid: str) -> str:
    """What a test belongs to: a system's id, or "shared parts".

    Example:
        >>> group("tests/systems/adamatch/test_method.py::test_x"), group(f"{GENERIC}::test_smoke[adamatch-AdaBN]")
        ('adamatch', 'adamatch')
        >>> group("tests/test_training.py::test_x[adamatch]")
        'shared parts'
    """
    if own := re.match(r"tests/systems/(\w+)/", nodeid):
        return own[1]
    if nodeid.startswith(GENERIC) and (parameter := re.search(r"\[(\w+)", nodeid)):
        return parameter[1]
    return "shared parts"


class Timings:
    """Adds up the time of setups, tests and teardowns."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = group(report.nodeid)
        self.seconds[name] += report.duration  # type: ignore[assignment]
        self.tests[name] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("time per system")
        for name, seconds in sorted(self.seconds.items(), key=lambda item: -item[1]):
            over = f"  more than {BUDGET_S:g} s" if name != "shared parts" and seconds > BUDGET_S else ""
            terminalreporter.line(f"{name:24} {seconds:7.1f} s {self.tests[name]:6} tests{over}")
        terminalreporter.section("ledgers")
        for line in ledgers():
            terminalreporter.line(line)


def ledgers() -> Iterator[str]:
    """What the trials of every ledger took, and how large its file is; how many drafts there are."""
    from holdfast import catalogue, ledger

    found = catalogue.find()
    for system in found.systems.values():
        for path in sorted(system.ledger.glob("*.plan.json")) if system.origin == "built in" else ():
            scale = path.name.removesuffix(".plan.json")
            kept, file = ledger.read_ledger(system, scale), ledger.ledger_path(system, scale)
            if kept is not None:
                took, size = ledger.trial_seconds(kept), file.stat().st_size
                yield f"{system.id + ', ' + scale:32} {took:7.0f} s of trials {size / 1000:7.0f} kB"
    yield f"{len(found.systems)} systems, {len(found.drafts)} drafts"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # with pytest-xdist the reports of all workers come together in one process
        config.pluginmanager.register(Timings(), "holdfast-timings")
