"""What the pages have in common: everything escaped, nothing loaded from anywhere, only their own script may run."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from holdfast.printable import without_home
from holdfast.report import wording

if TYPE_CHECKING:
    from jinja2 import Environment, Template

BADGES = {"holds": "holds", "does not hold": "fails", "undecided": "open"}  # verdict -> class in theme.css


def render_page(template: str, *, style: tuple[str, ...], script: str, **values: Any) -> str:
    """A template as one self-contained HTML page.

    Args:
        template, style, script: names of files beside this one, or "package:file" for those of a system; style sheets
            are joined in order.
        values: for the template. All text is escaped, whoever wrote it, except what is `Markup` already.
    """
    from markupsafe import Markup

    code = _asset(script)
    return _template(template).render(
        style=Markup("\n".join(_asset(name) for name in style)),
        script=Markup(code),
        script_hash=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
        **values,
    )


@cache
def _asset(name: str) -> str:
    package, _, file = name.rpartition(":")
    return (files(package or "holdfast.report") / file).read_text(encoding="utf-8")


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


def _environment() -> Environment:
    """Everything is escaped; the only exceptions are a page's own CSS and script and the drawn SVGs."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        return wording.NONE if value is None else without_home(wording.clean(value))  # pages are for others

    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(wording=wording, badge=BADGES)
    environment.filters.update(number=wording.number, settings=wording.settings, point=wording.point, svg=Markup)
    return environment
