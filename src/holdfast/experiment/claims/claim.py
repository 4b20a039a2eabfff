"""What every claim promises, and the checks of a claim against its experiment."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from holdfast.canonical import canonical
from holdfast.errors import InputError
from holdfast.experiment.claims.regions import Apart, Region, Tolerance
from holdfast.fields import check_fields

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, RecordTable, Scale

Role = Literal["headline", "secondary", "control"]


@dataclass(frozen=True, kw_only=True)
class Claim(ABC):
    """A statement that a run of the experiment can bear out or refute.

    Attributes:
        role: `headline` (one per system, its error rate is not shared), `secondary` (they share one error rate),
            `control` (tests the procedure, not the paper).
        text: the sentence printed; empty = one built from the fields.
        scope: where the claim is said to apply, in words.
        published, source: the number in the paper, and where in it.
        requires: claims without which this one means nothing; decided first. If one of them does not hold the verdict
            is "not testable here".
        expect: for controls: "found" (an effect known to be there) or "not found" (known not to be there).
    """

    role: Role = "secondary"
    text: str = ""
    scope: str = ""
    published: str = ""
    source: str = ""
    requires: tuple[Claim, ...] = ()
    expect: Literal["", "found", "not found"] = ""

    sampled: ClassVar[bool] = True  # False: no replicate differs by chance, every one must comply (see `Exact`)

    def __post_init__(self) -> None:
        required = (self.requires,) if isinstance(self.requires, Claim) else self.requires
        if not isinstance(required, list | tuple) or not all(isinstance(claim, Claim) for claim in required):
            raise InputError("requires", "must be a claim or a tuple of claims", required)
        object.__setattr__(self, "requires", tuple(required))
        check_fields(self)
        _one_of("role", self.role, ("headline", "secondary", "control"))
        _one_of("expect", self.expect, ("", "found", "not found"))
        if (self.role == "control") != bool(self.expect):
            raise InputError("expect", "must be 'found' or 'not found' for a control, and empty otherwise", self.expect)

    @property
    @abstractmethod
    def arms(self) -> tuple[str, ...]:
        """Names of all arms the claim reads, each once."""

    @property
    @abstractmethod
    def problems(self) -> tuple[str, ...]:
        """Names of all problems the claim reads, each once."""

    def reads(self) -> dict[str, tuple[Any, ...]]:
        """Swept parameter -> the values that the claim cannot do without."""
        return {}

    def readable(self, pairs: Collection[tuple[str, str]], experiment: Experiment, scale: Scale) -> bool:
        """Whether a scale that runs these (arm, problem) pairs leaves all that the claim reads."""
        if not all((arm, problem) in pairs for arm in self.arms for problem in self.problems):
            return False
        swept = [experiment.swept(scale, problem, self.arms) for problem in self.problems]
        return all(value in s[name] for s in swept for name, values in self.reads().items() for value in values)

    @property
    def preconditions(self) -> tuple[Claim, ...]:
        """What must hold first: `requires`, and whatever the kind of claim needs by itself."""
        return self.requires

    @abstractmethod
    def sentence(self) -> str:
        """The claim in words, from its fields."""

    def describe(self) -> str:
        """`text`, or the sentence built from the fields."""
        return self.text or self.sentence()

    def declaration(self) -> dict[str, Any]:
        """Everything that defines the claim, as plain JSON: what a frozen plan keeps. Any change changes it."""
        declared: dict[str, Any] = canonical(self, type(self).__name__)
        return declared

    def rebind(self, problems: Iterable[str]) -> Self:
        """The same claim about other problems."""
        return dataclasses.replace(self, requires=tuple(c.rebind(problems) for c in self.requires))

    @abstractmethod
    def check(self, experiment: Experiment) -> None:
        """Raise InputError if the experiment lacks something the claim reads. Parts are checked by `check`."""


@dataclass(frozen=True, kw_only=True)
class Compound(Claim):
    """A claim made of others.

    Attributes:
        joined: "all" parts must hold, or "any" one of them.
    """

    joined: ClassVar[Literal["all", "any"]]

    @property
    @abstractmethod
    def parts(self) -> tuple[Claim, ...]:
        """The claims it is made of."""

    @property
    def arms(self) -> tuple[str, ...]:
        return unique(*(part.arms for part in self.parts))

    @property
    def problems(self) -> tuple[str, ...]:
        return unique(*(part.problems for part in self.parts))

    def readable(self, pairs: Collection[tuple[str, str]], experiment: Experiment, scale: Scale) -> bool:
        # Not every arm on every problem: parts may be about problems that the other parts' arms do not apply to.
        return all(part.readable(pairs, experiment, scale) for part in self.parts)

    def check(self, experiment: Experiment) -> None:
        for part in self.parts:
            check(part, experiment)


@dataclass(frozen=True, kw_only=True)
class Measured(Claim):
    """A claim about one number per replicate.

    Attributes:
        metric: name of the metric.
        on: name of a problem or several: the statistic is averaged over them, replicate by replicate, before anything
            else is done with it.
        at: values of swept parameters; parameters not named here are averaged over as problems are.
        asks: one word for what the sign of the effect answers ("better", "different").
        null: the effect at which that question has no answer.
    """

    metric: str
    on: str | tuple[str, ...]
    at: Mapping[str, Any] = field(default_factory=dict)

    asks: ClassVar[str] = "better"
    null: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.on, list | tuple | str):
            object.__setattr__(self, "on", (self.on,) if isinstance(self.on, str) else tuple(self.on))
        super().__post_init__()
        if not self.on or len(set(self.on)) != len(self.on):
            raise InputError("on", "must name at least one problem, each once", self.on)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self.on)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics the claim reads, each once."""
        return (self.metric,)

    @property
    @abstractmethod
    def region(self) -> Region | Tolerance | Apart:
        """Where the mean of the statistic must lie."""

    @abstractmethod
    def statistic(self, table: RecordTable) -> dict[int, Any]:
        """Replicate -> effect, only for replicates that have everything it takes. NaN where it is undefined.

        Written as elementwise arithmetic on `table.values(...)`, which holds floats, or arrays of one value per
        bootstrap draw.
        """

    @abstractmethod
    def unit(self, experiment: Experiment) -> str:
        """Unit of the effect."""

    def margin_words(self) -> str:
        """What the second line of the verdict answers."""
        return self.region.words()

    def remark(self, table: RecordTable) -> str:
        """A number readers want that the test does not use; appended to the first line."""
        return ""

    def reads(self) -> dict[str, tuple[Any, ...]]:
        return {name: (value,) for name, value in self.at.items()}

    def where(self) -> str:
        """Metric, problems and fixed parameters in words."""
        fixed = [f"{name} = {value}" for name, value in self.at.items()]
        return ", ".join([self.metric, " and ".join(self.on), *fixed])

    def rebind(self, problems: Iterable[str]) -> Self:
        problems = tuple(problems)
        return dataclasses.replace(super().rebind(problems), on=problems)

    def check(self, experiment: Experiment) -> None:
        known("metric", self.metric, experiment.metrics)
        for name, value in self.at.items():
            known("at", name, experiment.points)
            if value not in experiment.points[name]:
                raise InputError("at", f"{name} must be one of {list(experiment.points[name])}", value)
        for problem in self.on:
            known("on", problem, experiment.problems)
        for arm in self.arms:
            known("arm", arm, experiment.arms)
            where = experiment.arms[arm].problems
            if where is not None and (lacking := [p for p in self.on if p not in where]):
                raise InputError("on", f"arm {arm!r} applies only to {list(where)}", lacking[0])


def check(claim: Claim, experiment: Experiment) -> None:
    """Raise InputError, with the nearest existing name, if a claim reads what the experiment does not declare.

    Args:
        claim: with all its parts and preconditions.
        experiment: whose arms, problems, metrics and swept parameters it must name.
    """
    claim.check(experiment)
    for needed in claim.preconditions:
        check(needed, experiment)


# ------------------------------------------------------------------------------------------ for kinds of claims
def over_cells(
    claim: Measured,
    table: RecordTable,
    cell: Callable[[str, Mapping[str, Any]], Mapping[int, Any]],
    *,
    swept: tuple[str, ...] = (),
) -> dict[int, Any]:
    """Mean of `cell(problem, point)` over the claim's problems and points, for replicates present in all of them.

    Args:
        cell: gives replicate -> value for one problem and point.
        swept: parameters that `cell` runs over itself; the points given to it lack them.
    """
    cells = []
    for problem in claim.problems:
        axes = {name: values for name, values in table.swept(problem, claim.arms).items() if name not in swept}
        axes = {name: (claim.at[name],) if name in claim.at else values for name, values in axes.items()}
        points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
        cells += [cell(problem, point) for point in points]
    common = sorted(set(cells[0]).intersection(*cells[1:]))
    return {replicate: sum(c[replicate] for c in cells) / len(cells) for replicate in common}


def sign(claim: Measured, table: RecordTable) -> float:
    """+1 if higher values of the claim's metric are better, else -1."""
    return 1.0 if table.experiment.metrics[claim.metric].higher_is_better else -1.0


def known(argument: str, name: str, names: Iterable[str]) -> None:
    """Raise InputError unless `name` is among `names`, suggesting the nearest."""
    names = list(names)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        rule = f"must be one of {names}" + (f" (did you mean {near[0]!r}?)" if near else "")
        raise InputError(argument, rule, name)


def amount(claim: Claim, name: str, *, positive: bool = False) -> None:
    """Make the field `name` of a claim a float, and raise InputError unless it is finite and not negative."""
    value = getattr(claim, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise InputError(name, "must be a finite number of at least 0", value)
    if positive and value == 0:
        raise InputError(name, "must be positive", value)
    object.__setattr__(claim, name, float(value))


def unique(*groups: Iterable[Any]) -> tuple[Any, ...]:
    """All names of the groups in order of appearance, each once; numbers are no names."""
    return tuple(dict.fromkeys(name for group in groups for name in group if isinstance(name, str)))


def _one_of(argument: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(argument, f"must be one of {list(allowed)}", value)
