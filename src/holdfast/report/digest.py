"""The digest: every system of the catalogue on one page that needs nothing else, in English and Chinese.

It is made of cards and ledgers alone: no system is imported, so that a plugin that cannot run is shown all the same.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import ledger
from holdfast.decision import Verdict
from holdfast.decision.looks import ERROR_RATE
from holdfast.errors import HoldfastError, InputError
from holdfast.files import write_text
from holdfast.report import bilingual, wording
from holdfast.report.canvas import quiet
from holdfast.report.forest import by_unit, forest
from holdfast.report.html import render_page
from holdfast.report.overview import CHECKOUT, ROLES, SCALE
from holdfast.report.svg import Picture

if TYPE_CHECKING:
    from holdfast.catalogue import Catalogue, System

OPEN_UP_TO = 6  # entries: so few are shown unfolded


@dataclass(frozen=True)
class Measured:
    """What the ledger says about a system.

    Attributes:
        verdicts: headline first, then secondaries, then controls.
        where: commit, duration and machine, in words.
        pictures: the intervals, one drawing per unit.
        unreadable: why the ledger cannot be used; everything else is empty then.
    """

    verdicts: tuple[Verdict, ...] = ()
    where: str = ""
    pictures: tuple[Picture, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True)
class Entry:
    """One system as the page shows it.

    Attributes:
        figure: the kept headline figure as a data address; "" = the drawn pictures are shown.
    """

    system: System
    measured: Measured
    figure: str = ""

    @property
    def headline(self) -> Verdict | None:
        """The verdict on the headline claim, if there is one."""
        return ledger.headline_of(self.measured.verdicts)

    @property
    def others(self) -> tuple[Verdict, ...]:
        """All verdicts but the headline's."""
        return tuple(v for v in self.measured.verdicts if v is not self.headline)

    @property
    def link(self) -> tuple[str, str]:
        """Address and name of the paper, or of the authors' code where the card knows no paper; ("", "") else."""
        card = self.system.card
        if card.arxiv:
            return f"https://arxiv.org/abs/{card.arxiv}", f"arXiv {card.arxiv}"
        return (card.reference.url, card.reference.url) if card.reference.url else ("", "")


@dataclass(frozen=True)
class Errors:
    """How many false headlines to expect.

    Attributes:
        tested: headlines that an interval was computed for and that could therefore have been decided wrongly.
        decided: those of them that hold or do not hold.
        rate: chance that the rule decides one of them wrongly, at most, over all its looks.
    """

    tested: int
    decided: int
    rate: float = ERROR_RATE

    @property
    def expected(self) -> float:
        """The number of false headlines to expect, at most."""
        return self.rate * self.tested


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


def entry(system: System) -> Entry:
    """A system with what its ledger says; a ledger that cannot be used is named, not fatal."""
    try:
        measured = _measured(system)
    except (HoldfastError, KeyError, TypeError, ValueError, AttributeError) as error:
        # A plugin's ledger may hold anything, and be sealed all the same.
        told = str(error) if isinstance(error, HoldfastError) else f"{type(error).__name__}: {error}"
        measured = Measured(unreadable=wording.one_line(told, 400))
    return Entry(system, measured, _kept_figure(system))


def by_task(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Task -> its systems, both in the order of the README's table."""
    groups: dict[str, list[Entry]] = {}
    for item in sorted(entries, key=lambda e: (e.system.card.task, e.system.id)):
        groups.setdefault(item.system.card.task, []).append(item)
    return groups


def false_headlines(headlines: Iterable[Verdict | None]) -> Errors:
    """How many of the headlines are expected to be false, at most: rate x number tested.

    Undecided ones count, since the rate is that of testing a claim and not that of having decided it. Claims that were
    not testable, or that are exact (no statistics), cannot go wrong this way.
    """
    tested = [
        v
        for v in headlines
        if v is not None and v.verdict != "not testable here" and v.interval is not None and not _is_exact(v.claim)
    ]
    return Errors(len(tested), sum(v.decided for v in tested))


def _is_exact(claim: Mapping[str, Any]) -> bool:
    return claim.get("type") == "Exact"


def _measured(system: System) -> Measured:
    content = ledger.read_ledger(system, SCALE)
    if content is None:
        return Measured()
    verdicts = sorted((_checked(v) for v in ledger.verdicts_of(content)), key=lambda v: ROLES.index(v.role))
    took = wording.duration(ledger.trial_seconds(content))
    where = f"{SCALE}, commit {str(content['commit'])[:12]}, {took} of trials, {content['machine']}"
    return Measured(tuple(verdicts), where, _drawn(system, verdicts))


def _checked(verdict: Verdict) -> Verdict:
    """The verdict, if it is one that the rule can have written.

    Raises:
        InputError: a field holds something else.
    """
    texts = ("text", "unit", "direction_line", "margin_line", "reason", "published", "source", "scope")
    wrong = [name for name in texts if not isinstance(getattr(verdict, name), str)]
    wrong += [n for n in ("interval", "region") if (pair := getattr(verdict, n)) is not None and len(pair) != 2]
    wrong += [] if isinstance(verdict.n, int) else ["n"]
    wrong += [] if isinstance(verdict.claim, Mapping) else ["claim"]
    wrong += [] if verdict.verdict in wording.SIGNS else ["verdict"]
    wrong += [] if verdict.role in ROLES else ["role"]
    if wrong:
        raise InputError("ledger", "must hold verdicts as holdfast writes them", f"another {', '.join(wrong)}")
    return verdict


def _drawn(system: System, verdicts: Sequence[Verdict]) -> tuple[Picture, ...]:
    """The intervals, unless a figure is kept; the unit of the headline first."""
    if _figure_file(system) is not None:
        return ()
    name = system.id.replace("_", "-")
    with quiet():
        return tuple(
            forest(group, unit, f"forest-{name}-{i}").picture()
            for i, (unit, group) in enumerate(by_unit(verdicts).items())
        )


def _figure_file(system: System) -> Path | None:
    path = CHECKOUT / "docs" / "assets" / f"{system.id}.svg"
    return path if system.origin == "built in" and path.is_file() else None


def _kept_figure(system: System) -> str:
    """As an image of its own: its style and ids stay inside, and a script in it would not run."""
    path = _figure_file(system)
    if path is None:
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _tally(entries: Sequence[Entry]) -> dict[str, int]:
    """Verdict on the headline -> number of systems, only what occurs."""
    words = [e.headline.verdict for e in entries if e.headline is not None]
    return {word: words.count(word) for word in wording.SIGNS if word in words}
