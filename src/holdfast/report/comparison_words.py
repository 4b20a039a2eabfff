"""Differences between runs in words: the same on the terminal, in figures and on the page."""

from __future__ import annotations

from holdfast.report import wording
from holdfast.report.comparison import Comparison, Difference


def by_chance(comparison: Comparison) -> str:
    """How many intervals leave zero out, and how many would if nothing differed."""
    judged, clear = comparison.judged()
    if not judged:
        return "No difference has an interval: that takes two replicates of each run."
    return (
        f"{clear} of {judged} intervals leave zero out; if nothing differed, about {0.05 * judged:.2g} would by chance."
    )


def change(found: Difference | None, unit: str) -> str:
    """`+1.2 [0.3, 2.1] %`, or `identical` where all pairs are; a dash where there is none."""
    if found is None:
        return wording.NONE
    if found.values and not any(found.values.values()):
        return "identical"
    middle, ends = wording.estimate(found.mean, found.interval, avoid=(0.0,))
    return wording.with_unit(middle if ends == wording.NONE else f"{middle} {ends}", unit)


def towards(found: Difference | None, higher_is_better: bool) -> str:
    """ "better" or "worse" where the interval leaves zero out, else ""."""
    if found is None or not found.clear:
        return ""
    return "better" if (found.mean > 0) == higher_is_better else "worse"
