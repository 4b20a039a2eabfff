"""The recorded campaign of fuzzing, docs/reliability/fuzz.json.

    python -m tests.fuzz [--seed 0] [--share 1.0] [--only NAME ...] [--no-record]

Exit code 1 if any case broke the rule: an input is accepted, or refused in one line that says what is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as in the tests: the toys are modules of that folder
os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fuzz.every import FUZZES
from fuzz.hunt import Fuzz, Tally, hunt
from reliability import Row, finished, write


def row(fuzz: Fuzz, tally: Tally) -> Row:
    """The line of the table."""
    shown = [f"{count:,} {outcome}" for outcome, count in sorted(tally.outcomes.items())]
    outcome = ", ".join(shown).replace("refused", "refused in one line")
    return Row(fuzz.fault, fuzz.how, tally.tried, outcome, "nothing" if not tally.defects else "see the defects")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of all inputs")
    parser.add_argument("--share", type=float, default=1.0, help="of the recorded campaign's number of cases")
    parser.add_argument("--only", nargs="*", default=[], choices=[fuzz.name for fuzz in FUZZES])
    parser.add_argument("--no-record", action="store_true", help="do not write docs/reliability/fuzz.json")
    given = parser.parse_args()
    chosen = [fuzz for fuzz in FUZZES if not given.only or fuzz.name in given.only]
    rows, bad, start = [], 0, time.perf_counter()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for fuzz in chosen:
            cases = max(1, round(fuzz.cases * given.share))
            bar = progress.add_task(fuzz.name, total=cases)
            tally = hunt(fuzz, cases, seed=given.seed, first_defect_ends=False, tick=lambda: progress.advance(bar))  # noqa: B023
            progress.update(bar, total=tally.tried)
            for what, (count, case) in tally.defects.items():
                bad += count
                console.print(f"{fuzz.name}: {count} x {what}\n    {case}", markup=False, soft_wrap=True)
            rows.append(row(fuzz, tally))
            console.print(f"{fuzz.name}: {rows[-1].outcome}")
    tried = sum(r.tried for r in rows)
    print(f"{tried:,} cases with seed {given.seed}: {bad} broke the rule")
    if not bad and not given.no_record and not given.only:
        how = f"python -m tests.fuzz --seed {given.seed}" + (f" --share {given.share:g}" if given.share != 1 else "")
        print(write("fuzz", finished(rows, time.perf_counter() - start)), f"({how})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
