"""The classifier: finds a shortcut, gives weights, chooses by minmax, refuses bad input, comes back from a folder."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.systems.rp_dro import RPDROClassifier
from holdfast.systems.rp_dro.estimator import adversary_doubts
from holdfast.training import Diverged


def shortcut(n=600, seed=0, p=0.95):
    """A weak honest column, and a loud one that agrees with the label at p."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    loud = np.where(rng.random(n) < p, y, 1 - y)
    X = np.stack([y + 0.5 * rng.normal(size=n), 3 * loud + 0.1 * rng.normal(size=n)], axis=1)
    return X, y, loud


def classifier(**settings):
    return RPDROClassifier(**{"steps": 120, "hidden": 16, "lr": 1e-2, "adversary_lr": 3e-3, "device": "cpu"} | settings)


@pytest.fixture(scope="module")
def fitted():
    X, y, loud = shortcut()
    return classifier().fit(X, y), X, y, loud


def test_weights_have_mean_one_and_are_larger_where_the_shortcut_fails(fitted):
    model, X, y, loud = fitted
    w = model.example_weights(X, y)
    assert w.shape == (600,)
    assert w.mean() == pytest.approx(1, abs=1e-12)
    assert w.min() > 0
    assert w[loud != y].mean() > 2 * w[loud == y].mean()
    assert model.doubts_ == []


def test_weights_are_the_normalised_scores_of_the_true_class(fitted):
    model, X, y, _ = fitted
    x = torch.from_numpy(((X - X.mean(0)) / X.std(0)).astype(np.float32))
    with torch.no_grad():
        scores = model.adversary_.head(model.adversary_.backbone(x))
    raw = [float(scores[i, k]) for i, k in enumerate(y)]
    total = sum(math.exp(v) for v in raw)
    expected = [600 * math.exp(v) / total for v in raw]
    assert model.example_weights(X, y) == pytest.approx(expected, rel=1e-4)


def test_predictions_are_those_of_the_network(fitted):
    model, X, y, _ = fitted
    p = model.predict_proba(X)
    assert p.sum(1) == pytest.approx(1, abs=1e-5)
    assert (model.predict(X) == p.argmax(1)).all()
    assert model.score(X, y) == pytest.approx((p.argmax(1) == y).mean())
    with pytest.raises(InputError, match="y"):
        model.score(X, y[:-1])
    with pytest.raises(InputError, match="known labels"):
        model.example_weights(X, y + 1)


def test_constant_and_huge_columns():
    X, y, _ = shortcut(60)
    X = np.column_stack([X, np.full(60, 0.1), 1e8 * X[:, 0]])
    model = classifier(steps=3).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.inputs_.scale[2] == 1.0
    with pytest.raises(InputError, match="at most"):
        classifier(steps=3).fit(X * 1e29, y)


def test_validation_rows_choose_a_checkpoint_by_minmax():
    X, y, _ = shortcut()
    held = shortcut(200, seed=1)[:2]
    model = classifier(steps=45).fit(X, y, *held)
    assert model.best_step_ in range(9, 46, 9)  # a look after every pass of 9 steps
    assert 0 < len(model.adversaries_) <= 5
    assert np.exp(model.adversaries_).mean(1) == pytest.approx(1, abs=1e-6)
    assert classifier(steps=45).fit(X, y).adversaries_ is None
    # With as many steps as the choice has, the last weights are the chosen ones (the rate falls, so not the numbers).
    short = classifier(steps=9).fit(X, y, *held)
    assert short.best_step_ == 9
    assert (short.predict_proba(X) == classifier(steps=9).fit(X, y).predict_proba(X)).all()


def test_texts():
    texts = ["a good film", "so , a bad film", "good", "bad , so bad"] * 8
    model = RPDROClassifier(steps=30, batch=8, hidden=8, lr=1e-2, device="cpu").fit(texts, ["pos", "neg"] * 16)
    assert model.reads_text
    assert model.predict(["good", "bad"]).tolist() == ["pos", "neg"]
    assert model.predict_proba([""]).shape == (1, 2)
    with pytest.raises(InputError, match="strings"):
        model.predict(["good", 3])


@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_a_model_comes_back_from_its_folder(tmp_path, kind):
    X, y, _ = shortcut(60)
    rows = X if kind == "numbers" else [f"word{k % 7} other" for k in range(60)]
    model = classifier(steps=30, self_normalised=1.0).fit(rows, y, rows, y, columns=("a", "b"))
    back = RPDROClassifier.load(model.save(tmp_path / "m"))
    assert (back.predict_proba(rows) == model.predict_proba(rows)).all()
    assert (back.example_weights(rows, y) == model.example_weights(rows, y)).all()
    assert back.columns_ == ("a", "b")
    assert back.best_step_ == model.best_step_
    assert (back.adversaries_ == model.adversaries_).all()


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"tau": 0}, {}, "tau"),
        ({"alpha": 2}, {}, "alpha"),
        ({"self_normalised": 0}, {}, "self_normalised"),
        ({"batch": 1}, {}, "batch"),
        ({"steps": 0}, {}, "steps"),
        ({"words": 2}, {}, "words"),
        ({"device": "abacus"}, {}, "device"),
        ({}, {"X": np.zeros((60, 0))}, "must not be empty"),
        ({}, {"X": np.zeros(60)}, "X"),
        ({}, {"X": np.full((60, 2), np.nan)}, "X"),
        ({}, {"X": np.zeros((0, 2)), "y": []}, "must not be empty"),
        ({}, {"X": [], "y": []}, "X"),
        ({}, {"y": np.zeros(60, int)}, "at least 2 different classes"),
        ({}, {"y": np.zeros(59, int) + np.arange(59) % 2}, "y"),
        ({}, {"X_val": np.zeros((0, 2)), "y_val": []}, "X_val"),
        ({}, {"X_val": np.zeros((3, 2)), "y_val": [0, 1, 7]}, "y_val"),
        ({}, {"X_val": np.zeros((3, 2)), "y_val": [0, 1]}, "y_val"),
        ({}, {"X_val": np.zeros((3, 5)), "y_val": [0, 1, 1]}, "X_val"),
        ({}, {"X_val": np.zeros((3, 2))}, "y_val"),
    ],
)
def test_bad_input_is_refused_and_the_old_fit_stays(settings, change, message):
    X, y, _ = shortcut(60)
    model = classifier(steps=2).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(InputError, match=message):
        model.set_params(**settings).fit(**({"X": X, "y": y} | change))
    model.set_params(device="cpu")
    assert (model.predict_proba(X) == before).all()


def test_a_diverging_training_says_so():
    X, y, _ = shortcut(60)
    with pytest.raises(Diverged):
        classifier(lr=1e30, steps=20).fit(X, y)


def test_doubts():
    assert adversary_doubts([99], [0.0], 64, 10) == []  # too short to tell
    steps = list(range(10, 201, 10))
    active = [1.0] * 18
    assert adversary_doubts(steps, [*active, 0.0, 0.0], 64, 10)[0].startswith("the adversary was inactive")
    assert adversary_doubts(steps, [*active, 0.0, 0.03], 64, 20) == []  # mean .015 of the last pass
    collapsed = math.log(64) - 0.4
    assert "collapsed on single examples" in adversary_doubts(steps, [*active, 0.0, collapsed], 64, 10)[0]
    assert adversary_doubts(steps, [*active, 9.0, collapsed - 0.2], 64, 10) == []


def test_an_idle_adversary_is_warned_of():
    X, y, _ = shortcut(100)
    with pytest.warns(UserWarning, match="inactive"):
        model = classifier(tau=100.0).fit(X, y)
    assert len(model.doubts_) == 1
