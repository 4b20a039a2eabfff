"""Finds the systems, built in and plugins, and reads their cards. Imports no system and no torch."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import re
import tomllib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from holdfast.errors import HoldfastError, InputError

if TYPE_CHECKING:
    from holdfast.experiment import Experiment

ENTRY_POINTS = "holdfast.systems"
RESERVED = frozenset(
    {"list", "show", "run", "freeze", "verdicts", "ledger", "recheck", "report", "digest", "doctor", "help"}
)
BUILT_IN = Path(__file__).parent / "systems"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Texts(_Strict):
    """What a reader needs to know, in one language."""

    title: str = Field(min_length=1, max_length=200)
    sentence: str = Field(min_length=1, max_length=400)
    points: tuple[str, ...] = Field(min_length=1)
    use_when: str = Field(min_length=1)
    avoid_when: str = Field(min_length=1)


class TranslatedTexts(Texts):
    """The texts in another language than the card's own, and its task, by which the digest groups systems."""

    task: str = Field(min_length=1)


class Languages(_Strict):
    """The texts in every language of the digest."""

    en: Texts
    zh: TranslatedTexts


class PublishedClaim(_Strict):
    """A claim as the authors published it, and where it was read."""

    claim: str
    number: str = ""
    setting: str = ""
    source: str


class Reference(_Strict):
    """The authors' code."""

    url: str = Field(default="", pattern=r"^(https://\S+)?$")
    licence: str = ""
    note: str = ""


class First(_Strict):
    """What a new user runs first, on a file of their own.

    `sample` is a Python program that writes a small file of that kind into the working folder, `result` what the
    command leaves there; empty = what it prints.
    """

    command: str = Field(pattern=r"^holdfast [a-z]")
    sample: str = Field(min_length=1)
    result: str = Field(default="", pattern=r"^[\w./-]*$")


class Card(_Strict):
    """`card.toml` of a system. A draft is not finished: the catalogue counts it and does not show it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)
    commands: tuple[str, ...] = ()
    title: str = Field(min_length=1)
    authors: tuple[str, ...] = Field(min_length=1)
    year: int = Field(ge=1950, le=2100)
    venue: str = ""
    arxiv: str = Field(default="", pattern=r"^([0-9]{4}\.[0-9]{4,5})?$")
    areas: tuple[Literal["LG", "CV", "CL", "AS", "RO"], ...] = Field(min_length=1)
    task: str = Field(min_length=1)
    texts: Languages
    claims: tuple[PublishedClaim, ...] = Field(min_length=1)
    reference: Reference = Reference()
    patent: str = ""
    first: First | None = None
    draft: bool = False

    @field_validator("id", "commands")
    @classmethod
    def _free_words(cls, words: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for word in (words,) if isinstance(words, str) else words:
            if word in RESERVED or not re.fullmatch(r"[a-z][a-z0-9_-]*", word):
                raise ValueError(f"{word!r} is not a free command word")
        return words


def read_card(path: Path) -> Card:
    """Read and validate one card.

    Raises:
        InputError: names the file and the first field that breaks a rule.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), "must be a readable TOML file", str(error)) from error
    try:
        return Card.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}", first["msg"], first.get("input")) from error


@dataclass(frozen=True)
class System:
    """One system: its card, and by import on use its experiment and its own command line."""

    card: Card
    package: str
    folder: Path
    origin: str

    @property
    def id(self) -> str:
        return self.card.id

    @property
    def commands(self) -> tuple[str, ...]:
        """Command words under which the system's verbs are mounted; the id always is one."""
        return (self.id, *(word for word in self.card.commands if word != self.id))

    @property
    def experiment(self) -> Experiment:
        """The declared experiment (imports the system)."""
        return imported_experiment(f"{self.package}.experiment", "experiment")

    @property
    def has_cli(self) -> bool:
        """Whether the system has verbs of its own for the user's files."""
        return (self.folder / "cli.py").is_file()

    def cli(self) -> Any:
        """The system's typer app (imports the system's cli module)."""
        return imported(f"{self.package}.cli", "app")

    @property
    def ledger(self) -> Path:
        """Folder of the system's plans and ledgers: the repository's, a plugin's own, or the packaged copy."""
        if self.origin != "built in":
            return self.folder / "ledger"
        checkout = BUILT_IN.parents[2] / "ledger"
        return (checkout if checkout.is_dir() else BUILT_IN.parent / "_ledger") / self.id


@dataclass(frozen=True)
class Catalogue:
    """What `find` found. `broken` maps the name of an entry that could not be read to the reason.

    `drafts` are systems that are not finished: they can be run by their names, and are shown nowhere.
    """

    systems: dict[str, System] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    drafts: dict[str, System] = field(default_factory=dict)


@functools.cache
def find() -> Catalogue:
    """All systems. A broken plugin is reported under its name and does not hide the others."""
    found = Catalogue()
    for folder in sorted(p.parent for p in BUILT_IN.glob("*/card.toml")):
        _add(found, folder.name, f"holdfast.systems.{folder.name}", folder, "built in")
    for entry in sorted(_plugins(found), key=lambda e: e.name):
        try:
            spec = importlib.util.find_spec(entry.value)
            if spec is None or not spec.submodule_search_locations:
                raise InputError(entry.value, "must be an installed package that holds card.toml")
            folder = Path(next(iter(spec.submodule_search_locations)))
        except Exception as error:  # noqa: BLE001  a stranger's package may raise anything at import
            found.broken[entry.name] = f"{type(error).__name__}: {error}"
            continue
        distribution = entry.dist.name if entry.dist is not None else entry.value
        _add(found, entry.name, entry.value, folder, f"plugin {distribution}")
    _settle(found)
    for name in [name for name, system in found.systems.items() if system.card.draft]:
        found.drafts[name] = found.systems.pop(name)
    return found


def _settle(found: Catalogue) -> None:
    """Take out systems whose command words belong to others: an id before any other word, then who came first."""
    owners = {name: name for name in found.systems}
    for name, system in list(found.systems.items()):
        for word in system.commands:
            owner = owners.setdefault(word, name)
            if owner != name:
                where = f"{system.folder / 'card.toml'}: commands"
                found.broken[name] = str(InputError(where, f"{word!r} belongs to {owner}", word))
                found.systems.pop(name, None)


def _plugins(found: Catalogue) -> list[importlib.metadata.EntryPoint]:
    """The entry points of installed plugins; a package whose metadata cannot be read does not hide those of others."""
    try:
        return list(importlib.metadata.entry_points(group=ENTRY_POINTS))
    except Exception:  # noqa: BLE001  read package by package, to find which
        entries = {}
        for distribution in importlib.metadata.distributions():
            try:
                entries.update({e.name: e for e in distribution.entry_points if e.group == ENTRY_POINTS})
            except Exception as error:  # noqa: BLE001  whatever a parser says of it
                where = str(getattr(distribution, "_path", "an installed package"))
                found.broken[where] = f"its metadata cannot be read ({error}); install it again"
        return list(entries.values())


def _add(found: Catalogue, name: str, package: str, folder: Path, origin: str) -> None:
    try:
        system = System(read_card(folder / "card.toml"), package, folder, origin)
        if system.id != name:
            raise InputError(f"{folder / 'card.toml'}: id", f"must be {name!r}, the name it is found by", system.id)
        if name in found.systems:
            raise InputError(f"{folder / 'card.toml'}: id", f"{name!r} belongs to {found.systems[name].origin}", name)
        found.systems[name] = system
    except HoldfastError as error:
        found.broken[name] = str(error)


def imported(module: str, attribute: str) -> Any:
    """Something of a system's module.

    Raises:
        HoldfastError: importing it failed, or there is no such attribute; names the file and line. What the module
            says itself by a HoldfastError passes through.
    """
    try:
        return getattr(importlib.import_module(module), attribute)
    except (HoldfastError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a plugin's module may raise anything, SystemExit too
        last = traceback.extract_tb(error.__traceback__)[-1]
        file, line = (error.filename, error.lineno) if isinstance(error, SyntaxError) else (last.filename, last.lineno)
        where = module if file == __file__ or "importlib" in str(file) else f"{file}, line {line}"
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise HoldfastError(f"{where}: cannot be imported ({why}); mend it, or uninstall its package") from error


def imported_experiment(module: str, attribute: str) -> Experiment:
    """An experiment of a system's module.

    Raises:
        HoldfastError: it cannot be imported, or is something else; names the module.
    """
    from holdfast.experiment import Experiment

    found = imported(module, attribute)
    if not isinstance(found, Experiment):
        raise HoldfastError(f"{module}: {attribute} must be an Experiment; received {type(found).__name__}")
    return found


def load(name: str) -> System:
    """One system by id or command word.

    Raises:
        InputError: there is none; names the nearest one.
    """
    catalogue = find()
    for system in (*catalogue.systems.values(), *catalogue.drafts.values()):
        if name in system.commands:
            return system
    if name in catalogue.broken:
        raise InputError(name, "cannot be used", catalogue.broken[name])
    raise InputError(
        "system", f"must be one of the systems of `holdfast list`{nearest(name, list(catalogue.systems))}", name
    )


def nearest(name: str, names: Sequence[str]) -> str:
    """'; nearest: x' where something is near, else ''."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"; nearest: {close[0]}" if close else ""
