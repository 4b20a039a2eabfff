"""The page of a run: one HTML file that needs nothing else, now or in ten years."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.experiment import Record
from holdfast.files import write_text
from holdfast.report import settings, summary
from holdfast.report.artifacts import Shown, shown
from holdfast.report.figures import draw
from holdfast.report.html import render_page
from holdfast.trials.results import Results

ROLES = (
    ("headline", "The headline claim"),
    ("secondary", "Secondary claims"),
    ("control", "Controls: effects known beforehand"),
)


def write_page(results: Results, path: Path, card: Any = None) -> Path:
    """Write the page whole or not at all.

    Args:
        path: of the HTML file; artifacts too large to embed are linked relative to it.
        card: see `render`.
    """
    write_text(path, render(results, beside=path.parent, card=card))
    return path


def render(results: Results, beside: Path | None = None, card: Any = None) -> str:
    """The page as HTML.

    Args:
        beside: folder that the page will lie in; None = the run's own folder.
        card: the system's, or None; only its `title`, `arxiv`, `authors` and `year` are read.
    """
    return render_page(
        "page.html.j2",
        style=("theme.css", "page.css"),
        script="page.js",
        results=results,
        roles=[(title, [v for v in results.verdicts if v.role == role]) for role, title in ROLES],
        figures=draw(results),
        tables=[(problem, summary.arm_rows(results, problem)) for problem in results.problems],
        artifacts=_by_name(shown(results, beside or results.folder)),
        failures=_by_error(results.failed),
        arms=settings.arm_settings(results),
        tuning=settings.configurations_tried(results),
        looks=settings.looks(results),
        scale=settings.scale_settings(results),
        title=getattr(card, "title", "") or results.experiment.question,
        arxiv=_arxiv(card),
        authors=_authors(card),
    )


def _by_name(artifacts: Sequence[Shown]) -> list[tuple[str, list[Shown]]]:
    """Artifacts of one name together, so that arms can be compared."""
    groups: dict[str, list[Shown]] = {}
    for artifact in artifacts:
        groups.setdefault(artifact.name, []).append(artifact)
    return list(groups.items())


def _by_error(failed: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Trials that failed for the same reason together, the most frequent reason first."""
    groups: dict[str, list[Record]] = {}
    for record in failed:
        groups.setdefault(record.error, []).append(record)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _arxiv(card: Any) -> str:
    """The arXiv id, only if it looks like one: it becomes part of a link."""
    found = str(getattr(card, "arxiv", "") or "")
    return found if re.fullmatch(r"\d{4}\.\d{4,5}", found) else ""


def _authors(card: Any) -> str:
    found = getattr(card, "authors", "") or ""
    names = [found] if isinstance(found, str) else [str(name) for name in found]
    named = ", ".join(names[:6]) + (" and others" if len(names) > 6 else "")
    return ", ".join(part for part in (named, str(getattr(card, "year", "") or "")) if part)
