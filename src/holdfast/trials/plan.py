"""Which trials a run consists of, and the key under which each is kept."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast import catalogue
from holdfast.canonical import canonical, digest
from holdfast.errors import InputError
from holdfast.experiment import NOTHING, Arm, Experiment, Scale
from holdfast.trials.closure import closure_hash

VERSIONED = ("numpy", "scipy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Source:
    """Where a worker finds the experiment.

    Args:
        reference: id of a system, or "module:attribute" of an `Experiment`.
        own: the user's paths (`--on`), which replace the declared problems by one of their own.
    """

    reference: str
    own: tuple[str, ...] = ()

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
def _load(source: Source) -> Experiment:
    attribute = source.reference.partition(":")[2] or "experiment"
    experiment: Experiment = getattr(importlib.import_module(source.module), attribute)
    return on_own_data(experiment, source.own) if source.own else experiment


OWN = "your data"


def on_own_data(experiment: Experiment, paths: Sequence[str]) -> Experiment:
    """The same arms and the claims about the headline's problem, on a problem made of the user's files."""
    if experiment.own is None:
        raise InputError("--on", "is not possible for this system: its task has no data of one's own", " ".join(paths))
    problem = experiment.own([Path(p) for p in paths])
    headline = next(c for c in experiment.claims if c.role == "headline")
    main = set(headline.problems)
    arms = {name: arm for name, arm in experiment.arms.items() if arm.problems is None or main & set(arm.problems)}
    arms = {name: dataclasses.replace(arm, problems=None) for name, arm in arms.items()}
    scales = {n: _keep_arms(dataclasses.replace(s, problems=None), arms) for n, s in experiment.scales.items()}
    claims = [c.rebind((OWN,)) for c in experiment.claims if set(c.problems) <= main and set(c.arms) <= set(arms)]
    return dataclasses.replace(
        experiment, problems={OWN: problem}, arms=arms, scales=scales, claims=claims, tuning=None
    )


def _keep_arms(scale: Scale, arms: Mapping[str, Arm]) -> Scale:
    if scale.arms is None:
        return scale
    return dataclasses.replace(scale, arms=tuple(a for a in scale.arms if a in arms))


@dataclass(frozen=True)
class Trial:
    """One cell of the plan. `settings` are the tuned fields of the arm's method. Small and picklable."""

    key: str
    arm: str
    problem: str
    point: Mapping[str, Any]
    replicate: int | None
    settings: Mapping[str, Any] = field(default_factory=dict)


def configured(arm: Arm, settings: Mapping[str, Any]) -> Any:
    """The arm's method with `settings` filled in; a value read from JSON becomes the declared candidate it equals."""
    values = {}
    for name, value in settings.items():
        candidates = [*arm.space.get(name, ()), getattr(arm.method, name)]
        matching = [c for c in candidates if canonical(c) == canonical(value)]
        if not matching:
            raise InputError(f"setting {name!r}", "must be a declared candidate of the arm's search space", value)
        values[name] = matching[0]
    return dataclasses.replace(arm.method, **values) if values else arm.method


def plan(
    source: Source,
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
        tuned: arm -> tuned fields.
        pairs: (arm, problem) pairs to run; None = all that the scale names and that apply.
        device: enters the key, as numbers differ between kinds of device.
    """
    experiment = source.load()
    scale = experiment.scales[scale_name]
    chosen = list(pairs) if pairs is not None else applicable(experiment, scale)
    points = [
        dict(zip(experiment.points, values, strict=True)) for values in itertools.product(*experiment.points.values())
    ]
    common = {
        "scale": scale_settings(scale),
        "code": closure_hash(source.module),
        "versions": versions(),
        "device": device.partition(":")[0],
    }
    trials: dict[str, Trial] = {}
    for replicate in replicates:
        for arm_name, problem_name in chosen:
            arm, problem = experiment.arms[arm_name], experiment.problems[problem_name]
            settings = tuned.get(arm_name, NOTHING)
            what = {
                **common,
                "arm": canonical(configured(arm, settings), f"arm {arm_name!r}"),
                "reseed": arm.reseed,
                "problem": canonical(problem, f"problem {problem_name!r}"),
                "files": problem.fingerprint(),
                "replicate": None if arm.deterministic else replicate,
            }
            for point in points:
                # The names are in the key too: two arms may share a method, and each record belongs to one of them.
                key = digest({**what, "point": point, "names": [arm_name, problem_name]})
                trials[key] = Trial(key, arm_name, problem_name, point, what["replicate"], dict(settings))
    return list(trials.values())


def applicable(experiment: Experiment, scale: Scale) -> list[tuple[str, str]]:
    """All (arm, problem) pairs of a scale whose problem's data is here, in declared order."""
    arms = scale.arms if scale.arms is not None else tuple(experiment.arms)
    problems = scale.problems if scale.problems is not None else tuple(experiment.problems)
    return [
        (arm, problem)
        for problem in problems
        if experiment.problems[problem].available()
        for arm in arms
        if experiment.arms[arm].problems is None or problem in (experiment.arms[arm].problems or ())
    ]


def scale_settings(scale: Scale) -> dict[str, Any]:
    """What of a scale changes numbers: the system's own settings and the threads."""
    which = {"replicates", "arms", "problems", "status", "slow", "time_limit_s"}
    return {f.name: canonical(getattr(scale, f.name)) for f in dataclasses.fields(scale) if f.name not in which}


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and the numerical libraries, without importing them."""
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
