"""The page of a run: one HTML file that needs nothing else, now or in ten years."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.canonical import canonical
from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.report import summary, wording
from holdfast.report.artifacts import shown
from holdfast.report.figures import draw
from holdfast.report.results import Results

if TYPE_CHECKING:
    from jinja2 import Environment, Template

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
    from markupsafe import Markup

    script = _asset("page.js")
    return _template().render(
        results=results,
        roles=[(title, [v for v in results.verdicts if v.role == role]) for role, title in ROLES],
        figures=draw(results),
        tables=[(problem, summary.arm_rows(results, problem)) for problem in results.problems],
        artifacts=shown(results, beside or results.folder),
        arms=[_arm(results, name) for name in results.every_arm],
        tuning=results.plan.get("tuning") or [],
        style=Markup(_asset("page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        arxiv=_arxiv(results.card),
        authors=_authors(results.card),
    )


@cache
def _asset(name: str) -> str:
    return (files("holdfast.report") / name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    return _environment().from_string(_asset("page.html.j2"))


def _environment() -> Environment:
    """Everything is escaped; the only exceptions are the page's own CSS and script and the drawn SVGs."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        return wording.NONE if value is None else wording.clean(value)

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=finalize, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["wording"] = wording
    environment.filters.update(
        number=wording.number,
        settings=wording.settings,
        point=wording.point,
        svg=Markup,
    )
    return environment


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
