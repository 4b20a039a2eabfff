"""What cards and ledgers say about every system: what the README's table, the digest and `holdfast verdicts` show.

It is made of cards and ledgers alone: no system is imported, so that a plugin that cannot run is shown all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import catalogue, ledger
from holdfast.decision import Verdict
from holdfast.decision.looks import ERROR_RATE
from holdfast.errors import HoldfastError, InputError
from holdfast.report import wording

if TYPE_CHECKING:
    from holdfast.catalogue import System

CHECKOUT = catalogue.BUILT_IN.parents[2]
SCALE = "small"  # what the ledger is kept at
ROLES = ("headline", "secondary", "control")


@dataclass(frozen=True)
class Measured:
    """What the ledger says about a system.

    Attributes:
        verdicts: headline first, then secondaries, then controls.
        where: commit, duration and machine, in words.
        unreadable: why the ledger cannot be used; everything else is empty then.
    """

    verdicts: tuple[Verdict, ...] = ()
    where: str = ""
    unreadable: str = ""


@dataclass(frozen=True)
class Entry:
    """A system with what its ledger says."""

    system: System
    measured: Measured

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


def entry(system: System) -> Entry:
    """A system with what its ledger says; a ledger that cannot be used is named, not fatal."""
    try:
        measured = _measured(system)
    except (HoldfastError, KeyError, TypeError, ValueError, AttributeError) as error:
        # A plugin's ledger may hold anything, and be sealed all the same.
        told = str(error) if isinstance(error, HoldfastError) else f"{type(error).__name__}: {error}"
        measured = Measured(unreadable=wording.one_line(told, 400))
    return Entry(system, measured)


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
    return Measured(tuple(verdicts), where)


def _checked(verdict: Verdict) -> Verdict:
    """The verdict, if it is one that the rule can have written.

    Raises:
        InputError: a field holds something else.
    """
    texts = ("text", "unit", "asks", "margin", "published", "source", "scope")
    wrong = [name for name in texts if not isinstance(getattr(verdict, name), str)]
    wrong += [n for n in ("interval", "region") if (pair := getattr(verdict, n)) is not None and len(pair) != 2]
    wrong += [] if isinstance(verdict.n, int) else ["n"]
    wrong += [] if isinstance(verdict.claim, Mapping) else ["claim"]
    wrong += [] if verdict.verdict in wording.SIGNS else ["verdict"]
    wrong += [] if verdict.role in ROLES else ["role"]
    if wrong:
        raise InputError("ledger", "must hold verdicts as holdfast writes them", f"another {', '.join(wrong)}")
    return verdict


def said(entry: Entry) -> str:
    """The verdict on the headline in a word or two, with its sign; what there is instead where there is none."""
    if entry.measured.unreadable:
        return "its ledger cannot be used"
    return stated(entry.headline) if entry.headline else "not measured yet"


def stated(verdict: Verdict) -> str:
    """`✓ holds`."""
    return f"{wording.SIGNS.get(verdict.verdict, '')} {verdict.verdict}".strip()


def figure_file(system: System) -> Path | None:
    """The headline figure that the repository keeps; None where it keeps none, as of every plugin."""
    path = CHECKOUT / "docs" / "assets" / f"{system.id}.svg"
    return path if system.origin == "built in" and path.is_file() else None
