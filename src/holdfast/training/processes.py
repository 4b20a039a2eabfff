"""Several trainings at a time, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch


def in_processes(work: Iterable[Callable[[], float]], jobs: int) -> Iterator[float]:
    """The results in order, as they come; in other processes if there are to be several at a time.

    Builders are often closures of a notebook, which only joblib's default processes can be sent.
    """
    if jobs == 1:
        yield from (run() for run in work)
        return
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=jobs, return_as="generator")(delayed(_alone)(run) for run in work)


def _alone(run: Callable[[], float]) -> float:
    """In a process among others, each on its own core."""
    torch.set_num_threads(1)
    return run()


__all__ = ["in_processes"]
