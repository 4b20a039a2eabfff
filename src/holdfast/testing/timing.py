"""How long pieces of work take beside each other: for benchmarks, which compare and never judge by one time alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.training.learner import Learner

Work = Callable[[], object]


def interleaved(
    works: Mapping[str, Work],
    repeats: int,
    device: Any = "cpu",
    *,
    warm: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each piece of work in every repetition; every repetition runs all, so that disturbances hit all alike.

    Args:
        works: name -> work.
        repeats: repetitions that count.
        device: where the work is done; on "cuda" it is waited for before the clock is read, which is then the wall's.
        warm: repetitions before those that count.
        clock: `time.process_time` where other work on the machine should not count.

    Example:
        >>> seconds = interleaved({"nothing": lambda: None, "sum": lambda: sum(range(99))}, repeats=5)
        >>> {name: len(values) for name, values in seconds.items()}
        {'nothing': 5, 'sum': 5}
    """
    wait: Callable[[], object] = lambda: None  # noqa: E731
    if str(device).startswith("cuda"):
        import torch

        clock, wait = time.perf_counter, lambda: torch.cuda.synchronize(device)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + warm):
        for name, work in works.items():
            wait()
            start = clock()
            work()
            wait()
            if repeat >= warm:
                seconds[name].append(clock() - start)
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def one_step(learner: Learner, batch: dict[str, Any], rng: Any = None) -> Work:
    """One step of all optimisers of a learner on a fixed batch, its augmentation included.

    Args:
        learner: its loss is minimised; `step` is not used.
        batch: tensors on the learner's device.
        rng: generator on that device; None = a new one.
    """
    import torch

    learner.progress = 0.5
    optimizers = learner.optimizers()
    generator = torch.Generator(next(iter(batch.values())).device) if rng is None else rng

    def run() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        learner.loss(batch, generator)[0].backward()
        for optimizer in optimizers:
            optimizer.step()

    return run


__all__ = ["interleaved", "medians", "one_step"]
