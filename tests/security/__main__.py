"""Attacks: the tests of this folder, and a count of what they tried.

    python -m tests.security              run them
    python -m tests.security --record     write docs/reliability/security.json and the tables made from it

Exit code 1, and nothing kept, if a test fails or is skipped.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest

import reliability
from holdfast.files import write_text
from reliability import ROOT, Row


class Collected:
    """A pytest plugin that gathers the attacks of passed tests, and the tests that did not pass."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.others: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.others.append(report.nodeid)
        if report.when == "teardown":
            for name, told in report.user_properties:
                if name == "attack":
                    self._add(told)

    def _add(self, told: dict[str, object]) -> None:
        fault, how, outcome = str(told["fault"]), str(told["how"]), str(told["outcome"])
        before = self.rows.get(fault)
        tried = int(str(told["tried"])) + (before.tried if before else 0)
        self.rows[fault] = Row(fault, how, tried, outcome, "nothing")


def main() -> int:
    start, collected = time.perf_counter(), Collected()
    code = pytest.main(["-p", "no:randomly", "--rootdir", str(ROOT), str(Path(__file__).parent)], plugins=[collected])
    rows = list(collected.rows.values())
    print(f"{sum(row.tried for row in rows):,} attacks of {len(rows)} kinds")
    if code or collected.others or not rows:
        print(f"did not pass: {', '.join(collected.others) or code}")
        return 1
    if "--record" in sys.argv[1:]:
        print(reliability.write("security", reliability.finished(rows, time.perf_counter() - start)))
        page = ROOT / "docs" / "reliability.md"
        write_text(page, reliability.refreshed(page.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
