"""Wass-to-Data against the reference's loop, and what the detectors of texts take: same run, medians of repetitions.

    git clone https://github.com/deep-spin/ot-hallucination-detection
    pip install --no-deps pot
    python benchmarks/nmt_hallucinations.py --reference ot-hallucination-detection [--repeats 3]

Both score the same attention maps against the same references of about the same length, at most 1,000 of them. Without
the reference's files only ours is timed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from holdfast.metrics.chrf import chrf
from holdfast.systems.nmt_hallucinations import WassToData
from holdfast.systems.nmt_hallucinations.method.texts import TEXT_DETECTORS
from holdfast.testing.timing import interleaved, medians


def maps(count: int, rng: np.random.Generator) -> list[torch.Tensor]:
    """Attention of sentences of 10 to 40 tokens."""
    sizes = rng.integers(10, 41, (count, 2))
    return [torch.from_numpy(rng.random((T, S))).softmax(1) for T, S in sizes]


def loop_of(folder: Path, references: list[torch.Tensor], asked: list[torch.Tensor]) -> Any:
    """The reference's functions on the same maps, which it wants as (source, target)."""
    import pandas as pd

    sys.path.insert(0, str(folder))
    import utils  # of the reference

    def table(found: list[torch.Tensor]) -> Any:
        return pd.DataFrame({"attn": [A.numpy().T for A in found], "mt_len": [len(A) for A in found]})

    train, stats = table(references), table(asked)
    settings = SimpleNamespace(no_samples=1000, seed=0, length_window=10, compare_to_uni=False, metric_space="emd")

    def run() -> list[float]:
        found = utils.wass_dist_computation(stats, train, settings)
        return [float(np.mean(np.sort(distances)[:4])) for distances in found]

    return run


def main() -> None:
    """Print seconds, ratios and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    references, asked = maps(4000, rng), maps(200, rng)
    tool = WassToData(references)
    runs: dict[str, Any] = {"ours": lambda: [tool.of(A) for A in asked]}
    if given.reference is not None:
        runs["reference loop"] = loop_of(given.reference, references, asked)
    words = ["the", "room", "was", "small", "and", "staff", "friendly", "breakfast"]
    src, mt = ([" ".join(rng.choice(words, 15)) for _ in range(3415)] for _ in range(2))
    torch.set_num_threads(1)
    with threadpool_limits(1):
        times = medians(interleaved(runs, given.repeats))
        texts = medians(interleaved({
            "five detectors of texts": lambda: [d.score(src, mt) for d in TEXT_DETECTORS.values()],
            "chrF of sacrebleu": lambda: chrf(mt, src),
        }, given.repeats))  # fmt: skip
    out: dict[str, Any] = {name: {"s": t, "ratio to ours": t / times["ours"]} for name, t in times.items()}
    if given.reference is not None:
        out["largest difference"] = float(np.abs(np.subtract(runs["ours"](), runs["reference loop"]())).max())
    out |= {
        f"{name}, 3,415 rows": {"s": t, "ratio to chrF": t / texts["chrF of sacrebleu"]} for name, t in texts.items()
    }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
