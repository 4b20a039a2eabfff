"""Cleaning against one fit, and against cleanlab on the same probabilities: same work, same run, medians.

    python benchmarks/trolls.py [--rows 2000] [--examples 200000] [--repeats 7]

cleanlab is under the AGPL and no requirement of holdfast; to compare with it: pip install cleanlab
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
from collections.abc import Callable

import numpy as np

from holdfast.baselines.confident_learning import label_issues
from holdfast.baselines.own_classifiers import number_classifier
from holdfast.systems.trolls import Purr, TrollFilter
from holdfast.testing.timing import interleaved, medians


def fits(rows: int, repeats: int) -> None:
    """The whole filter against one fit of its classifier on the same rows."""
    rng = np.random.default_rng(0)
    y, users = rng.integers(0, 2, rows), rng.integers(0, rows // 10, rows)
    X = y[:, None] + rng.normal(size=(rows, 20))
    model = number_classifier(rows, 20)
    works: dict[str, Callable[[], object]] = {"one fit": lambda: copy.deepcopy(model).fit(X, y)}
    for k in (3, 5):
        works[f"filter, k = {k}"] = lambda k=k: TrollFilter(k=k).fit(X, y, users)  # type: ignore[misc]
    median = medians(interleaved(works, repeats, warm=1))
    for name, seconds in median.items():
        print(f"{name:<24} {1e3 * seconds:8.1f} ms, {seconds / median['one fit']:5.2f} x one fit")


def rules(examples: int, repeats: int) -> None:
    """Rules on the same probabilities; cleanlab's issues must be ours."""
    rng = np.random.default_rng(0)
    y, users = rng.integers(0, 2, examples), rng.integers(0, examples // 10, examples)
    p = np.clip(0.5 + (y - 0.5) * rng.normal(0.4, 0.5, examples), 0.001, 0.999)
    both = np.stack([1 - p, p], 1)
    works: dict[str, Callable[[], object]] = {
        "PURR": lambda: Purr()(y, p, users),
        "label_issues (ours)": lambda: label_issues(y, both),
    }
    if importlib.util.find_spec("cleanlab") is None:
        print("cleanlab is not installed: pip install cleanlab")
    else:
        from cleanlab.filter import find_label_issues

        theirs = find_label_issues(y, both, n_jobs=1)
        print(f"label_issues: {int((theirs != label_issues(y, both)).sum())} of {examples:,} differ from cleanlab's")
        works["find_label_issues"] = lambda: find_label_issues(y, both, n_jobs=1)
    median = medians(interleaved(works, repeats, warm=1))
    peer = median.get("find_label_issues")
    for name, seconds in median.items():
        ratio = f", {peer / seconds:6.2f} times as fast as cleanlab" if peer else ""
        print(f"{name:<24} {1e3 * seconds:8.1f} ms for {examples:,} examples{ratio}")


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=7)
    chosen = parser.parse_args()
    fits(chosen.rows, chosen.repeats)
    rules(chosen.examples, chosen.repeats)


if __name__ == "__main__":
    main()
