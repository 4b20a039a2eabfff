"""Inputs made up to break things, thrown at every entrance of holdfast.

    python -m tests.fuzz                  the whole campaign
    python -m tests.fuzz card claims      only these
    python -m tests.fuzz --list           their names
    python -m tests.fuzz --record         write docs/reliability/fuzz.json and the tables made from it

Exit code 1 if any case broke the rule: an input is accepted, or refused in one line that says what is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as in the tests: the toys are modules of that folder
os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import reliability
from fuzz.every import FUZZES
from fuzz.hunt import Fuzz, Tally, hunt
from holdfast.files import write_text
from reliability import Row


def row(fuzz: Fuzz, tally: Tally) -> Row:
    """The line of the table."""
    shown = [f"{count:,} {outcome}" for outcome, count in sorted(tally.outcomes.items())]
    outcome = ", ".join(shown).replace("refused", "refused in one line")
    return Row(fuzz.fault, fuzz.how, tally.tried, outcome, "nothing" if not tally.defects else "see the defects")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="fuzzes; all if none is named")
    parser.add_argument("--list", action="store_true", help="the names of the fuzzes")
    parser.add_argument("--seed", type=int, default=0, help="of all inputs")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases; at least one of each")
    parser.add_argument("--record", action="store_true", help="keep what was found in docs/reliability")
    given = parser.parse_args()
    if unknown := set(given.names) - {fuzz.name for fuzz in FUZZES}:
        parser.error(f"no such fuzz: {', '.join(sorted(unknown))}")
    return given


def main() -> int:
    given = arguments()
    if given.list:
        print("\n".join(f"{fuzz.name:<14} {fuzz.cases:>5}  {fuzz.fault}" for fuzz in FUZZES))
        return 0
    chosen = [fuzz for fuzz in FUZZES if not given.names or fuzz.name in given.names]
    rows, bad, start = [], 0, time.perf_counter()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for fuzz in chosen:
            cases = max(1, round(fuzz.cases * given.share))
            bar = progress.add_task(fuzz.name, total=cases)
            tick = partial(progress.advance, bar)
            tally = hunt(fuzz, cases, seed=given.seed, first_defect_ends=False, tick=tick)
            progress.update(bar, total=tally.tried)
            bad += told(console, fuzz, tally)
            rows.append(row(fuzz, tally))
    tried = sum(r.tried for r in rows)
    print(f"{tried:,} cases with seed {given.seed}: {bad or 'none'} broke the rule")
    if given.record and not bad:
        record(rows, time.perf_counter() - start)
    return 1 if bad else 0


def told(console: Console, fuzz: Fuzz, tally: Tally) -> int:
    """Print what came of a fuzz; the number of cases that broke the rule."""
    shown = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(tally.outcomes.items()))
    console.print(f"{fuzz.name:<14} {shown}", highlight=False)
    for what, (count, case) in tally.defects.items():
        console.print(f"    {count} x {what}\n    {case}", markup=False, soft_wrap=True)
    return sum(count for count, _ in tally.defects.values())


def record(rows: list[Row], seconds: float) -> None:
    """Keep what was found, and what an earlier campaign found of what was not tried this time."""
    kept: dict[str, Row] = {}
    since = ""
    if (reliability.RECORDS / "fuzz.json").is_file() and len(rows) < len(FUZZES):
        before = reliability.read("fuzz")
        kept, seconds = {row.fault: row for row in before.rows}, seconds + before.seconds
        since = before.since or before.date
    kept |= {row.fault: row for row in rows}
    ordered = [kept[fuzz.fault] for fuzz in FUZZES if fuzz.fault in kept]
    print(reliability.write("fuzz", reliability.finished(ordered, seconds, since)))
    page = reliability.ROOT / "docs" / "reliability.md"
    write_text(page, reliability.refreshed(page.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.exit(main())
