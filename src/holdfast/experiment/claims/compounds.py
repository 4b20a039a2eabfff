"""Claims made of claims."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from holdfast.errors import InputError
from holdfast.experiment.claims.claim import Claim, Compound, Measured, amount, unique
from holdfast.experiment.claims.comparisons import Better
from holdfast.experiment.claims.scales import DIFFERENCE, Compare


@dataclass(frozen=True, init=False)
class Joined(Compound):
    """Several claims as one; subclasses say whether all of them have to hold, or one."""

    claims: tuple[Claim, ...]
    word: typing.ClassVar[str]

    def __init__(self, *parts: Claim, claims: Iterable[Claim] = (), **options: typing.Any) -> None:
        _fill(self, claims=tuple(parts) or tuple(claims), **options)
        _check_parts(self.claims)

    @property
    def parts(self) -> tuple[Claim, ...]:
        return self.claims

    def rebind(self, problems: Iterable[str]) -> Self:
        problems = tuple(problems)
        return dataclasses.replace(super().rebind(problems), claims=tuple(c.rebind(problems) for c in self.claims))

    def sentence(self) -> str:
        return f"; {self.word} ".join(part.describe() for part in self.parts)


class All(Joined):
    """Every one of the claims holds: `All(Better(...), Near(...), role="headline")`.

    Each part is tested at the full error rate for "holds", because all of them have to pass (intersection-union
    test); for "does not hold", where one failure is enough, the rate is divided by the number of parts.
    """

    joined: typing.ClassVar[Literal["all", "any"]] = "all"
    word = "and"


class Any(Joined):
    """At least one of the claims holds: `Any(Better(...), Better(...))`.

    For "holds", where one success is enough, the error rate is divided by the number of parts (Bonferroni, the first
    step of Holm); for "does not hold" all parts have to fail, each at the full rate.
    """

    joined: typing.ClassVar[Literal["all", "any"]] = "any"
    word = "or"


@dataclass(frozen=True, init=False)
class Ordered(Compound):
    """A chain, best first: each arm is better than the next by at least the margin. Decided as `All` of its links.

    Example:
        >>> claim = Ordered("5 labels", "1 label", "no label", metric="accuracy", on="digits")
        >>> [part.describe() for part in claim.parts][1]
        '1 label is better than no label (accuracy, digits)'
    """

    chain: tuple[str, ...]
    metric: str
    on: str | tuple[str, ...]
    margin: float = 0.0
    compare: Compare = DIFFERENCE
    at: typing.Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)
    joined: typing.ClassVar[Literal["all", "any"]] = "all"

    def __init__(self, *arms: str, chain: Iterable[str] = (), **options: typing.Any) -> None:
        _fill(self, chain=tuple(arms) or tuple(chain), **options)
        amount(self, "margin")
        object.__setattr__(self, "on", (self.on,) if isinstance(self.on, str) else tuple(self.on))
        if len(self.chain) < 2 or len(set(self.chain)) != len(self.chain):
            raise InputError("Ordered", "needs at least two arms, each once", self.chain)
        _check_parts(self.parts)

    @property
    def parts(self) -> tuple[Claim, ...]:
        common: dict[str, typing.Any] = {
            "metric": self.metric,
            "on": self.on,
            "margin": self.margin,
            "compare": self.compare,
            "at": self.at,
        }
        return tuple(Better(a, than=b, **common) for a, b in zip(self.chain, self.chain[1:], strict=False))

    @property
    def arms(self) -> tuple[str, ...]:
        return unique(self.chain)

    def rebind(self, problems: Iterable[str]) -> Self:
        problems = tuple(problems)
        return dataclasses.replace(super().rebind(problems), on=problems)

    def sentence(self) -> str:
        where = typing.cast(Measured, self.parts[0]).where()
        by = f", each by at least {self.margin:g}" if self.margin else ""
        return f"from best to worst: {', '.join(self.chain)}{by} ({where})"


def _fill(claim: Claim, **values: typing.Any) -> None:
    """What a generated `__init__` would do, for kinds that take their parts as positional arguments."""
    for field in dataclasses.fields(claim):
        if field.name in values:
            value = values.pop(field.name)
        elif field.default is not dataclasses.MISSING:
            value = field.default
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            raise TypeError(f"{type(claim).__name__} needs the argument {field.name!r}")
        object.__setattr__(claim, field.name, value)
    if values:
        raise TypeError(f"{type(claim).__name__} has no argument {next(iter(values))!r}")
    claim.__post_init__()


def _check_parts(parts: tuple[Claim, ...]) -> None:
    if not parts or not all(isinstance(part, Claim) for part in parts):
        raise InputError("claims", "must be at least one claim", [type(p).__name__ for p in parts])
