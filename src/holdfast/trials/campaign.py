"""A whole run: plan, execute what is not there yet, decide, and go on where the rule of decision asks for more."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from holdfast.decision import Verdict, decide_all, looks_for
from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import FIRST_FINAL_REPLICATE, Experiment, Record, RecordTable, Scale
from holdfast.experiment.claims import Claim, Compound
from holdfast.trials import provenance
from holdfast.trials.closure import closure_hash
from holdfast.trials.display import Quiet
from holdfast.trials.execute import Task
from holdfast.trials.executors import InProcess, TrialExecutor
from holdfast.trials.plan import ExperimentSource, Trial, applicable, plan
from holdfast.trials.results import Results
from holdfast.trials.store import Store

Pair = tuple[str, str]  # names of an arm and a problem


def _unnoted(results: Results, keys: Sequence[str]) -> None:
    """Nobody wants to know what is planned."""


@dataclass(frozen=True)
class Campaign:
    """What to run and where.

    Attributes:
        source: the experiment.
        scale: name of one of its scales.
        folder: of the store, the stages and the artifacts; a repeated run goes on in it.
        executor: where trials run.
        show: the display.
        device: for tensors.
        first: number of the first replicate; below 1000 they are pilots.
        arms, problems: names to restrict the scale to; None = all of it.
        tuned: arm -> tuned fields.
        replicates: None = the scale's number, or what the rule of decision needs.
        note: told the run without its records, and the keys of its trials, whenever trials have been planned: what is
            written then survives a killed run.
    """

    source: ExperimentSource
    scale: str
    folder: Path
    executor: TrialExecutor = field(default_factory=InProcess)
    show: Quiet = field(default_factory=Quiet)
    device: str = "cpu"
    first: int = FIRST_FINAL_REPLICATE
    arms: tuple[str, ...] | None = None
    problems: tuple[str, ...] | None = None
    tuned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    replicates: int | None = None
    note: Callable[[Results, Sequence[str]], None] = _unnoted

    def run(self) -> Results:
        """Run and decide.

        A trial that fails is recorded as failed and tried again by the next run. Ctrl-C ends the run; what had finished
        is kept and decided on, and the results say that they are not complete.

        Raises:
            HoldfastError: another run is writing into the folder, or none of the scale's data is here.
            InputError: an arm, a problem or the scale does not exist.
        """
        experiment, scale, pairs = self._chosen()
        claims = claims_about(experiment, scale, pairs)
        wanted = {pair: self._at_first(experiment, scale, claims, pair) for pair in pairs}
        start = time.perf_counter()
        unfinished = Results(
            system=self.source.reference,
            scale=self.scale,
            experiment=experiment,
            records=[],
            verdicts=[],
            provenance=self._provenance(scale),
            folder=self.folder,
            pilot=self.first < FIRST_FINAL_REPLICATE,
            interrupted=True,
        )
        interrupted = False
        with sole_use(self.folder), Store(self.folder / "trials.sqlite") as store:
            trials: list[Trial] = []
            try:
                while True:
                    trials = self._plan(wanted)
                    self.note(unfinished, [trial.key for trial in trials])
                    self._execute(store, trials, scale)
                    verdicts = self._decide(store, trials, claims, scale)
                    if not self._extend(wanted, experiment, scale, claims, verdicts):
                        break
            except KeyboardInterrupt:
                interrupted = True
                verdicts = self._decide(store, trials, claims, scale)
            records = _in_plan(store, trials)
        took = {**unfinished.provenance, "seconds": f"{time.perf_counter() - start:.1f}"}
        return replace(unfinished, records=records, verdicts=verdicts, provenance=took, interrupted=interrupted)

    def _provenance(self, scale: Scale) -> dict[str, str]:
        return {
            "commit": provenance.commit(Path(__file__).parent),
            "code": closure_hash(self.source.module),
            "versions": ", ".join(f"{name} {version}" for name, version in provenance.all_versions().items()),
            "machine": provenance.machine(),
            "device": self.device,
            "threads per trial": str(scale.threads),
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }

    def _chosen(self) -> tuple[Experiment, Scale, list[Pair]]:
        experiment = self.source.load()
        if self.scale not in experiment.scales:
            raise InputError("--scale", f"must be one of {', '.join(experiment.scales)}", self.scale)
        for option, names, known in (
            ("--arms", self.arms, experiment.arms),
            ("--problems", self.problems, experiment.problems),
        ):
            for name in names or ():
                if name not in known:
                    raise InputError(option, f"must be of {', '.join(map(repr, known))}", name)
        scale = experiment.scales[self.scale]
        pairs = [
            (arm, problem)
            for arm, problem in applicable(experiment, scale)
            if (self.arms is None or arm in self.arms) and (self.problems is None or problem in self.problems)
        ]
        if not pairs:
            missing = [p for p in scale.problems or experiment.problems if not experiment.problems[p].available()]
            how = "; ".join(f"{p}: {experiment.problems[p].how_to_get}" for p in missing)
            raise HoldfastError(f"nothing to run: {f'data missing: {how}' if how else 'no arm applies to a problem'}")
        return experiment, scale, pairs

    def _at_first(self, experiment: Experiment, scale: Scale, claims: Sequence[Claim], pair: Pair) -> int:
        fixed = self.replicates if self.replicates is not None else scale.replicates
        if fixed is not None:
            return fixed
        looks = [looks_for(c, experiment, scale).sizes[0] for c in claims if pair in pairs_of(c)]
        return max(looks, default=6 if scale.slow else 8)

    def _extend(
        self,
        wanted: dict[Pair, int],
        experiment: Experiment,
        scale: Scale,
        claims: Sequence[Claim],
        verdicts: Sequence[Verdict],
    ) -> bool:
        """Ask for the second look's replicates where a claim wants them; whether anything was added."""
        if self.replicates is not None or scale.replicates is not None:
            return False
        before = sum(wanted.values())
        for claim, verdict in zip(claims, verdicts, strict=True):
            if verdict.wants_more:
                size = looks_for(claim, experiment, scale).sizes[-1]
                # A scale may leave out what a claim requires: the verdict then says that it was not run.
                wanted.update({pair: max(wanted[pair], size) for pair in pairs_of(claim) if pair in wanted})
        return sum(wanted.values()) > before

    def _plan(self, wanted: Mapping[Pair, int]) -> list[Trial]:
        """All trials, replicate by replicate, so that an interrupted run leaves complete comparisons."""
        trials: list[Trial] = []
        for n in sorted(set(wanted.values())):
            pairs = [pair for pair, number in wanted.items() if number == n]
            replicates = range(self.first, self.first + n)
            trials += plan(self.source, self.scale, replicates, tuned=self.tuned, pairs=pairs, device=self.device)
        place = {pair: i for i, pair in enumerate(wanted)}
        return sorted(trials, key=lambda t: (t.replicate or 0, place[t.arm, t.problem]))

    def _execute(self, store: Store, trials: Sequence[Trial], scale: Scale) -> None:
        run_missing(
            store,
            [Task(self.source, self.scale, t, self.folder, self.device, scale.time_limit_s) for t in trials],
            self.executor,
            self.show,
            f"{self.source.reference} at {self.scale}",
        )

    def _decide(self, store: Store, trials: Sequence[Trial], claims: Sequence[Claim], scale: Scale) -> list[Verdict]:
        return decide_all(claims, RecordTable(_in_plan(store, trials), self.source.load(), scale), scale=scale)


def run_missing(store: Store, tasks: Sequence[Task], executor: TrialExecutor, show: Quiet, label: str) -> None:
    """Execute the tasks whose trials have not finished yet, and keep each record as soon as it is there."""
    kept = store.get(task.trial.key for task in tasks)
    todo = [task for task in tasks if task.trial.key not in kept or kept[task.trial.key].status != "ok"]
    if not todo:
        return
    show.begin(label, len(todo))
    for record in executor.run(todo, show):
        store.put(record)


def pairs_of(claim: Claim) -> list[Pair]:
    """The (arm, problem) pairs a claim reads, those of what it requires among them."""
    own = [(arm, problem) for arm in claim.arms for problem in claim.problems]
    others = (*claim.preconditions, *(claim.parts if isinstance(claim, Compound) else ()))
    return list(dict.fromkeys([*own, *(pair for other in others for pair in pairs_of(other))]))


def claims_about(experiment: Experiment, scale: Scale, pairs: Iterable[Pair]) -> list[Claim]:
    """The claims that can be read off these pairs at a scale."""
    there = set(pairs)
    return [claim for claim in experiment.claims if claim.readable(there, experiment, scale)]


def _in_plan(store: Store, trials: Sequence[Trial]) -> list[Record]:
    kept = store.get(trial.key for trial in trials)
    return [kept[trial.key] for trial in trials if trial.key in kept]


def sole_use(folder: Path) -> Any:
    """A lock on the folder, held for a block; given back by the system if the process dies.

    A folder may have come from a stranger: links in it, through which a run would write elsewhere, are refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in (folder, folder / "artifacts", folder / "stages"):
        link = next((p for p in sorted(part.iterdir()) if p.is_symlink()), None) if part.is_dir() else None
        if link is not None:
            raise HoldfastError(f"{link}: is a link, and a run's folder must hold its own files; remove it")
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        return lock.acquire()
    except Timeout as error:
        raise HoldfastError(f"{folder}: another run is writing here; wait for it or choose another --out") from error
    except OSError as error:
        raise HoldfastError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
