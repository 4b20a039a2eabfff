"""The sentences of a verdict, made from its numbers whenever it is read: nothing here is kept in a ledger.

A verdict says why it came out as it did in `notes`: mappings with a "kind" and the numbers that belong to it. Each kind
has its sentence here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.decision.verdict import Verdict

ANSWERS = {"holds": "yes", "does not hold": "no"}
MOST_DECIMALS = 9
Note = Mapping[str, Any]


def direction_line(verdict: Verdict) -> str:
    """`better: yes, +8 [7, 9] points`; empty where there is no effect."""
    if verdict.effect is None:
        return ""
    shown = f"{verdict.asks}: {verdict.direction}, {numbers(verdict)} {verdict.unit}".rstrip()
    said = [str(note["text"]) for note in verdict.notes if note["kind"] == "remark"]
    return f"{shown} ({'; '.join(said)})" if said else shown


def margin_line(verdict: Verdict) -> str:
    """`by the claimed 10: no`; empty where nothing was compared with a margin."""
    return f"{verdict.margin}: {ANSWERS.get(verdict.verdict, verdict.verdict)}" if verdict.margin else ""


def reason(verdict: Verdict) -> str:
    """Why it is undecided or not testable, and anything unusual about how it was decided."""
    return "; ".join(filter(None, (SENTENCES[note["kind"]](note, verdict) for note in verdict.notes)))


def numbers(verdict: Verdict) -> str:
    """Effect and interval with as many decimals as two digits of the width need, or more where an end rounded that
    way would land on the other side of the region's edge."""
    effect, interval = verdict.effect, verdict.interval
    if effect is None or interval is None:
        return f"{effect:+.3g}"
    lo, hi = interval
    width = hi - lo if hi > lo else abs(effect)
    decimals = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 0
    for more in range(6):
        if all(
            _side(round(end, decimals + more), edge) == _side(end, edge) for end in (lo, hi) for edge in _edges(verdict)
        ):
            decimals += more
            break
    decimals = min(decimals, MOST_DECIMALS)
    return f"{effect:+.{decimals}f} [{lo:.{decimals}f}, {hi:.{decimals}f}]"


def _edges(verdict: Verdict) -> Sequence[float]:
    """The finite ends of the region; "differs at all" has its edge at 0."""
    return [0.0] if verdict.region is None else [end for end in verdict.region if math.isfinite(end)]


def _side(value: float, edge: float) -> tuple[bool, bool]:
    return value < edge, value > edge


def _region(verdict: Verdict) -> str:
    if verdict.region is None:
        return "different from 0"
    lo, hi = verdict.region
    if math.isinf(hi):
        return f"at least {lo:g}"
    return f"at most {hi:g}" if math.isinf(lo) else f"between {lo:g} and {hi:g}"


# ---------------------------------------------------------------------------------------------- what notes say
def _same_value(note: Note, verdict: Verdict) -> str:
    return f"all {note['n']:d} replicates gave the same value, so the interval has no width"


def _joined(note: Note, verdict: Verdict) -> str:
    (a, b), (c, d) = note["replicates"], note["cases"]
    return f"interval over replicates [{a:.4g}, {b:.4g}] and over {note['count']:d} cases [{c:.4g}, {d:.4g}], joined"


def _not_redrawn(note: Note, verdict: Verdict) -> str:
    said = "cases were not redrawn: "  # the reasons that ledgers keep begin with it
    return said + str(note["why"]).removeprefix(said)


def _astride(note: Note, verdict: Verdict) -> str:
    return f"the interval reaches across the edge of the region ({_region(verdict)})"


def _planned(note: Note, verdict: Verdict) -> str:
    return f"undecided at {note['at']:d} replicates; {note['of']:d} are planned"


def _lost(note: Note, verdict: Verdict) -> str:
    said = f"{note['missing']:d} of {note['tried']:d} replicates gave no value"
    return f"{said}; at most {note['allowed']:d} may be missing" if "allowed" in note else said


def _too_few(note: Note, verdict: Verdict) -> str:
    said = f"{note['tried']:d} of the {note['first']:d} replicates of the first look have been run"
    return f"{said}, {note['missing']:d} of them without a value" if note["missing"] else said


def _not_run(note: Note, verdict: Verdict) -> str:
    return f"not run: {', '.join(map(str, note['pairs']))}"


def _deterministic(note: Note, verdict: Verdict) -> str:
    return "the arms are deterministic, so that replicates say nothing"


def _one_value(note: Note, verdict: Verdict) -> str:
    return f"one value, interval over {note['cases']:d} cases in blocks of {note['block']:d}"


def _no_value(note: Note, verdict: Verdict) -> str:
    return "the arms left no value to compare"


def _deviate(note: Note, verdict: Verdict) -> str:
    return f"{note['wrong']:d} of {note['of']:d} replicates deviate"


def _requires(note: Note, verdict: Verdict) -> str:
    part = verdict.parts[note["part"]]
    said = "; ".join(filter(None, [direction_line(part), margin_line(part), reason(part)]))
    return f"requires that {part.text}: {part.verdict} ({said})"


def _decided_by(note: Note, verdict: Verdict) -> str:
    part = verdict.parts[note["part"]]
    why = reason(part)
    return f"decided by: {part.text}" + (f" ({why})" if why else "")


def _told(note: Note, verdict: Verdict) -> str:
    return str(note["text"])


def _remark(note: Note, verdict: Verdict) -> str:
    return ""  # stands in the first line


SENTENCES: dict[str, Callable[[Note, Verdict], str]] = {
    "same value": _same_value,
    "joined": _joined,
    "not redrawn": _not_redrawn,
    "astride": _astride,
    "planned": _planned,
    "lost": _lost,
    "too few": _too_few,
    "not run": _not_run,
    "deterministic": _deterministic,
    "one value": _one_value,
    "no value": _no_value,
    "deviate": _deviate,
    "requires": _requires,
    "decided by": _decided_by,
    "told": _told,
    "remark": _remark,
}


__all__ = ["SENTENCES", "Note", "direction_line", "margin_line", "numbers", "reason"]
