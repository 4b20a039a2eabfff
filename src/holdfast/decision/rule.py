"""The rule: which interval is compared with which region, and what follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.decision.evidence import Evidence, Sample
from holdfast.decision.intervals import clopper_pearson, outlying, replicates_needed, t_interval
from holdfast.decision.looks import ERROR_RATE, Looks, looks_for
from holdfast.decision.verdict import Answer, Verdict, Word
from holdfast.decision.wording import Note
from holdfast.errors import InputError
from holdfast.experiment.claims import Claim, Compound, NotTestable, check
from holdfast.experiment.claims.regions import Place

if TYPE_CHECKING:
    from holdfast.experiment import RecordTable, Scale
    from holdfast.experiment.claims import Measured

WORDS: dict[Place, Word] = {"inside": "holds", "outside": "does not hold", "astride": "undecided"}


def decide(claim: Claim, table: RecordTable, looks: Looks | None = None) -> Verdict:
    """The verdict on one claim: a pure function of the table.

    Args:
        claim: any kind.
        table: finished records. Of more replicates than the last look needs, the first ones are used.
        looks: when to judge, how confidently; None = `looks_for(claim, table.experiment)`.

    Raises:
        InputError: the claim names what the experiment does not declare.
    """
    check(claim, table.experiment)
    return _decide(Evidence(claim, table), looks or looks_for(claim, table.experiment))


def decide_all(claims: Sequence[Claim], table: RecordTable, *, scale: Scale | None = None) -> list[Verdict]:
    """Verdicts on all claims of a system, in their order.

    The headline and the controls are judged at the full error rate. The m sampled secondaries share it (Holm 1979, in
    its sequentially rejective form): all are judged with the rate divided by m; if k of them are decided that way, the
    others are judged again with the rate divided by m - k, and so on until a round decides nothing. Each is printed
    with the interval, and the confidence, of the round that decided it (of the last round, for those left), so that
    verdict and interval agree. Claims that are not testable stay in the count.

    Args:
        claims: of one system, with at most one headline.
        table: finished records.
        scale: the one that ran; `slow` ones have a single look.

    Raises:
        InputError: two headlines, or a claim names what the experiment does not declare.
    """
    headlines = [claim.describe() for claim in claims if claim.role == "headline"]
    if len(headlines) > 1:
        raise InputError("claims", "may have one headline", "; ".join(headlines))
    for claim in claims:
        check(claim, table.experiment)
    evidence = [Evidence(claim, table) for claim in claims]
    looks = [looks_for(claim, table.experiment, scale) for claim in claims]
    family = [i for i, claim in enumerate(claims) if claim.role == "secondary" and claim.sampled]
    verdicts = {i: _decide(evidence[i], looks[i]) for i in range(len(claims)) if i not in family}
    while family:
        judged = {i: _decide(evidence[i], looks[i].shared_by(len(family))) for i in family}
        decided = {i: v for i, v in judged.items() if v.decided}
        verdicts.update(decided or judged)
        family = [i for i in family if i not in verdicts]
    return [verdicts[i] for i in range(len(claims))]


# ---------------------------------------------------------------------------------------------------- one claim
def _decide(evidence: Evidence, looks: Looks) -> Verdict:
    claim = evidence.claim
    if isinstance(claim, NotTestable):
        note: Note = {"kind": "told", "text": claim.reason}
        return Verdict(**_identity(claim), verdict="not testable here", notes=(note,))
    needed = tuple(_decide(e, replace(looks, error_rate=ERROR_RATE)) for e in evidence.preconditions)
    unmet = next((v for v in needed if v.verdict in ("does not hold", "not testable here")), None)
    pending = next((v for v in needed if v.verdict == "undecided"), None)
    if (blocking := unmet or pending) is not None:
        verdict = _blocked(evidence, looks, needed, blocking)
    elif isinstance(claim, Compound):
        verdict = _compound(evidence, looks)
    elif evidence.absent:
        verdict = _undecided(evidence, looks.confidence, Sample((), {}), {"kind": "not run", "pairs": evidence.absent})
    elif not claim.sampled:
        verdict = _exact(evidence)
    elif evidence.deterministic:
        verdict = _deterministic(evidence, looks)
    else:
        verdict = _sampled(evidence, looks)
    moved = tuple(_moved(note, len(needed)) for note in verdict.notes)
    verdict = replace(verdict, parts=(*needed, *verdict.parts), notes=moved)
    return replace(verdict, as_expected=_as_expected(verdict)) if claim.expect else verdict


def _moved(note: Note, places: int) -> Note:
    """The note, where the parts of a compound come after its preconditions."""
    return {**note, "part": note["part"] + places} if note["kind"] == "decided by" else note


def _sampled(evidence: Evidence, looks: Looks) -> Verdict:
    """The first look that decides, or the last one there are replicates for."""
    tried, last = len(evidence.tried), looks.sizes[-1]
    verdict = _too_few(evidence, looks)
    for size in (size for size in looks.sizes if size <= tried):
        sample = evidence.sample(size)
        more = tried < last and len(sample.missing) <= looks.may_miss(last)
        if len(sample.missing) > looks.may_miss(size):
            lost = {**_gone(sample), "allowed": looks.may_miss(size)}
            verdict = _undecided(evidence, looks.confidence, sample, lost, more=more)
            continue
        verdict = _judge(evidence, sample, looks)
        if verdict.decided:
            return verdict
        verdict = replace(verdict, wants_more=more)
        if more:
            verdict = replace(verdict, notes=({"kind": "planned", "at": size, "of": last}, *verdict.notes))
    return verdict


def _judge(evidence: Evidence, sample: Sample, looks: Looks) -> Verdict:
    """One look with enough values. Where cases were redrawn too, both intervals must agree.

    The interval compared with the region is the smallest that contains both: it lies inside only if both do, and
    outside only if both do on the same side.
    """
    claim = evidence.measured
    mean, lo, hi, sd = (float(x) for x in t_interval(sample.array, looks.confidence, evidence.overlap))
    notes: list[Note] = [{"kind": "not redrawn", "why": sample.note}] if sample.note else []
    over_replicates = claim.region.judge(lo, hi)
    if sd == 0:
        notes.append({"kind": "same value", "n": len(sample.values)})
    if sample.cases is not None:
        ends = sample.cases.interval(looks.confidence)
        notes.append({"kind": "joined", "replicates": [lo, hi], "cases": list(ends), "count": sample.cases.cases})
        lo, hi = min(lo, ends[0]), max(hi, ends[1])
    verdict = _filled(evidence, sample, looks.confidence, mean, (lo, hi), notes)
    if verdict.decided:
        return verdict
    distance = claim.region.distance(mean)
    needed = None
    if over_replicates == "astride":  # otherwise it is the number of cases that keeps it undecided
        needed = replicates_needed(distance, sd, looks.confidence, evidence.overlap)
    return replace(verdict, needed=needed)


def _deterministic(evidence: Evidence, looks: Looks) -> Verdict:
    """No arm is random: there is one value, and only the cases it was measured on can vary. One look, all the data."""
    looks = replace(looks, sizes=looks.sizes[-1:])
    sample = evidence.sample(1)
    if not sample.values:
        return _undecided(evidence, looks.confidence, sample, {"kind": "no value"})
    if sample.cases is None:
        why: Note = {"kind": "not redrawn", "why": sample.note}
        return _undecided(evidence, looks.confidence, sample, {"kind": "deterministic"}, why)
    notes: list[Note] = [{"kind": "one value", "cases": sample.cases.cases, "block": sample.cases.block}]
    ends = sample.cases.interval(looks.confidence)
    return _filled(evidence, sample, looks.confidence, sample.cases.effect, ends, notes)


def _exact(evidence: Evidence) -> Verdict:
    """Every replicate must comply; one is enough."""
    claim = evidence.measured
    sample = evidence.sample(len(evidence.tried))
    wrong = [r for r, v in sample.values.items() if claim.region.judge(v, v) != "inside"]
    if not sample.values or (sample.missing and not wrong):
        return _undecided(evidence, 1.0, sample, _gone(sample))
    worst = max(sample.values.values(), key=abs)
    verdict = _filled(evidence, sample, 1.0, worst, (min(sample.array), max(sample.array)), [])
    word: Word = "does not hold" if wrong else "holds"
    notes: tuple[Note, ...] = ({"kind": "deviate", "wrong": len(wrong), "of": len(sample.values)},) if wrong else ()
    return replace(verdict, verdict=word, direction="yes" if wrong else "no", notes=(*_remarks(sample), *notes))


# ------------------------------------------------------------------------------------------------ claims of claims
def _compound(evidence: Evidence, looks: Looks) -> Verdict:
    """`All` and `Any`. What needs every part is judged at the full error rate, what needs one at a share of it."""
    claim = evidence.claim
    assert isinstance(claim, Compound)
    every: Word = "holds" if claim.joined == "all" else "does not hold"
    single: Word = "does not hold" if claim.joined == "all" else "holds"
    parts = [_decide(e, looks) for e in evidence.parts]
    word = every
    if any(part.verdict != every for part in parts):
        parts = [_decide(e, looks.shared_by(len(evidence.parts))) for e in evidence.parts]
        found = {part.verdict for part in parts}
        if single in found:
            word = single
        else:  # one part that cannot be tested spoils `All`, but `Any` may still be saved by another
            order: list[Word] = ["not testable here", "undecided"]
            word = next(w for w in (order if claim.joined == "all" else order[::-1]) if w in found)
    closest = min if (word == every) else max
    key = closest((part for part in parts if part.verdict == word), key=_slack)
    said = tuple(note for note in key.notes if note["kind"] == "remark")
    notes = (*said, {"kind": "decided by", "part": parts.index(key)})
    more = word == "undecided" and any(part.wants_more for part in parts)
    return replace(key, **_identity(claim), verdict=word, parts=tuple(parts), notes=notes, wants_more=more)


def _slack(verdict: Verdict) -> float:
    """Distance of the effect from the edge of the region, in widths of the interval."""
    if verdict.interval is None or verdict.effect is None:
        return float("inf")
    lo, hi = verdict.interval
    edges = verdict.region or (0.0,)
    return min(abs(verdict.effect - edge) for edge in edges) / max(hi - lo, 1e-300)


# ------------------------------------------------------------------------------------------------------- filling in
def _identity(claim: Claim) -> dict[str, Any]:
    return {
        "claim": claim.declaration(),
        "text": claim.describe(),
        "role": claim.role,
        "published": claim.published,
        "source": claim.source,
        "scope": claim.scope,
        "expected": claim.expect,
    }


def _filled(
    evidence: Evidence,
    sample: Sample,
    confidence: float,
    effect: float,
    interval: tuple[float, float],
    notes: Sequence[Note],
) -> Verdict:
    """A verdict whose interval decides."""
    claim = evidence.measured
    word = WORDS[claim.region.judge(*interval)]
    lo, hi = interval = (float(interval[0]), float(interval[1]))
    direction: Answer = "yes" if lo > claim.null else "no" if hi < claim.null else "undecided"
    if word == "undecided":
        notes = [{"kind": "astride"}, *notes]
    undecided = _undecided(evidence, confidence, sample, *notes)
    return replace(undecided, verdict=word, effect=effect, interval=interval, direction=direction)


def _undecided(evidence: Evidence, confidence: float, sample: Sample, *notes: Note, more: bool = False) -> Verdict:
    """What can be said of replicates without judging them: their mean, but no interval that might suggest a verdict."""
    claim, values = evidence.measured, sample.array
    wins = wins_interval = None
    if claim.sampled and claim.region.one_sided and len(values) and not evidence.deterministic:
        wins = sum(_won(claim, float(value)) for value in values)
        wins_interval = clopper_pearson(wins, len(values))
    return Verdict(
        **_identity(claim),
        verdict="undecided",
        effect=float(values.mean()) if len(values) else None,
        confidence=confidence,
        region=claim.region.ends,
        unit=claim.unit(evidence.table.experiment),
        n=len(values),
        wins=wins,
        wins_interval=wins_interval,
        asks=claim.asks,
        margin=claim.margin_words(),
        wants_more=more,
        outliers=tuple(r for r, out in zip(sample.values, outlying(values), strict=True) if out) if len(values) else (),
        missing=sample.missing,
        notes=(*_remarks(sample), *notes),
        values=sample.values,
    )


def _won(claim: Measured, value: float) -> bool:
    """Whether a replicate counts for a one-sided claim: a positive effect, or one as small as the claim asks for."""
    ends = claim.region.ends
    return value > claim.null if ends is None or math.isinf(ends[1]) else value < ends[1]


def _remarks(sample: Sample) -> tuple[Note, ...]:
    return ({"kind": "remark", "text": sample.remark},) if sample.remark else ()


def _gone(sample: Sample) -> dict[str, Any]:
    return {"kind": "lost", "missing": len(sample.missing), "tried": len(sample.tried)}


def _too_few(evidence: Evidence, looks: Looks) -> Verdict:
    sample, first = evidence.sample(looks.sizes[0]), looks.sizes[0]
    note = {"kind": "too few", "tried": len(sample.tried), "first": first, "missing": len(sample.missing)}
    more = len(sample.tried) < first and len(sample.missing) <= looks.may_miss(looks.sizes[-1])
    return _undecided(evidence, looks.confidence, sample, note, more=more)


def _blocked(evidence: Evidence, looks: Looks, needed: Sequence[Verdict], blocking: Verdict) -> Verdict:
    """A precondition does not hold, or is not known to hold."""
    claim = evidence.claim
    region = getattr(claim, "region", None)
    return Verdict(
        **_identity(claim),
        verdict="undecided" if blocking.verdict == "undecided" else "not testable here",
        confidence=looks.confidence,
        region=region.ends if region else None,
        unit="" if isinstance(claim, Compound) else evidence.measured.unit(evidence.table.experiment),
        wants_more=blocking.wants_more,
        notes=({"kind": "requires", "part": needed.index(blocking)},),
    )


def _as_expected(verdict: Verdict) -> bool | None:
    """Whether a control came out as it should; None while that is open."""
    found = verdict.verdict == "holds"
    judged = verdict.interval is not None and not verdict.wants_more
    if found or judged:
        return found == (verdict.expected == "found")
    return None
