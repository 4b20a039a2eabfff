"""One trial, from its task to its record. Runs in whatever process an executor chooses."""

from __future__ import annotations

import math
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Artifact, Cost, Curve, Experiment, PerUnit, Record, Scalar
from holdfast.trials.memory import PeakMemory
from holdfast.trials.plan import Source, Trial, configured
from holdfast.trials.run import Run
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams, seed_libraries

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """A trial and what a worker needs to run it; small and picklable, so that it can cross processes and machines."""

    source: Source
    scale: str
    trial: Trial
    folder: Path
    device: str = "cpu"
    time_limit_s: float | None = None


def execute(task: Task, report: Progress) -> Record:
    """Run the trial. An exception of its code becomes a failed record; KeyboardInterrupt passes through."""
    trial = task.trial
    directory = task.folder / "artifacts" / trial.key[:16]
    start = time.perf_counter()
    measured: dict[str, Any] = {}
    try:
        experiment = task.source.load()
        scale, arm = experiment.scales[task.scale], experiment.arms[trial.arm]
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        stages = Stages(task.folder / "stages")
        streams = Streams(trial.replicate, arm.reseed)
        run = Run(
            arm=configured(arm, trial.settings),
            arm_name=trial.arm,
            problem=experiment.problems[trial.problem],
            problem_name=trial.problem,
            point=trial.point,
            replicate=trial.replicate,
            scale=scale,
            device=task.device,
            dir=directory,
            streams=streams,
            stages=stages,
            report=report,
        )
        with _repeatable(scale.threads):
            if trial.replicate is not None:
                seed_libraries(streams)
            memory = PeakMemory()
            start = time.perf_counter()
            measured = _collect(experiment, run)
        cost = measured["cost"]
        cost["seconds"] = time.perf_counter() - start - stages.computed_seconds
        cost["peak_bytes"] = memory.bytes()
        if stages.computed_seconds:
            cost["shared_seconds"] = stages.computed_seconds
        if not any(directory.iterdir()):
            directory.rmdir()
        return _record(trial, "ok", **measured)
    except Exception as error:  # noqa: BLE001  whatever a trial raises is its result, and must not end the others
        failure = str(error) if isinstance(error, HoldfastError) else traceback.format_exc(limit=-6).strip()
        return _record(trial, "failed", error=failure, cost={"seconds": time.perf_counter() - start})


def died(task: Task, why: str, seconds: float) -> Record:
    """The record of a trial whose process ended without an answer."""
    return _record(task.trial, "failed", error=why, cost={"seconds": seconds})


def _record(trial: Trial, status: Any, **rest: Any) -> Record:
    return Record(trial.key, trial.arm, trial.problem, dict(trial.point), trial.replicate, status, **rest)


def _collect(experiment: Experiment, run: Run) -> dict[str, Any]:
    scalars: dict[str, float] = {}
    cost: dict[str, float] = {}
    curves: dict[str, Any] = {}
    per_unit: dict[str, Any] = {}
    artifacts: list[dict[str, str]] = []
    for measurement in experiment.trial(run):
        match measurement:
            case Scalar(name, value):
                if name not in experiment.metrics:
                    raise InputError(f"Scalar {name!r}", f"must be one of the metrics {list(experiment.metrics)}", name)
                scalars[name] = _finite(name, value)
            case Cost(name, value):
                cost[name] = _finite(name, value)
            case Curve(name, x, y, x_label):
                curves[name] = {"x": _floats(x), "y": _floats(y), "x_label": x_label}
            case PerUnit(name, values, units):
                if len(values) != len(units):
                    raise InputError(f"PerUnit {name!r}", "needs one unit per value", f"{len(values)} and {len(units)}")
                ids = [u if isinstance(u, str) else int(u) for u in units]
                per_unit[name] = {"values": _floats(values), "units": ids}
            case Artifact(name, file, kind, caption):
                path = (run.dir / file).resolve()
                if not path.is_relative_to(run.dir.resolve()) or not path.is_file():
                    raise InputError(f"Artifact {name!r}", "must be a file inside run.dir", file)
                relative = Path("artifacts") / run.dir.name / path.relative_to(run.dir.resolve())
                artifacts.append({"name": name, "file": relative.as_posix(), "kind": kind, "caption": caption})
            case _:
                rule = "must be a Scalar, Curve, PerUnit, Artifact or Cost"
                raise InputError("what trial yields", rule, type(measurement).__name__)
    return {"scalars": scalars, "cost": cost, "curves": curves, "per_unit": per_unit, "artifacts": artifacts}


def _finite(name: str, value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise InputError(name, "came out as no finite number", number)
    return number


def _floats(values: Any) -> list[float | None]:
    numbers = [float(v) for v in (values.tolist() if hasattr(values, "tolist") else values)]
    return [n if math.isfinite(n) else None for n in numbers]  # a gap in a curve; strict JSON has no NaN


@contextmanager
def _repeatable(threads: int) -> Iterator[None]:
    """Fixed thread counts and deterministic kernels: both change the last bits of sums."""
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    with threadpool_limits(limits=threads):
        if torch is None:
            yield
            return
        before = torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before[1:]
