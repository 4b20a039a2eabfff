"""The pages of the API reference, one per public module, made from the sources without importing them.

A page holds directives that mkdocstrings turns into the module's docstrings. A package that only gathers names from its
modules gets a table of them instead of copies of their descriptions.
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


@dataclass
class Room:
    """A module with its page, or a package with its page and its modules'.

    Attributes:
        name: last part of the dotted name.
        page: path of its page in the site's sources.
        text: the page.
        inside: the modules and packages inside a package, in alphabetical order.
    """

    name: str
    page: str
    text: str
    inside: list[Room] = field(default_factory=list)

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
    return _room(package)


def _room(module: griffe.Module) -> Room:
    below = [
        _room(m)
        for name, m in sorted(module.members.items())
        if not m.is_alias and isinstance(m, griffe.Module) and not name.startswith("_")
    ]
    path = PurePosixPath(FOLDER, *module.path.split(".")[1:])
    page = path / "index.md" if module.is_init_module else path.with_suffix(".md")
    return Room(module.name, str(page), _text(module), below)


def _text(module: griffe.Module) -> str:
    exported = _exported(module)
    parts = ["---", f"title: {module.path}", "---", ""]
    parts += [f"# {module.path}", ""] if not module.docstring else []
    parts += [f"::: {module.path}", "    options:", "      heading_level: 1"]
    if module.is_init_module:
        own = [name for name, m in module.members.items() if not m.is_alias and not isinstance(m, griffe.Module)]
        parts += [f"      members: [{', '.join(name for name in own if not name.startswith('_'))}]"]
    if exported:
        parts += ["", "## Public names", "", "| Name | What it is |", "| --- | --- |"]
        parts += [f"| {_link(name, m)} | {_summary(m)} |" for name, m in sorted(exported.items())]
    modules = [m for name, m in sorted(module.members.items()) if isinstance(m, griffe.Module) and not m.is_alias]
    if modules:
        parts += ["", "## Modules", "", "| Module | What is in it |", "| --- | --- |"]
        parts += [f"| [`{m.name}`][{m.path}] | {_summary(m)} |" for m in modules if not m.name.startswith("_")]
    return "\n".join(parts) + "\n"


def _exported(module: griffe.Module) -> dict[str, griffe.Object]:
    """The names a package takes from its modules, or from elsewhere in the package, with what they stand for."""
    if not module.is_init_module:
        return {}
    found = {}
    for name, member in module.members.items():
        listed = name in (module.exports or ()) or (
            member.is_alias and member.target_path.startswith(f"{module.path}.")
        )
        if listed and member.is_alias and not name.startswith("_"):
            with suppress(griffe.AliasResolutionError):  # griffe knows no names that are assigned several at a time
                found[name] = member.final_target
    return found


def _link(name: str, thing: griffe.Object) -> str:
    """A name, and where it is described; what has no docstring (the alias of a type, say) is described nowhere."""
    return f"[`{name}`][{thing.path}]" if thing.docstring else f"`{name}`"


def _summary(thing: griffe.Object) -> str:
    """The first sentence of a docstring, in one cell of a table."""
    text = thing.docstring.value.split("\n\n")[0] if thing.docstring else ""
    line = " ".join(text.split())
    sentence = line.partition(". ")[0].rstrip(".")
    return sentence.replace("|", "\\|")
