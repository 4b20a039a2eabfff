"""Tune every arm equally on pilots, then write down what the final replicates will decide, before they run."""

from __future__ import annotations

import datetime
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from holdfast import ledger
from holdfast.canonical import canonical, dumps, sealed
from holdfast.decision import looks_for
from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import FIRST_FINAL_REPLICATE, Arm, Experiment, Tuning, declaration
from holdfast.experiment.claims import check
from holdfast.files import write_json
from holdfast.trials.campaign import run_missing, sole_use
from holdfast.trials.display import Quiet
from holdfast.trials.execute import Task
from holdfast.trials.executors import InProcess, TrialExecutor
from holdfast.trials.plan import ExperimentSource, applicable, plan, tuned_name
from holdfast.trials.store import Store

if TYPE_CHECKING:
    from holdfast.catalogue import System

APART = 100  # a new plan starts this much further on, so that it decides on replicates nobody has seen


@dataclass(frozen=True)
class Tuner:
    """Runs the pilots.

    Attributes:
        source, scale: the experiment and the scale to be frozen, whose budget is used unless tuning names another.
        folder: of the pilots' store; pilots that are in it are not run again.
        executor, show, device: as in a campaign.
    """

    source: ExperimentSource
    scale: str
    folder: Path
    executor: TrialExecutor = field(default_factory=InProcess)
    show: Quiet = field(default_factory=Quiet)
    device: str = "cpu"

    def tune(self) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Tuned fields per arm, and the trace: one entry per arm and configuration, with the value of every pilot.

        Raises:
            InputError: a search space holds fewer configurations than the experiment promises each arm.
            HoldfastError: every configuration of an arm failed.
        """
        experiment = self.source.load()
        tuning = experiment.tuning
        candidates = _candidates(experiment, self.scale)
        if tuning is None:
            return {}, []
        tried = {arm: configurations(arm, experiment.arms[arm], tuning.configurations) for arm, _ in candidates}
        keys: dict[tuple[str, str, int], list[str]] = {}
        tasks: list[Task] = []
        scale = tuning.scale or self.scale
        limit = experiment.scales[scale].time_limit_s
        pilots = range(tuning.pilots)
        for arm, problem in candidates:
            for number, settings in enumerate(tried[arm]):
                tuned, pairs = {arm: settings}, [(arm, problem)]
                trials = plan(self.source, scale, pilots, tuned=tuned, pairs=pairs, device=self.device)
                keys[arm, problem, number] = [trial.key for trial in trials]
                tasks += [Task(self.source, scale, t, self.folder, self.device, limit) for t in trials]
        tasks.sort(key=lambda task: task.trial.replicate or 0)
        with sole_use(self.folder), Store(self.folder / "trials.sqlite") as store:
            run_missing(store, tasks, self.executor, self.show, f"{self.source.reference}: pilots")
            records = store.get(task.trial.key for task in tasks)
        values = {
            which: [records[k].scalars.get(tuning.metric) if k in records else None for k in found]
            for which, found in keys.items()
        }
        return self._choose(experiment, tuning, candidates, tried, values)

    def _choose(
        self,
        experiment: Experiment,
        tuning: Tuning,
        candidates: Sequence[tuple[str, str]],
        tried: Mapping[str, Sequence[Mapping[str, Any]]],
        values: Mapping[tuple[str, str, int], Sequence[float | None]],
    ) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        sign = 1 if experiment.metrics[tuning.metric].higher_is_better else -1
        tuned: dict[str, dict[str, Any]] = {}
        trace: list[dict[str, Any]] = []
        for arm, problem in candidates:
            means = [_mean(values[arm, problem, number]) for number in range(len(tried[arm]))]
            scores = [-math.inf if mean is None else sign * mean for mean in means]
            best = scores.index(max(scores))
            if means[best] is None:
                raise HoldfastError(f"arm {arm!r}: every configuration failed on the pilots; see {self.folder}")
            tuned[arm if arm not in tuned else tuned_name(arm, problem)] = canonical(tried[arm][best])
            for number, configuration in enumerate(tried[arm]):
                trace.append(
                    {
                        "arm": arm,
                        "problem": problem,
                        "configuration": canonical(configuration),
                        "pilots": list(values[arm, problem, number]),
                        "mean": means[number],
                        "chosen": number == best,
                    }
                )
        for name, arm_declared in experiment.arms.items():
            if (like := arm_declared.tuned_as) in tuned:
                tuned[name] = tuned[like]
                for problem in tuning.problems:
                    if tuned_name(like, problem) in tuned:
                        tuned[tuned_name(name, problem)] = tuned[tuned_name(like, problem)]
        return tuned, trace


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean over the pilots; a configuration that failed on one of them is out."""
    there = [v for v in values if v is not None]
    return fmean(there) if len(there) == len(values) else None


def _candidates(experiment: Experiment, scale: str) -> list[tuple[str, str]]:
    """The arms to tune, each with every problem it is tuned on, in the order in which tuning names them."""
    tuning = experiment.tuning
    pairs = applicable(experiment, experiment.scales[scale])
    spaces = {arm: experiment.arms[arm].space for arm, _ in pairs}
    if tuning is None:
        if any(spaces.values()):
            raise InputError(
                "tuning", "must be declared where arms have search spaces", [a for a in spaces if spaces[a]]
            )
        return []
    chosen: list[tuple[str, str]] = []
    for name in spaces:
        applies = [problem for arm, problem in pairs if arm == name and spaces[arm]]
        named = [problem for problem in tuning.problems if problem in applies]
        chosen += [(name, problem) for problem in named or applies[:1]]
    return chosen


def configurations(name: str, arm: Arm, count: int) -> list[dict[str, Any]]:
    """The declared setting and `count - 1` different random draws from the arm's space.

    The draws depend on the space alone, so that arms with the same space try the same configurations.

    Raises:
        InputError: the space holds fewer than `count` configurations.
    """
    declared = {f: getattr(arm.method, f) for f in arm.space}
    every = [dict(zip(arm.space, values, strict=True)) for values in itertools.product(*arm.space.values())]
    others = [c for c in every if canonical(c) != canonical(declared)]
    if len(others) + 1 < count:
        raise InputError(
            f"arm {name!r}", f"must have a search space of at least {count} configurations", len(others) + 1
        )
    drawn = random.Random(dumps({f: list(v) for f, v in arm.space.items()})).sample(others, count - 1)
    return [declared, *drawn]


def freeze(system: System, tuner: Tuner, *, why: str = "") -> Path:
    """Tune, and write the plan of the tuner's scale.

    A later plan keeps the verdicts of the earlier one, says why it changed, and starts at replicates nobody has seen.

    Raises:
        InputError: a claim does not fit the experiment; or an earlier plan was decided and `why` is empty.
    """
    experiment = tuner.source.load()
    for claim in experiment.claims:
        check(claim, experiment)
    before, decided = ledger.read_plan(system, tuner.scale), ledger.read_ledger(system, tuner.scale)
    if before is not None and not why:
        rule = f"must say why plan {before['number']} is replaced; its verdicts stay on record"
        raise InputError("--why", rule, "nothing")
    tuned, trace = tuner.tune()
    path = ledger.plan_path(system, tuner.scale)
    if ledger.read_plan(system, tuner.scale) != before:
        raise HoldfastError(f"{path}: another freeze has written it meanwhile; look at it before freezing again")
    scale = experiment.scales[tuner.scale]
    declared = declaration(experiment, tuner.scale)
    content = {
        "system": system.id,
        "scale": tuner.scale,
        "number": 1 if before is None else before["number"] + 1,
        "why": why,
        "frozen_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "first_replicate": FIRST_FINAL_REPLICATE if before is None else before["first_replicate"] + APART,
        "looks": {c.describe(): list(looks_for(c, experiment, scale).sizes) for c in experiment.claims},
        "declaration": declared,
        "tuned": tuned,
        "tuning": trace,
        "earlier": _earlier(before, decided),
    }
    write_json(path, sealed(content))
    ledger.ledger_path(system, tuner.scale).unlink(missing_ok=True)  # its verdicts are in "earlier" now
    return path


def _earlier(before: Mapping[str, Any] | None, decided: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if before is None:
        return []
    kept = {name: before[name] for name in ("number", "why", "frozen_at", "first_replicate", "digest")}
    return [*before["earlier"], {**kept, "verdicts": decided["verdicts"] if decided else []}]
