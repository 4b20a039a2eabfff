"""A training step of D3G with 100 domains against one of ERM with the same encoder: same work, same run, medians
over repetitions of the ratio of processor times, each of two works done one after the other.

    python benchmarks/d3g.py [--threads 1] [--repeats 100] [--domains 100] [--device cpu]

By multiply-adds of a row: the encoder's, and D C for ERM's head against K D C for the heads. At prediction: all heads
and a mixture against the one layer that they collapse into.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from torch import nn

from holdfast.baselines.unseen_domains import Pooled, plain_mean
from holdfast.losses.per_example import cross_entropy
from holdfast.systems.d3g import D3GLearner, D3GSettings, MultiHead, mix_heads
from holdfast.testing.timing import interleaved, one_step

ROWS = 256
RATE = 1e-7  # so that steps on one batch do not run into gradients too small for ordinary arithmetic
ENCODERS = {"196-64-64": (196, 64), "784-512-512": (784, 512), "2048-1024-1024": (2048, 1024)}


def ratio(one: list[float], other: list[float]) -> float:
    """Median over repetitions of the ratio of two works that were done one after the other."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def encoder_of(inputs: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())


def measured(name: str, domains: int, repeats: int, device: torch.device) -> dict[str, float]:
    """Milliseconds per step and per prediction, and their ratios."""
    inputs, width = ENCODERS[name]
    batch = {
        "x": torch.randn(ROWS, inputs, device=device),
        "y": torch.randint(0, 2, (ROWS,), device=device),
        "domain": torch.randint(0, domains, (ROWS,), device=device),
    }
    fixed, heads = torch.rand(domains, domains), MultiHead(width, domains, 2)
    d3g = D3GLearner(encoder_of(inputs, width), heads, fixed, D3GSettings(lr=RATE)).to(device)
    alone = D3GLearner(
        encoder_of(inputs, width), MultiHead(width, domains, 2), fixed, D3GSettings(lam=0.0, lr=RATE)
    ).to(device)
    erm = Pooled(nn.Sequential(encoder_of(inputs, width), nn.Linear(width, 2)), cross_entropy, plain_mean, RATE).to(
        device
    )
    works = {"ERM": one_step(erm, batch), "D3G": one_step(d3g, batch), "heads only": one_step(alone, batch)}
    seconds = interleaved(works, repeats, device, clock=time.process_time)
    out = {f"{name}: {k} ms per step": 1e3 * statistics.median(v) for k, v in seconds.items()}
    out[f"{name}: D3G / ERM"] = ratio(seconds["D3G"], seconds["ERM"])
    out[f"{name}: heads only / ERM"] = ratio(seconds["heads only"], seconds["ERM"])
    weights, z = torch.rand(domains, device=device), torch.randn(ROWS, width, device=device)
    one, row = heads.collapse(weights), weights.expand(ROWS, domains)
    with torch.no_grad():
        answers = interleaved(
            {"mixed": lambda: mix_heads(heads(z), row), "one": lambda: one(z)}, repeats, device, clock=time.process_time
        )
    out[f"{name}: all heads / one collapsed layer"] = ratio(answers["mixed"], answers["one"])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--domains", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results: dict[str, float] = {}
    for name in ENCODERS:
        results |= measured(name, arguments.domains, arguments.repeats, torch.device(arguments.device))
    print(json.dumps({name: round(value, 3) for name, value in results.items()}, indent=1))


if __name__ == "__main__":
    main()
