"""What the runner adds to a trial, and how long `holdfast list` takes beside a bare interpreter.

    python benchmarks/runner.py

The peer of the runner is a bare loop that calls the same trial function; the peer of the command is `python -c pass`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from holdfast.experiment import Arm, Curve, Experiment, Measurement, Metric, Problem, Scalar, Scale
from holdfast.experiment.claims import Better
from holdfast.experiment.run import Run
from holdfast.trials.campaign import Campaign
from holdfast.trials.executors import InProcess, LocalProcesses, TrialExecutor
from holdfast.trials.plan import ExperimentSource
from holdfast.trials.streams import Streams

TRIALS, REPEATS = 200, 7


@dataclass(frozen=True)
class Nothing(Problem):
    """A problem without data."""

    source: ClassVar[str] = "generated"  # type: ignore[misc]

    def describe(self) -> str:
        return "nothing"


@dataclass(frozen=True)
class Draw:
    """An arm that draws one number."""

    mean: float


def trial(run: Run) -> Iterator[Measurement]:
    """As little work as a trial can be, with a curve of 40 points as real ones have."""
    value = run.arm.mean + run.rng("split").normal()
    yield Curve("curve", list(range(40)), [value] * 40)
    yield Scalar("score", value)


experiment = Experiment(
    question="What does the runner cost?",
    problems={"nothing": Nothing()},
    arms={"a": Arm(Draw(1.0)), "b": Arm(Draw(0.0))},
    metrics={"score": Metric("points")},
    scales={"smoke": Scale(replicates=TRIALS // 2)},
    claims=[Better("a", than="b", metric="score", on="nothing", role="headline")],
    trial=trial,
)


def milliseconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def bare() -> None:
    """The peer: the same draws in a loop."""
    for replicate in range(TRIALS // 2):
        for mean in (1.0, 0.0):
            rng = Streams(1000 + replicate).rng("split")
            _ = [mean + rng.normal()] * 40


def campaign(executor: TrialExecutor) -> None:
    """A whole run: plan, execute, store, decide."""
    with tempfile.TemporaryDirectory() as folder:
        results = Campaign(ExperimentSource("runner:experiment"), "smoke", Path(folder), executor=executor).run()
        assert len(results.finished) == TRIALS


def main() -> None:
    """Print both comparisons."""
    sys.path.insert(0, str(Path(__file__).parent))
    times: dict[str, list[float]] = {"bare loop": [], "in process": [], "2 workers": []}
    campaign(InProcess())  # imports
    for _ in range(REPEATS):
        times["bare loop"].append(milliseconds(bare) / TRIALS)
        times["in process"].append(milliseconds(lambda: campaign(InProcess())) / TRIALS)
        times["2 workers"].append(milliseconds(lambda: campaign(LocalProcesses(2))) / TRIALS)
    for name, values in times.items():
        print(f"{name:<12} {statistics.median(values):8.3f} ms per trial (median of {REPEATS} runs of {TRIALS})")
    commands = {"python -c pass": ["-c", "pass"], "holdfast list": ["-m", "holdfast.cli", "list"]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(15):
        for name, arguments in commands.items():
            call = [sys.executable, *arguments]
            taken[name].append(milliseconds(lambda call=call: subprocess.run(call, check=True, capture_output=True)))
    for name, values in taken.items():
        print(f"{name:<15} {statistics.median(values):6.0f} ms (median of 15)")
    more = statistics.median(taken["holdfast list"]) - statistics.median(taken["python -c pass"])
    print(f"holdfast list takes {more:.0f} ms more than python -c pass")


if __name__ == "__main__":
    main()
