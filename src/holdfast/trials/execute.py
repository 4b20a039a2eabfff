"""One trial, from its task to its record. Runs in whatever process an executor chooses."""

from __future__ import annotations

import importlib
import math
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Artifact, Cost, Curve, Experiment, PerUnit, Record, Scalar
from holdfast.experiment.run import Run
from holdfast.printable import without_home
from holdfast.trials.closure import libraries
from holdfast.trials.meter import Meter
from holdfast.trials.plan import ExperimentSource, Trial, configured
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams, seeded_libraries

Progress = Callable[[int, int], None]
MEASURED_HERE = ("seconds", "peak_bytes", "shared_seconds")


@dataclass(frozen=True)
class Task:
    """A trial and what a worker needs to run it; small and picklable, so that it can cross processes and machines."""

    source: ExperimentSource
    scale: str
    trial: Trial
    folder: Path
    device: str = "cpu"
    time_limit_s: float | None = None

    @property
    def directory(self) -> Path:
        """Where the trial leaves its artifacts."""
        return self.folder / "artifacts" / self.trial.key[:16]


def prepare(task: Task) -> None:
    """Import what the trial needs. What goes wrong then goes wrong again in `execute`, which says so."""
    with suppress(BaseException):
        task.source.load()
        _import_numerics(task.source.module)


def execute(task: Task, report: Progress, *, interruptible: bool = True) -> Record:
    """Run the trial. Whatever its code raises becomes a failed record.

    Args:
        task: the trial.
        report: told of its steps.
        interruptible: KeyboardInterrupt is the user's and passes through; else it is the trial's own.
    """
    directory = task.directory
    start = time.perf_counter()
    try:
        measured = _measure(task, directory, report)
    except BaseException as error:
        shutil.rmtree(directory, ignore_errors=True)
        if interruptible and isinstance(error, KeyboardInterrupt):
            raise
        why = str(error) if isinstance(error, HoldfastError) else without_home(traceback.format_exc(limit=-6).strip())
        return died(task, why, time.perf_counter() - start)
    if not any(directory.iterdir()):
        directory.rmdir()
    return _record(task.trial, "ok", **vars(measured))


def died(task: Task, why: str, seconds: float) -> Record:
    """The record of a trial that ended without a result."""
    return _record(task.trial, "failed", error=why, cost={"seconds": seconds})


def _record(trial: Trial, status: Any, **rest: Any) -> Record:
    return Record(trial.key, trial.arm, trial.problem, dict(trial.point), trial.replicate, status, **rest)


def _measure(task: Task, directory: Path, report: Progress) -> _Measured:
    trial = task.trial
    experiment = task.source.load()
    _import_numerics(task.source.module)
    scale, arm = experiment.scales[task.scale], experiment.arms[trial.arm]
    shutil.rmtree(directory, ignore_errors=True)  # of an earlier try that was killed
    directory.mkdir(parents=True)
    streams = Streams(trial.replicate, arm.reseed)
    # An arm declared deterministic may not ask for a stream, but what it calls may still draw.
    seed = 0 if trial.replicate is None else streams.seed("libraries")
    with _repeatable(scale.threads), seeded_libraries(seed):
        meter = Meter()
        stages = Stages(task.folder / "stages", meter.aside)
        run = Run(
            arm=configured(experiment, trial.arm, trial.settings),
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
        measured = _Measured()
        for measurement in experiment.trial(run):
            measured.add(measurement, experiment, directory)
    measured.cost.update(meter.read())
    if stages.computed_seconds:
        measured.cost["shared_seconds"] = stages.computed_seconds
    return measured


@dataclass
class _Measured:
    """The fields of a record that a trial's measurements fill, as plain JSON values."""

    scalars: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    per_unit: dict[str, Any] = field(default_factory=dict)
    artifacts: list[dict[str, str]] = field(default_factory=list)

    def add(self, measurement: Any, experiment: Experiment, directory: Path) -> None:
        """Check one measurement and take it in."""
        match measurement:
            case Scalar(name, value):
                if name not in experiment.metrics:
                    raise InputError(f"Scalar {name!r}", f"must be one of the metrics {list(experiment.metrics)}", name)
                _put(self.scalars, f"Scalar {name!r}", name, _finite(f"Scalar {name!r}", value))
            case Cost(name, value):
                if name in MEASURED_HERE:
                    raise InputError(f"Cost {name!r}", "is measured by the runner; choose another name", name)
                _put(self.cost, f"Cost {name!r}", name, _finite(f"Cost {name!r}", value))
            case Curve(name, x, y, x_label):
                along, values = [_finite(f"Curve {name!r}: x", v) for v in _list(x)], _with_gaps(y)
                if len(along) != len(values):
                    raise InputError(f"Curve {name!r}", "needs one y per x", f"{len(along)} and {len(values)}")
                _put(self.curves, f"Curve {name!r}", name, {"x": along, "y": values, "x_label": x_label})
            case PerUnit(name, values, units):
                ids = [u if isinstance(u, str) else int(u) for u in _list(units)]
                numbers = _with_gaps(values)
                if len(numbers) != len(ids):
                    raise InputError(f"PerUnit {name!r}", "needs one unit per value", f"{len(numbers)} and {len(ids)}")
                _put(self.per_unit, f"PerUnit {name!r}", name, {"values": numbers, "units": ids})
            case Artifact(name, file, kind, caption):
                inside, path = directory.resolve(), (directory / file).resolve()
                if not path.is_relative_to(inside) or not path.is_file():
                    raise InputError(f"Artifact {name!r}", "must be a file inside run.dir", file)
                relative = Path("artifacts", directory.name, path.relative_to(inside)).as_posix()
                self.artifacts.append({"name": name, "file": relative, "kind": kind, "caption": caption})
            case _:
                rule = "must be a Scalar, Curve, PerUnit, Artifact or Cost"
                raise InputError("what trial yields", rule, type(measurement).__name__)


def _put(into: dict[str, Any], what: str, name: str, value: Any) -> None:
    if name in into:
        raise InputError(what, "may be yielded once per trial", value if isinstance(value, float) else ...)
    into[name] = value


def _finite(what: str, value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise InputError(what, "must be a finite number", str(number))
    return number


def _list(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _with_gaps(values: Any) -> list[Any]:
    """Numbers, or short lists of as many numbers each, None for those that are not finite: strict JSON has no NaN."""
    found = _list(values)
    if not any(isinstance(v, list | tuple) for v in found):
        return [_or_gap(v) for v in found]
    widths = {len(v) if isinstance(v, list | tuple) else 0 for v in found}
    if len(widths) > 1:
        raise InputError("PerUnit", "needs as many numbers in every case", sorted(widths))
    return [[_or_gap(v) for v in case] for case in found]


def _or_gap(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _import_numerics(module: str) -> None:
    """Import the numerical libraries that a trial is going to: seeds and thread counts reach only those imported."""
    for library in ("numpy", "scipy", "sklearn", "torch"):
        if library in libraries(module):
            importlib.import_module(library)


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
