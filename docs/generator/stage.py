"""Lays out the sources of the site: the pages of docs/, CONTRIBUTING.md, CHANGELOG.md, the API reference, the digest.

Nothing is listed by hand. Every page below docs/ and every public module is in, each system's page under "Systems";
what a page links to in the repository (figures, ledgers) is brought along, and a link that leads nowhere is an error.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import reference
import yaml
from page_links import rewritten, title

from holdfast import catalogue

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
HERE = Path(__file__).parent
THEME = ROOT / "src" / "holdfast" / "report" / "theme.css"
FIRST = ("running.md", "verdicts.md", "data.md")  # guides in the order of reading; others follow by name
ELSEWHERE = {ROOT / "CONTRIBUTING.md": "contributing.md", ROOT / "CHANGELOG.md": "changelog.md"}
DIGEST = "digest/index.html"
DIGEST_LINE = f"The [digest]({DIGEST}) shows all of them on one page, in English and Chinese, with their verdicts."


class DeadLink(Exception):
    """A page links to what does not exist in the repository."""


@dataclass(frozen=True)
class Pages:
    """Where every page of the repository lies in the site.

    Attributes:
        places: file of the repository -> path in the site's sources.
    """

    places: Mapping[Path, str]

    @classmethod
    def found(cls) -> Pages:
        """All Markdown files below docs/ but those of drafts, and those elsewhere that belong to the site."""
        drafts = {DOCS / "systems" / f"{name}.md" for name in catalogue.find().drafts}
        written = sorted(path for path in DOCS.rglob("*.md") if path not in drafts)
        below = {path: path.relative_to(DOCS).as_posix() for path in written}
        return cls({**below, **ELSEWHERE})

    def guides(self) -> list[str]:
        """Pages directly in docs/ but the start page, in the order of reading."""
        rank = {name: i for i, name in enumerate(FIRST)}
        own = [place for path, place in self.places.items() if path.parent == DOCS and place != "index.md"]
        return sorted(own, key=lambda place: (rank.get(place, len(rank)), place))

    def systems(self) -> list[tuple[str, str]]:
        """Title and place of every system's page, by title."""
        own = {place: path for path, place in self.places.items() if path.parent == DOCS / "systems"}
        return sorted((title(path.read_text(encoding="utf-8")), place) for place, path in own.items())


def lay_out(folder: Path) -> None:
    """Write the sources of the site into `folder`: `mkdocs.yml` and, under `content/`, the pages.

    Raises:
        DeadLink: a page links to what is not there.
    """
    content = folder / "content"
    pages = Pages.found()
    for path, place in pages.places.items():
        _write(content / place, _page(path, place, pages, content))
    api = reference.read(ROOT / "src")
    for room in api.rooms():
        _write(content / room.page, room.text)
    _write(content / "stylesheets" / "holdfast.css", style())
    for name, place in {"mark.svg": "assets", "iframe-worker.js": "javascripts"}.items():
        _write(content / place / name, (HERE / name).read_text(encoding="utf-8"))
    settings = yaml.safe_load((HERE / "mkdocs.yml").read_text(encoding="utf-8"))
    _write(folder / "mkdocs.yml", yaml.safe_dump({**settings, "nav": navigation(pages, api)}, sort_keys=False))


def navigation(pages: Pages, api: reference.Room) -> list[Any]:
    """What the site's menus show."""
    names = {place: title(path.read_text(encoding="utf-8")) for path, place in pages.places.items()}
    return [
        {"Find a system": "index.md"},
        {"Guide": [{names[place]: place} for place in pages.guides()]},
        {"Systems": [{name: place} for name, place in pages.systems()]},
        {"Digest": DIGEST},
        {"Add a system": ELSEWHERE[ROOT / "CONTRIBUTING.md"]},
        {"API": _menu(api)},
        {"Changes": ELSEWHERE[ROOT / "CHANGELOG.md"]},
    ]


def _menu(room: reference.Room) -> list[Any]:
    below = [{inner.name: _menu(inner) if inner.inside else inner.page} for inner in room.inside]
    return [room.page, *below]


def style() -> str:
    """The site's style sheet: its own rules in the colours of the report's pages."""
    blocks = re.findall(r":root \{(.*?)\}", THEME.read_text(encoding="utf-8"), re.DOTALL)
    if len(blocks) != 2:
        raise ValueError(f"{THEME}: must define its colours in two blocks, light and dark; found {len(blocks)}")
    schemes = zip(("default", "slate"), blocks, strict=True)
    colours = [f'[data-md-color-scheme="{scheme}"] {{{block}}}' for scheme, block in schemes]
    return "\n".join([*colours, (HERE / "site.css").read_text(encoding="utf-8")])


# ----------------------------------------------------------------------------------------------------------- the pages
def _page(path: Path, place: str, pages: Pages, content: Path) -> str:
    def moved(link: str) -> str:
        name, sharp, anchor = link.partition("#")
        if not name:
            return link
        target = Path(os.path.normpath(path.parent / name))
        if not (target.is_file() and target.is_relative_to(ROOT)):
            raise DeadLink(f"{path.relative_to(ROOT)}: {link} leads nowhere")
        there = pages.places.get(target) or _brought(target, content)
        return os.path.relpath(there, PurePosixPath(place).parent) + sharp + anchor

    return rewritten(path.read_text(encoding="utf-8"), moved).replace("<!-- digest -->", DIGEST_LINE)


def _brought(target: Path, content: Path) -> str:
    """A file that is no page (a figure, a ledger), copied into the site's sources."""
    place = target.relative_to(DOCS if target.is_relative_to(DOCS) else ROOT).as_posix()
    (content / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(target, content / place)
    return place


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
