"""muTransfer's speed: what a step costs under muP, and setting up a model of a billion parameters.

    python benchmarks/mutransfer.py            about a minute on 2 cores

The peer is the reference package (`pip install --no-deps mup`), where it is installed: the same models are set up by
both in the same run. Without it our own times are printed alone.
"""

from __future__ import annotations

import importlib.util
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from holdfast.systems.mutransfer import MuParametrization, MuReadout
from holdfast.systems.mutransfer.net import Transformer

PEER = importlib.util.find_spec("mup") is not None


def step_time(parametrized: bool, width: int, repeats: int) -> list[float]:
    """Seconds of each training step of a 2-layer transformer."""
    torch.manual_seed(0)
    model = Transformer(width, vocabulary=256, length=64)
    optimizer: torch.optim.Optimizer
    if parametrized:
        mu = MuParametrization.from_builder(lambda w: Transformer(w, 256, 64), 64)
        optimizer = mu.apply(model).optimizer(torch.optim.AdamW, model, lr=1e-3)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(256, (8, 64))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        loss = functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return times[3:]


class Stack(nn.Module):
    """24 blocks of two linear layers: 1.2 billion parameters at a width of 2,500."""

    def __init__(self, width: int, layers: int = 24) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, width)
        self.up = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(layers))
        self.down = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(layers))
        self.out = MuReadout(width, 256)


def on_meta(width: int) -> nn.Module:
    with torch.device("meta"):
        return Stack(width)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and MB by which the peak memory rose."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def set_up() -> None:
    model = on_meta(2500)
    count = sum(p.numel() for p in model.parameters())
    base, delta = on_meta(128), on_meta(256)

    def ours() -> None:
        report = MuParametrization(base, delta).apply(model)
        report.param_groups(model, 1e-3)

    seconds, memory = timed(ours)
    print(f"parametrize {count / 1e9:.2f} billion parameters on meta: {1000 * seconds:.0f} ms, {memory:.1f} MB more")
    if PEER:
        compare(count)


def compare(count: int) -> None:
    """The reference package on the same model."""
    import mup

    class Theirs(Stack):
        def __init__(self, width: int) -> None:
            super().__init__(width)
            self.out = mup.MuReadout(width, 256)  # type: ignore[assignment]

    with torch.device("meta"):
        model, base, delta = Theirs(2500), Theirs(128), Theirs(256)

    def theirs() -> None:
        mup.set_base_shapes(model, base, delta=delta)
        mup.MuAdamW(model.parameters(), lr=1e-3)

    seconds, memory = timed(theirs)
    print(f"reference package, the same model: {1000 * seconds:.0f} ms, {memory:.1f} MB more")


def main() -> None:
    torch.set_num_threads(1)
    for width in (64, 256):
        plain, ours = [], []
        for _ in range(4):  # in turn, so that a busy machine slows both
            plain += step_time(False, width, 20)
            ours += step_time(True, width, 20)
        ratio = statistics.median(ours) / statistics.median(plain)
        took = 1000 * statistics.median(ours)
        print(f"step of a 2-layer transformer of width {width}: {took:.2f} ms, ratio {ratio:.3f}")
    set_up()


if __name__ == "__main__":
    main()
