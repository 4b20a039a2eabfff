"""Exact counts of weights: ours against building the model in transformers, on the meta device, and adding up.

    python benchmarks/scale_efficiently.py [--repeats 3]

The same shapes, the same run; that both give the same number is asserted.
"""

from __future__ import annotations

import argparse

import torch

from holdfast.systems.scale_efficiently import T5Shape, plan
from holdfast.testing.timing import interleaved, medians

NAMES = ("tiny", "mini-nl24", "small-nl16", "base", "large", "xl")


def ours() -> list[int]:
    return [T5Shape.from_name(name).params().total for name in NAMES]


def theirs() -> list[int]:
    from transformers import T5ForConditionalGeneration

    found = []
    for name in NAMES:
        with torch.device("meta"):
            model = T5ForConditionalGeneration(T5Shape.from_name(name).to_hf_config())
        found.append(sum(value.numel() for value in model.parameters()))
    return found


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    assert ours() == theirs()
    jobs = {"transformers": theirs, "ours": ours, "a whole plan": lambda: plan(220e6)}
    times = medians(interleaved(jobs, repeats, warm=1))
    print(f"weights of {len(NAMES)} shapes, the same numbers; medians of {repeats}:")
    for name, seconds in times.items():
        print(f"  {name:13s} {1e3 * seconds:10.3f} ms   {times['transformers'] / seconds:10.1f} times as fast")


if __name__ == "__main__":
    main()
