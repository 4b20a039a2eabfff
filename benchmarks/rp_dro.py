"""RP-DRO's step against a step of plain training of the same classifier: same batch, same run, medians of interleaved
repetitions.

    python benchmarks/rp_dro.py [--threads 1] [--repeats 300] [--device cpu]

The peer is this library's own weight-free training (`ReweightedERM`), with the same optimiser and clipping. Expected by
counting networks: 2 with an adversary of the classifier's size, 1 + 1/10 with one a tenth of it, and what is left over
is the ratios' own work.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from holdfast.baselines.reweighted import ReweightedERM
from holdfast.layers.perceptron import Perceptron, classifier
from holdfast.systems.rp_dro import RPDRO, RatioAdversary
from holdfast.testing.timing import interleaved, medians

CLIP = 10.0


def plain_step(net: nn.Module, batch: dict[str, Tensor]) -> Callable[[], None]:
    """One optimiser step of plain training."""
    learner, rng = ReweightedERM(net), torch.Generator(batch["x"].device)
    optimizer = learner.optimizers()[0]

    def run() -> None:
        optimizer.zero_grad()
        learner.loss(batch, rng)[0].backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()

    return run


def game_step(learner: RPDRO, batch: dict[str, Tensor]) -> Callable[[], None]:
    """One simultaneous step of both players."""
    optimizers, rng = learner.optimizers(), torch.Generator(batch["x"].device)
    players = (learner.model, learner.adversary)

    def run() -> None:
        learner.set_model_rate()
        for optimizer in optimizers:
            optimizer.zero_grad()
        for loss in learner.losses(batch, rng)[:2]:
            loss.backward()
        for player, optimizer in zip(players, optimizers, strict=True):
            nn.utils.clip_grad_norm_(player.parameters(), CLIP)
            optimizer.step()

    return run


def main() -> None:
    """Print milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    device, out = torch.device(asked.device), {}
    for name, rows, features, hidden in (
        ("196-64-2, 64 rows", 64, 196, 64),
        ("1024-1024-2, 256 rows", 256, 1024, 1024),
    ):
        x, y = torch.randn(rows, features, device=device), torch.randint(0, 2, (rows,), device=device)
        batch = {"x": x, "y": y}
        works = {"plain": plain_step(classifier(Perceptron(features, hidden), 2).to(device), batch)}
        for size, width in (("RP-DRO", hidden), ("RP-DRO, adversary a tenth as wide", max(1, hidden // 10))):
            players = classifier(Perceptron(features, hidden), 2), RatioAdversary(Perceptron(features, width), 2)
            works[size] = game_step(RPDRO(*players).to(device), batch)
        seconds = medians(interleaved(works, asked.repeats, device, warm=5, clock=time.process_time))
        median = {name: 1000 * value for name, value in seconds.items()}
        out |= {f"{name}: {work}, ms per step": value for work, value in median.items()}
        out |= {f"{name}: {w} / plain": v / median["plain"] for w, v in median.items() if w != "plain"}
    print(json.dumps({name: round(value, 3) for name, value in out.items()}, indent=1))


if __name__ == "__main__":
    main()
