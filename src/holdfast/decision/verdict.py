"""What was decided about one claim, and its form in JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from holdfast.experiment.claims.claim import Role
from holdfast.fields import check_fields

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
        wins, wins_interval: replicates with a positive effect, and the Clopper-Pearson 95 % interval of their share;
            None for two-sided claims.
        direction: whether the effect is positive ("better"), judged by the same interval.
        direction_line, margin_line: the two lines printed.
        needed: replicates that would decide with a probability of 80 %; None if decided, or if no number is likely to.
        wants_more: undecided, and the rule allows another look at more replicates.
        outliers: replicates beyond 5 MAD. missing: replicates tried that gave no value.
        reason: why it is undecided or not testable, and anything unusual about how it was decided.
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
    direction: Answer = "undecided"
    direction_line: str = ""
    margin_line: str = ""
    needed: int | None = None
    wants_more: bool = False
    outliers: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    reason: str = ""
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

    def to_json(self) -> dict[str, Any]:
        """As strict JSON: infinite ends become "inf" and "-inf", keys of `values` strings.

        Example:
            >>> v = Verdict(claim={}, text="t", role="headline", verdict="holds", region=(5.0, float("inf")))
            >>> v.to_json()["region"], Verdict.from_json(v.to_json()) == v
            ([5.0, 'inf'], True)
        """
        return {f.name: _encode(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: a field is missing or holds something else; files may be a stranger's.
        """
        fields = dict(data)
        for name in ("interval", "region", "wins_interval"):
            fields[name] = None if fields[name] is None else tuple(float(end) for end in fields[name])
        for name in ("outliers", "missing"):
            fields[name] = tuple(fields[name])
        fields["effect"] = None if fields["effect"] is None else float(fields["effect"])
        fields["values"] = {int(replicate): float(value) for replicate, value in fields["values"].items()}
        fields["parts"] = tuple(cls.from_json(part) for part in fields["parts"])
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


def _encode(value: Any) -> Any:
    if isinstance(value, Verdict):
        return value.to_json()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    return [_encode(item) for item in value] if isinstance(value, tuple | list) else value
