"""An extension of griffe that reads docstrings as this project writes them, so that they are shown well.

- `Example:` is the section that griffe calls `Examples:`; so is a session that follows the text without a heading.
- `a, b: text` under `Args:` describes two arguments; griffe knows one per entry.
- An indented block after a line of text is shown as it stands, a list is a list: Markdown wants an empty line before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import griffe

SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields|Examples):$")
JOINT = re.compile(r"    (\w+(?:, \w+)+): ")
YIELDS = re.compile(r"^Yields:\n((?: +.+(?:\n|$))+)", re.MULTILINE)
ITEM = re.compile(r" *(?:[-*]|\d+\.) ")


def mended(docstring: str) -> str:
    """The docstring in the form that griffe and Markdown understand.

    Example:
        >>> print(mended("Adds.\\n\\nArgs:\\n    a, b: numbers."))
        Adds.
        <BLANKLINE>
        Args:
            a: numbers.
            b: numbers.
    """
    paragraphs = [_paragraph(p.splitlines()) for p in docstring.split("\n\n")]
    parts: list[list[str]] = []
    for lines in paragraphs:
        if lines and lines[0].startswith(">>> "):
            indented = [f"    {line}" for line in lines]
            goes_on = parts and (parts[-1][:1] == ["Examples:"] or parts[-1][0].startswith("    >>> "))
            lines = indented if goes_on else ["Examples:", *indented]
        parts.append(lines)
    return "\n\n".join("\n".join(lines) for lines in parts)


def _paragraph(lines: list[str]) -> list[str]:
    if lines and lines[0] == "Example:":
        lines = ["Examples:", *lines[1:]]
    if lines and SECTION.match(lines[0]):
        return [lines[0], *(line for entry in _entries(lines[1:]) for line in _single(entry))]
    return list(_spaced(lines))


def _entries(lines: Iterable[str]) -> Iterator[list[str]]:
    """The entries of a section: what is indented more belongs to the line before."""
    entry: list[str] = []
    for line in lines:
        if entry and not line.startswith("     "):
            yield entry
            entry = []
        entry.append(line)
    if entry:
        yield entry


def _single(entry: list[str]) -> Iterator[str]:
    """One entry per name."""
    joint = JOINT.match(entry[0])
    if joint is None:
        yield from entry
        return
    for name in joint[1].split(", "):
        yield f"    {name}: {entry[0][joint.end() :]}"
        yield from entry[1:]


def _spaced(lines: Iterable[str]) -> Iterator[str]:
    """Text with an empty line where a list or an indented block begins right below it."""
    before = ""
    for line in lines:
        in_text = before and not before.startswith("    ") and not ITEM.match(before) and not before.startswith("  ")
        if in_text and (ITEM.match(line) or line.startswith("    ")):
            yield ""
        yield line
        before = line


class Docstrings(griffe.Extension):
    """Mends every docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called by griffe for each module, class, function and attribute below the package."""
        if obj.docstring:
            obj.docstring.value = mended(obj.docstring.value)
            if obj.is_class:  # griffe looks for the type of what is yielded in a signature, and a class has none
                obj.docstring.value = YIELDS.sub(
                    lambda text: f"Yields {' '.join(text[1].split())}", obj.docstring.value
                )

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called by griffe for the package itself."""
        self.on_object(obj=pkg)
