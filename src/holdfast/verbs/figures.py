"""Figures that verbs write: whole or not at all, and the same file again from the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.files import replacing

SUFFIXES = (".png", ".svg", ".pdf")
_NO_DATE: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def write_figure(figure: Any, path: Path) -> None:
    """Write a matplotlib figure as the ending of the name says.

    Raises:
        InputError: the name ends in none of .png, .svg and .pdf.
        OSError: the file cannot be written; names it.
    """
    import matplotlib

    check_figure(path)
    suffix = path.suffix.lower()
    with replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "holdfast"}):
        figure.savefig(temporary, format=suffix[1:], dpi=150, metadata=_NO_DATE.get(suffix))


def write_figures(figure: Any, stem: Path) -> Path:
    """Write a matplotlib figure as .svg and .png beside each other; gives the path of the first."""
    for suffix in (".png", ".svg"):
        write_figure(figure, path := stem.with_name(f"{stem.name}{suffix}"))
    return path


def check_figure(path: Path, name: str = "--figure") -> None:
    """Refuse a name under which no figure can be written, before it is drawn.

    Raises:
        InputError: names `name`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(name, f"must end in one of {' '.join(SUFFIXES)}", str(path))
    if path.exists() and not path.is_file():
        raise InputError(name, "must be a file or a new name", f"{path}, a {'folder' if path.is_dir() else 'device'}")


__all__ = ["SUFFIXES", "check_figure", "write_figure", "write_figures"]
