"""Which trials a run consists of, and the key under which each is kept."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import catalogue
from holdfast.canonical import canonical, digest
from holdfast.errors import InputError
from holdfast.experiment import NOTHING, Experiment, Interaction, Scale
from holdfast.experiment.claims import Compound
from holdfast.trials.closure import closure_hash
from holdfast.trials.closure import versions as versions

if TYPE_CHECKING:
    from holdfast.experiment import Claim


@dataclass(frozen=True)
class ExperimentSource:
    """Where a worker finds the experiment.

    Args:
        reference: id of a system, or "module:attribute" of an `Experiment`.
        own: the user's paths (`--on`), which replace the declared problems by one of their own.
        columns: role -> name of a column of these files (`--column`), as pairs.
        settings: name -> value of what the user sets about them (`--set`), as pairs.
    """

    reference: str
    own: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def module(self) -> str:
        """The module that declares the experiment."""
        if ":" in self.reference:
            return self.reference.partition(":")[0]
        return f"{catalogue.load(self.reference).package}.experiment"

    def load(self) -> Experiment:
        """The experiment, on the user's own data where `own` is given."""
        return _load(self)


@functools.cache
def _load(source: ExperimentSource) -> Experiment:
    attribute = source.reference.partition(":")[2] or "experiment"
    experiment = catalogue.imported_experiment(source.module, attribute)
    if not source.own:
        return experiment
    return on_own_data(experiment, source.own, dict(source.columns), dict(source.settings))


OWN = "your data"
NO_ROLES = "is not possible for this system: its files have no columns to choose from"
NO_SETTINGS = "is not possible for this system: there is nothing to set about its files"


def on_own_data(
    experiment: Experiment,
    paths: Sequence[str],
    columns: Mapping[str, str] = NOTHING,
    settings: Mapping[str, str] = NOTHING,
) -> Experiment:
    """The same arms and the claims about the headline's problem, on a problem made of the user's files.

    Args:
        columns: role -> name of a column.
        settings: name -> value of what the user sets.

    Raises:
        InputError: the task has no own data, or a role or setting is none of those it knows.
    """
    if experiment.own is None:
        raise InputError("--on", "is not possible for this system: its task has no data of one's own", " ".join(paths))
    for option, given, known, called, none in (
        ("--column", columns, experiment.roles, "roles", NO_ROLES),
        ("--set", settings, experiment.settings, "settings", NO_SETTINGS),
    ):
        if unknown := [name for name in given if name not in known]:
            raise InputError(option, f"must name one of the {called} {', '.join(known)}" if known else none, unknown[0])
    problem = experiment.own([Path(p) for p in paths], columns, **settings)
    if isinstance(problem, Experiment):
        return problem
    main = {name for claim in experiment.claims if claim.role == "headline" for name in claim.problems}
    arms = {
        name: dataclasses.replace(arm, problems=None, tuned_as=None, space=experiment.space(name))
        for name, arm in experiment.arms.items()
        if arm.problems is None or main & set(arm.problems)
    }
    scales = {name: _for_arms(arms, scale) for name, scale in experiment.scales.items()}
    claims = [
        dataclasses.replace(claim.rebind((OWN,)), scope="")  # the scope in words is that of the declared problem
        for claim in experiment.claims
        if claim.problems and _reads_only(claim, main, arms) and not _between_problems(claim)
    ]
    return dataclasses.replace(
        experiment, problems={OWN: problem}, arms=arms, scales=scales, claims=claims, tuning=None
    )


def _between_problems(claim: Claim) -> bool:
    """Whether the claim compares problems with each other: the user's data are one."""
    parts = (*claim.preconditions, *(claim.parts if isinstance(claim, Compound) else ()))
    return bool(isinstance(claim, Interaction) and claim.here.problem) or any(map(_between_problems, parts))


def _for_arms(arms: Collection[str], scale: Scale) -> Scale:
    kept = None if scale.arms is None else tuple(arm for arm in scale.arms if arm in arms)
    return dataclasses.replace(scale, arms=kept, problems=None)


def _reads_only(claim: Claim, problems: Collection[str], arms: Collection[str]) -> bool:
    here = all(p in problems for p in claim.problems) and all(a in arms for a in claim.arms)
    return here and all(_reads_only(needed, problems, arms) for needed in claim.preconditions)


@dataclass(frozen=True)
class Trial:
    """One cell of the plan. `settings` are the tuned fields of the arm's method. Small and picklable."""

    key: str
    arm: str
    problem: str
    point: Mapping[str, Any]
    replicate: int | None
    settings: Mapping[str, Any] = field(default_factory=dict)


def configured(experiment: Experiment, arm_name: str, settings: Mapping[str, Any]) -> Any:
    """The arm's method with `settings` filled in; a value read from JSON becomes the declared candidate it equals."""
    arm, space = experiment.arms[arm_name], experiment.space(arm_name)
    values = {}
    for name, value in settings.items():
        candidates = list(space.get(name, ()))
        if hasattr(arm.method, name):
            candidates.append(getattr(arm.method, name))
        matching = [c for c in candidates if canonical(c) == canonical(value)]
        if not matching:
            raise InputError(f"setting {name!r}", "must be a declared candidate of the arm's search space", value)
        values[name] = matching[0]
    return dataclasses.replace(arm.method, **values) if values else arm.method


def plan(
    source: ExperimentSource,
    scale_name: str,
    replicates: Iterable[int],
    *,
    tuned: Mapping[str, Mapping[str, Any]] = NOTHING,
    pairs: Iterable[tuple[str, str]] | None = None,
    device: str = "cpu",
) -> list[Trial]:
    """The trials of a run, replicate by replicate, so that an interrupted run leaves complete comparisons.

    Args:
        source: the experiment.
        scale_name: one of its scales.
        replicates: their numbers.
        tuned: arm -> tuned fields; "arm on problem" -> those of one problem, where they differ (see `tuned_for`).
        pairs: (arm, problem) pairs to run; None = all that the scale names and that apply.
        device: enters the key, as numbers differ between kinds of device.

    Raises:
        InputError: there is no such scale, or a tuned value is none that was declared.
    """
    experiment = source.load()
    if scale_name not in experiment.scales:
        raise InputError("scale", f"must be one of {', '.join(experiment.scales)}", scale_name)
    scale = experiment.scales[scale_name]
    common = {
        "experiment": source.reference,
        "scale": scale_settings(scale),
        "code": closure_hash(source.module),
        "versions": versions(),
        "device": device.partition(":")[0],
    }
    problems = functools.cache(lambda name: _identity(experiment, name))  # reading fingerprints may take a while
    identities = {
        (arm_name, problem_name): {
            **common,
            # The names are in the key too: two arms may share a method, and each record belongs to one of them.
            "names": [arm_name, problem_name],
            "arm": canonical(configured(experiment, arm_name, tuned_for(tuned, arm_name, problem_name)), arm_name),
            "reseed": experiment.arms[arm_name].reseed,
            **problems(problem_name),
        }
        for arm_name, problem_name in (pairs if pairs is not None else applicable(experiment, scale))
    }
    points = functools.cache(lambda arm, problem: _points(experiment.swept(scale, problem, (arm,))))
    trials: dict[str, Trial] = {}
    for replicate in replicates:
        for (arm_name, problem_name), identity in identities.items():
            number = None if experiment.runs_once(arm_name, problem_name) else replicate
            for point in points(arm_name, problem_name):
                key = digest({**identity, "point": point, "replicate": number})
                settings = dict(tuned_for(tuned, arm_name, problem_name))
                trials[key] = Trial(key, arm_name, problem_name, point, number, settings)
    return list(trials.values())


def tuned_for(tuned: Mapping[str, Mapping[str, Any]], arm: str, problem: str) -> Mapping[str, Any]:
    """The tuned fields of an arm on a problem: those found there, else those found where the arm was tuned first."""
    return tuned.get(tuned_name(arm, problem), tuned.get(arm, NOTHING))


def tuned_name(arm: str, problem: str) -> str:
    """The key under which the fields of an arm that was tuned on several problems are kept for one of them."""
    return f"{arm} on {problem}"


def _points(swept: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(swept, values, strict=True)) for values in itertools.product(*swept.values())]


def _identity(experiment: Experiment, problem_name: str) -> dict[str, Any]:
    problem = experiment.problems[problem_name]
    return {"problem": canonical(problem, f"problem {problem_name!r}"), "files": problem.fingerprint()}


def applicable(experiment: Experiment, scale: Scale) -> list[tuple[str, str]]:
    """All (arm, problem) pairs of a scale whose problem's data is here, in declared order."""
    arms = scale.arms if scale.arms is not None else tuple(experiment.arms)
    problems = scale.problems if scale.problems is not None else tuple(experiment.problems)
    return [
        (arm, problem)
        for problem in problems
        if experiment.problems[problem].available()
        for arm in arms
        if (only := experiment.arms[arm].problems) is None or problem in only
    ]


def scale_settings(scale: Scale) -> dict[str, Any]:
    """What of a scale changes numbers: the system's own settings and the threads."""
    which = {"replicates", "arms", "problems", "points", "status", "slow", "time_limit_s"}
    return {f.name: canonical(getattr(scale, f.name)) for f in dataclasses.fields(scale) if f.name not in which}
