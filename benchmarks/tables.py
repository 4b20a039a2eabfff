"""The reader of tables against pandas: the same file, the same numbers, medians of interleaved repetitions.

    python benchmarks/tables.py [--rows 1000000] [--repeats 9]

Five columns, three of reals and two of whole numbers. pandas is told what it has to know (separator, decimal sign,
words for no value); the reader finds it. Wall time, and time of all cores together: both readers use two or more.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from holdfast.data.readers.tables import read_table


def files(folder: Path, rows: int) -> dict[str, tuple[Path, Callable[[], pd.DataFrame]]]:
    """What is read, and how pandas reads it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=rows),
            "b": rng.integers(0, 10**6, rows),
            "c": rng.random(rows).round(3),
            "d": rng.integers(-5, 5, rows),
            "e": 1e3 * rng.normal(size=rows),
        }
    )
    gaps = frame.mask(rng.random(frame.shape) < 0.05)
    plain, comma, words = (folder / name for name in ("plain.csv", "comma.csv", "words.csv"))
    frame.to_csv(plain, index=False)
    frame.to_csv(comma, index=False, sep=";", decimal=",")
    gaps.to_csv(words, index=False, na_rep="n/a")
    return {
        "plain numbers": (plain, lambda: pd.read_csv(plain)),
        "decimal commas": (comma, lambda: pd.read_csv(comma, sep=";", decimal=",")),
        "5 % 'n/a'": (words, lambda: pd.read_csv(words, na_values=["n/a"])),
    }


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall, and of all cores."""
    wall, cores = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cores


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=9)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, (path, by_pandas) in files(Path(folder), chosen.rows).items():
            ours, theirs = (read().to_numpy(float, na_value=np.nan) for read in (read_table(path).frame, by_pandas))
            np.testing.assert_array_equal(ours, theirs)
            taken = [(timed(partial(read_table, path)), timed(by_pandas)) for _ in range(chosen.repeats)]
            medians = [statistics.median(pair[who][what] for pair in taken) for what in (0, 1) for who in (0, 1)]
            print(
                f"{name:<15} {medians[0]:6.2f} s, pandas {medians[1]:.2f} s: {medians[0] / medians[1]:5.2f} times its "
                f"wall time, {medians[2] / medians[3]:5.2f} times its time of all cores"
            )


if __name__ == "__main__":
    main()
