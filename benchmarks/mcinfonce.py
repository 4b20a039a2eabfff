"""MCInfoNCE: a training step against one of InfoNCE, and its sampler against scipy.stats.vonmises_fisher.

    python benchmarks/mcinfonce.py [--batch 64] [--samples 16]

The step has the same convolutional encoder, batch, negatives (8 of the batch's images) and optimiser in both; MCInfoNCE
draws S samples of each distribution. The sampler draws as many directions as scipy's, at p = 3 and p = 10.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from scipy.stats import vonmises_fisher
from torch import nn

from holdfast.losses.contrastive import contrast
from holdfast.systems.mcinfonce import MCInfoNCE, ProbabilisticHead, VonMisesFisher

DIM, KAPPA, NEGATIVES, COUNT = 8, 16.0, 8, 200_000


def encoder() -> nn.Sequential:
    """Four convolutions over 32 x 32 images."""
    sizes = (3, 32, 64, 128)
    blocks = [part for a, b in pairwise(sizes) for part in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of a call, after one that does not count."""
    work()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def steps(batch: int, samples: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """One training step of InfoNCE and one of MCInfoNCE."""
    torch.manual_seed(0)
    net = encoder()
    head = ProbabilisticHead(128, DIM)
    x = torch.randn(2 * batch, 3, 32, 32)
    head.calibrate(net(x).detach())
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], 1e-4)
    others = (torch.arange(batch)[:, None] + 1 + torch.arange(NEGATIVES)) % batch + batch
    loss = MCInfoNCE(KAPPA, samples)

    def move(value: torch.Tensor) -> None:
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    def plain() -> None:
        z = F.normalize(head.mu_net(net(x)), dim=1)
        near = KAPPA * (z[:batch] * z[batch:]).sum(1)
        move(contrast(near, KAPPA * (z[:batch, None] * z[others]).sum(2)).mean())

    def sampled() -> None:
        mu, kappa = head(net(x))
        ref, pos = (mu[:batch], kappa[:batch]), (mu[batch:, None], kappa[batch:, None])
        move(loss(*ref, *pos, mu[others], kappa[others]))

    return plain, sampled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    plain, sampled = steps(given.batch, given.samples)
    one, two = seconds(plain, given.repeats), seconds(sampled, given.repeats)
    print(f"step, S = {given.samples}: InfoNCE {1e3 * one:.0f} ms, MCInfoNCE {1e3 * two:.0f} ms, ratio {two / one:.2f}")
    for p in (3, 10):
        mu = torch.zeros(p)
        mu[0] = 1
        law, peer = VonMisesFisher(mu, torch.tensor([16.0])), vonmises_fisher(mu.numpy(), 16.0)
        ours = seconds(lambda law=law: law.sample((COUNT,)), given.repeats)  # type: ignore[misc]
        theirs = seconds(lambda peer=peer: peer.rvs(COUNT, random_state=0), given.repeats)  # type: ignore[misc]
        told = f"scipy {1e3 * theirs:.0f} ms, ours {1e3 * ours:.0f} ms, ratio {ours / theirs:.2f}"
        print(f"{COUNT:,} samples, p = {p}: {told}")


if __name__ == "__main__":
    main()
