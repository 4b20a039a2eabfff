"""The page of a run: one HTML file that needs nothing else, now or in ten years."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from holdfast.canonical import canonical
from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.report import summary, wording
from holdfast.report.artifacts import shown
from holdfast.report.figures import draw
from holdfast.report.html import render_page
from holdfast.report.results import Results

ROLES = (
    ("headline", "The headline claim"),
    ("secondary", "Secondary claims"),
    ("control", "Controls: effects known beforehand"),
)


def write_page(results: Results, path: Path) -> Path:
    """Write the page whole or not at all.

    Args:
        path: of the HTML file; artifacts too large to embed are linked relative to it.
    """
    write_text(path, render(results, beside=path.parent))
    return path


def render(results: Results, beside: Path | None = None) -> str:
    """The page as HTML.

    Args:
        beside: folder that the page will lie in; None = the run's own folder.
    """
    return render_page(
        "page.html.j2",
        style=("theme.css", "page.css"),
        script="page.js",
        results=results,
        roles=[(title, [v for v in results.verdicts if v.role == role]) for role, title in ROLES],
        figures=draw(results),
        tables=[(problem, summary.arm_rows(results, problem)) for problem in results.problems],
        artifacts=shown(results, beside or results.folder),
        arms=[_arm(results, name) for name in results.every_arm],
        tuning=results.plan.get("tuning") or [],
        arxiv=_arxiv(results.card),
        authors=_authors(results.card),
    )


def _arm(results: Results, name: str) -> dict[str, Any]:
    """What was compared: an arm's settings with the tuned ones marked."""
    declared = results.experiment.arms.get(name)
    tuned = (results.plan.get("tuned") or {}).get(name) or {}
    space = declared.space if declared else {}
    return {
        "name": name,
        "about": declared.about if declared else "",
        "method": type(declared.method).__name__ if declared else "",
        "settings": {**_settings(declared.method if declared else None), **tuned},
        "tuned": tuned,
        "space": {field: list(values) for field, values in space.items()},
    }


def _settings(method: Any) -> dict[str, Any]:
    """The method's settings; what JSON cannot express is shown as Python prints it."""
    if not dataclasses.is_dataclass(method):
        return {}
    found = {}
    for field in dataclasses.fields(method):
        value = getattr(method, field.name)
        try:
            found[field.name] = canonical(value)
        except InputError:
            found[field.name] = wording.one_line(repr(value))
    return found


def _arxiv(card: Any) -> str:
    """The arXiv id, only if it looks like one: it becomes part of a link."""
    found = str(getattr(card, "arxiv", "") or "")
    return found if re.fullmatch(r"\d{4}\.\d{4,5}", found) else ""


def _authors(card: Any) -> str:
    found = getattr(card, "authors", "") or ""
    names = [found] if isinstance(found, str) else [str(name) for name in found]
    named = ", ".join(names[:6]) + (" and others" if len(names) > 6 else "")
    return ", ".join(part for part in (named, str(getattr(card, "year", "") or "")) if part)
