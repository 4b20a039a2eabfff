"""`FLTRegressor` on sets of points: what it learns, what it says, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.systems.flt import FLTAttention, FLTRegressor
from holdfast.systems.flt.tool import bias_figure, described


def data(sets=30, d=2, seed=0, shift=0.0):
    """The mean of the charges within a Gaussian of a quarter of the square."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(10, 20, sets)
    name = np.repeat([f"s{k}" for k in range(sets)], sizes)
    pos, charge = rng.random((len(name), d)), rng.choice([-1.0, 1.0], len(name))
    near = np.exp(-((pos[:, None] - pos) ** 2).sum(2) / (2 * 0.2**2)) * (name[:, None] == name)
    return {"X": charge[:, None], "y": near @ charge / near.sum(1), "set": name, "pos": 40 * pos + shift}


SMALL = {"steps": 60, "features": 32, "width": 16}


@pytest.fixture(scope="module")
def fitted():
    return FLTRegressor(**{**SMALL, "steps": 150}).fit(**data())


def test_it_learns_and_says_how_well(fitted):
    assert set(fitted.scores_) == {"FLT", "neighbour means", "mean"}
    assert fitted.scores_["FLT"] > 0.4
    assert fitted.scores_["mean"] == pytest.approx(0, abs=0.05)
    new = data(seed=5)
    found = fitted.predict(new["X"], new["set"], new["pos"])
    assert 1 - ((found - new["y"]) ** 2).mean() / new["y"].var() > 0.4
    assert len(fitted.held_out_) == 6
    assert fitted.side_ == pytest.approx(40, rel=0.1)
    assert fitted.exact_
    assert fitted.strength_ > 0


def test_what_is_held_out_is_not_learned_from():
    one, other = data(), data()
    held = FLTRegressor(**SMALL).fit(**one).held_out_
    other["y"] = np.where(np.isin(other["set"], held), 100.0, other["y"])
    first, second = (FLTRegressor(**SMALL).fit(**d) for d in (one, other))
    for a, b in zip(first.net_.parameters(), second.net_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert second.scores_["FLT"] < first.scores_["FLT"]


@pytest.mark.parametrize("settings", [{}, {"attention": "linear"}, {"coordinates": True}, {"layers": 2}])
def test_shifts_of_a_set_change_nothing(settings):
    here, there = data(), data(shift=1000.0)
    one, other = (FLTRegressor(**{**SMALL, "steps": 5, **settings}).fit(**d) for d in (here, there))
    found, moved = (
        one.predict(here["X"], here["set"], here["pos"]),
        other.predict(there["X"], there["set"], there["pos"]),
    )
    np.testing.assert_allclose(found, moved, atol=2e-3)
    np.testing.assert_allclose(one.predict(there["X"], there["set"], there["pos"]), found, atol=2e-3)


def test_units_of_positions_do_not_matter_and_the_scale_does():
    near, far = data(), data()
    far["pos"] = 1000 * far["pos"]
    one, other = (FLTRegressor(**{**SMALL, "steps": 5}).fit(**d) for d in (near, far))
    found, again = (m.predict(d["X"], d["set"], d["pos"]) for m, d in ((one, near), (other, far)))
    np.testing.assert_allclose(again, found, atol=1e-3)
    assert other.side_ == pytest.approx(1000 * one.side_)
    finer = FLTRegressor(**{**SMALL, "steps": 5}, scale=3.0).fit(**near)
    assert finer.rpe.scale == finer.rpe.spectrum.scale == 3
    assert not np.allclose(finer.predict(near["X"], near["set"], near["pos"]), found, atol=1e-3)


def test_order_of_rows_and_other_sets_do_not_matter(fitted):
    new = data(seed=7)
    found = fitted.predict(new["X"], new["set"], new["pos"])
    order = np.random.default_rng(0).permutation(len(found))
    np.testing.assert_allclose(fitted.predict(*(new[k][order] for k in ("X", "set", "pos"))), found[order], atol=1e-4)
    alone = new["set"] == "s3"
    np.testing.assert_allclose(fitted.predict(*(new[k][alone] for k in ("X", "set", "pos"))), found[alone], atol=1e-4)


@pytest.mark.parametrize("attention", ["linear", "exact"])
def test_sets_are_predicted_a_few_at_a_time_where_they_are_large(attention, monkeypatch):
    from holdfast.systems.flt import estimator

    model, new, sizes = FLTRegressor(**SMALL, attention=attention).fit(**data()), data(seed=7), []
    whole = model.predict(new["X"], new["set"], new["pos"])
    answers = estimator.answers
    monkeypatch.setattr(estimator, "answers", lambda net, sets, size: sizes.append(size) or answers(net, sets, size))
    points = np.unique(new["set"], return_counts=True)[1].max()
    each = 2 * points * (32 if attention == "linear" else points)
    for room, size in ((7 * each, 7), (each - 1, 1), (10**9, 50)):
        monkeypatch.setattr(estimator, "TOGETHER", room)
        np.testing.assert_allclose(model.predict(new["X"], new["set"], new["pos"]), whole, atol=1e-4)
        assert sizes.pop() == size


def test_times_and_no_numbers_of_points():
    given = data(d=1)
    rng = np.random.default_rng(1)
    y = given["pos"][:, 0] * 0 + np.concatenate([[n] * n for n in np.unique(given["set"], return_counts=True)[1]])
    model = FLTRegressor(**SMALL).fit(np.zeros((len(y), 0)), y + rng.normal(size=len(y)), given["set"], given["pos"])
    assert model.features_ == 0
    assert model.predict(np.zeros((len(y), 0)), given["set"], given["pos"]).shape == y.shape
    used, exact = model.bias(np.linspace(-1, 1, 5)[:, None])
    assert used.shape == exact.shape == (2, 5)


def test_auto_forms_all_pairs_of_small_sets_only(monkeypatch):
    from holdfast.systems.flt import estimator

    def uses_features(model):
        new = data(seed=7)
        before = model.predict(new["X"], new["set"], new["pos"])
        next(m for m in model.net_.modules() if isinstance(m, FLTAttention)).redraw_features()
        return not np.array_equal(model.predict(new["X"], new["set"], new["pos"]), before)

    for attention, most, exact in (("auto", 5, False), ("auto", 19, True), ("exact", 5, True), ("linear", 19, False)):
        monkeypatch.setattr(estimator, "EXACT_UP_TO", most)  # the largest set has 19 points
        model = FLTRegressor(**{**SMALL, "steps": 5}, attention=attention).fit(**data())
        assert model.exact_ is exact
        assert uses_features(model) is not exact


def test_the_bias_is_that_of_the_network(fitted):
    delta = np.array([[0.0, 0.0], [3.0, -5.0]])
    used, exact = fitted.bias(delta)
    pos = torch.tensor([[[0.0, 0.0], [3.0, -5.0]]]) / fitted.side_
    with torch.no_grad():
        wanted = fitted.rpe.bias_estimate(pos.float())[0, :, 1]  # of the second point to both
        torch.testing.assert_close(torch.from_numpy(used), wanted[:, [1, 0]], atol=1e-4, rtol=1e-4)
        closed = fitted.rpe.bias_exact(pos[0].float())
    np.testing.assert_allclose(exact, closed.numpy(), atol=1e-5)
    free = FLTRegressor(**{**SMALL, "steps": 3}, kind="mlp").fit(**data())
    assert free.bias(delta)[1] is None


def test_the_table_and_the_figure_show_the_bias_less_that_at_no_distance(fitted):
    def wanted(*delta):
        used, exact = fitted.bias(np.array([[0.0, 0.0], delta]))
        return used[:, 1] - used[:, 0], exact[:, 1] - exact[:, 0]

    _, rows = described(fitted)
    reach = fitted.span_[1]
    along_the_second = [row for row in rows if row[1] == "axis 2"]
    for head, row in enumerate(along_the_second):
        assert row[0] == head + 1
        assert row[2:5] == pytest.approx([wanted(0, share * reach)[0][head] for share in (0.1, 0.25, 0.5)], abs=1e-4)
        assert row[5] == pytest.approx(reach / 2)
    curves, plane = bias_figure(fitted).axes[:2]
    solid, dashed = curves.lines[:2]
    for line, found in zip((solid, dashed), wanted(fitted.span_[0] / 2, 0), strict=True):
        at = np.interp(fitted.span_[0] / 2, line.get_xdata(), line.get_ydata())
        assert at == pytest.approx(found[0], abs=1e-4)
    _, right, low, high = plane.images[0].get_extent()
    assert (right, high) == pytest.approx((fitted.span_[0], fitted.span_[1]))
    shown = plane.images[0].get_array()[10, 60]  # a quarter of the way up, three quarters to the right
    assert shown == pytest.approx(wanted(right / 2, 3 * low / 4)[0][0], abs=1e-4)


def test_the_same_seed_and_a_saved_model_give_the_same_numbers(fitted, tmp_path):
    new = data(seed=5)
    again = FLTRegressor(**{**SMALL, "steps": 150}).fit(**data())
    found = fitted.predict(new["X"], new["set"], new["pos"])
    assert np.array_equal(again.predict(new["X"], new["set"], new["pos"]), found)
    loaded = FLTRegressor.load(fitted.save(tmp_path / "m"))
    assert np.array_equal(loaded.predict(new["X"], new["set"], new["pos"]), found)
    assert loaded.scores_ == fitted.scores_


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": lambda d: d["y"] * 0}, "y: must hold at least two different"),
        ({"y": lambda d: np.where(np.arange(len(d["y"])) == 3, np.nan, d["y"])}, "y: "),
        ({"y": lambda d: d["y"][:-1]}, "y"),
        ({"X": lambda d: d["X"][:, 0]}, "X: "),
        ({"pos": lambda d: d["pos"][:, 0]}, "pos: "),
        ({"pos": lambda d: d["pos"] * np.inf}, "pos: "),
        ({"pos": lambda d: d["pos"] * 0}, "pos: must differ within sets"),
        ({"set": lambda d: np.where(d["set"] == "s3", np.arange(len(d["set"])).astype(str), d["set"])}, "one point in"),
        ({"set": lambda d: np.full(len(d["set"]), "all")}, "set: must name at least 5 sets"),
    ],
)
def test_data_that_are_refused(changed, message):
    given = data()
    given |= {name: change(given) for name, change in changed.items()}
    with pytest.raises(InputError) as error:
        FLTRegressor(**SMALL).fit(**given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"kind": "box"}, {"attention": "none"}, {"steps": 0}, {"width": 15}, {"lr": -1}, {"held_out": 0.0},
        {"scale": 0.0}, {"features": 0}, {"device": "tpu"}, {"seed": -1},
    ],
)  # fmt: skip
def test_settings_that_are_refused(setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        FLTRegressor(**{**SMALL, **setting}).fit(**data())


def test_new_points_of_another_shape_are_refused(fitted):
    new = data(seed=5)
    with pytest.raises(InputError, match="X"):
        fitted.predict(np.zeros((len(new["X"]), 2)), new["set"], new["pos"])
    with pytest.raises(InputError, match="pos"):
        fitted.predict(new["X"], new["set"], np.zeros((len(new["X"]), 3)))
