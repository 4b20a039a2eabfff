"""The run on a terminal, and as JSON for other programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.report import wording
from holdfast.report.strict import strict_json
from holdfast.report.summary import ArmRow, Spread, arm_rows
from holdfast.report.terminal import COLOURS, say, whole
from holdfast.trials.results import Results

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from holdfast.decision import Verdict

SHOWN_FAILURES = 10  # on the terminal; the page has them all


def print_results(results: Results, console: Console, page: Path | str | None = None) -> None:
    """Print one table of arms per problem, the verdicts, the failed trials and where the page is.

    Args:
        console: plain text comes out where it is not a terminal.
        page: the page that was written, if any.
    """
    if results.pilot:
        say(console, "Exploratory run on pilot replicates: for looking and choosing, not for quoting.", "bold yellow")
    for problem in results.problems:
        console.print(_arms_table(results, problem), highlight=False)
    if not results.records:
        say(console, "No trial was recorded yet.")
    for role in ("headline", "secondary", "control"):
        for verdict in results.verdicts:
            if verdict.role == role:
                _print_verdict(verdict, console)
    _print_failures(results, console)
    if results.interrupted:
        whole(console, f"Interrupted. To continue: {results.command}", "yellow")
    if page is not None:
        whole(console, f"page: {page}")


def to_json(results: Results) -> str:
    """The run as strict JSON, NaN and infinities as null: verdicts, arms per problem, every record, provenance."""
    document = {
        "system": results.system,
        "scale": results.scale,
        "pilot": results.pilot,
        "interrupted": results.interrupted,
        "verdicts": [verdict.told() for verdict in results.verdicts],
        "arms": {problem: [_row(row) for row in arm_rows(results, problem)] for problem in results.problems},
        "failed": [
            {"arm": r.arm, "problem": r.problem, "point": r.point, "replicate": r.replicate, "error": r.error}
            for r in results.failed
        ],
        "trials": len(results.records),
        "records": [
            {
                "arm": r.arm,
                "problem": r.problem,
                "point": dict(r.point),
                "replicate": r.replicate,
                "status": r.status,
                "scalars": dict(r.scalars),
                "cost": dict(r.cost),
            }
            for r in results.records
        ],
        "provenance": results.provenance,
        "command": results.command,
    }
    return strict_json(document)


def _row(row: ArmRow) -> dict[str, Any]:
    return {**dataclasses.asdict(row), "best": sorted(row.best)}


def _arms_table(results: Results, problem: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = arm_rows(results, problem)
    costs = list(dict.fromkeys(name for row in rows for name in row.costs))
    table = Table(title=Text(wording.clean(problem)), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.pad_edge, table.collapse_padding = False, True
    longest = max((len(word) for row in rows for word in wording.clean(row.arm).split()), default=0)
    table.add_column("arm", overflow="fold", min_width=min(longest, 16))
    for name in results.metrics:
        unit = results.metric(name).unit
        table.add_column(Text(wording.clean(f"{name} {unit}".strip())), justify="right", overflow="fold", min_width=6)
    for name in costs:
        heading = {"seconds": "s / trial", "MB": "peak MB", "shared_seconds": "shared s"}.get(name, name)
        table.add_column(Text(wording.clean(heading)), justify="right", overflow="fold")
    table.add_column("n", justify="right", min_width=2)
    failed = any(row.failed for row in rows)
    if failed:
        table.add_column("failed", justify="right")
    for row in rows:
        cells: list[RenderableType] = [Text(wording.clean(row.arm))]
        cells += [_cell(row.metrics[name], best=name in row.best) for name in results.metrics]
        cells += [wording.number(row.costs[name].mean) if name in row.costs else wording.NONE for name in costs]
        cells.append("det." if row.deterministic else str(max((s.n for s in row.metrics.values()), default=0)))
        table.add_row(*cells, *([Text(str(row.failed or ""), style="red")] if failed else []))
    table.caption = Text(_caption(rows))
    table.caption_justify = "left"
    return table


def _caption(rows: Sequence[ArmRow]) -> str:
    points = max((row.points for row in rows), default=1)
    averaged = f", each averaged over {points} swept points" if points > 1 else ""
    return f"mean ± sd over replicates{averaged}; * best mean"


def _cell(found: Spread, *, best: bool) -> Text:
    from rich.text import Text

    return Text(f"*{found}" if best else str(found), style="bold" if best else "")


def _print_verdict(verdict: Verdict, console: Console) -> None:
    from rich.text import Text

    line = Text(f"{wording.SIGNS.get(verdict.verdict, '')} {verdict.verdict}", style=COLOURS.get(verdict.verdict, ""))
    line.append(f"  {wording.clean(verdict.text)}", style="bold" if verdict.role == "headline" else "default")
    line.append(f"  ({verdict.role})", style="dim")
    for part in line.wrap(console, console.width):
        part.rstrip()
        console.print(part, highlight=False)
    facts = [wording.effect(verdict), f"wins {wording.wins(verdict)}"]
    told = [verdict.direction_line, verdict.margin_line, verdict.reason, wording.sample_size(verdict)]
    told.append("; ".join(fact for fact in facts if fact and not fact.endswith(wording.NONE)))
    told += [f"- {part.verdict}: {part.text}" for part in verdict.parts]
    if verdict.role == "control" and verdict.as_expected is False:
        told.append(
            f"This control was expected to come out as: {verdict.expected}. Read the other verdicts with suspicion."
        )
    for text in told:
        if text:
            say(console, text, indent=4)


def _print_failures(results: Results, console: Console) -> None:
    if not results.failed:
        return
    say(console, f"{len(results.failed)} of {len(results.records)} trials failed:", "bold red")
    for record in results.failed[:SHOWN_FAILURES]:
        where = [record.arm, record.problem, wording.point(record.point)]
        where += [] if record.replicate is None else [f"replicate {record.replicate}"]
        last = (record.error.strip().splitlines() or ["no message"])[-1]
        say(console, f"{', '.join(part for part in where if part)}: {wording.one_line(last)}", indent=4)
    hidden = len(results.failed) - SHOWN_FAILURES
    if hidden > 0:
        say(console, f"and {hidden} more; the page lists them all", indent=4)
