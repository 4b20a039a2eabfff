"""The pages of the API reference, made from the sources without importing them.

A package that exports names has one page, which describes each of them; the modules it takes them from are its own
business. A package that exports none is a shelf: each of its modules has a page. Pages hold directives that
mkdocstrings turns into docstrings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import griffe
from docstrings import Docstrings

PACKAGE = "holdfast"
FOLDER = "reference"
# Packages that export their usual names and have modules for rarer ones beside them: those have pages, too.
OPEN = ("holdfast", "holdfast.experiment", "holdfast.training", "holdfast.estimator", "holdfast.retrieval")
OPEN += ("holdfast.data.readers", "holdfast.data.vectors")
# The inside of the program, which nobody imports: a page that says what is in there.
PROGRAM = ("holdfast.cli", "holdfast.report", "holdfast.trials")


@dataclass
class Room:
    """A module with its page, or a package with its page and those below it.

    Attributes:
        module: what the page is about.
        inside: the modules and packages inside a package that have pages, in alphabetical order.
        names: what a package exports -> what it stands for.
        here: those of them that are described on this page.
        text: the page.
    """

    module: griffe.Module
    inside: list[Room]
    names: dict[str, griffe.Object]
    here: list[str] = field(default_factory=list)
    text: str = ""

    @property
    def name(self) -> str:
        """Last part of the dotted name."""
        return self.module.name

    @property
    def page(self) -> str:
        """Path of the page in the site's sources."""
        path = PurePosixPath(FOLDER, *self.module.path.split(".")[1:])
        return str(path / "index.md" if self.module.is_init_module else path.with_suffix(".md"))

    def rooms(self) -> Iterator[Room]:
        """This one and all below it."""
        yield self
        for room in self.inside:
            yield from room.rooms()


def read(source: Path) -> Room:
    """The reference of the package whose folder lies in `source`."""
    extensions = griffe.load_extensions(Docstrings)
    package = griffe.load(PACKAGE, search_paths=[str(source)], extensions=extensions, resolve_aliases=True)
    assert isinstance(package, griffe.Module)
    top = _room(package)
    described = _describe(top)
    for room in top.rooms():
        room.text = _text(room, described)
    return top


def _room(module: griffe.Module) -> Room:
    names = _exported(module)
    return Room(module, [_room(below) for below in _with_pages(module, names)], names)


def _with_pages(module: griffe.Module, names: dict[str, griffe.Object]) -> Iterator[griffe.Module]:
    """What has a page below a module."""
    shelf = not names and module.path not in PROGRAM
    for name, member in sorted(module.members.items()):
        if member.is_alias or not isinstance(member, griffe.Module) or name.startswith("_"):
            continue
        apart = not any(_within(thing.path, member.path) for thing in names.values())
        if shelf or (module.path in OPEN and (apart or member.is_init_module)):
            yield member


def _describe(room: Room) -> set[str]:
    """Settle on which page each exported name is described, the deepest that exports it; all that are described.

    Of a module with a page of its own, everything is.
    """
    described = {path for below in room.inside for path in _describe(below)}
    for name, thing in room.names.items():
        if _within(thing.path, room.module.path) and thing.docstring and thing.path not in described:
            room.here.append(name)
            described.add(thing.path)
    own = room.module.members.values() if not room.module.is_init_module else _own(room.module)
    return described | {m.path for m in own if not m.is_alias and m.docstring} | {room.module.path}


def _own(package: griffe.Module) -> list[griffe.Object]:
    """What a package's `__init__` itself defines."""
    return [
        m for name, m in package.members.items()
        if isinstance(m, griffe.Object) and not isinstance(m, griffe.Module) and not name.startswith("_")
    ]  # fmt: skip


def _text(room: Room, described: set[str]) -> str:
    module = room.module
    parts = ["---", f"title: {module.path}", "---", ""]
    parts += [f"# {module.path}", ""] if not module.docstring else []
    parts += [f"::: {module.path}", "    options:", "      heading_level: 1"]
    if module.is_init_module:
        parts += [f"      members: [{', '.join(m.name for m in _own(module))}]"]
    if room.names:
        parts += ["", "## Public names", "", "| Name | What it is |", "| --- | --- |"]
        parts += [f"| {_link(name, m, described)} | {_summary(m)} |" for name, m in sorted(room.names.items())]
    if room.inside:
        parts += ["", "## Modules", "", "| Module | What is in it |", "| --- | --- |"]
        parts += [f"| [`{below.name}`][{below.module.path}] | {_summary(below.module)} |" for below in room.inside]
    for name in sorted(room.here):
        parts += ["", f"::: {room.names[name].path}", "    options:", "      heading_level: 2"]
        parts += ["      show_root_full_path: false", "      show_root_toc_entry: true"]
    return "\n".join(parts) + "\n"


def _exported(module: griffe.Module) -> dict[str, griffe.Object]:
    """The names a package takes from its modules, or from elsewhere in the package, with what they stand for."""
    if not module.is_init_module:
        return {}
    found = {}
    for name, member in module.members.items():
        listed = name in (module.exports or ()) or (member.is_alias and _within(member.target_path, module.path))
        if listed and member.is_alias and not name.startswith("_"):
            with suppress(griffe.AliasResolutionError):  # griffe knows no names that are assigned several at a time
                found[name] = member.final_target
    return found


def _within(path: str, package: str) -> bool:
    return path.startswith(f"{package}.")


def _link(name: str, thing: griffe.Object, described: set[str]) -> str:
    """A name, and where it is described; what has no docstring (the alias of a type, say) is described nowhere."""
    return f"[`{name}`][{thing.path}]" if thing.path in described else f"`{name}`"


def _summary(thing: griffe.Object) -> str:
    """The first sentence of a docstring, in one cell of a table."""
    text = thing.docstring.value.split("\n\n")[0] if thing.docstring else ""
    line = " ".join(text.split())
    sentence = line.partition(". ")[0].rstrip(".")
    return sentence.replace("|", "\\|")
