"""What was decided about one claim, and its form in JSON."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from holdfast.decision import wording
from holdfast.experiment.claims.claim import Role
from holdfast.fields import check_fields

DECLARED = ("role", "published", "source", "scope")  # by the claim
Answer = Literal["yes", "no", "undecided"]
Word = Literal["holds", "does not hold", "undecided", "not testable here"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one claim with everything that led to it.

    Attributes:
        claim: its declaration; text, role, scope, published, source: from it.
        verdict: the answer.
        effect: mean over replicates; for `All` and `Any`, like all other numbers, that of the part that decided; None
            where nothing was judged.
        interval: of the effect, at `confidence`. "holds" means that it lies inside `region`, "does not hold" outside.
            None where there are too few replicates to judge. (For `Exact`: the smallest and largest deviation.)
        region: open interval the claim asks for; None for "differs at all".
        unit: of effect, interval, region and values.
        n: replicates the verdict rests on.
        wins, wins_interval: replicates with a positive effect, or, where the claim asks for at most something, that met
            it; and the Clopper-Pearson 95 % interval of their share; None for two-sided claims.
        asks, direction: one word for a positive effect ("better"), and whether it is one, judged by the same interval.
        margin: what the second line of the verdict answers, in words; from the claim.
        needed: replicates that would decide with a probability of 80 %; None if decided, or if no number is likely to.
        wants_more: undecided, and the rule allows another look at more replicates.
        outliers: replicates beyond 5 MAD. missing: replicates tried that gave no value.
        notes: why it is undecided or not testable, and anything unusual about how it was decided (see `wording`).
        parts: verdicts on the claims it is made of and on its preconditions.
        values: replicate -> effect.
        expected, as_expected: for controls: what should come out, and whether it did (None = cannot be said yet).
    """

    claim: Mapping[str, Any]
    text: str
    role: str
    verdict: Word
    effect: float | None = None
    interval: tuple[float, float] | None = None
    confidence: float = 0.95
    region: tuple[float, float] | None = None
    unit: str = ""
    n: int = 0
    wins: int | None = None
    wins_interval: tuple[float, float] | None = None
    asks: str = "better"
    direction: Answer = "undecided"
    margin: str = ""
    needed: int | None = None
    wants_more: bool = False
    outliers: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    notes: tuple[Mapping[str, Any], ...] = ()
    published: str = ""
    source: str = ""
    scope: str = ""
    parts: tuple[Verdict, ...] = ()
    values: Mapping[int, float] = field(default_factory=dict)
    expected: str = ""
    as_expected: bool | None = None

    @property
    def decided(self) -> bool:
        """Whether it holds or does not."""
        return self.verdict in ("holds", "does not hold")

    @property
    def direction_line(self) -> str:
        """`better: yes, +8 [7, 9] points`."""
        return wording.direction_line(self)

    @property
    def margin_line(self) -> str:
        """`by the claimed 10: no`."""
        return wording.margin_line(self)

    @property
    def reason(self) -> str:
        """Why it is undecided or not testable, and anything unusual about how it was decided."""
        return wording.reason(self)

    def to_json(self) -> dict[str, Any]:
        """As strict JSON, without sentences: infinite ends become "inf" and "-inf", keys of `values` strings.

        What is as `Verdict` has it by default, and what the claim's declaration says as well, is left out.

        Example:
            >>> v = Verdict(claim={}, text="t", role="headline", verdict="holds", region=(5.0, float("inf")))
            >>> v.to_json()["region"], Verdict.from_json(v.to_json()) == v
            ([5.0, 'inf'], True)
        """
        kept = {}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
            if f.name in DECLARED:
                default = self.claim.get(f.name, default)
            if value != default:
                kept[f.name] = _encode(value)
        return kept

    def told(self) -> dict[str, Any]:
        """As `to_json`, with the sentences, for programs that show them."""
        lines = {"direction_line": self.direction_line, "margin_line": self.margin_line, "reason": self.reason}
        parts = {"parts": [part.told() for part in self.parts]} if self.parts else {}
        return {**self.to_json(), **lines, **parts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` wrote, or that was kept with its sentences, as plans from before may hold it.

        Raises:
            KeyError, TypeError, ValueError: a field is missing or holds something else; files may be a stranger's.
        """
        fields = _without_sentences(data) if "direction_line" in data else dict(data)
        claim = fields["claim"]
        for name in DECLARED:
            if name in claim:
                fields.setdefault(name, claim[name])
        for name in ("interval", "region", "wins_interval"):
            if fields.get(name) is not None:
                fields[name] = tuple(float(end) for end in fields[name])
        for name in ("outliers", "missing", "notes"):
            fields[name] = tuple(fields.get(name, ()))
        if fields.get("effect") is not None:
            fields["effect"] = float(fields["effect"])
        values = fields.get("values", {})
        fields["values"] = {int(replicate): float(value) for replicate, value in values.items()}
        fields["parts"] = tuple(cls.from_json(part) for part in fields.get("parts", ()))
        verdict = cls(**fields)
        verdict._check()
        return verdict

    def _check(self) -> None:
        check_fields(self)
        for name, allowed in (("verdict", get_args(Word)), ("direction", get_args(Answer)), ("role", get_args(Role))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}")
        for name in ("interval", "region", "wins_interval"):
            pair = getattr(self, name)
            if pair is not None and (len(pair) != 2 or any(math.isnan(end) for end in pair)):
                raise ValueError(f"{name} must be a pair of numbers")
        if not all(isinstance(replicate, int) for replicate in (*self.outliers, *self.missing)):
            raise TypeError("outliers and missing must be replicates")
        if not isinstance(self.confidence, float) or not 0 < self.confidence <= 1:
            raise ValueError("confidence must be in (0, 1]")
        for note in self.notes:
            if not isinstance(note, Mapping) or not isinstance(note.get("part", 0), int) or note.get("part", 0) < 0:
                raise TypeError("notes must be mappings")
        try:
            _ = self.direction_line, self.margin_line, self.reason
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"notes must be such that they can be told: {error!r}") from error


def _without_sentences(data: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept with its sentences: from their words, asks and margin; the reason stays as it was told."""
    fields = {name: value for name, value in data.items() if name not in ("direction_line", "margin_line", "reason")}
    first, second, why = data["direction_line"], data["margin_line"], data["reason"]
    remark = re.search(r" \(([^()]*)\)$", first)
    fields["asks"] = first.partition(":")[0] or "better"
    fields["margin"] = second.rpartition(":")[0]
    notes = [{"kind": "remark", "text": remark[1]}] if remark else []
    fields["notes"] = [*notes, *([{"kind": "told", "text": why}] if why else [])]
    return fields


def _encode(value: Any) -> Any:
    if isinstance(value, Verdict):
        return value.to_json()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    return [_encode(item) for item in value] if isinstance(value, tuple | list) else value
