"""The generated parts of README.md and docs/: which systems there are, what they claim, what was decided.

    python -m holdfast.report.overview README.md docs/index.md docs/systems/*.md

A part lies between two comments, `<!-- name -->` or `<!-- name system -->` and `<!-- /name -->`, where name is one of

    systems             the table "find a system by what you want to do"
    headline adamatch   the verdict on the headline claim, with its figure
    verdicts adamatch   all verdicts of the ledger
    arms adamatch       means and spreads of every arm on every problem of the ledger
    published adamatch  the claims as the authors published them
    first adamatch      the command that a new user runs first, and how a file for it is made

Everything comes from the cards and the ledger. Only `arms` imports the system, for the order it declares.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import catalogue, ledger
from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.printable import clean_line
from holdfast.report import wording
from holdfast.report.entries import CHECKOUT, ROLES, SCALE, by_task, entry, figure_file, said, stated
from holdfast.report.summary import ArmRow, arm_rows

if TYPE_CHECKING:
    from holdfast.catalogue import Catalogue, System

PART = re.compile(r"(<!-- (\w+)(?: (\w+))? -->\n).*?(<!-- /\2 -->)", re.DOTALL)
OPENING = re.compile(r"<!-- (\w+)(?: (\w+))? -->")


# --------------------------------------------------------------------------------------------------------- the parts
def table(found: Catalogue, beside: Path = CHECKOUT) -> str:
    """Markdown table of the built-in systems, ordered by what one wants to do.

    Args:
        found: the catalogue; plugins are left out, as they differ from machine to machine.
        beside: folder of the file that the table goes into; links are relative to it.
    """
    groups = by_task(entry(s) for s in found.systems.values() if s.origin == "built in")
    rows = [
        [
            plain(task),
            f"[{plain(e.system.card.texts.en.title)}]({_link(_page(e.system), beside)})",
            plain(e.system.card.texts.en.sentence),
            f"`{plain(e.system.card.first.command)}`" if e.system.card.first else wording.NONE,
            ", ".join(e.system.card.areas),
            said(e),
        ]
        for task, entries in groups.items()
        for e in entries
    ]
    return _markdown(
        [
            "You want to",
            "System",
            "In one sentence",
            "First, on a file of yours",
            "Areas",
            "Does its headline claim hold?",
        ],
        rows,
    )


def headline_of(system: System, beside: Path = CHECKOUT) -> str:
    """The headline's verdict in two lines and its figure; a sentence where nothing is in the ledger yet."""
    content = ledger.read_ledger(system, SCALE)
    verdict = None if content is None else ledger.headline_of(ledger.verdicts_of(content))
    if verdict is None:
        return _not_measured(system)
    told = [verdict.direction_line, verdict.margin_line, verdict.reason, wording.effect(verdict)]
    lines = [f"**{stated(verdict)}: {plain(verdict.text)}**", ""]
    lines += [f"- {plain(line)}" for line in told if line]
    figure = figure_file(system)
    if figure is not None:
        title = system.card.texts.en.title
        lines += ["", f"![{plain(title)} and what it is compared with]({_link(figure, beside)})"]
    return "\n".join(lines)


def verdicts_of(system: System, beside: Path = CHECKOUT) -> str:
    """Markdown table of all verdicts of the ledger, headline first, and where they were measured."""
    content = ledger.read_ledger(system, SCALE)
    if content is None:
        return _not_measured(system)
    found = sorted(ledger.verdicts_of(content), key=lambda verdict: ROLES.index(verdict.role))
    rows = [
        [
            f"**{plain(v.text)}**" if v.role == "headline" else plain(v.text),
            v.role if v.as_expected is None else f"{v.role}, {'as' if v.as_expected else 'not as'} expected",
            stated(v),
            plain(wording.effect(v) or v.reason),
            plain(v.published),
        ]
        for v in found
    ]
    kept = [ledger.ledger_path(system, SCALE), ledger.plan_path(system, SCALE)]
    files = " and ".join(f"[{path.name}]({_link(path, beside)})" for path in kept)
    took = wording.duration(ledger.trial_seconds(content))
    measured = f"Scale `{SCALE}`, commit `{plain(content['commit'][:12])}`, {took} of trials"
    note = f"{measured} on {plain(content['machine'])}. Records and plan: {files}."
    return f"{_markdown(['Claim', 'Role', 'Verdict', 'Effect', 'Published'], rows)}\n\n{note}"


def arms_of(system: System, beside: Path = CHECKOUT) -> str:
    """One Markdown table of arms per problem: mean and standard deviation over replicates; * marks the best mean."""
    results = ledger.as_results(system, SCALE)
    if results is None:
        return _not_measured(system)
    tables = []
    for problem in results.problems:
        rows = arm_rows(results, problem)
        measured = [name for name in results.metrics if any(row.metrics[name].n for row in rows)]
        head = [
            "Arm",
            *(plain(wording.with_unit(name, results.metric(name).unit)) for name in measured),
            "Seconds",
            "n",
        ]
        tables.append(f"**{plain(problem)}**\n\n{_markdown(head, [_arm(row, measured) for row in rows])}")
    return "\n\n".join([*tables, "Mean ± standard deviation over n replicates; * marks the best mean."])


def _arm(row: ArmRow, metrics: Sequence[str]) -> list[str]:
    shown = [f"{row.metrics[name]}{' *' if name in row.best else ''}" for name in metrics]
    seconds = wording.number(row.costs["seconds"].mean) if "seconds" in row.costs else wording.NONE
    return [plain(row.arm), *shown, seconds, str(row.trials - row.failed)]


def published_of(system: System, beside: Path = CHECKOUT) -> str:
    """Markdown table of the claims as the authors published them."""
    rows = [[plain(text) for text in (c.claim, c.number, c.setting, c.source)] for c in system.card.claims]
    return _markdown(["Claim", "Number", "Setting", "Read in"], rows)


def first_of(system: System, beside: Path = CHECKOUT) -> str:
    """The command that a new user runs first, and a program that makes a small file for it."""
    first = system.card.first
    if first is None:
        return "No command of its own: its parts are used from Python."
    program = first.sample.strip()
    return f"```\n{first.command}\n```\n\nA small file to try it on is made by\n\n```python\n{program}\n```"


PARTS: dict[str, Callable[[System, Path], str]] = {
    "headline": headline_of,
    "verdicts": verdicts_of,
    "arms": arms_of,
    "published": published_of,
    "first": first_of,
}


# ---------------------------------------------------------------------------------------------------------- the files
def refreshed(text: str, beside: Path = CHECKOUT) -> str:
    """The text with every generated part made anew.

    Raises:
        InputError: a part that is unknown, never closed or about an unknown system, or no part at all.
    """
    opened = [match[1] for match in OPENING.finditer(text) if match[1] in (*PARTS, "systems")]
    if len(opened) != len(PART.findall(text)) or not opened:
        raise InputError("text", "must hold generated parts, each from <!-- name --> to <!-- /name -->", opened)
    return PART.sub(lambda match: f"{match[1]}{_part(match[2], match[3], beside)}\n{match[4]}", text)


def refresh(path: Path) -> bool:
    """Make the generated parts of a Markdown file anew; whether anything changed."""
    text = path.read_text(encoding="utf-8")
    new = refreshed(text, path.resolve().parent)
    if new == text:
        return False
    write_text(path, new)
    return True


def _part(name: str, system: str | None, beside: Path) -> str:
    if name == "systems":
        return table(catalogue.find(), beside)
    if name not in PARTS or system is None:
        raise InputError(f"<!-- {name} -->", f"must be one of systems, {', '.join(f'{p} <id>' for p in PARTS)}", system)
    return PARTS[name](catalogue.load(system), beside)


# ----------------------------------------------------------------------------------------------------------- the facts
def _not_measured(system: System) -> str:
    return f"Not in the ledger yet; `holdfast run {system.id} --scale {SCALE}` measures it."


def _page(system: System) -> Path:
    return CHECKOUT / "docs" / "systems" / f"{system.id}.md"


# -------------------------------------------------------------------------------------------------------- the Markdown
def _link(path: Path, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def plain(text: str) -> str:
    """Text from a card or ledger in one line in which Markdown finds no element, link or attribute.

    Example:
        >>> print(plain("a <b>, [c](d), {: .e}"))
        a &lt;b>, [c]\\(d), &#123;: .e}
    """
    return clean_line(text).replace("<", "&lt;").replace("](", "]\\(").replace("{", "&#123;")


def _cell(text: str) -> str:
    return " ".join(wording.clean(text).replace("|", "\\|").split())


def main() -> None:
    for name in sys.argv[1:]:
        print(f"{name}: {'made anew' if refresh(Path(name)) else 'up to date'}")


if __name__ == "__main__":
    main()
