"""The declarations an experiment is made of. They hold no machinery and import neither numpy nor torch.

A system's `experiment.py` builds one `Experiment`: problems x arms x metrics, claims about them, and a function
`trial(run)` that yields measurements. Everything else (planning, executing, recording, deciding, drawing) works on
these declarations alone and knows no particular system.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from holdfast.canonical import added
from holdfast.errors import InputError
from holdfast.experiment.measurements import Measurement
from holdfast.experiment.records import NOTHING
from holdfast.fields import check_fields, check_kind

if TYPE_CHECKING:
    from holdfast.experiment.claims import Claim
    from holdfast.experiment.run import Run

FIRST_FINAL_REPLICATE = 1000  # replicates 0-99 are pilots: free to look at, never used for a verdict in the ledger
PILOTS = range(100)
DataSource = Literal["package", "generated", "file"]  # the last: a file that the user fetches


@dataclass(frozen=True)
class Metric:
    """What is measured. `unit` is printed with every value ("%", "nats", "s").

    Where a trial leaves values per case (`PerUnit`), the metric is the mean of them. A metric that is a function of
    another mean over cases is a subclass that says which, by `of_case` and `of_mean`; with several numbers a case
    (numerator and denominator of a ratio of sums) these have one more axis, the last. A metric that is no function of a
    mean (AUROC, from score and label) says by `of_cases` how it comes from all of them.
    """

    unit: str = ""
    higher_is_better: bool = True
    about: str = ""

    def of_case(self, values: Any) -> Any:
        """What is averaged over cases, from their values: elementwise on arrays."""
        return values

    def of_mean(self, mean: Any) -> Any:
        """The metric from that average: elementwise on arrays; of several numbers a case, over the last axis."""
        return mean

    def of_cases(self, values: Any) -> float:
        """The metric from the values of all cases, `(cases,)` or `(cases, numbers a case)`."""
        return float(self.of_mean(self.of_case(values).mean(axis=0)))

    @property
    def averages_cases(self) -> bool:
        """Whether it follows from a mean over cases."""
        return type(self).of_cases is Metric.of_cases


@dataclass(frozen=True)
class RootMeanSquare(Metric):
    """The root of the mean over cases of the squared value per case: RMSE, from one RMSE per forecast.

    Example:
        >>> metric = RootMeanSquare(higher_is_better=False)
        >>> metric.of_mean((metric.of_case(3.0) + metric.of_case(4.0)) / 2) == (25 / 2) ** 0.5
        True
    """

    def of_case(self, values: Any) -> Any:
        return values**2

    def of_mean(self, mean: Any) -> Any:
        return mean**0.5


@dataclass(frozen=True)
class RatioOfSums(Metric):
    """The sum over cases of a first number divided by that of a second: a rate over all words, pixels or positives.

    Example:
        >>> import numpy as np
        >>> RatioOfSums().of_cases(np.array([[1.0, 2.0], [3.0, 6.0]]))
        0.5
    """

    def of_mean(self, mean: Any) -> Any:
        return mean[..., 0] / mean[..., 1]


class Problem(ABC):
    """Data with a question. Subclasses are frozen dataclasses whose fields define the problem completely.

    Attributes:
        source: where the data comes from: inside an installed package, generated from a seed, or a file of the user's.
        resplit: `(n_test, n_train)` if each replicate re-splits one finite pool (the verdict's standard error is then
            corrected for the overlap), or None if replicates are independent draws.
        fixed_test: True if all replicates share one test set (its rows are then bootstrapped too).
        redrawn: True if each replicate draws data of its own, so that even a deterministic arm differs between them.
        how_to_get: for files: what to download, from where, under which licence.
    """

    source: ClassVar[DataSource]
    how_to_get: ClassVar[str] = ""
    fixed_test: ClassVar[bool] = False
    redrawn: ClassVar[bool] = False

    @property
    def resplit(self) -> tuple[int, int] | None:
        """`(n_test, n_train)` of the pool that replicates re-split, or None."""
        return None

    @property
    def points(self) -> Mapping[str, Sequence[Any]]:
        """Swept parameter -> those of its values that make sense here; a parameter that is not named uses all."""
        return NOTHING

    def available(self) -> bool:
        """Whether the data can be loaded on this machine now."""
        return True

    def fingerprint(self) -> str:
        """Changes whenever the files behind the problem change; enters the key under which records are kept."""
        return ""

    @abstractmethod
    def describe(self) -> str:
        """One line for tables and pages."""


@dataclass(frozen=True)
class Arm:
    """One way of solving the problem: the method or a baseline.

    Attributes:
        method: frozen dataclass with all settings, no tensors; `run.arm` is this object, tuned values filled in.
        space: field of `method` -> candidate values, tuned on pilots; the declared setting is always tried first.
        tuned_as: name of the arm whose tuned values this one takes (an arm against itself as a control); it has no
            space of its own then.
        problems: names of the problems the arm applies to; None = all.
        reseed: the arm draws its own initialisation and batches instead of sharing them with the other arms (any
            non-zero number; the split of the data stays shared). Used for negative controls.
        deterministic: the arm uses no randomness: it runs once and is paired with every replicate, except on problems
            whose data are `redrawn`, where it runs in each.
        may_collapse: some runs fail by a mode of their own (adversarial methods): its claims are decided at n = 16.
        about: one line for tables.
        points: swept parameter -> those of its values that the arm uses; a parameter that is not named uses all.
    """

    method: Any
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    tuned_as: str | None = None
    problems: tuple[str, ...] | None = None
    reseed: int = 0
    deterministic: bool = False
    may_collapse: bool = False
    about: str = ""
    points: Mapping[str, Sequence[Any]] | None = added(None)


@dataclass(frozen=True)
class Scale:
    """How much work a run is. Systems subclass it to add typed settings (steps, widths) that `run.scale` then carries.

    Attributes:
        replicates: number of replicates; None = what the rule of decision needs (8, and 16 where still undecided).
        arms, problems: names to use; None = all.
        points: swept parameter -> those of its declared values to use; a parameter that is not named uses all.
        threads: compute threads of one trial (fixed here so that `--jobs` cannot change a number).
        slow: a replicate costs more than 3 minutes: one look at n = 6 instead of two looks at 8 and 16.
        time_limit_s: a trial running longer is ended and recorded as failed; None = no limit.
        status: printed where non-empty, e.g. "not yet run".
    """

    replicates: int | None = None
    arms: tuple[str, ...] | None = None
    problems: tuple[str, ...] | None = None
    points: Mapping[str, Sequence[Any]] | None = None
    threads: int = 1
    slow: bool = False
    time_limit_s: float | None = None
    status: str = ""


@dataclass(frozen=True)
class Tuning:
    """How every arm with a `space` is tuned before the plan is frozen: the same number of configurations for each.

    Attributes:
        metric: chosen by its mean over the pilots; a validation metric, never the one the claims are about.
        problem: where it is measured (an arm that does not apply there is tuned on the first problem it applies to).
            Several names: on each of those it applies to, and every problem that is not named takes the first one's
            values.
        configurations: per arm, the declared one included.
        pilots: replicates 0 .. pilots-1.
        scale: at which pilots run, where they need less work than what is frozen (no test part, fewer steps); None =
            the scale that is frozen.
    """

    metric: str
    problem: str | tuple[str, ...]
    configurations: int = 4
    pilots: int = 2
    scale: str | None = added(None)

    @property
    def problems(self) -> tuple[str, ...]:
        """`problem` as a tuple."""
        return (self.problem,) if isinstance(self.problem, str) else self.problem


@dataclass(frozen=True)
class Experiment:
    """Problems x arms x metrics, the claims, and the function that runs one trial.

    Attributes:
        question: one sentence a reader understands.
        trial: `trial(run)` yields measurements; a pure function of (arm, problem, point, replicate, scale).
        scales: smoke, demo, small, full.
        points: swept parameters, numbers or words; every trial gets one combination as `run.point`.
        tuning: how arms are tuned on pilots; None = no arm has a search space.
        own: `own(paths, columns)` makes a problem of the user's files (`--on`), or a whole experiment where they name
            more than data (what is swept); `columns` maps roles to names of columns (`--column role=name`). None = the
            task has no such thing.
        roles: those that columns of the user's files may have ("label", "text", "user", "group", "domain", "time",
            "id", "target"); empty = the files have no columns to choose from.
        settings: what else the user may say of the problem of these files (`--set horizon=28`), which `own` is given as
            text by that name.
        benefit: the metric shown against cost; None = the headline's.

    Raises:
        InputError: a part names an arm, problem or metric that is not declared, or a swept value is neither a finite
            number nor a word.
    """

    question: str
    problems: Mapping[str, Problem]
    arms: Mapping[str, Arm]
    metrics: Mapping[str, Metric]
    scales: Mapping[str, Scale]
    claims: Sequence[Claim]
    trial: Callable[[Run], Iterable[Measurement]]
    points: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    tuning: Tuning | None = None
    own: Callable[..., Problem | Experiment] | None = None
    benefit: str | None = None
    roles: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def swept(
        self, scale: Scale | None = None, problem: str | None = None, arms: Iterable[str] = ()
    ) -> Mapping[str, Sequence[Any]]:
        """The values of the swept parameters that a scale uses, on a problem and with arms that may use fewer still."""
        chosen = {**self.points, **((scale.points if scale else None) or {})}
        narrower = [self.problems[problem].points] if problem else []
        narrower += [self.arms[arm].points or NOTHING for arm in arms]
        for points in narrower:
            for name, values in points.items():
                chosen[name] = [value for value in chosen[name] if value in values]
        return chosen

    def runs_once(self, arm: str, problem: str) -> bool:
        """Whether nothing about an arm on a problem is random: one trial then stands for every replicate."""
        return self.arms[arm].deterministic and not self.problems[problem].redrawn

    def space(self, arm: str) -> Mapping[str, Sequence[Any]]:
        """The search space of an arm, or of the arm it is tuned as."""
        return self.arms[self.arms[arm].tuned_as or arm].space

    def __post_init__(self) -> None:
        self._check_kinds()
        for name, arm in self.arms.items():
            _declared(f"arm {name!r}: problems", arm.problems or (), self.problems)
            _declared(f"arm {name!r}: tuned_as", (arm.tuned_as,), self.arms)
            self._check_points(f"arm {name!r}: points", arm.points or {})
        for name, scale in self.scales.items():
            _declared(f"scale {name!r}: arms", scale.arms or (), self.arms)
            _declared(f"scale {name!r}: problems", scale.problems or (), self.problems)
            self._check_points(f"scale {name!r}: points", scale.points or {})
        if self.tuning is not None:
            _declared("tuning: metric", (self.tuning.metric,), self.metrics)
            _declared("tuning: problem", self.tuning.problems, self.problems)
            _declared("tuning: scale", (self.tuning.scale,), self.scales)
        _declared("benefit", (self.benefit,), self.metrics)
        for name, problem in self.problems.items():
            self._check_points(f"problem {name!r}: points", problem.points)
        for name, values in self.points.items():
            for value in values:  # records keep them as JSON, and are found again by equality
                if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
                    raise InputError(f"points: {name}", "must be finite numbers or words", value)

    def _check_points(self, what: str, points: Mapping[str, Sequence[Any]]) -> None:
        _declared(what, points, self.points)
        for parameter, values in points.items():
            _declared(f"{what}: {parameter}", values, self.points[parameter])

    def _check_kinds(self) -> None:
        for parts, kind in (("problems", Problem), ("arms", Arm), ("metrics", Metric), ("scales", Scale)):
            for name, part in getattr(self, parts).items():
                check_kind(part, kind, f"{parts}: {name}")
                if kind is not Problem:
                    check_fields(part, f"{parts}: {name}: ")
        if self.tuning is not None:
            check_kind(self.tuning, Tuning, "tuning")
            check_fields(self.tuning, "tuning: ")
        check_fields(self)


def _declared(what: str, names: Iterable[Any], known: Iterable[Any]) -> None:
    known = list(known)
    for name in names:
        if name is not None and name not in known:
            raise InputError(what, f"must be of {known}", name)


__all__ = [
    "FIRST_FINAL_REPLICATE",
    "PILOTS",
    "Arm",
    "DataSource",
    "Experiment",
    "Metric",
    "Problem",
    "RatioOfSums",
    "RootMeanSquare",
    "Scale",
    "Tuning",
]
