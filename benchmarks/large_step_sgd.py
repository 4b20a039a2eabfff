"""The greedy scan for duplicate units against the reference's, which deletes a row and a column at a time.

    python benchmarks/large_step_sgd.py [--units 1000] [--repeats 5]

Same matrix of correlations, same columns left; the fastest of interleaved repetitions on one thread. The peer is
written after the description of tml-epfl/sgd-sparse-features: scan the columns in order, and `numpy.delete` the row and
the column of one that a column still there is similar to.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch

from holdfast.systems.large_step_sgd import feature_sparsity
from holdfast.systems.large_step_sgd.method.features import correlations, first_to_go


def by_deleting(correlated: np.ndarray, threshold: float) -> np.ndarray:
    """Columns that are left, by a scan that copies the matrix for every column that goes."""
    left, column = np.arange(len(correlated)), 0
    while column < len(correlated):
        if np.any(np.abs(correlated[column]) > threshold):
            correlated = np.delete(np.delete(correlated, column, axis=0), column, axis=1)
            left = np.delete(left, column)
        else:
            column += 1
    return left


def ours(correlated: np.ndarray, threshold: float) -> np.ndarray:
    return np.flatnonzero(first_to_go(np.abs(correlated) > threshold))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    distinct = torch.randn(arguments.rows, arguments.units // 2, generator=rng)
    copies = distinct[:, torch.randint(0, arguments.units // 2, (arguments.units,), generator=rng)]
    phi = (copies + 0.05 * torch.randn(copies.shape, generator=rng)).relu()
    correlated = correlations(phi).double().numpy()
    seconds: dict[str, list[float]] = {"numpy.delete": [], "bit-packed": [], "whole coefficient": []}
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        theirs = by_deleting(correlated, 0.95)
        seconds["numpy.delete"].append(time.perf_counter() - start)
        start = time.perf_counter()
        found = ours(correlated, 0.95)
        seconds["bit-packed"].append(time.perf_counter() - start)
        start = time.perf_counter()
        feature_sparsity(phi, 0.95)
        seconds["whole coefficient"].append(time.perf_counter() - start)
        assert np.array_equal(theirs, found)
    best = {name: min(values) for name, values in seconds.items()}
    print(json.dumps({
        "units": arguments.units, "left": len(found), "ms": {name: round(1e3 * s, 3) for name, s in best.items()},
        "ratio": round(best["numpy.delete"] / best["bit-packed"], 1),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
