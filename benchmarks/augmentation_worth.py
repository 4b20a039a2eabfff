"""Random affine maps of whole batches against kornia's, and rates of a table: same work, same run, medians.

    python benchmarks/augmentation_worth.py [--images 2048] [--side 32] [--repeats 7]

The same ranges of turns, moves and magnifications, each image with its own draw; both resample bilinearly.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from kornia.augmentation import RandomAffine as KorniaAffine

from holdfast.data.augment import RandomAffine
from holdfast.systems.augmentation_worth import ScalingCurve, exchange_rate
from holdfast.testing.timing import interleaved, medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    ours = RandomAffine(degrees=15.0, scale=(0.85, 1.15), shear=0.0, translate=0.075)
    theirs = KorniaAffine(degrees=15.0, translate=(0.075, 0.075), scale=(0.85, 1.15), p=1.0)
    rng = torch.Generator().manual_seed(0)
    for size in (32, given.images):
        images = torch.rand(size, 1, given.side, given.side, generator=rng)
        calls = max(1, given.images // size)
        median = medians(
            interleaved(
                {
                    "holdfast": lambda images=images, calls=calls: [ours(images, rng) for _ in range(calls)],  # type: ignore[misc]
                    "kornia": lambda images=images, calls=calls: [theirs(images) for _ in range(calls)],  # type: ignore[misc]
                },
                given.repeats,
                warm=1,
            )
        )
        speed = {name: size * calls / seconds for name, seconds in median.items()}
        ratio = speed["holdfast"] / speed["kornia"]
        print(
            f"batches of {size}: {speed['holdfast']:,.0f} images a second, kornia {speed['kornia']:,.0f}: {ratio:.2f} x"
        )
    n = np.repeat([100, 200, 400, 800, 1600, 3200], 5)
    error = (9 * n**-0.9 + 0.05) * np.random.default_rng(0).uniform(0.95, 1.05, len(n))
    start = time.perf_counter()
    exchange_rate(ScalingCurve.fit(n, error), n, 0.8 * error)
    print(f"rates at 6 sizes from 1,000 bootstrap fits: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
