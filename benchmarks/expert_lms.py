"""The nearest stored instance of each query: our scan against FAISS, exact and by a graph, on the same vectors.

    python benchmarks/expert_lms.py [--repeats 5]

Entries are unit vectors around one centre for each of 296 experts with 100 instances, as many as the paper's library
has, and around 2,000 with 500. Queries: 32, as routing asks. How many of the graph's answers are the scan's is printed.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from holdfast.retrieval.inner_products import FaissSearch, Scan
from holdfast.systems.expert_lms import route_votes
from holdfast.testing.timing import interleaved, medians


def library(experts: int, stored: int, rng: np.random.Generator, d: int = 384) -> tuple[np.ndarray, np.ndarray]:
    """Entries and their owners."""
    centres = np.repeat(rng.normal(size=(experts, d)), stored, 0)
    entries = (centres + 0.8 * rng.normal(size=centres.shape)).astype(np.float32)
    return entries / np.linalg.norm(entries, axis=1, keepdims=True), np.repeat(np.arange(experts), stored)


def main() -> None:
    """Print seconds and ratios to the scan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    for experts, stored in ((296, 100), (2000, 500)):
        entries, owner = library(experts, stored, rng)
        queries = entries[rng.permutation(len(entries))[:32]] + 0.02 * rng.normal(size=(32, 384)).astype(np.float32)
        searches: dict[str, Any] = {"scan": Scan(entries), "FAISS, exact": FaissSearch(entries)}
        if experts < 1000:  # the graph of a million entries takes long to build
            searches["FAISS, HNSW"] = FaissSearch(entries, links=32)
        jobs = {name: partial(search.search, queries, 1) for name, search in searches.items()}
        with threadpool_limits(1):
            import faiss

            faiss.omp_set_num_threads(1)
            times = medians(interleaved(jobs, repeats))
        true = searches["scan"].search(queries, 1)[1]
        print(f"{len(entries):,} entries of {experts:,} experts, 32 queries, one thread, medians of {repeats}:")
        for name, search in searches.items():
            same = float((search.search(queries, 1)[1] == true).mean())
            votes = route_votes(queries, entries, owner, experts, search=search)
            ratio = times[name] / times["scan"]
            print(
                f"  {name:14s} {1e3 * times[name]:8.2f} ms   {ratio:5.2f}   same entry {same:.0%}, votes {votes.sum()}"
            )


if __name__ == "__main__":
    main()
