"""Cross-fitted probabilities: who is trained on what."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from holdfast.errors import InputError
from holdfast.estimator.cross_fitting import cross_fit_proba, hash_folds, taken


class Remembers:
    """Says how often it has seen an input: any leak shows."""

    def fit(self, X, y):
        self.seen = [float(x[0]) for x in X]
        self.share = float(np.mean(y))
        return self

    def predict_proba(self, X):
        leak = np.array([float(x[0]) in self.seen for x in X])
        p = np.where(leak, 1.0, self.share)
        return np.stack([1 - p, p], 1)


def test_a_model_never_sees_what_it_judges():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 20, (60, 1)).astype(float)  # many repeats
    y = rng.integers(0, 2, 60)
    folds = hash_folds(X, 3)
    p = cross_fit_proba(Remembers(), X, y, folds)
    expected = [y[folds != folds[i]].mean() for i in range(60)]
    np.testing.assert_allclose(p, expected)
    assert (cross_fit_proba(Remembers(), X, y, np.arange(60) % 3) == 1).any()  # by position there is a leak


def test_folds_are_by_content():
    X = np.array([[1.0, 2.0], [0.0, -0.0], [1.0, 2.0], [-0.0, 0.0]])
    folds = hash_folds(X, 7)
    assert folds[0] == folds[2]
    assert folds[1] == folds[3]
    assert folds[0] == hashlib.sha256(X[0].tobytes()).digest()[0] % 7
    assert (hash_folds(X.astype(np.float32), 7) == folds).all()
    assert hash_folds(["a", "b"], 5).tolist() == [hashlib.sha256(t).digest()[0] % 5 for t in (b"a", b"b")]


def test_a_fold_without_both_labels_is_refused():
    with pytest.raises(InputError, match="both labels"):
        cross_fit_proba(Remembers(), np.arange(4.0)[:, None], np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))


def test_texts_stay_texts():
    assert taken(["a", "b", "c"], np.array([True, False, True])) == ["a", "c"]


def test_columns_of_data_frames_are_taken():
    texts = pd.Series(["a", "b", "a", "c"], index=[7, 3, 5, 9])
    assert hash_folds(texts, 5).tolist() == hash_folds(texts.tolist(), 5).tolist()
    X = pd.DataFrame({"x": np.arange(12.0)}, index=range(12, 0, -1))
    y, folds = np.arange(12) % 2, np.arange(12) // 4
    said = []
    p = cross_fit_proba(LogisticRegression(), X, y, folds, lambda *done: said.append(done))
    by_array = cross_fit_proba(LogisticRegression(), X.to_numpy(), y, folds)
    np.testing.assert_allclose(p, by_array)
    assert said == [(0, 3), (1, 3), (2, 3), (3, 3)]
