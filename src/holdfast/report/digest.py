"""The digest: every system of the catalogue on one page that needs nothing else, in English and Chinese.

It is made of cards and ledgers alone: no system is imported, so that a plugin that cannot run is shown all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.report import bilingual, wording
from holdfast.report.canvas import quiet
from holdfast.report.compact import compact
from holdfast.report.entries import Entry, by_task, entry, false_headlines, figure_file
from holdfast.report.forest import by_unit, forest
from holdfast.report.html import render_page
from holdfast.report.svg import Picture

if TYPE_CHECKING:
    from holdfast.catalogue import Catalogue

SAFE = "<> /=:;,.-_()!*+?@$'{}"  # no quote of the attribute's kind, no "&", "#" or "%"
OPEN_UP_TO = 6  # entries: so few are shown unfolded


@dataclass(frozen=True)
class Figure:
    """What is drawn of a system.

    Attributes:
        kept: the headline figure that the repository keeps, as a data address; "" = the pictures are shown.
        pictures: the intervals, one drawing per unit.
    """

    kept: str = ""
    pictures: tuple[Picture, ...] = ()


def write_digest(found: Catalogue, folder: Path) -> Path:
    """Write `index.html` into the folder, whole or not at all; makes the folder, touches nothing else in it.

    Raises:
        InputError: the folder's name belongs to a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError("--out", "must be a folder", str(folder))
    path = folder / "index.html"
    write_text(path, render(found))
    return path


def render(found: Catalogue) -> str:
    """The digest as HTML."""
    entries = [entry(system) for system in found.systems.values()]
    return render_page(
        "digest.html.j2",
        style=("theme.css", "digest.css"),
        script="digest.js",
        tasks=by_task(entries),
        figures={e.system.id: figure_of(e) for e in entries},
        total=len(entries),
        broken=sorted(found.broken.items()),
        areas=[a for a in bilingual.AREAS if any(a in e.system.card.areas for e in entries)],
        unfolded=len(entries) <= OPEN_UP_TO,
        in_ledger=sum(bool(e.measured.verdicts) for e in entries),
        tally=_tally(entries),
        errors=false_headlines(e.headline for e in entries),
        bilingual=bilingual,
        W=bilingual.WORDS,
    )


def figure_of(item: Entry) -> Figure:
    """The kept figure as an image of its own (its style and ids stay inside, a script in it would not run), else the
    intervals of the verdicts."""
    path = figure_file(item.system)
    if path is not None:
        return Figure(kept=address(compact(path.read_text(encoding="utf-8"))))
    name = item.system.id.replace("_", "-")
    with quiet():
        return Figure(
            pictures=tuple(
                forest(group, unit, f"forest-{name}-{i}").picture()
                for i, (unit, group) in enumerate(by_unit(item.measured.verdicts).items())
            )
        )


def address(svg: str) -> str:
    """The drawing as a data address for an attribute in double quotes: as text, which is shorter than base64.

    Nothing in it ends the attribute or is a character reference, so that the page takes it as it is.
    """
    single = re.sub(r'="([^"\']*)"', r"='\1'", svg)
    return f"data:image/svg+xml,{quote(single, safe=SAFE)}"


def _tally(entries: Sequence[Entry]) -> dict[str, int]:
    """Verdict on the headline -> number of systems, only what occurs."""
    words = [e.headline.verdict for e in entries if e.headline is not None]
    return {word: words.count(word) for word in wording.SIGNS if word in words}
