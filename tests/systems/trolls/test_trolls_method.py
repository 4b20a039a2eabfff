"""The mathematics against explicit loops, closed forms and the reference's numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from holdfast.errors import InputError
from holdfast.systems.trolls.method import (
    Cleaned,
    ExampleRemoval,
    Flip,
    KeepAll,
    Purr,
    SoftUserWeight,
    UserExampleRemoval,
    UserRemoval,
    UserTrust,
    balanced_error,
    clean_validation,
    disagreement,
    hash_folds,
    troll_precision_recall,
    trust,
    user_trust,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "trolls.json").read_text(encoding="utf-8"))


@st.composite
def feedback(draw):
    n = draw(st.integers(1, 12))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    p = np.array(draw(st.lists(st.integers(0, 1000), min_size=n, max_size=n))) / 1000
    users = np.array(draw(st.lists(st.sampled_from("abcdef"), min_size=n, max_size=n)))
    return y, p, users


def random_feedback(seed=0, n=60):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, n), rng.random(n), rng.choice(list("abcdefgh"), n)


def by_loops(y, p, users):
    """f, g without the example itself, g with it, and e, as the paper writes them."""
    f, g, whole, e = ([0.0] * len(y) for _ in range(4))
    for i in range(len(y)):
        f[i] = p[i] if y[i] == 1 else 1 - p[i]
    for i in range(len(y)):
        mine = [f[j] for j in range(len(y)) if users[j] == users[i]]
        others = [f[j] for j in range(len(y)) if users[j] == users[i] and j != i]
        g[i] = sum(others) / len(others) if others else sum(f) / len(f)
        whole[i] = sum(mine) / len(mine)
        e[i] = sum(1 for value in mine if value < 0.5) / len(mine)
    return tuple(map(np.array, (f, g, whole, e)))


@settings(max_examples=40)
@given(feedback())
def test_trust_of_examples_and_users_is_that_of_loops(data):
    y, p, users = data
    f, g, whole, e = by_loops(y, p, users)
    np.testing.assert_allclose(trust(y, p), f)
    np.testing.assert_allclose(trust(1 - y, p), 1 - f, atol=1e-12)
    np.testing.assert_allclose(user_trust(f, users), g, atol=1e-12)
    np.testing.assert_allclose(user_trust(f, users, leave_one_out=False), whole)
    np.testing.assert_allclose(disagreement(y, p, users), e)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("tau", [0.4, 0.5])
def test_rules_are_those_of_loops(alpha, tau):
    y, p, users = random_feedback()
    f, g, _, e = by_loops(y, p, users)
    s = [alpha * f[i] + (1 - alpha) * g[i] for i in range(len(y))]
    purr = Purr(alpha, tau)(y, p, users)
    assert purr.keep.tolist() == [value >= tau for value in s]
    np.testing.assert_allclose(purr.scores, s)
    example, flip = ExampleRemoval(tau)(y, p, users), Flip(tau)(y, p, users)
    assert example.keep.tolist() == [value >= tau for value in f]
    assert flip.keep.all()
    assert flip.y.tolist() == [1 - y[i] if f[i] < tau else y[i] for i in range(len(y))]
    by_user, both = UserRemoval(tau)(y, p, users), UserExampleRemoval(tau)(y, p, users)
    assert by_user.keep.tolist() == [value <= tau for value in e]
    np.testing.assert_allclose(by_user.scores, 1 - e)
    assert both.keep.tolist() == [e[i] <= tau and f[i] >= 0.5 for i in range(len(y))]
    np.testing.assert_allclose(both.scores, [min(f[i], 1 - e[i]) for i in range(len(y))])
    weighted = SoftUserWeight()(y, p, users)
    np.testing.assert_allclose(weighted.weight, [max(0.0, 2 * (1 - value) - 1) for value in e])
    assert weighted.keep.tolist() == [value < 0.5 for value in e]
    np.testing.assert_allclose(weighted.scores, 1 - e)
    assert KeepAll()(y, p, users).keep.all()
    for rule in (purr, example, by_user, both):
        assert (rule.weight == 1).all()
        assert (rule.y == y).all()


def test_both_kinds_of_examples_and_users_occur_in_the_loops_above():
    y, p, users = random_feedback()
    kept = [rule(y, p, users).keep for rule in (Purr(0.3), ExampleRemoval(), UserRemoval(), UserExampleRemoval())]
    assert all(0 < keep.sum() < len(keep) for keep in kept)


@settings(max_examples=40)
@given(feedback())
def test_closed_forms(data):
    y, p, users = data
    assert (Purr(1.0, 0.5)(y, p, users).keep == ExampleRemoval()(y, p, users).keep).all()
    assert UserRemoval(1.0)(y, p, users).keep.all()
    assert not UserRemoval(-0.1)(y, p, users).keep.any()
    both = UserExampleRemoval(0.4)(y, p, users).keep
    assert (both == (UserRemoval(0.4)(y, p, users).keep & ExampleRemoval()(y, p, users).keep)).all()
    renamed = np.array([f"user {user}" for user in users])
    order = np.random.default_rng(0).permutation(len(y))
    for rule in (Purr(0.25, 0.4999), UserRemoval(0.4999)):
        keep = rule(y, p, users).keep
        assert (rule(y, p, renamed).keep == keep).all()
        near = np.abs(rule(y, p, users).scores - 0.5) < 1e-3  # sums in another order differ by rounding
        assert (rule(y[order], p[order], users[order]).keep == keep[order])[~near[order]].all()


def test_leave_one_out_keeps_the_sum_of_users_with_several_examples():
    f, users = np.array([0.1, 0.7, 0.4, 0.9]), np.array(["a", "a", "a", "b"])
    g = user_trust(f, users)
    assert g[:3].sum() == pytest.approx(f[:3].sum())
    assert g[3] == pytest.approx(f.mean())  # the only example of its user


def test_nobody_is_contradicted_at_one_half():
    y, p, users = np.array([0, 1]), np.array([0.5, 0.5]), np.array([0, 0])
    assert disagreement(y, p, users).tolist() == [0.0, 0.0]
    assert ExampleRemoval()(y, p, users).keep.all()
    assert SoftUserWeight()(y, p, users).weight.tolist() == [1.0, 1.0]


def test_folds_are_the_reference_s():
    assert hash_folds(VECTORS["texts"]).tolist() == VECTORS["fold3"]


def test_the_validation_set_is_cleaned_by_a_model_of_what_is_kept():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 80)
    X = gold[:, None] * 4.0 + rng.normal(size=(80, 1))
    y, users = gold.copy(), np.arange(80) // 10
    y[:50] = 1 - y[:50]  # trained on everything, the model would be turned round
    cleaned = Cleaned.keeping(np.arange(80) >= 50, y, np.ones(80))
    val = clean_validation(LogisticRegression(), X, cleaned, X, y, users, ExampleRemoval())
    assert val.keep[50:].mean() > 0.9
    assert val.keep[:50].mean() < 0.1
    one = Cleaned.keeping(y == 1, y, np.ones(80))
    with pytest.raises(InputError, match="both labels"):
        clean_validation(LogisticRegression(), X, one, X, y, users, KeepAll())


@settings(max_examples=40)
@given(feedback())
def test_streams_give_the_trust_of_all_at_once(data):
    y, p, users = data
    f = trust(y, p)
    parts = [UserTrust(), UserTrust()]
    for i, user in enumerate(users):
        parts[i % 2].add([user], [f[i]])
    parts[0].merge(parts[1])
    np.testing.assert_allclose(parts[0].others(users, f), user_trust(f, users), atol=1e-9)
    means = user_trust(f, users, leave_one_out=False)
    np.testing.assert_allclose([parts[0].mean(user) for user in users], means, atol=1e-12)
    assert parts[0].count(users[0]) == (users == users[0]).sum()
    assert parts[0].count("nobody") == 0
    assert parts[0].overall == pytest.approx(f.mean())
    assert np.isnan(UserTrust().overall)
    with pytest.raises(ValueError, match="shorter"):
        parts[0].add(["new", "newer"], [0.5])
    assert parts[0].count("new") == 0, "nothing is counted where the lengths differ"
    assert parts[0].mean("nobody") == parts[0].overall


def test_measures():
    keep, wrong = np.array([False, False, False, True, True]), np.array([True, True, False, True, False])
    assert troll_precision_recall(keep, wrong) == pytest.approx((2 / 3, 2 / 3))
    assert troll_precision_recall(np.array([True, False]), np.array([True, False]))[1] == 0.0
    assert np.isnan(troll_precision_recall(np.ones(2, bool), np.zeros(2, bool))).all()
    y, said = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 0])
    assert balanced_error(y, said) == pytest.approx(1 - (3 / 4 + 0) / 2)
