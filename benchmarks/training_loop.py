"""Cost of the training loop per step, against the same work in a bare hand-written torch loop.

    python benchmarks/training_loop.py [--device cpu] [--steps 2000] [--repeats 7]

Both loops gather shuffled batches of the same tensors, compute the same loss of the same small network, check that it
is finite, record it every 50 steps and take the same SGD step. Repeats of the two alternate; the fastest counts.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.training import EMA, Learner, fit

ROWS, FEATURES, CLASSES, SIZE, LOG_EVERY = 4096, 32, 10, 64, 50


class Classifier(Learner):
    """A two-layer network."""

    def __init__(self, device: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(FEATURES, 64), nn.ReLU(), nn.Linear(64, CLASSES)).to(device)

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return nn.functional.cross_entropy(self.net(batch["x"]), batch["y"]), {}


def bare(tensors: dict[str, Tensor], steps: int, device: str) -> nn.Module:
    """The loop one would write by hand."""
    learner = Classifier(device)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.03, momentum=0.9)
    done, history, rng = 0, [], torch.Generator(device)
    while done < steps:
        order = torch.randperm(ROWS).to(device)
        for start in range(0, ROWS, SIZE):
            if done == steps:
                break
            index = order[start : start + SIZE]
            loss, _ = learner.loss({name: t.index_select(0, index) for name, t in tensors.items()}, rng)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            if (device == "cpu" or done % LOG_EVERY == 0) and not math.isfinite(loss.item()):
                raise FloatingPointError(f"loss at step {done}")
            if done % LOG_EVERY == 0:
                history.append(loss.item())
    return learner


def seconds(run: Callable[[], object], device: str) -> float:
    """Wall-clock seconds of a call, the device's work included."""
    start = time.perf_counter()
    run()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    device, steps = given.device, given.steps
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=generator)
    tensors = {"x": x.to(device), "y": torch.randint(CLASSES, (ROWS,), generator=generator).to(device)}

    def ours(ema: EMA | None) -> Callable[[], object]:
        return lambda: fit(
            Classifier(device), Batches(tensors, SIZE), steps=steps, ema=ema, device=device, log_every=LOG_EVERY
        )

    runs = {"bare torch": lambda: bare(tensors, steps, device), "fit": ours(None), "fit with EMA": ours(EMA(0.99))}
    for run in runs.values():
        run()  # imports and allocators warm up
    best = dict.fromkeys(runs, math.inf)
    for _ in range(given.repeats):
        for name, run in runs.items():
            best[name] = min(best[name], seconds(run, device))
    base = best["bare torch"]
    for name, value in best.items():
        extra = (value - base) / steps * 1e6
        print(f"{name:14s} {value / steps * 1e6:8.1f} us/step   ratio {value / base:5.2f}   {extra:+7.1f} us/step")


if __name__ == "__main__":
    main()
