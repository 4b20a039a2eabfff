"""Scores of texts: against counting by hand and the reference's numbers."""

import os
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.metrics.detector_report import evaluate_detectors, precision_and_recall
from holdfast.systems.nmt_hallucinations import (
    ChrF,
    CompressionRatio,
    LengthRatio,
    RepeatedTargets,
    SourceOverlap,
    TopNgram,
    mean_rank,
    read_annotated,
    top_ngram,
)
from holdfast.systems.nmt_hallucinations.method.texts import repeated

VECTORS = np.load(Path(__file__).parents[2] / "vectors" / "nmt_hallucinations.npz")
CORPUS = Path(os.environ.get("HOLDFAST_DATA", "")) / "nmt_hallucinations" / "annotated_corpus.csv"
SENTENCES = st.lists(st.lists(st.sampled_from("ab"), max_size=9).map(" ".join), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def corpus():
    if not CORPUS.is_file():
        pytest.skip("annotated_corpus.csv is not in HOLDFAST_DATA")
    return read_annotated(CORPUS)


def by_hand(text, n):
    words = text.split()
    return max(Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)).values(), default=0)


@given(SENTENCES, st.integers(1, 4))
def test_the_top_ngram_is_that_of_counting(texts, n):
    assert [repeated(text, n) for text in texts] == [by_hand(text, n) for text in texts]
    other = texts[::-1]
    expected = [by_hand(y, n) - by_hand(x, n) for x, y in zip(other, texts, strict=True)]
    assert TopNgram(n).score(other, texts).tolist() == expected
    for t in (1, 2):
        flags = top_ngram(other, texts, n, t)
        assert flags.tolist() == [d >= t for d in expected]
        assert all(len(y.split()) >= n + t - 1 for y, flag in zip(texts, flags, strict=True) if flag)


def test_words_can_be_cut_otherwise():
    assert TopNgram(1, tokenize=list).score(["ab"], ["aaab"]).tolist() == [2.0]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("ab")), min_size=1, max_size=12), st.randoms())
def test_repeated_targets_count_different_sources_whatever_the_order(pairs, shuffler):
    src, mt = (list(side) for side in zip(*pairs, strict=True))
    expected = [len({x for x, y in pairs if y == target}) for target in mt]
    assert RepeatedTargets().score(src, mt).tolist() == expected
    order = list(range(len(pairs)))
    shuffler.shuffle(order)
    again = RepeatedTargets().score([src[i] for i in order], [mt[i] for i in order])
    assert again.tolist() == [expected[i] for i in order]
    assert RepeatedTargets(3).flags(src, mt).tolist() == [count >= 3 for count in expected]


def test_a_fitted_corpus_counts_for_new_sentences():
    known = RepeatedTargets().fit(["a", "b", "b"], ["same", "same", "other"])
    assert known.score(["c", "a", "z"], ["same", "same", "new"]).tolist() == [3.0, 2.0, 1.0]


def test_compression_length_and_overlap_by_hand():
    text = "the soup was the soup was the soup"
    assert CompressionRatio().score([""], [text])[0] == len(text) / len(zlib.compress(text.encode(), 9))
    assert CompressionRatio().score([""], [""])[0] == 0
    assert LengthRatio().score(["a b c d", "a b", "", "a"], ["a", "a b c", "", ""]).tolist() == [-0.25, -2 / 3, 0, 0]
    # "Haus" has hau, aus; "haus!" has hau, aus, us!
    assert SourceOverlap().score(["Haus"], ["haus!"])[0] == pytest.approx(-2 / 3)
    assert SourceOverlap(2).score(["aaa"], ["aa aa"])[0] == pytest.approx(-0.5)  # aa twice there; aa, a_, _a, aa here
    assert SourceOverlap().score(["x"], ["y"])[0] == 0


def test_chrf_needs_a_reference_and_is_negated():
    assert ChrF().score(["x"], ["the cat"], ["the cat"]).tolist() == [-100.0]
    with pytest.raises(InputError, match="must be given"):
        ChrF().score(["x"], ["y"])


def test_mean_ranks_are_those_of_sorting():
    rng = np.random.default_rng(0)
    scores = [rng.integers(0, 5, 20).astype(float), rng.random(20)]
    for i, value in enumerate(mean_rank(scores)):
        shares = [((s < s[i]).sum() + 0.5 * (s == s[i]).sum()) / 20 for s in scores]
        assert value == pytest.approx(np.mean(shares))


def test_parity_with_the_references_columns(corpus):
    detectors = {
        "tng2_diff": TopNgram(2),
        "tng4_diff": TopNgram(4),
        "rt_count": RepeatedTargets(),
        "len_ratio": LengthRatio(),
        "compress": CompressionRatio(),
        "char3_overlap": SourceOverlap(),
    }
    for name, detector in detectors.items():
        assert detector.score(corpus.src, corpus.mt) == pytest.approx(VECTORS[name], abs=1e-5), name
    assert [repeated(text, 4) for text in corpus.mt] == VECTORS["tng4_mt"].tolist()
    for order, name in ((0, "chrf2"), (2, "chrfpp")):
        found = ChrF(order).score(corpus.src[:300], corpus.mt[:300], corpus.ref[:300])
        assert found == pytest.approx(VECTORS[name][:300], abs=1e-4)


def test_parity_of_the_evaluation_with_the_references_metrics(corpus):
    labels = {"hall": corpus.hallucination, "rep": corpus.labels["oscillatory"], **corpus.labels}
    for name in ("hall", "rep", "strong", "full"):
        assert (labels[name] == VECTORS[name].astype(bool)).all()
    names = ["chrfpp", "chrf2", "compress", "rt_count", "tng2_diff"]
    scores = {name: VECTORS[name].astype(float) for name in names}
    for kind, protocol, place in (
        (None, "all", 0),
        ("oscillatory", "per_type", 1),
        ("strong", "per_type", 2),
        ("full", "per_type", 3),
    ):
        report = evaluate_detectors(scores, corpus.labels, protocol, ci=None)
        for row in report.rows:
            if row.positives == (kind or "any"):
                expected = VECTORS["ref_metrics"][names.index(row.detector), place]
                assert (row.auroc, row.fpr90) == pytest.approx(tuple(expected), abs=1e-6)


def test_published_numbers_of_chrf_and_the_rules(corpus):
    report = evaluate_detectors({"chrF++": VECTORS["chrfpp"]}, corpus.labels, "whole", ci=None)
    found = {row.positives: (round(row.auroc, 2), round(row.precision90, 2)) for row in report.rows}
    assert found["any"] == (75.43, 14.44)
    assert found["full"] == (89.55, 16.55)
    flags = top_ngram(corpus.src, corpus.mt)
    assert flags.sum() == 23
    assert precision_and_recall(flags, corpus.hallucination) == pytest.approx((0.957, 0.068), abs=5e-4)
    repeats = RepeatedTargets().flags(corpus.src, corpus.mt)
    assert repeats.sum() == 276
    assert precision_and_recall(repeats, corpus.hallucination) == pytest.approx((0.482, 0.412), abs=5e-4)
