"""Inputs of users as classifiers take them, and classifiers for them."""

import numpy as np
import pandas as pd
import pytest
import torch

from holdfast.baselines.own_classifiers import (
    CHUNK,
    as_inputs,
    chosen_encoder,
    encoded,
    number_classifier,
    text_classifier,
)
from holdfast.encoders import sentences
from holdfast.errors import InputError


def test_texts_stay_a_list_and_numbers_become_an_array():
    for given in (["a", "b"], np.array(["a", "b"]), np.array(["a", "b"], object), pd.Series(["a", "b"])):
        assert as_inputs(given) == ["a", "b"]
    for given in ([[1, 2]], np.array([[1, 2]]), torch.tensor([[1.0, 2.0]])):
        found = as_inputs(given)
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float64
        assert found.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("given", [None, [], ["a", None], ["a", 1], [1.0, 2.0], [[np.nan]], [["a"]], np.zeros((0, 2))])
def test_everything_else_is_refused_by_name(given):
    with pytest.raises(InputError, match=r"^X_val"):
        as_inputs(given, "X_val")


@pytest.mark.parametrize(("installed", "chosen"), [(True, "minilm"), (False, "tfidf")])
def test_auto_is_the_sentence_encoder_where_there_is_one(installed, chosen, monkeypatch):
    monkeypatch.setattr(sentences, "has_packaged_model", lambda: installed)
    assert chosen_encoder("auto") == chosen
    assert chosen_encoder("tfidf") == "tfidf"


def test_texts_are_encoded_once_each_in_their_order(monkeypatch):
    asked = []

    class Lengths:
        def encode(self, texts):
            asked.extend(texts)
            return np.array([[len(text)] for text in texts], np.float32)

    monkeypatch.setattr(sentences, "default_encoder", Lengths)
    texts = ["x" * (i % (CHUNK + 5)) for i in range(2 * CHUNK)]
    seen = []
    found = encoded(texts, lambda done, total: seen.append((done, total)))
    assert found[:, 0].tolist() == [len(text) for text in texts]
    assert len(asked) == len(set(asked)) == CHUNK + 5
    assert seen == [(0, CHUNK + 5), (CHUNK, CHUNK + 5)]


def test_classifiers_learn_what_no_line_divides_and_balance_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) * [1, 100]
    y = (np.sign(X[:, 0]) == np.sign(X[:, 1])).astype(int)
    assert number_classifier(300, 2).fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.85
    rare = (rng.random(400) < 0.05).astype(int)
    p = number_classifier(400, 2).fit(rng.normal(size=(400, 2)) * 1e-3, rare).predict_proba(np.zeros((1, 2)))
    assert 0.2 < p[0, 1] < 0.8
    texts = ["good film", "bad film", "good day", "bad day"] * 5
    assert text_classifier().fit(texts, [1, 0] * 10).predict(["a good one", "bad!"]).tolist() == [1, 0]
