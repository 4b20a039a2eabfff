"""Binder's executor on large tables: one request per distinct cell, against a mapper that is asked row by row.

    python benchmarks/binder.py [--rows 1000000] [--distinct 10000] [--latency-ms 0]

The mapper is a function that takes the given time per request, so that the ratio is that of the executors. Call-free
conditions are applied first in ours. The naive peer does what row-wise user functions in SQL do: it registers the
question as a function of SQLite, which is called for every row.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from holdfast.systems.binder import EmbeddingMapper, Executor, Limits, Table

PROGRAM = """SELECT COUNT(*) FROM w WHERE amount > 500 AND QA("map@is it even?"; cell) = 'yes'"""
NAIVE = "SELECT COUNT(*) FROM w WHERE amount > 500 AND is_even(cell) = 'yes'"


class Even:
    """Answers whether the number in a cell is even; counts requests and takes time for each."""

    def __init__(self, latency: float) -> None:
        self.latency, self.requests, self.cells = latency, 0, 0

    def one(self, cell: str) -> str:
        """For the naive peer: a request per row."""
        self.requests += 1
        self.cells += 1
        time.sleep(self.latency) if self.latency else None
        return "yes" if int(cell.rpartition(" ")[2]) % 2 == 0 else "no"

    def map(self, question: str, rows: list[tuple[str, ...]], header: tuple[str, ...]) -> list[str]:
        """A request per chunk."""
        self.requests += 1
        self.cells += len(rows)
        time.sleep(self.latency) if self.latency else None
        return ["yes" if int(row[0].rpartition(" ")[2]) % 2 == 0 else "no" for row in rows]

    id = "even"


def frame(rows: int, distinct: int) -> pd.DataFrame:
    """Rows with so many distinct cells and an amount from 0 to 999."""
    rng = np.random.default_rng(0)
    cells = np.array([f"parcel number {i}" for i in range(distinct)], dtype=object)
    return pd.DataFrame({"cell": cells[rng.integers(0, distinct, rows)], "amount": rng.integers(0, 1000, rows)})


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds and result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def ours(engine: str, table: Table, latency: float) -> dict[str, float]:
    """Seconds of a first run (loading included) and of a second one whose answers are in the cache."""
    mapper = Even(latency)
    with Executor(engine=engine, mapper=mapper, chunk_rows=500, limits=Limits(timeout_s=None)) as executor:
        first, result = timed(lambda: executor.run(PROGRAM, table).answer)
        again, _ = timed(lambda: executor.run(PROGRAM, table).answer)
    return {"seconds": first, "again": again, "requests": mapper.requests, "cells": mapper.cells, "answer": result[0]}


def naive(data: pd.DataFrame, latency: float) -> dict[str, float]:
    """A user function of SQLite, called row by row; the table is loaded inside of the time, as ours is."""
    mapper = Even(latency)

    def run() -> int:
        connection = sqlite3.connect(":memory:")
        connection.create_function("is_even", 1, mapper.one)
        connection.execute("CREATE TABLE w (cell TEXT, amount INTEGER)")
        connection.executemany("INSERT INTO w VALUES (?, ?)", data.itertuples(index=False, name=None))
        (count,) = connection.execute(NAIVE).fetchone()
        connection.close()
        return int(count)

    seconds, answer = timed(run)
    return {"seconds": seconds, "requests": mapper.requests, "cells": mapper.cells, "answer": answer}


def encoder(cells: int) -> dict[str, float]:
    """Distinct cells per second of the packaged sentence encoder on one thread."""
    import torch

    torch.set_num_threads(1)
    mapper = EmbeddingMapper()
    mapper.map("is it a fruit?", [("warm up",)], ("cell",))
    rows = [(f"parcel number {i} of a customer",) for i in range(cells)]
    seconds, _ = timed(lambda: mapper.map("is it a fruit?", rows, ("cell",)))
    return {"cells per second": cells / seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--distinct", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    data = frame(arguments.rows, arguments.distinct)
    table = Table.from_pandas(data, title="parcels")
    latency = arguments.latency_ms / 1000
    results: dict[str, dict[str, float]] = {}
    for engine in ("sqlite", "duckdb"):
        results[f"ours, {engine}"] = ours(engine, table, latency)
    results["naive, a request per row"] = naive(data, latency)
    assert len({result["answer"] for result in results.values()}) == 1, "all give the same answer"
    for result in results.values():
        result["rows per second"] = arguments.rows / result["seconds"]
    peer = results["naive, a request per row"]
    for engine in ("sqlite", "duckdb"):
        own = results[f"ours, {engine}"]
        own["requests, naive over ours"] = peer["requests"] / own["requests"]
        own["seconds, naive over ours"] = peer["seconds"] / own["seconds"]
    # The engine's process is not in it: what Linux reports for a child includes its parent's pages at the fork.
    results["memory"] = {"peak of this process, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    results["sentence encoder"] = encoder(2000)
    rounded = {name: {k: round(float(v), 2) for k, v in values.items()} for name, values in results.items()}
    print(json.dumps(rounded, indent=1))


if __name__ == "__main__":
    main()
