"""Claims about the effect in one place against the effect in another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from holdfast.errors import InputError
from holdfast.experiment.claims.claim import Measured, amount, known, unique
from holdfast.experiment.claims.comparisons import Better, effects
from holdfast.experiment.claims.regions import Region
from holdfast.experiment.claims.scales import DIFFERENCE, Compare
from holdfast.fields import check_fields, check_kind

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, RecordTable


@dataclass(frozen=True)
class Place:
    """Where an effect is measured: what it does not name is as the claim has it.

    Attributes:
        problem, metric: their names.
        at: values of swept parameters.
    """

    problem: str = ""
    metric: str = ""
    at: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)

    def words(self) -> str:
        """`noisy, labels = 4`."""
        return ", ".join(filter(None, [self.problem, self.metric, *(f"{k} = {v}" for k, v in self.at.items())]))


@dataclass(frozen=True)
class Interaction(Measured):
    """The effect here is larger than the effect there, by at least a margin: a difference of differences.

    `Interaction("A", than="B", here=Place(problem="shifted"), there=Place(problem="clean"), metric="accuracy",
    margin=3)` claims that A's advantage over B is at least 3 points larger on shifted data. Without `than` it is about
    the values of one arm: how much better it is here than there.

    Attributes:
        than: the other arm; "" = none.
        here, there: the two places. Both or neither name a problem, and both or neither a metric.
        margin: in the unit of the effect.
        compare: what an effect of two arms is; positive means that `arm` is better.
    """

    arm: str
    _: KW_ONLY
    here: Place
    there: Place
    than: str = ""
    metric: str = ""
    on: str | tuple[str, ...] = ()
    margin: float = 0.0
    compare: Compare = DIFFERENCE

    def __post_init__(self) -> None:
        check_kind(self.here, Place, "here")
        check_kind(self.there, Place, "there")
        for name, general in (("problem", self.on), ("metric", self.metric)):
            named = [bool(getattr(place, name)) for place in (self.here, self.there)]
            if named[0] != named[1]:
                raise InputError("here", f"must name a {name} if `there` does, and only then", self.here.words())
            # A copy of a claim also has, as its own, what its places named.
            others = {*([general] if isinstance(general, str) else general)} - {*self._named(name), ""}
            if others if named[0] else not general:
                rule = f"must be given once: for both places, or as {'on' if name == 'problem' else name}"
                raise InputError(name, rule, general)
        if self.here == self.there:
            raise InputError("there", "must be another place than `here`", self.there.words())
        if self.than == self.arm:
            raise InputError("than", "must differ from the arm it is compared with", self.than)
        if self.here.problem:
            object.__setattr__(self, "on", self._named("problem"))
        if self.here.metric:
            object.__setattr__(self, "metric", self.here.metric)
        super().__post_init__()
        amount(self, "margin")

    def _named(self, name: str) -> tuple[str, ...]:
        return unique([getattr(self.here, name)], [getattr(self.there, name)])

    @property
    def arms(self) -> tuple[str, ...]:
        return unique((self.arm, self.than) if self.than else (self.arm,))

    @property
    def metrics(self) -> tuple[str, ...]:
        return self._named("metric") if self.here.metric else (self.metric,)

    @property
    def region(self) -> Region:
        return Region.at_least(self.margin)

    def reads(self) -> dict[str, tuple[Any, ...]]:
        found = super().reads()
        for place in (self.here, self.there):
            for name, value in place.at.items():
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), value)))
        return found

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        here, there = (self._effect(place, table) for place in (self.here, self.there))
        return {replicate: here[replicate] - there[replicate] for replicate in here if replicate in there}

    def _effect(self, place: Place, table: RecordTable) -> dict[int, Any]:
        """The effect in one place, as a claim about it alone would read it."""
        other = self.than or 0.0
        simple = Better(
            self.arm,
            than=other,
            metric=place.metric or self.metric,
            on=place.problem or self.on,
            at={**self.at, **place.at},
            compare=self.compare,
        )
        return effects(simple, table, self.arm, other, self.compare if self.than else DIFFERENCE)

    def unit(self, experiment: Experiment) -> str:
        compare = self.compare if self.than else DIFFERENCE
        return compare.unit(experiment.metrics[self.metrics[0]].unit)

    def sentence(self) -> str:
        by = f" by at least {self.margin:g}" if self.margin else ""
        general = [self.metric if not self.here.metric else "", *(() if self.here.problem else self.on)]
        where = ", ".join(filter(None, general))
        said = f" ({where})" if where else ""
        what = f"{self.arm}'s advantage over {self.than} is larger" if self.than else f"{self.arm} is better"
        return f"{what} at {self.here.words()} than at {self.there.words()}{by}{said}"

    def margin_words(self) -> str:
        return f"by the claimed {self.margin:g}"

    def rebind(self, problems: Iterable[str]) -> Self:
        problems = tuple(problems)
        if self.here.problem and len(problems) == 1:
            raise InputError("problems", "must be two for an effect that is compared between problems", problems[0])
        moved = dataclasses.replace(self, requires=tuple(c.rebind(problems) for c in self.requires))
        if not self.here.problem:
            return dataclasses.replace(moved, on=problems)
        here, there = (
            dataclasses.replace(p, problem=n) for p, n in zip((self.here, self.there), problems, strict=True)
        )
        return dataclasses.replace(moved, here=here, there=there, on=())

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        for place in (self.here, self.there):
            if place.metric:
                known("metric", place.metric, experiment.metrics)
            for name, value in place.at.items():
                known("at", name, experiment.points)
                if value not in experiment.points[name]:
                    raise InputError("at", f"{name} must be one of {list(experiment.points[name])}", value)
        units = {experiment.metrics[name].unit for name in self.metrics}
        if len(units) > 1:
            raise InputError("metric", "must have the same unit in both places", sorted(units))
