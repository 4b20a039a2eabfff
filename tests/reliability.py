"""The record of a campaign, and the tables of docs/reliability.md that are made from them.

    python -m tests.reliability docs/reliability.md

A campaign leaves one file, docs/reliability/<name>.json:

    {"commit": ..., "date": ..., "machine": ..., "seconds": ..., "rows": [{"fault", "how", "tried", "outcome", "lost"}]}

A table lies between `<!-- name -->` and `<!-- /name -->`.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import InputError
from holdfast.files import read_json, write_json, write_text
from holdfast.trials import provenance

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs" / "reliability"
PART = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One kind of fault: how it was provoked, how often, what happened, and what was lost."""

    fault: str
    how: str
    tried: int
    outcome: str
    lost: str


@dataclass(frozen=True)
class Campaign:
    """What a campaign found, where and when."""

    commit: str
    date: str
    machine: str
    seconds: float
    rows: tuple[Row, ...]
    since: str = ""  # date of the first of several campaigns, where faults that were not tried again are kept


def finished(rows: Sequence[Row], seconds: float, since: str = "") -> Campaign:
    """The record of a campaign that has just ended. Of the machine only what matters: cores and operating system."""
    return Campaign(
        commit=provenance.commit(ROOT),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=f"{os.cpu_count()} cores, {platform.system()}",
        seconds=round(seconds),
        rows=tuple(rows),
        since=since,
    )


def write(name: str, campaign: Campaign) -> Path:
    """Keep the record under docs/reliability."""
    path = RECORDS / f"{name}.json"
    write_json(path, dataclasses.asdict(campaign))
    return path


def read(name: str) -> Campaign:
    """A kept record.

    Raises:
        InputError: there is none, or it is not as `write` left it.
    """
    path = RECORDS / f"{name}.json"
    content = read_json(path)
    try:
        return Campaign(**{**content, "rows": tuple(Row(**row) for row in content["rows"])})
    except (TypeError, KeyError) as error:
        raise InputError(str(path), "must be a record of a campaign", str(error)) from error


def table(campaign: Campaign) -> str:
    """Markdown: one line per kind of fault, and a sentence on where and when."""
    head = ["Fault", "How it is provoked", "Tried", "What happened", "Lost"]
    lines = [head, ["---"] * len(head)]
    lines += [[row.fault, row.how, f"{row.tried:,}", row.outcome, row.lost] for row in campaign.rows]
    text = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
    tried = f"{sum(row.tried for row in campaign.rows):,}"
    changed = " with uncommitted changes" if campaign.commit.endswith("-dirty") else ""
    where = f"{campaign.machine}, commit `{campaign.commit[:12]}`{changed}"
    when = f"from {campaign.since} to {campaign.date}, the last" if campaign.since else f"on {campaign.date}"
    return f"{text}\n\n{tried} tries in {campaign.seconds / 60:.0f} minutes {when} ({where})."


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def refreshed(text: str) -> str:
    """The text with every table made anew.

    Raises:
        InputError: there is no table in it, or a record is damaged.
    """
    if not PART.search(text):
        raise InputError("text", "must hold tables, each from <!-- name --> to <!-- /name -->")
    return PART.sub(lambda match: f"{match[1]}{_shown(match[2])}\n{match[3]}", text)


def _shown(name: str) -> str:
    return table(read(name)) if (RECORDS / f"{name}.json").is_file() else "Not recorded yet."


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        text = path.read_text(encoding="utf-8")
        new = refreshed(text)
        if new != text:
            write_text(path, new)
        print(f"{path}: {'up to date' if new == text else 'made anew'}")


if __name__ == "__main__":
    main()
