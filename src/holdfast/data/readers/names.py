"""Suggestions for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean 'label'?)" if a known name is close, else "".

    Example:
        >>> suggest("lable", ["label", "age"])
        " (did you mean 'label'?)"
    """
    close = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1)
    found = next((k for k in known if close and k.lower() == close[0]), None)
    return f" (did you mean {found!r}?)" if found is not None else ""


__all__ = ["suggest"]
