"""Disturb runs in every way we can think of, and look whether anything is lost.

python -m tests.faults                      all faults
python -m tests.faults run-killed disk-full only these
python -m tests.faults --list               their names
python -m tests.faults --record             write docs/reliability/faults.json and the tables made from it
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests import reliability
from tests.faults.campaign import FAULTS, Campaign, Fault, Found
from tests.reliability import Row

from holdfast.files import write_text

GROUPS = (
    "kills",
    "migrations",
    "verbs_killed",
    "signals",
    "disks",
    "damage",
    "concurrency",
    "trials",
    "plugins",
    "plans",
    "surroundings",
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="faults; all if none is named")
    parser.add_argument("--list", action="store_true", help="the names of the faults")
    parser.add_argument("--seed", type=int, default=0, help="of random moments and places")
    parser.add_argument("--share", type=float, default=1.0, help="of the tries; at least one of each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="tries at a time")
    parser.add_argument("--record", action="store_true", help="keep what was found in docs/reliability")
    return parser.parse_args()


def main() -> int:
    for group in GROUPS:
        import_module(f"tests.faults.{group}")
    wanted = arguments()
    if unknown := set(wanted.names) - FAULTS.keys():
        print(f"unknown: {', '.join(sorted(unknown))}; --list shows all", file=sys.stderr)
        return 2
    faults = [f for name, f in FAULTS.items() if name in wanted.names or not wanted.names]
    if wanted.list:
        for f in faults:
            print(f"{f.name:<28} {f.what}: {f.how}")
        return 0
    console = Console(highlight=False, markup=False)
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bars, console=console, transient=True) as progress:
        bar = progress.add_task("an undisturbed run", total=None)

        def tell(f: Fault, through: Found | None) -> None:
            progress.update(bar, advance=1, description=f.what, total=len(campaign.tries))
            if through is not None:
                told(console, through)

        campaign = Campaign(faults, wanted.seed, wanted.jobs, wanted.share, tell)
        found = campaign.run()
    lost = sum(len(one.losses) for one in found)
    tried = sum(one.row.tried for one in found)
    console.print(
        f"{tried} faults in {campaign.seconds:.0f} s: {f'{lost} promises broken' if lost else 'nothing lost'}"
    )
    if wanted.record:
        record([one.row for one in found], campaign.seconds)
    return 1 if lost else 0


def record(rows: list[Row], seconds: float) -> None:
    """Keep what was found, and what an earlier campaign found of the faults that were not tried this time."""
    kept: dict[str, Row] = {}
    since = ""
    if (reliability.RECORDS / "faults.json").is_file() and len(rows) < len(FAULTS):
        before = reliability.read("faults")
        kept, seconds = {row.fault: row for row in before.rows}, seconds + before.seconds
        since = before.since or before.date
    kept |= {row.fault: row for row in rows}
    ordered = [kept[f.what] for f in FAULTS.values() if f.what in kept]
    print(reliability.write("faults", reliability.finished(ordered, seconds, since)))
    page = reliability.ROOT / "docs" / "reliability.md"
    write_text(page, reliability.refreshed(page.read_text(encoding="utf-8")))


def told(console: Console, one: Found) -> None:
    row = one.row
    console.print(
        f"{'LOST' if one.losses else 'ok':<5}{one.fault.name:<28}{row.tried:>4}  {row.outcome}", soft_wrap=True
    )
    for loss in one.losses:
        console.print(f"     {loss}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
