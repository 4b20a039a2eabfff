"""Words that questions are made of, and how they are put together."""

from __future__ import annotations

import tomllib
from importlib.resources import files

TABLES = tomllib.loads(files(__package__).joinpath("words.toml").read_text(encoding="utf-8"))
PEOPLE, THINGS, PLACES, NONSENSE, COMMON = (
    TABLES[name].split() for name in ("people", "things", "places", "nonsense", "common")
)
YES_NO = ["yes", "no"]


def said(template: str, rows: object) -> str:
    """Sentences of one form, in one paragraph.

    Example:
        >>> said("{} meets {}.", [["Ada", "Ben"], ["Cleo", "Dan"]])
        'Ada meets Ben. Cleo meets Dan.'
    """
    return " ".join(template.format(*row) for row in rows)  # type: ignore[attr-defined]
