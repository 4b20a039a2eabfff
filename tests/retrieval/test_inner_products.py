"""Largest inner products: brute force, ties, pieces, and FAISS against the scan."""

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.retrieval import inner_products
from holdfast.retrieval.inner_products import FaissSearch, Scan


def brute(queries, entries, k):
    products = [[float(np.dot(q, e)) for e in entries] for q in queries]
    return [sorted(range(len(entries)), key=lambda i: (-row[i], i))[:k] for row in products]


@pytest.mark.parametrize("pieces", [1, 3, 10**6])
@pytest.mark.parametrize("k", [1, 4, 11])
def test_the_scan_is_brute_force_with_the_lowest_number_first_among_equals(monkeypatch, pieces, k):
    rng = np.random.default_rng(0)
    entries = rng.integers(-2, 3, (11, 3)).astype(np.float32)  # many equal products
    queries = rng.integers(-2, 3, (6, 3)).astype(np.float32)
    monkeypatch.setattr(inner_products, "PRODUCTS", 6 * pieces)
    products, rows = Scan(entries).search(queries, k)
    assert rows.tolist() == brute(queries, entries, k)
    assert np.array_equal(products, np.take_along_axis(queries @ entries.T, rows, 1))


def test_half_precision_entries_are_compared_in_single():
    entries = np.eye(3, dtype=np.float16)
    assert Scan(entries).search(np.eye(3, dtype=np.float32), 1)[1].ravel().tolist() == [0, 1, 2]


def test_faiss_finds_what_the_scan_finds():
    rng = np.random.default_rng(1)
    entries, queries = rng.normal(size=(400, 16)).astype(np.float32), rng.normal(size=(30, 16)).astype(np.float32)
    scanned = Scan(entries).search(queries, 5)
    exact = FaissSearch(entries).search(queries, 5)
    assert np.array_equal(scanned[1], exact[1])
    assert np.allclose(scanned[0], exact[0], atol=1e-4)
    near = FaissSearch(entries, links=16).search(queries, 1)[1]
    assert (near[:, 0] == scanned[1][:, 0]).mean() > 0.9


@pytest.mark.parametrize(
    ("entries", "queries", "k", "words"),
    [
        (np.zeros((0, 3)), np.ones((1, 3)), 1, "entries: must not be empty"),
        (np.ones((2, 3)), np.ones((1, 4)), 1, "queries: must be 3 numbers wide"),
        (np.ones((2, 3)), np.ones((1, 3)), 3, "k: must"),
        (np.full((2, 3), np.nan), np.ones((1, 3)), 1, "entries"),
        (np.ones(3), np.ones((1, 3)), 1, "entries: must have shape"),
    ],
)
def test_mistakes_are_named(entries, queries, k, words):
    with pytest.raises(InputError, match=words):
        Scan(entries).search(queries, k)
