"""Fitting KernelSSL against scikit-learn's KernelPCA of the same rows and kernel: same run, medians of repetitions.

    python benchmarks/ssl_interplay.py [--threads 1] [--repeats 3]

Both compute the kernel and the 20 leading eigenpairs of a dense N x N problem. KernelPCA's is of the kernel itself;
ours factors the kernel, adds the operator of views, and solves a generalised problem.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from sklearn.decomposition import KernelPCA
from threadpoolctl import threadpool_limits

from holdfast.systems.ssl_interplay import KernelSSL
from holdfast.testing.timing import interleaved, medians


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    out = {}
    for inputs in (250, 500, 1000):
        rng = np.random.default_rng(0)
        views = rng.normal(size=(inputs, 1, 8)) + 0.2 * rng.normal(size=(inputs, 2, 8))
        rows = views.reshape(-1, 8)
        runs = {
            "KernelPCA, dense": lambda rows=rows: KernelPCA(20, kernel="rbf", gamma=0.1, eigen_solver="dense").fit(
                rows
            ),
            "KernelSSL": lambda views=views: KernelSSL(20, gamma=0.1).fit(views),
            "KernelSSL, 500 landmarks": lambda views=views: KernelSSL(
                20, gamma=0.1, method="nystroem", n_landmarks=500
            ).fit(views),
        }
        with threadpool_limits(asked.threads):
            times = medians(interleaved(runs, asked.repeats))
        base = times["KernelPCA, dense"]
        out[f"{2 * inputs} rows"] = {name: {"s": t, "ratio": t / base} for name, t in times.items()}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
