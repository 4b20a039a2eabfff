"""CMC, mean average precision and neighbours against the reference's numbers, brute force and scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from holdfast.errors import InputError
from holdfast.retrieval import (
    check_directions,
    cmc,
    distances,
    mean_average_precision,
    neighbours,
    of_length_one,
    recall_at_k,
    search,
)

VECTORS = np.load(Path(__file__).parents[1] / "vectors" / "fct.npz")
Q, Y = VECTORS["q"], VECTORS["y"]
IDS = np.arange(60)
OWN = {"query_ids": IDS, "gallery_ids": IDS}


def test_parity_with_the_reference_on_one_set() -> None:
    assert np.abs(cmc(Q, VECTORS["g"], Y, Y, **OWN) - VECTORS["cmc_l2_top5_same_set"]).max() <= 1e-9
    assert abs(mean_average_precision(Q, VECTORS["g"], Y, Y, **OWN) - VECTORS["map_l2_same_set"]) <= 1e-9
    assert np.abs(distances(Q, VECTORS["g"], "cosine_l1") - VECTORS["cosine_l1norm_dist"]).max() <= 1e-6


def brute_cmc(d, qy, gy, top_k, qi=None, gi=None):
    hits, valid = np.zeros(top_k), 0
    for i in range(len(d)):
        rows = [j for j in range(d.shape[1]) if qi is None or qi[i] != gi[j]]
        matches = [d[i, j] for j in rows if qy[i] == gy[j]]
        if not matches:
            continue
        valid += 1
        rank = sum(d[i, j] <= min(matches) for j in rows if qy[i] != gy[j])
        hits[rank:] += 1
    return hits / valid


def sklearn_map(d, qy, gy, qi=None, gi=None):
    values = []
    for i in range(len(d)):
        rows = [j for j in range(d.shape[1]) if qi is None or qi[i] != gi[j]]
        relevant = np.array([qy[i] == gy[j] for j in rows])
        if relevant.any():
            values.append(average_precision_score(relevant, -d[i, rows]))
    return np.mean(values)


def test_different_queries_and_gallery_which_the_reference_gets_wrong() -> None:
    """Other label lists on both sides: its CMC is 1 at every rank."""
    q, g, qy, gy = Q[:20], VECTORS["g"][20:], Y[:20], Y[20:]
    d = distances(q, g)
    mine = cmc(q, g, qy, gy)
    assert np.allclose(mine, brute_cmc(d, qy, gy, 5), atol=1e-12)
    assert np.abs(mine - VECTORS["cmc_distinct_sets_ref"]).max() > 0.2
    assert mean_average_precision(q, g, qy, gy) == pytest.approx(sklearn_map(d, qy, gy), abs=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(2, 14), st.booleans(), st.sampled_from(["l2", "cosine"]))
def test_against_brute_force_with_ties(seed: int, queries: int, rows: int, ids: bool, metric: str) -> None:
    """Whole numbers make equal distances frequent; labels of the gallery may lack those of queries."""
    rng = np.random.default_rng(seed)
    q, g = rng.integers(-1, 2, (queries, 2)).astype(float), rng.integers(-1, 2, (rows, 2)).astype(float)
    if metric == "cosine":  # angles of such vectors are equal up to rounding only
        q, g = rng.normal(size=q.shape), rng.normal(size=g.shape)
    qy, gy = rng.integers(0, 3, queries), rng.integers(0, 3, rows)
    qi, gi = (rng.integers(0, 5, queries), rng.integers(0, 5, rows)) if ids else (None, None)
    d = np.rint(distances(q, g) ** 2) if metric == "l2" else distances(q, g, metric)
    given_ids = {"query_ids": qi, "gallery_ids": gi, "metric": metric}
    hidden = np.zeros((queries, rows), bool) if qi is None else qi[:, None] == gi[None]
    if not ((qy[:, None] == gy[None]) & ~hidden).any():
        with pytest.raises(InputError, match="at least one query"):
            cmc(q, g, qy, gy, **given_ids)
        return
    shifted = np.array_equal(q, np.rint(q))
    if shifted:  # centring makes ties inexact; a centre of whole numbers keeps them
        q, g = q * len(g), g * len(g)
    found = cmc(q, g, qy, gy, top_k=6, **given_ids)
    assert np.allclose(found, brute_cmc(d, qy, gy, 6, qi, gi), atol=1e-12)
    assert (np.diff(found) >= 0).all()
    assert mean_average_precision(q, g, qy, gy, **given_ids) == pytest.approx(sklearn_map(d, qy, gy, qi, gi), abs=1e-12)


@given(st.integers(0, 1000), st.sampled_from(["l2", "cosine"]))
def test_distances_are_their_definitions(seed: int, metric: str) -> None:
    rng = np.random.default_rng(seed)
    q, g = rng.normal(5, 1, (3, 4)), rng.normal(5, 1, (6, 4))
    for i in range(3):
        for j in range(6):
            cosine = q[i] @ g[j] / np.sqrt((q[i] @ q[i]) * (g[j] @ g[j]))
            wanted = np.sqrt(sum((q[i] - g[j]) ** 2)) if metric == "l2" else 1 - cosine
            assert distances(q, g, metric)[i, j] == pytest.approx(wanted, abs=1e-7)


@given(st.integers(0, 1000))
def test_the_inner_product_orders_as_it_does(seed: int) -> None:
    """Whatever the lengths: the largest product is the nearest."""
    rng = np.random.default_rng(seed)
    q, g = rng.normal(size=(5, 4)), rng.normal(size=(9, 4)) * rng.exponential(size=(9, 1))
    assert np.array_equal(neighbours(q, g, 9, metric="ip"), np.argsort(-q @ g.T, axis=1))
    assert (distances(q, g, "ip") >= 0).all()
    qy, gy = rng.integers(0, 2, 5), np.array([0, 1, 0, 1, 0, 1, 0, 1, 0])
    assert mean_average_precision(q, g, qy, gy, metric="ip") == pytest.approx(sklearn_map(-q @ g.T, qy, gy), abs=1e-12)
    assert np.allclose(cmc(q, g, qy, gy, metric="ip"), brute_cmc(-q @ g.T, qy, gy, 5))


@pytest.mark.parametrize("metric", ["cosine", "cosine_l1"])
def test_rows_without_a_direction_are_refused_where_angles_count(metric: str) -> None:
    wrong = Q.copy()
    wrong[[4, 9]], wrong[17] = 0, 3.5
    for words, change in (("query", {"query": wrong}), ("gallery", {"gallery": wrong})):
        arrays = {"query": Q, "gallery": Q, **change}
        for found in (
            lambda a=arrays: distances(**a, metric=metric),
            lambda a=arrays: neighbours(**a, k=3, metric=metric),
            lambda a=arrays: cmc(**a, query_labels=Y, gallery_labels=Y, metric=metric),
            lambda a=arrays: mean_average_precision(**a, query_labels=Y, gallery_labels=Y, metric=metric),
        ):
            with pytest.raises(InputError, match=f"{words}: .*received 3 of 60, the first are rows 4, 9, 17"):
                found()
    assert len(neighbours(wrong, Q, 3)) == len(neighbours(wrong, Q, 3, metric="ip")) == 60
    with pytest.raises(InputError, match="1 of 3, the first is row 1"):
        check_directions(np.array([[1.0], [0.0], [1.0]]), "x")


def test_lengths_of_one_are_seen() -> None:
    unit = Q / np.linalg.norm(Q, axis=1, keepdims=True)
    assert of_length_one(unit)
    assert of_length_one(unit.astype(np.float16))
    assert of_length_one(np.where(np.arange(60)[:, None] == 3, 0, unit))  # a missing vector among them
    assert not of_length_one(np.where(np.arange(60)[:, None] == 3, 1.01, 1) * unit)
    assert not of_length_one(np.zeros((3, 2)))


def test_work_in_pieces_gives_the_same(monkeypatch) -> None:
    whole = cmc(Q, Q, Y, Y, **OWN), mean_average_precision(Q, Q, Y, Y, **OWN), neighbours(Q, Q, 3, **OWN)
    monkeypatch.setattr(search, "ENTRIES", 7 * 60)
    pieces = cmc(Q, Q, Y, Y, **OWN), mean_average_precision(Q, Q, Y, Y, **OWN), neighbours(Q, Q, 3, **OWN)
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))


@given(st.integers(0, 1000))
def test_the_order_of_the_gallery_does_not_matter(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(60)
    moved = {"query_ids": IDS, "gallery_ids": IDS[order]}
    assert np.array_equal(cmc(Q, Q, Y, Y, **OWN), cmc(Q, Q[order], Y, Y[order], **moved))
    assert mean_average_precision(Q, Q, Y, Y, **OWN) == pytest.approx(
        mean_average_precision(Q, Q[order], Y, Y[order], **moved), abs=1e-12
    )


def test_an_embedding_without_information_finds_nothing() -> None:
    assert cmc(np.zeros((6, 2)), np.zeros((6, 2)), [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], top_k=4).max() == 0


def test_neighbours_are_those_of_a_sort() -> None:
    d = distances(Q, Q)
    np.fill_diagonal(d, np.inf)
    assert np.array_equal(neighbours(Q, Q, 59, **OWN), np.argsort(d, 1)[:, :59])
    assert recall_at_k(neighbours(Q, Q, 7, **OWN), neighbours(Q, Q, 7, **OWN)).mean() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gallery": Q[:, :3]}, "gallery: must have shape"),
        ({"query": Q * np.nan}, "query: must be finite"),
        ({"query_labels": Y[:5]}, "query_labels: must have shape"),
        ({"query_ids": IDS}, "gallery_ids: must be given together"),
        ({"query_labels": Y.astype(str)}, "must be of the same kind"),
        ({"query_labels": Y + 100}, "at least one query"),
        ({"metric": "dot"}, "metric: must be one of"),
        ({"top_k": 0}, "top_k"),
    ],
)
def test_wrong_input_is_named(change, words) -> None:
    arguments = {"query": Q, "gallery": Q, "query_labels": Y, "gallery_labels": Y, **change}
    with pytest.raises(InputError, match=words):
        cmc(**arguments)


def test_wrong_depths_are_named() -> None:
    with pytest.raises(InputError, match="k: must be at most"):
        neighbours(Q, Q, 60, **OWN)
    with pytest.raises(InputError, match="k: must be at most"):
        neighbours(Q, Q, 61)


@pytest.mark.parametrize("nothing", [np.nan, None, np.datetime64("NaT")])
@pytest.mark.parametrize("what", ["labels", "ids"])
def test_what_is_missing_equals_nothing(nothing: object, what: str) -> None:
    """NaN labels matched each other: with [0, 0, nan, nan] both measures gave 1.0."""
    x = np.eye(4)
    given = np.array([0, 0, nothing, nothing], dtype="datetime64[s]" if isinstance(nothing, np.datetime64) else None)
    rows = {
        "query_labels": [0, 0, 1, 1],
        "gallery_labels": [0, 0, 1, 1],
        "query_ids": range(4),
        "gallery_ids": range(4),
    }
    rows |= {f"query_{what}": given, f"gallery_{what}": given}
    for measure in (cmc, mean_average_precision):
        with pytest.raises(
            InputError,
            match=rf"query_{what}: must have a value in every row; received 2 missing of 4, the first in row 2",
        ):
            measure(x, x, **rows)
    if what == "ids":
        with pytest.raises(InputError, match="2 missing"):
            neighbours(x, x, query_ids=given, gallery_ids=given, k=1)
