"""What a trial is given: its arm, problem, replicate and scale, and the services it may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch

T = TypeVar("T")
ArmT = TypeVar("ArmT")
ProblemT = TypeVar("ProblemT")
ScaleT = TypeVar("ScaleT")


class NamedStreams(Protocol):
    """What a run draws its randomness from."""

    def seed(self, name: str) -> int: ...
    def rng(self, name: str) -> np.random.Generator: ...
    def generator(self, name: str, device: str) -> torch.Generator: ...


class SharedWork(Protocol):
    """Where a run keeps, and finds, what trials share."""

    def get(self, name: str, fn: Callable[..., T], kw: Mapping[str, Any]) -> T: ...


class Run(Generic[ArmT, ProblemT, ScaleT]):
    """The only argument of `trial(run)`.

    Its parameters say what a system's arms, problems and scales are: `def trial(run: Run[Classifier, Digits, Steps])`
    reads `run.scale.steps` without a cast. Where arms have nothing in common, `Any` stands for them.

    Attributes:
        arm: the arm's method (frozen dataclass) with tuned values filled in; arm_name: its name in the experiment.
        problem, problem_name: the problem object and its name.
        point: values of the swept parameters, {} where nothing is swept.
        replicate: its number; None for a deterministic arm.
        scale: the system's `Scale` object with its typed settings.
        device: "cpu", "cuda", "cuda:1", ... where tensors should live.
        dir: an empty folder for files the trial leaves as `Artifact`s.
    """

    def __init__(
        self,
        *,
        arm: ArmT,
        arm_name: str,
        problem: ProblemT,
        problem_name: str,
        point: Mapping[str, Any],
        replicate: int | None,
        scale: ScaleT,
        device: str,
        dir: Path,
        streams: NamedStreams,
        stages: SharedWork,
        report: Callable[[int, int], None],
    ) -> None:
        self.arm, self.arm_name = arm, arm_name
        self.problem, self.problem_name = problem, problem_name
        self.point, self.replicate, self.scale = point, replicate, scale
        self.device, self.dir = device, dir
        self._streams, self._stages, self._report = streams, stages, report

    def seed(self, name: str) -> int:
        """Seed of the stream `name` ("split", "init", "batches", "augment", ...): the same in every arm."""
        return self._streams.seed(name)

    def rng(self, name: str) -> np.random.Generator:
        """A numpy generator at the start of the stream `name`."""
        return self._streams.rng(name)

    def generator(self, name: str) -> torch.Generator:
        """A torch generator on `device` at the start of the stream `name`."""
        return self._streams.generator(name, self.device)

    def stage(self, name: str, fn: Callable[..., T], **kw: Any) -> T:
        """`fn(**kw)`, computed once per (name, code of fn's module, kw) and shared by all trials of the run.

        `kw` holds all that the result depends on (JSON values, frozen dataclasses), such as the replicate's seed.
        The value is a dict of tensors, a dict of numpy arrays, or anything JSON can hold; it comes back as that,
        tensors on the CPU and JSON as JSON has it (lists for tuples). `fn` may draw from the libraries' global
        generators: the stage seeds them.
        """
        return self._stages.get(name, fn, kw)

    def step(self, done: int, total: int) -> None:
        """Tell the display how far the trial is. Cheap; call it every step."""
        self._report(done, total)

    def progress(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Iterate and tell the display how far the trial is."""
        if total is None:
            items = items if isinstance(items, Sized) else list(items)
            total = len(items)
        for i, item in enumerate(items):
            self._report(i, total)
            yield item
        self._report(total, total)


__all__ = ["NamedStreams", "Run", "SharedWork"]
