"""A comparison of runs on a terminal, and as JSON for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.report import wording
from holdfast.report.comparison import CONFIDENCE, Comparison, Row
from holdfast.report.comparison_words import by_chance, change, towards
from holdfast.report.matching import Facts, Matched, differing_facts, matched_verdicts, not_compared
from holdfast.report.strict import strict_json
from holdfast.report.terminal import COLOURS, say, whole

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from holdfast.decision import Verdict

SHOWN_ROWS, SHOWN_FACTS = 60, 12  # per table and per kind of fact; the page has them all


def print_comparison(comparison: Comparison, console: Console, page: Path | str | None = None) -> None:
    """Print which runs are compared, differences per problem and metric, verdicts, costs and what else differs.

    Args:
        console: plain text comes out where it is not a terminal.
        page: the page that was written, if any.
    """
    for side in comparison.sides:
        results = side.results
        state = " (pilots)" * results.pilot + " (interrupted)" * results.interrupted
        whole(console, f"{side.letter}  {side.name}: {results.system}, scale {results.scale}{state}", "bold")
        for own, shared in side.renamed.items():
            say(console, f"{own} stands for {shared} of {comparison.first.letter}; not the same data", indent=3)
    for problem in comparison.problems:
        for metric in comparison.metrics(problem):
            _print_rows(comparison, problem, metric, console)
    say(console, by_chance(comparison))
    _print_verdicts(comparison, console)
    _print_costs(comparison, console)
    _print_facts(comparison, console)
    if page is not None:
        whole(console, f"page: {page}")


def comparison_json(comparison: Comparison) -> str:
    """The comparison as strict JSON: differences, costs, verdicts, and what differs between the runs."""
    verdicts = [
        {
            "claim": matched.said.text,
            "changed": matched.changed,
            "verdicts": [v.told() if v else None for v in matched.verdicts],
        }
        for matched in matched_verdicts(comparison)
    ]
    facts = {kind.title: {fact.name: fact.values for fact in kind.facts} for kind in differing_facts(comparison)}
    left_out = {fact.name: fact.values for fact in not_compared(comparison)}
    return strict_json({**_numbers(comparison), "verdicts": verdicts, "differs": facts, "not_compared": left_out})


def _numbers(comparison: Comparison) -> dict[str, Any]:
    """Rows and costs as nested data."""
    return {
        "runs": {
            side.letter: {"name": side.name, "system": side.results.system, "scale": side.results.scale}
            for side in comparison.sides
        },
        "confidence": CONFIDENCE,
        "differences": [
            {
                "arm": row.arm, "problem": row.problem, "point": row.point, "metric": row.metric,
                "unit": comparison.metric(row.metric).unit,
                "means": [s.mean if s else None for s in row.spreads],
                "sds": [s.sd if s else None for s in row.spreads],
                "n": [s.n if s else 0 for s in row.spreads],
                "to_first": [
                    {"mean": d.mean, "interval": d.interval, "paired": d.paired, "n": d.n} if d else None
                    for d in row.differences
                ],
            }
            for row in comparison.rows
        ],
        "costs": [
            {
                "arm": row.arm, "problem": row.problem, "cost": row.cost,
                "means": [s.mean if s else None for s in row.spreads],
                "ratios": [row.ratio(place) for place in range(len(row.spreads))],
            }
            for row in comparison.costs
        ],
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- tables
def _table(title: str, heads: Sequence[str], *, names: int) -> Table:
    """Of which the first `names` columns hold names and the others numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(wording.clean(title)), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.pad_edge, table.collapse_padding, table.caption_justify = False, True, "left"
    for i, head in enumerate(heads):
        table.add_column(Text(wording.clean(head)), justify="left" if i < names else "right", overflow="fold")
    return table


def _print_rows(comparison: Comparison, problem: str, metric: str, console: Console) -> None:
    from rich.text import Text

    rows = [row for row in comparison.rows if row.problem == problem and row.metric == metric]
    declared = comparison.metric(metric)
    first = comparison.first.letter
    swept = any(row.point for row in rows)
    heads = ["arm", *(["point"] if swept else []), *(side.letter for side in comparison.sides)]
    for side in comparison.others:
        heads += [f"{side.letter} - {first}", "", "n"]
    unit = f", {declared.unit}" if declared.unit else ""
    table = _table(f"{metric}{unit}; {problem}", heads, names=2 if swept else 1)
    named = ""
    for row in rows[:SHOWN_ROWS]:
        arm, named = ("" if row.arm == named else row.arm), row.arm
        cells = [Text(wording.clean(arm)), *([Text(wording.clean(row.point))] if swept else [])]
        cells += [Text(str(spread) if spread else wording.NONE) for spread in row.spreads]
        table.add_row(*cells, *_changes(row, higher=declared.higher_is_better))
    hidden = len(rows) - SHOWN_ROWS
    more = f"; {hidden} more rows on the page" if hidden > 0 else ""
    table.caption = Text(f"mean ± sd; difference with 95 % interval{more}")
    console.print(table, highlight=False)


def _changes(row: Row, *, higher: bool) -> list[Text]:
    from rich.text import Text

    cells = []
    for found in row.differences[1:]:
        word = towards(found, higher)
        style = {"better": "green", "worse": "red"}.get(word, "")
        cells += [Text(change(found, ""), style=style), Text(word, style=style), Text(found.how if found else "")]
    return cells


def _print_verdicts(comparison: Comparison, console: Console) -> None:
    from rich.text import Text

    every = matched_verdicts(comparison)
    matched = [m for m in every if m.shared]
    if matched:
        table = _table("Verdicts", ["claim", *(side.letter for side in comparison.sides), ""], names=99)
        for found in matched:
            style = "bold" if found.said.role == "headline" else ""
            cells = [_verdict(v) for v in found.verdicts]
            table.add_row(
                Text(wording.clean(found.said.text), style=style), *cells, Text(_note(found), style="bold yellow")
            )
        console.print(table, highlight=False)
    if len(matched) < len(every):
        say(console, f"{len(every) - len(matched)} claims were tested in one run only; the page lists them.")


def _verdict(found: Verdict | None) -> Text:
    from rich.text import Text

    if found is None:
        return Text(wording.NONE)
    told = Text(f"{wording.SIGNS.get(found.verdict, '')} {found.verdict}", style=COLOURS.get(found.verdict, ""))
    middle, ends = wording.measured(found)
    numbers = f"\n{middle} {ends}, n = {found.n}" if ends != wording.NONE else ""
    return told.append(numbers, style="default")


def _note(found: Matched) -> str:
    notes = ["changed"] if found.changed else []
    return ", ".join([*notes, "another target"] if found.asked_differently else notes)


def _print_costs(comparison: Comparison, console: Console) -> None:
    from rich.text import Text

    if not comparison.costs:
        return
    heads = ["arm", "problem", "cost per trial", *(side.letter for side in comparison.sides)]
    heads += [f"{side.letter} / {comparison.first.letter}" for side in comparison.others]
    table = _table("Costs", heads, names=3)
    for row in comparison.costs[:SHOWN_ROWS]:
        names = [Text(wording.clean(name)) for name in (row.arm, row.problem, row.cost.replace("_", " "))]
        means = [Text(wording.number(spread.mean) if spread else wording.NONE) for spread in row.spreads]
        ratios = [Text(f"x {wording.number(row.ratio(i))}") for i in range(1, len(row.spreads))]
        table.add_row(*names, *means, *ratios)
    hidden = len(comparison.costs) - SHOWN_ROWS
    if hidden > 0:
        table.caption = Text(f"{hidden} more rows on the page")
    console.print(table, highlight=False)


def _print_facts(comparison: Comparison, console: Console) -> None:
    kinds = differing_facts(comparison)
    left_out = not_compared(comparison)
    if left_out:
        kinds = [*kinds, Facts("Not compared", tuple(left_out))]
    if not kinds:
        say(console, "The runs do not differ in code, machine, plan or settings.")
    for kind in kinds:
        say(console, kind.title, "bold")
        for fact in kind.facts[:SHOWN_FACTS]:
            told = "; ".join(f"{s.letter}: {v}" for s, v in zip(comparison.sides, fact.values, strict=True))
            say(console, f"{fact.name}: {told}", indent=2)
        hidden = len(kind.facts) - SHOWN_FACTS + kind.cut
        if hidden > 0:
            say(console, f"and {hidden} more; the page lists them", indent=2)
