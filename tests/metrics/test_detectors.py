"""Ranking metrics against scikit-learn and loops over thresholds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from holdfast.errors import InputError
from holdfast.metrics.detectors import auroc, fpr_at_recall, precision_at_recall

CASES = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({p for _, p in rows}) == 2
)


def loop(rows: list[tuple[int, bool]], recall: float) -> tuple[float, float]:
    """FPR and precision at the highest threshold with this recall, one threshold after the other."""
    positives, others = sum(p for _, p in rows), sum(not p for _, p in rows)
    for threshold in sorted({s for s, _ in rows}, reverse=True):
        hit = sum(p for s, p in rows if s >= threshold)
        false = sum(not p for s, p in rows if s >= threshold)
        if hit >= recall * positives - 1e-9:
            return false / others, hit / (hit + false)
    raise AssertionError("the lowest threshold flags everything")


@given(CASES, st.sampled_from([0.1, 0.5, 0.8, 0.9, 1.0]))
def test_equal_to_loops_and_to_scikit_learn(rows, recall):
    scores, positive = [float(s) for s, _ in rows], [p for _, p in rows]
    fpr, precision = loop(rows, recall)
    assert fpr_at_recall(scores, positive, recall) == pytest.approx(fpr)
    assert precision_at_recall(scores, positive, recall) == pytest.approx(precision)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    rates, recalls, _ = roc_curve(positive, scores, drop_intermediate=False)
    assert fpr_at_recall(scores, positive, recall) == pytest.approx(rates[np.argmax(recalls >= recall - 1e-9)])


@given(CASES)
def test_the_other_way_round_and_monotone_maps(rows):
    scores, positive = np.array([float(s) for s, _ in rows]), np.array([p for _, p in rows])
    assert auroc(-scores, positive) == pytest.approx(1 - auroc(scores, positive))
    assert auroc(np.exp(scores), positive) == auroc(scores, positive)
    assert precision_at_recall(np.exp(scores), positive) == precision_at_recall(scores, positive)


def test_tensors_and_whole_numbers_are_labels_too():
    assert auroc(torch.tensor([0.1, 0.9]), torch.tensor([False, True])) == 1
    assert auroc([0.1, 0.9], [1.0, 0.0]) == 0


def test_one_class_has_no_ranking():
    assert np.isnan(auroc([1.0, 2.0], [1, 1]))
    assert np.isnan(fpr_at_recall([1.0, 2.0], [1, 1]))
    assert np.isnan(precision_at_recall([1.0, 2.0], [0, 0]))


def test_bad_input_is_named():
    for scores, positive, words in (
        ([0.1, np.nan], [0, 1], "scores: must be finite"),
        ([0.1, 0.2], [0, 2], "positive: must hold booleans, or 0 and 1; received 2 in row 1"),
        ([0.1, 0.2], [0, 1, 1], "positive: must have as many rows"),
        ([[0.1]], [0], "scores: must have shape"),
        ([0.1, 0.2], ["a", "b"], "positive: must hold numbers"),
    ):
        with pytest.raises(InputError, match=words):
            auroc(scores, positive)
    with pytest.raises(InputError, match="recall"):
        fpr_at_recall([0.1, 0.2], [0, 1], recall=0)
