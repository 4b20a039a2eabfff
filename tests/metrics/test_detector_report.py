"""Reports on detectors, against the definitions."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from holdfast.errors import InputError
from holdfast.metrics.chrf import chrf
from holdfast.metrics.detector_report import evaluate_detectors, interpolated_precision, precision_and_recall

RNG = np.random.default_rng(0)
LABELS = {"full": RNG.random(300) < 0.1, "strong": RNG.random(300) < 0.15}
ANY = LABELS["full"] | LABELS["strong"]
SCORES = {"good": ANY + RNG.normal(size=300), "coarse": np.round(2 * LABELS["full"] + RNG.random(300), 1)}


def rows_of(report):
    return {(row.detector, row.positives): row for row in report.rows}


def fpr(score, positive):
    false, true, _ = roc_curve(positive, score, drop_intermediate=False)
    return 100 * false[np.argmax(true >= 0.9)]


def p_at_r(score, positive):
    threshold = np.quantile(score[positive], 0.1)
    return 100 * positive[score >= threshold].mean()


@pytest.mark.parametrize("protocol", ["all", "per_type", "whole"])
def test_every_protocol_has_the_negatives_that_it_says(protocol):
    found = rows_of(evaluate_detectors(SCORES, LABELS, protocol, ci=None))
    kinds = {"all": ["any"], "per_type": ["full", "strong"], "whole": ["any", "full", "strong"]}[protocol]
    assert {kind for _, kind in found} == set(kinds)
    for (name, kind), row in found.items():
        positive = {"any": ANY, **LABELS}[kind]
        kept = positive | ~ANY if protocol == "per_type" else np.ones(300, bool)
        score, truth = SCORES[name][kept], positive[kept]
        assert (row.count, row.others) == (truth.sum(), (~truth).sum())
        assert row.auroc == pytest.approx(100 * roc_auc_score(truth, score))
        assert row.fpr90 == pytest.approx(fpr(score, truth))
        assert row.precision90 == pytest.approx(p_at_r(score, truth))
        assert np.isnan(row.low)


def test_the_best_comes_first_and_intervals_hold_the_value():
    report = evaluate_detectors(SCORES, LABELS)
    assert [row.auroc for row in report.rows] == sorted((row.auroc for row in report.rows), reverse=True)
    assert all(row.low < row.auroc < row.high for row in report.rows)
    assert all(5 < row.high - row.low < 30 for row in report.rows)
    again = evaluate_detectors({"down": -SCORES["good"], "up": np.exp(SCORES["good"])}, LABELS, ci=None)
    assert rows_of(again)["down", "any"].auroc == pytest.approx(100 - rows_of(again)["up", "any"].auroc)
    assert rows_of(again)["up", "any"].auroc == pytest.approx(rows_of(report)["good", "any"].auroc)


def test_intervals_are_those_of_drawing_rows_one_by_one():
    from holdfast.metrics.detector_report import _redrawn

    score, positive = SCORES["coarse"][:40], ANY[:40]
    rows = np.random.default_rng(5).integers(0, 40, (1000, 40))
    expected = [roc_auc_score(positive[i], score[i]) if 0 < positive[i].sum() < 40 else np.nan for i in rows]
    assert np.allclose(_redrawn(score, positive, np.random.default_rng(5)), expected, equal_nan=True)


def test_what_is_written():
    report = evaluate_detectors(SCORES, {"full": np.zeros(300)}, "whole")
    assert np.isnan(report.rows[0].auroc)
    assert json.loads(report.to_json())["rows"][0]["auroc"] is None
    lines = evaluate_detectors(SCORES, LABELS).to_markdown().splitlines()
    assert lines[0].startswith("| detector | positives | n | AUROC %")
    assert len(lines) == 4
    figure = evaluate_detectors(SCORES, LABELS, "whole").figure()
    assert [axes.get_xlabel() for axes in figure.axes] == ["AUROC, %"] * 3
    assert figure.axes[0].get_title() == f"any: {ANY.sum()} of 300"


def test_rules_and_a_threshold_between_scores():
    assert precision_and_recall([1, 1, 0, 0], [1, 0, 1, 0]) == (0.5, 0.5)
    assert np.isnan(precision_and_recall([0, 0], [1, 0])[0])
    assert interpolated_precision([3.0, 2.0, 1.0], [1, 0, 1]) == 0.5  # threshold 1.2
    assert np.isnan(interpolated_precision([1.0], [0]))


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        ({"a": [1.0, float("nan"), 2.0]}, {"x": [0, 1, 0]}, "1 of them, in rows 1"),
        ({"a": [1.0, 2.0]}, {"x": [0, 1, 0]}, "one number for each of 3 rows"),
        ({"a": [1.0, 2.0]}, {"x": [0, 2]}, "0 or 1"),
        ({"a": [1.0, 2.0]}, {"x": [0, 1], "y": [0, 1, 1]}, "one length"),
        ({"a": [1.0, 2.0]}, {}, "at least one type"),
    ],
)
def test_what_cannot_be_judged_is_refused(scores, labels, said):
    with pytest.raises(InputError, match=said):
        evaluate_detectors(scores, labels)
    with pytest.raises(InputError, match="protocol"):
        evaluate_detectors({"a": [1, 2]}, {"x": [0, 1]}, "half")


def test_chrf_is_sacrebleus():
    from sacrebleu.metrics import CHRF

    texts, others = ["the cat sat", "x", ""], ["a cat sat down", "x", "y"]
    for order in (0, 2):
        metric = CHRF(word_order=order)
        expected = [metric.sentence_score(a, [b]).score for a, b in zip(texts, others, strict=True)]
        assert chrf(texts, others, order).tolist() == expected
