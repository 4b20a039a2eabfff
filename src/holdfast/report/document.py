"""A page for what a system's own command found: sections of words, figures and tables in one HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.files import write_text
from holdfast.report.canvas import Drawing, quiet
from holdfast.report.html import render_page

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Grid:
    """A table whose columns the reader can sort.

    Attributes:
        columns: names; rows: cells, numbers as numbers, None where there is none.
        about: what it shows, for those who hear it read.
        marked: places of rows to point out.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    about: str
    marked: frozenset[int] = frozenset()

    @classmethod
    def of(cls, frame: pd.DataFrame, about: str, marked: Iterable[int] = ()) -> Grid:
        """From a DataFrame, without its index."""
        return cls([str(name) for name in frame.columns], frame.to_numpy(object).tolist(), about, frozenset(marked))

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers alone, to be set flush right."""
        cells = [row[column] for row in self.rows if row[column] is not None]
        return bool(cells) and all(_is_number(cell) for cell in cells)


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it, in this order.

    Attributes:
        words: paragraphs; code: commands to copy.
    """

    title: str
    words: Sequence[str] = ()
    figures: Sequence[Drawing] = ()
    tables: Sequence[Grid] = ()
    code: Sequence[str] = ()


@dataclass(frozen=True)
class Document:
    """What a page says.

    Attributes:
        kind: of result, the line above the title.
        title: the finding, in one sentence.
        good: whether the finding is good; None = neither.
        notices: what the reader must know before the rest.
        command: repeats it.
    """

    kind: str
    title: str
    sections: Sequence[Section]
    good: bool | None = None
    notices: Sequence[str] = ()
    command: str = ""
    facts: dict[str, str] = field(default_factory=dict)


def write_document(document: Document, path: Path) -> Path:
    """Write the page whole or not at all.

    Args:
        path: of the HTML file.
    """
    with quiet():
        pictures = [[drawing.picture() for drawing in section.figures] for section in document.sections]
    page = render_page(
        "document.html.j2",
        style=("theme.css", "page.css"),
        script="page.js",
        document=document,
        sections=list(zip(document.sections, pictures, strict=True)),
        is_number=_is_number,
    )
    write_text(path, page)
    return path


def _is_number(value: Any) -> bool:
    from numbers import Real

    return isinstance(value, Real) and not isinstance(value, bool)


__all__ = ["Document", "Grid", "Section", "write_document"]
