"""A program from a language model or a stranger cannot keep the parser busy, nor its caller waiting."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import pytest

from holdfast.errors import InputError
from holdfast.sql import reading
from holdfast.sql.errors import EngineError, EngineTimeout
from holdfast.sql.reading import check

pytest.importorskip("sqlglot")
NESTED = (("union(", ")"), ("hugeint(", ")"), ("CASE WHEN 1 THEN ", " END"), ("a IN (", ")"), ("NOT ", ""), ("1,", ""))


@pytest.mark.skipif(sys.platform != "linux", reason="stops a process of its own")
def test_programs_that_keep_the_parser_busy(attack: Any) -> None:
    counted = attack(
        "SQL that keeps the parser busy",
        "programs nested 30 to 100,000 deep, which take exponential time or all memory; a parser that stands still",
        "read, or refused in one line; reading is done by a process of its own, under the query's clock and memory "
        "limit, and one that does not answer is ended",
    )
    for engine in ("sqlite", "duckdb"):
        for before, after in NESTED:
            for times in (30, 400, 100_000):
                try:
                    check("SELECT " + before * times + "1" + after * times, engine)
                except (InputError, EngineError) as refused:
                    assert "\n" not in str(refused)  # noqa: PT017 some are right
                counted.again()
    child = reading._reader.child
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(EngineTimeout, match="its process was killed"):
        check("SELECT 1 AS stands_still", "sqlite", seconds=0.0)
    assert not child.alive
    assert check("SELECT 1 AS stands_still", "sqlite") == 0
    counted.again()
