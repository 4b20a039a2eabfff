"""A trial's `run` without a runner: for tests of what a trial does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.experiment import NOTHING, Experiment, Run
from holdfast.trials.plan import configured
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams


def run_of(
    experiment: Experiment,
    arm: str,
    problem: str,
    folder: Path,
    *,
    scale: str = "smoke",
    replicate: int | None = 0,
    point: Mapping[str, Any] = NOTHING,
    settings: Mapping[str, Any] = NOTHING,
    device: str = "cpu",
) -> Run[Any, Any, Any]:
    """The run that the runner would give to a trial of these.

    Args:
        experiment: the declarations.
        arm, problem: names of an arm and a problem.
        folder: for artifacts (`run.dir`) and stages; made where there is none.
        scale: name of a scale.
        replicate: its number; None as for a deterministic arm, which may then draw nothing.
        point: values of swept parameters; a parameter that is not named takes the first that the scale uses.
        settings: tuned fields of the arm's method; each a declared candidate.
        device: where tensors should live.

    Raises:
        InputError: a name is not declared.

    Example:
        >>> import tempfile
        >>> from holdfast import load
        >>> experiment = load("adamatch").experiment
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = run_of(experiment, "source only", "mnist->digits", Path(folder))
        ...     run.arm_name, run.replicate, run.seed("split") == run.seed("split")
        ('source only', 0, True)
    """
    for name, asked, declared in (
        ("arm", arm, experiment.arms),
        ("problem", problem, experiment.problems),
        ("scale", scale, experiment.scales),
    ):
        if asked not in declared:
            raise InputError(name, f"must be one of {', '.join(declared)}", asked)
    chosen = experiment.scales[scale]
    swept = experiment.swept(chosen, problem, (arm,))
    folder.mkdir(parents=True, exist_ok=True)
    directory = folder / "artifacts"
    directory.mkdir(exist_ok=True)
    return Run(
        arm=configured(experiment, arm, settings),
        arm_name=arm,
        problem=experiment.problems[problem],
        problem_name=problem,
        point={**{name: values[0] for name, values in swept.items()}, **point},
        replicate=replicate,
        scale=chosen,
        device=device,
        dir=directory,
        streams=Streams(replicate, experiment.arms[arm].reseed),
        stages=Stages(folder / "stages"),
        report=lambda done, total: None,
    )


__all__ = ["run_of"]
