"""What is said about a run, and about two of them."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError
from holdfast.files import write_json, write_text
from holdfast.systems.chatgpt_failures.method import Change, changes, memorisation_index, square_and_add, wilson
from holdfast.systems.chatgpt_failures.tool.cases import CATEGORIES, Case
from holdfast.systems.chatgpt_failures.tool.running import STATUSES, RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGED = ("pass", "fail", "unparsed")
HEADS = ("category", "family", *STATUSES, "failed %", "from", "to")


@dataclass(frozen=True)
class Row:
    """Cases of a family, or of a category (its family is "" then, its rate the mean over families).

    Attributes:
        counts: of the statuses.
        rate, low, high: share that failed, answers without an answer included, errors left out; None without a case.
    """

    category: str
    family: str
    soft: bool
    counts: dict[str, int]
    rate: float | None
    low: float | None
    high: float | None

    def cells(self) -> list[Any]:
        """As `HEADS` names them."""
        ends = [None if x is None else 100 * x for x in (self.rate, self.low, self.high)]
        return [self.category, self.family or "all", *(self.counts.get(s, 0) for s in STATUSES), *ends]


@dataclass(frozen=True)
class Report:
    """A run in numbers.

    Attributes:
        rows: categories and their families; soft families have rows of their own and enter no category.
        memorisation: index and its interval; None without canonical items.
    """

    of: str
    suite: str
    asked: int
    reached: int
    rows: tuple[Row, ...]
    memorisation: tuple[float, float, float] | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def to_markdown(self) -> str:
        """A page."""
        lines = [f"# Probes of {self.of}", "", f"{self.reached} of {self.asked} cases, suite {self.suite}.", ""]
        lines += ["| " + " | ".join(HEADS) + " |", "|" + " --- |" * len(HEADS)]
        for row in self.rows:
            cells = ["-" if c is None else f"{c:.1f}" if isinstance(c, float) else str(c) for c in row.cells()]
            name = f"{cells[1]} (soft)" if row.soft else f"**{cells[1]}**" if not row.family else cells[1]
            lines.append(f"| {cells[0]} | {name} | {' | '.join(cells[2:])} |")
        lines += ["", f"Failed: with unparsed answers, without errors; 95 % intervals. {self.memorised()}", ""]
        return "\n".join(lines)

    def memorised(self) -> str:
        """A sentence about the memorisation index."""
        if self.memorisation is None:
            return "No canonical items."
        index, low, high = (100 * x for x in self.memorisation)
        return f"Fixed items pass {index:+.1f} points more often than fresh ones [{low:.1f}, {high:.1f}]."


def report(result: RunResult) -> Report:
    """The failure rates of a run."""
    counts: dict[tuple[str, str, bool], Counter[str]] = defaultdict(Counter)
    fixed: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for case in result.suite.cases:
        outcome = result.outcomes.get(case.id)
        if outcome is None:
            continue
        if not case.canonical:
            counts[case.category, case.family, case.soft][outcome.status] += 1
        if not case.soft:
            fixed[case.canonical][outcome.status] += 1
    rows: list[Row] = []
    for category in CATEGORIES:
        families = {key: value for key, value in counts.items() if key[0] == category}
        hard = [value for key, value in families.items() if not key[2]]
        if hard:
            rows.append(_row(category, "", False, sum(hard, Counter()), hard))
        rows += [_row(*key, value, [value]) for key, value in families.items()]
    passed = {key: (c["pass"], _judged(c)) for key, c in fixed.items()}
    index = memorisation_index(passed[True], passed[False]) if all(n for _, n in passed.values()) else None
    return Report(result.of, result.suite.hash, len(result.suite.cases), len(result.outcomes), tuple(rows), index)


def _judged(counts: Counter[str]) -> int:
    return sum(counts[status] for status in JUDGED)


def _row(category: str, family: str, soft: bool, counts: Counter[str], groups: Sequence[Counter[str]]) -> Row:
    failed = [(_judged(c) - c["pass"], _judged(c)) for c in groups if _judged(c)]
    rate: tuple[float | None, float | None, float | None] = (None, None, None)
    if failed:
        rate = (failed[0][0] / failed[0][1], *wilson(*failed[0])) if family else square_and_add(failed)
    return Row(category, family, soft, {s: counts[s] for s in STATUSES if counts[s]}, *rate)


def compare(
    before: RunResult, after: RunResult, alpha: float = 0.05, *, intersect: bool = False, soft: bool = False
) -> list[Change]:
    """What changed between two runs of the same cases, by category.

    Args:
        alpha: probability of any verdict where nothing has changed.
        intersect: of two suites, compare the cases that are in both.
        soft: count families that are judged by phrases, too.

    Raises:
        InputError: the suites differ; no case was judged in both.
    """
    if before.suite.hash != after.suite.hash and not intersect:
        rule = "must be runs of the same suite; --intersect compares the cases that are in both"
        raise InputError("runs", rule, f"{before.suite.hash} and {after.suite.hash}")
    tables = tabulate(before.suite.cases, lambda c: _passed(before, c), lambda c: _passed(after, c), soft)
    if not any(map(sum, tables.values())):
        raise InputError("runs", "must have judged at least one case both", "none")
    return changes(tables, alpha)


def _passed(result: RunResult, case: Case) -> bool | None:
    outcome = result.outcomes.get(case.id)
    return None if outcome is None or outcome.status not in JUDGED else outcome.status == "pass"


def tabulate(
    cases: Iterable[Case], before: Callable[[Case], bool | None], after: Callable[[Case], bool | None],
    soft: bool = False,
) -> dict[str, tuple[int, int, int, int]]:  # fmt: skip
    """Category -> cases that passed in both, before alone, after alone, in neither; None = not judged."""
    found: dict[str, Counter[tuple[bool | None, bool | None]]] = defaultdict(Counter)
    for case in cases:
        if not case.canonical and (soft or not case.soft):
            found[case.category][before(case), after(case)] += 1
    order = ((True, True), (True, False), (False, True), (False, False))
    return {name: (c[order[0]], c[order[1]], c[order[2]], c[order[3]]) for name, c in found.items()}


def failed_cases(result: RunResult, family: str | None = None) -> list[list[str]]:
    """Id, category, family, status, right answer and given one of the cases that did not pass.

    Raises:
        InputError: no such family in the suite.
    """
    known = sorted({case.family for case in result.suite.cases})
    if family is not None and family not in known:
        near = difflib.get_close_matches(family, known, 1)
        raise InputError("--family", f"must be one of the suite{f', such as {near[0]}' if near else ''}", family)
    found = []
    for case in result.suite.cases:
        outcome = result.outcomes.get(case.id)
        if outcome is not None and outcome.status in ("fail", "unparsed", "error") and family in (None, case.family):
            right = " ".join(str(case.answer).split())[:40]
            found.append([case.id, case.category, case.family, outcome.status, right, outcome.extracted[:40]])
    return found


def case_text(result: RunResult, name: str) -> str:
    """A case in full: what was asked, what is right, what was said, what came of it.

    Raises:
        InputError: no such case.
    """
    case = next((case for case in result.suite.cases if case.id == name), None)
    if case is None:
        raise InputError("CASE", "must be the id of a case of this run", name)
    lines = [f"{case.id}: {case.category}, {case.family}, difficulty {case.difficulty}"]
    for i, ask in enumerate(case.asks):
        lines += [f"[{turn.role}] {turn.content}" for turn in ask]
        said = result.texts.get(case.id, ())
        lines.append(f"[model] {said[i]}" if i < len(said) else "[model] no text")
    outcome = result.outcomes.get(case.id)
    came = "not reached" if outcome is None else f"{outcome.status} ({outcome.reason})"
    return "\n".join([*lines, f"right: {case.answer}", f"outcome: {came}"])


def write_report(result: RunResult, folder: str | Path) -> Report:
    """Write report.md, report.json and report.svg into the folder of a run, and give the report."""
    from holdfast.verbs import write_figure

    found, folder = report(result), Path(folder)
    write_text(folder / "report.md", found.to_markdown())
    write_json(folder / "report.json", found.to_json())
    write_figure(rates_figure(found), folder / "report.svg")
    return found


def rates_figure(found: Report) -> Figure:
    """Failure rates of categories with their intervals."""
    from matplotlib.figure import Figure

    rows = [row for row in found.rows if not row.family and row.rate is not None][::-1]
    figure = Figure(figsize=(6.4, 0.4 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(rows):
        low, rate, high = (100 * float(x or 0.0) for x in (row.low, row.rate, row.high))
        axes.plot([low, high], [y, y], color="tab:blue", linewidth=2)
        axes.plot([rate], [y], "o", color="tab:blue")
    axes.set_yticks(range(len(rows)), [row.category for row in rows])
    axes.set_xlim(0, max(5.0, *(100 * float(row.high or 0) for row in rows)) * 1.05)
    axes.set_xlabel("failed, % (mean over families, 95 % interval)")
    return figure


__all__ = ["HEADS", "Report", "Row", "case_text", "compare", "failed_cases", "report", "tabulate", "write_report"]
