"""Migrating a parquet file of 128-d vectors against a bare numpy matrix product of the same FLOPs, against copying the
file, and the paper's h against a linear map; peak memory by number of rows; the retrieval metrics against a loop.

    python benchmarks/fct.py [--threads 1] [--rows 200000] [--repeats 3] [--memory 100000 1000000 4000000]

Same work, same run, medians of interleaved repetitions. Peak memory is that of a process of its own for every size.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from holdfast.systems.fct import EmbeddingMigrator, apply, cmc, distances, mean_average_precision, open_source

DIM = 128
INNER = 2048
# Multiplications and additions per row of h: two branches, three layers of the mixer.
H_FLOPS = 2 * (2 * (DIM * 2 * DIM + 2 * DIM * 2 * DIM) + 4 * DIM * INNER + INNER * INNER + INNER * DIM)


def written(path: Path, rows: int, group: int = 100_000) -> Path:
    """A parquet file of random vectors with ids, written a row group at a time."""
    rng = np.random.default_rng(0)
    kind = pa.list_(pa.float32(), DIM)
    with pq.ParquetWriter(path, pa.schema([("id", pa.int64()), ("embedding", kind)]), compression="none") as writer:
        for start in range(0, rows, group):
            count = min(group, rows - start)
            flat = rng.standard_normal(count * DIM, dtype=np.float32)
            column = pa.FixedSizeListArray.from_arrays(pa.array(flat), DIM)
            writer.write_table(pa.table({"id": np.arange(start, start + count), "embedding": column}))
    return path


def migrators() -> dict[str, EmbeddingMigrator]:
    """h of the paper's size, trained for an epoch (its numbers do not matter here), and ridge."""
    rng = np.random.default_rng(0)
    old = rng.standard_normal((2048, DIM), dtype=np.float32)
    new = np.tanh(old)
    return {
        "h": EmbeddingMigrator(uncertainty_from="neighbours", epochs=1, inner_dim=INNER, device="cpu").fit(old, new),
        "ridge": EmbeddingMigrator("ridge", device="cpu").fit(old, new),
    }


def products(rows: int, flops: int) -> Callable[[], object]:
    """A numpy matrix product with so many FLOPs for every row, in pieces as large as a chunk."""
    inner = 2048 if flops > 2 * DIM * DIM else DIM
    width = round(flops / (2 * inner))
    a = np.ones((2048, inner), np.float32)
    b = np.ones((inner, width), np.float32)
    out = np.empty((2048, width), np.float32)

    def run() -> None:
        for _ in range(max(1, round(rows / 2048))):
            np.matmul(a, b, out=out)

    return run


def copied(source: Path, out: Path) -> None:
    """Read all vectors as arrays and write them again as they are."""
    store = open_source(source)
    out.mkdir()
    for number, chunk in enumerate(store.chunks(65536)):
        column = pa.FixedSizeListArray.from_arrays(pa.array(chunk.vectors.reshape(-1)), DIM)
        path = out / f"{number}.parquet"
        pq.write_table(pa.table({"id": chunk.ids, "embedding": column}), path, compression="none", use_dictionary=False)
        with path.open("r+b") as file:
            os.fsync(file.fileno())


def medians(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each piece of work; every repetition runs all of them, so that disturbances hit all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def throughput(folder: Path, rows: int, repeats: int) -> dict[str, float]:
    """Rows per second, and the rates as ratios."""
    source, fitted = written(folder / "g.parquet", rows), migrators()

    def migrate(name: str) -> None:
        shutil.rmtree(folder / "out.parquet", ignore_errors=True)
        apply(fitted[name], open_source(source), folder / "out.parquet")

    def copy() -> None:
        shutil.rmtree(folder / "copy", ignore_errors=True)
        copied(source, folder / "copy")

    works: dict[str, Callable[[], object]] = {
        "apply h": lambda: migrate("h"),
        "numpy product of h's FLOPs": products(rows, H_FLOPS),
        "apply ridge": lambda: migrate("ridge"),
        "reading and writing alone": copy,
    }
    found = medians(works, repeats)
    out = {f"{name}: rows/s": rows / seconds for name, seconds in found.items()}
    h, numpy, ridge, files = found.values()
    out["apply h, rate over numpy's (goal 0.7)"] = numpy / h
    out["apply h, seconds over ridge's"] = h / ridge
    out["apply ridge, rate over files alone"] = files / ridge
    return out


def peak_memory(folder: Path, sizes: list[int]) -> dict[str, float]:
    """Peak resident megabytes of a process that migrates so many rows with ridge."""
    found = {}
    migrators()["ridge"].save(folder / "model")
    code = "import sys; sys.argv[0] = 'fct'; sys.path.insert(0, sys.argv[1]); import fct; fct.measured(*sys.argv[2:])"
    for rows in sizes:
        source = written(folder / "m.parquet", rows)
        shutil.rmtree(folder / "m_out.parquet", ignore_errors=True)
        words = [str(Path(__file__).parent), str(folder / "model"), str(source), str(folder / "m_out.parquet")]
        done = subprocess.run([sys.executable, "-c", code, *words], check=True, stdout=subprocess.PIPE, text=True)
        found[f"peak memory, {rows:,} rows: MB (goal 1000)"] = float(done.stdout)
        source.unlink()
        shutil.rmtree(folder / "m_out.parquet")
    return found


def measured(model: str, source: str, out: str) -> None:
    """What the process of `peak_memory` runs."""
    apply(EmbeddingMigrator.load(model, device="cpu"), open_source(source), out)
    print(peak_megabytes())


def peak_megabytes() -> float:
    """Largest resident size of this process so far. Not `ru_maxrss` on Linux: there it holds the parent's, too."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def metrics(repeats: int, count: int = 2000) -> dict[str, float]:
    """CMC and mAP of 2,000 rows against each other, vectorised and by loops over queries."""
    rng = np.random.default_rng(0)
    x, y, ids = rng.standard_normal((count, DIM)), rng.integers(0, 100, count), np.arange(count)

    def loops() -> None:
        d = distances(x, x)
        for i in range(count):
            keep = ids != i
            order = np.argsort(d[i, keep])
            (y[keep][order] == y[i])[:5].any()
            average_precision_score(y[keep] == y[i], -d[i, keep])

    def ours() -> None:
        cmc(x, x, y, y, query_ids=ids, gallery_ids=ids)
        mean_average_precision(x, x, y, y, query_ids=ids, gallery_ids=ids)

    found = medians({"ours": ours, "loops": loops}, repeats)
    return {f"CMC and mAP of {count:,} rows: {name} s": value for name, value in found.items()} | {
        "CMC and mAP: times faster than a loop with scikit-learn": found["loops"] / found["ours"]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[100_000, 1_000_000, 4_000_000])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name, threadpool_limits(given.threads):
        folder = Path(name)
        results = throughput(folder, given.rows, given.repeats) | metrics(given.repeats)
        results |= peak_memory(folder, given.memory)
    print(json.dumps({name: round(value, 3) for name, value in results.items()}, indent=1))


if __name__ == "__main__":
    main()
