"""EmbeddingMigrator and its parts: the contract of estimators, exact recovery, uncertainty, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.canonical import sealed
from holdfast.errors import InputError
from holdfast.systems.fct import MLP, EmbeddingMigrator, FewPairs, Procrustes, Ridge
from holdfast.systems.fct.tool.pairs import Pairs
from holdfast.systems.fct.tool.training import TransformTraining
from holdfast.testing.estimator_checks import checks_for

RNG = np.random.default_rng(0)
OLD, SIDE = RNG.normal(size=(300, 6)), RNG.normal(size=(300, 3))
NEW = np.tanh(np.concatenate([OLD, SIDE], 1) @ RNG.normal(size=(9, 4)))
UNIT = NEW / np.linalg.norm(NEW, axis=1, keepdims=True)
SMALL = {"epochs": 2, "batch_size": 32, "inner_dim": 8, "device": "cpu"}


@pytest.mark.parametrize(("name", "check"), checks_for(EmbeddingMigrator))
def test_contract(name, check) -> None:
    check()


# ------------------------------------------------------------------------------------------------------------ the maps
def tensor(x):
    return torch.tensor(x, dtype=torch.float32)


@given(st.integers(0, 10_000), st.integers(2, 8), st.floats(0.1, 10))
def test_procrustes_finds_a_rotation_exactly(seed: int, dim: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    old, rotation = rng.normal(size=(3 * dim, dim)), np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    new = scale * old @ rotation
    fitted = Procrustes().fit(old, new)
    assert np.abs(fitted(tensor(old)).numpy() - new).max() < 1e-4 * scale
    weight = fitted.weight.double().numpy()
    assert np.allclose(weight @ weight.T, scale**2 * np.eye(dim), atol=1e-4 * scale**2)


@given(st.integers(0, 10_000), st.booleans())
def test_ridge_without_a_penalty_finds_a_linear_map_exactly(seed: int, duplicated: bool) -> None:
    """Also where inputs are constant, or repeat each other."""
    rng = np.random.default_rng(seed)
    old, side = rng.normal(1, 3, size=(60, 4)), rng.normal(size=(60, 2))
    if duplicated:
        old[:, 3], side[:, 0] = 5.0, old[:, 0]
    new = np.concatenate([old, side], 1) @ rng.normal(size=(6, 3)) + rng.normal(size=3)
    fitted = Ridge(0.0).fit(old, new, side)
    assert np.abs(fitted(tensor(old), tensor(side)).numpy() - new).max() < 1e-4


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 3.0])
def test_ridge_is_its_normal_equations(penalty: float) -> None:
    x = (OLD - OLD.mean(0)) / OLD.std(0)
    y = NEW - NEW.mean(0)
    matrix = np.linalg.solve(x.T @ x / len(x) + penalty * np.eye(6), x.T @ y / len(x))
    wanted = x @ matrix + NEW.mean(0)
    assert np.abs(Ridge(penalty).fit(OLD, NEW)(tensor(OLD)).numpy() - wanted).max() < 1e-5


def test_what_a_map_cannot_do_is_said() -> None:
    with pytest.raises(InputError, match="as many dimensions as old for procrustes"):
        Procrustes().fit(OLD, NEW)
    with pytest.raises(InputError, match="side: must not be given to procrustes"):
        Procrustes().fit(OLD, OLD, SIDE)
    with pytest.raises(InputError, match="penalty"):
        Ridge(-1.0)


# -------------------------------------------------------------------------------------------------------- the estimator
@pytest.mark.parametrize(
    ("method", "source"), [(m, s) for m in ("mlp", "ridge") for s in ("neighbours", "ensemble")] + [("mlp", "head")]
)
def test_everything_survives_saving(tmp_path, method: str, source: str) -> None:
    model = EmbeddingMigrator(method, source, "l2", **SMALL).fit(OLD, NEW, SIDE)
    model.save(tmp_path / "m")
    again = EmbeddingMigrator.load(tmp_path / "m")
    assert np.array_equal(model.transform(OLD, SIDE), again.transform(OLD, SIDE))
    assert np.array_equal(model.uncertainty(OLD, SIDE), again.uncertainty(OLD, SIDE))
    assert (again.uncertainty(OLD, SIDE) >= 0).all()
    assert model.validation_ == again.validation_
    assert model.predict_quality(OLD, SIDE) == again.predict_quality(OLD, SIDE)


@given(st.integers(0, 1000), st.integers(1, 300))
def test_rows_are_answered_for_themselves(seed: int, size: int) -> None:
    """In any order, and however many at a time."""
    order = np.random.default_rng(seed).permutation(len(OLD))
    whole = FITTED.transform(OLD, SIDE)
    assert np.allclose(FITTED.transform(OLD[order], SIDE[order], batch_size=size), whole[order], atol=1e-5)


FITTED = EmbeddingMigrator(**SMALL).fit(OLD, NEW, SIDE)


def test_held_out_numbers_are_those_of_the_pairs_not_fitted_to() -> None:
    """Counted again by hand for a linear map."""
    model = EmbeddingMigrator("ridge", val_fraction=0.2, normalize="l2", seed=5).fit(OLD, NEW, SIDE)
    assert model.pairs_ == (240, 60)
    unit = NEW / np.linalg.norm(NEW, axis=1, keepdims=True)
    moved = model.transform(OLD, SIDE)
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)
    known = model.known_.points.numpy() * model.known_.scale.numpy() + model.known_.mean.numpy()
    rows = np.array([int(np.abs(OLD - point[:6]).sum(1).argmin()) for point in known])
    assert len(set(rows.tolist())) == 60
    cosine = (moved[rows] * unit[rows]).sum(1).mean()
    assert model.validation_["cosine"][0] == pytest.approx(cosine, abs=1e-6)
    others = np.setdiff1d(np.arange(300), rows)
    error = np.square(moved[rows] - unit[rows]).sum(1).mean()
    assert model.validation_["relative error"][0] == pytest.approx(
        error / np.square(unit[rows] - unit[others].mean(0)).sum(1).mean(), rel=1e-5
    )


def test_settings_of_a_saved_model_are_checked(tmp_path) -> None:
    EmbeddingMigrator("ridge").fit(OLD, NEW).save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(config.read_text().replace('"neighbours"', "null"))
    with pytest.raises(InputError, match="uncertainty_from: must be one of"):
        EmbeddingMigrator.load(tmp_path / "m")


@pytest.mark.parametrize("part", [Ridge(0.1), Procrustes(), MLP(8, TransformTraining(epochs=2))])
def test_models_saved_before_the_code_moved_are_read(tmp_path, part) -> None:
    EmbeddingMigrator(part, device="cpu").fit(OLD, OLD[:, ::-1]).save(tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    text = file.read_text()
    for before, now in EmbeddingMigrator.moved.items():
        text = text.replace(f'"{now}"', f'"{before}"')
    assert text.count("systems.fct.estimator:") == text.count("systems.fct.tool.") == 0
    earlier = json.loads(text)
    del earlier["digest"]
    file.write_text(json.dumps(sealed(earlier)))
    assert EmbeddingMigrator.load(tmp_path / "m").method == part


# ------------------------------------------------------------------------------------------------- vectors of length 1
def unit_pairs(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    old, matrix = rng.normal(size=(rows, 8)), np.random.default_rng(99).normal(size=(8, 12))
    new = np.tanh(old @ matrix / 2) + 0.2 * rng.normal(size=(rows, 12))
    return old, new / np.linalg.norm(new, axis=1, keepdims=True)


def recall_by_product(moved: np.ndarray, new: np.ndarray) -> float:
    """Recall@10 of an index searched by inner product, each row a query that does not find itself."""
    found, true = new @ moved.T, new @ new.T
    for products in (found, true):
        np.fill_diagonal(products, -np.inf)
    pairs = zip(np.argsort(-found, 1)[:, :10], np.argsort(-true, 1)[:, :10], strict=True)
    return float(np.mean([len(set(a.tolist()) & set(b.tolist())) / 10 for a, b in pairs]))


def test_targets_of_length_1_give_results_of_length_1() -> None:
    old, new = unit_pairs(600)
    model = EmbeddingMigrator("ridge", val_fraction=0.5).fit(old, new)
    assert (model.unit, model.searched_by) == (True, "cosine")
    fresh = unit_pairs(300, seed=1)
    moved = model.transform(fresh[0])
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)
    same = EmbeddingMigrator("ridge", normalize="l2", val_fraction=0.5).fit(old, new)
    assert np.array_equal(same.transform(fresh[0]), moved)
    assert model.validation_["recall@10"][0] == pytest.approx(recall_by_product(moved, fresh[1]), abs=0.04)
    assert not EmbeddingMigrator("ridge").fit(old, 2 * new).unit


def test_what_the_user_says_wins_and_is_measured_as_the_index_will_be_searched() -> None:
    """Left at other lengths, rows are found worse by inner product; that number is the one that is told."""
    old, new = unit_pairs(600)
    model = EmbeddingMigrator("ridge", normalize=None, val_fraction=0.5).fit(old, new)
    assert (model.unit, model.searched_by) == (False, "ip")
    fresh = unit_pairs(300, seed=1)
    moved = model.transform(fresh[0])
    assert np.linalg.norm(moved, axis=1).std() > 0.05
    by_product = recall_by_product(moved, fresh[1])
    assert model.validation_["recall@10"][0] == pytest.approx(by_product, abs=0.04)
    by_distance = EmbeddingMigrator("ridge", normalize=None, val_fraction=0.5, metric="l2").fit(old, new)
    assert by_distance.validation_["recall@10"][0] > by_product + 0.08
    assert EmbeddingMigrator("ridge", normalize="l2").fit(old, 3 * new).unit


def test_a_model_saved_before_lengths_were_looked_at_does_what_it_did(tmp_path) -> None:
    old, new = unit_pairs(200)
    for normalize, metric in ((None, "l2"), ("l2", "cosine")):
        model = EmbeddingMigrator("ridge", normalize=normalize).fit(old, new)
        before = model.transform(old)
        del model.unit_, model.metric_, model.profiles_
        model.save(tmp_path / str(normalize))
        again = EmbeddingMigrator.load(tmp_path / str(normalize))
        assert np.array_equal(again.transform(old), before)
        assert again.searched_by == metric


def test_the_score_is_r_squared() -> None:
    from sklearn.metrics import r2_score

    model = EmbeddingMigrator("ridge").fit(OLD, NEW, SIDE)
    moved = model.transform(OLD, SIDE)
    assert model.score(OLD, NEW, SIDE) == pytest.approx(r2_score(NEW, moved, multioutput="variance_weighted"))


def test_few_pairs_are_warned_of_before_fitting() -> None:
    class Refuses(Ridge):
        def fit(self, *args, **kwargs):
            raise RuntimeError("fitting began")

    with pytest.warns(FewPairs, match="18 pairs to fit to are few for 12 dimensions"), pytest.raises(RuntimeError):
        EmbeddingMigrator(Refuses()).fit(np.ones((20, 3)), np.ones((20, 12)))


def test_labels_change_what_the_head_learns() -> None:
    labels, head = np.array(["a", "b", "c"])[np.arange(300) % 3], {"uncertainty_from": "head", **SMALL}
    without = EmbeddingMigrator(**head).fit(OLD, NEW, SIDE).transform(OLD, SIDE)
    plain = EmbeddingMigrator(**head).fit(OLD, NEW, SIDE, labels).transform(OLD, SIDE)
    used = EmbeddingMigrator(label_weight=1.0, **head).fit(OLD, NEW, SIDE, labels).transform(OLD, SIDE)
    assert np.array_equal(plain, without)
    assert not np.allclose(plain, used)
    with pytest.raises(InputError, match="label_weight: must be 0 unless uncertainty_from is 'head'"):
        EmbeddingMigrator(label_weight=1.0, **SMALL).fit(OLD, NEW, SIDE, labels)


def test_a_linear_map_is_always_measured_beside() -> None:
    mlp, ridge = FITTED, EmbeddingMigrator("ridge", device="cpu").fit(OLD, NEW, SIDE)
    assert mlp.ridge_validation_ == ridge.validation_ == ridge.ridge_validation_
    assert mlp.ridge_validation_ != mlp.validation_


@given(st.lists(st.integers(1, 9), min_size=30, max_size=60), st.integers(0, 99), st.floats(0.05, 0.5))
def test_rows_of_one_item_are_held_out_together(counts: list[int], seed: int, fraction: float) -> None:
    ids = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    kept, held = Pairs.of(np.ones((len(ids), 1)), np.ones((len(ids), 1))).split(fraction, seed, ids)
    assert sorted([*kept, *held]) == list(range(len(ids)))
    assert not set(ids[kept]) & set(ids[held])
    wanted = max(2, round(fraction * len(ids)))
    assert wanted <= len(held) < wanted + max(counts)


def test_ids_must_allow_holding_out() -> None:
    with pytest.raises(InputError, match=r"ids: must differ between enough rows.*1 different ids"):
        EmbeddingMigrator("ridge").fit(OLD, NEW, ids=["doc"] * 300)
    with pytest.raises(InputError, match="ids: must have as many rows as old"):
        EmbeddingMigrator("ridge").fit(OLD, NEW, ids=np.arange(299))


def test_uncertainty_is_worth_something_for_every_source() -> None:
    """A map that is wrong where the first number is large."""
    rng = np.random.default_rng(0)
    old = rng.normal(size=(2000, 3))
    new = old @ rng.normal(size=(3, 3)) + 3 * np.where(old[:, :1] > 1, rng.normal(size=(2000, 3)), 0)
    for source, settings in (("neighbours", {"method": "ridge"}), ("head", {"epochs": 20, "batch_size": 128})):
        arguments = {"inner_dim": 32, "lr": 5e-3, "device": "cpu", **settings}
        model = EmbeddingMigrator(uncertainty_from=source, **arguments).fit(old, new)
        doubt = model.uncertainty(old)
        assert doubt[old[:, 0] > 1].mean() > 2 * doubt[old[:, 0] < 0].mean(), source


def test_a_prediction_for_rows_like_the_pairs_is_the_held_out_number() -> None:
    rng = np.random.default_rng(0)
    old = rng.normal(size=(4000, 4))
    new = np.tanh(2 * old[:, :3])
    model = EmbeddingMigrator("ridge", val_fraction=0.5).fit(old[:3000], new[:3000])
    like = model.predict_quality(old[3000:])
    truth = 1 - model.score(old[3000:], new[3000:])
    error = like.qualities["relative error"]
    assert error.low < truth < error.high
    assert like.far < 0.05
    assert model.predict_quality(old[3000:] + 50).far == 1.0


@pytest.mark.parametrize(
    ("settings", "arrays", "words"),
    [
        ({"method": "svm"}, {}, "method: must be one of"),
        ({"method": 3}, {}, "method: must be one of"),
        ({"method": "ridge", "uncertainty_from": "head"}, {}, "uncertainty_from: must be neighbours or ensemble"),
        ({"normalize": "l1"}, {}, "normalize: must be one of"),
        ({"val_fraction": 1.0}, {}, "val_fraction"),
        ({"lr": 0}, {}, "lr"),
        ({"label_weight": 1.0, "uncertainty_from": "head"}, {}, "labels: must be given"),
        ({}, {"new": NEW[:10]}, r"new: must have as many rows as old \(300\); received 10"),
        ({}, {"side": SIDE[:10]}, r"side: must have as many rows as old \(300\); received 10"),
        ({}, {"old": np.where(np.arange(300)[:, None] % 100 == 7, np.nan, OLD)}, "3 of 300 rows .* the first is row 7"),
        ({}, {"new": np.where(np.arange(300)[:, None] == 9, np.inf, NEW)}, "1 of 300 rows .* the first is row 9"),
        ({}, {"old": OLD[:5], "new": NEW[:5]}, "number of pairs"),
        ({"normalize": "l2"}, {"new": np.where(np.arange(300)[:, None] == 4, 0, NEW)}, "rows of zeros .* row 4"),
        ({"metric": "cosine"}, {"new": np.where(np.arange(300)[:, None] == 4, 7, NEW)}, "1 of 300, .* row 4"),
        ({}, {"new": np.where(np.arange(300)[:, None] % 100 == 4, 0, UNIT)}, "3 of 300, .* rows 4, 104, 204"),
        ({"metric": "dot"}, {}, "metric: must be one of"),
    ],
)
def test_wrong_pairs_are_named(settings, arrays, words) -> None:
    with pytest.raises(InputError, match=words):
        EmbeddingMigrator(**{**SMALL, **settings}).fit(**{"old": OLD, "new": NEW, **arrays})


def test_wrong_rows_to_migrate_are_named() -> None:
    with pytest.raises(InputError, match="side: must be given: the map was fitted with"):
        FITTED.transform(OLD)
    with pytest.raises(InputError, match="side: must not be given"):
        EmbeddingMigrator("ridge").fit(OLD, NEW).transform(OLD, SIDE)
    with pytest.raises(InputError, match=r"old: must have shape \(N, d_old=6\)"):
        FITTED.transform(OLD[:, :5], SIDE)
    with pytest.raises(InputError, match="side: must have shape"):
        FITTED.transform(OLD, SIDE[:, :2])


def test_the_gallery_s_batch_normalisation_uses_no_statistics_of_the_gallery() -> None:
    """A module left in training mode is put into evaluation mode."""
    before = FITTED.transform(OLD[:7], SIDE[:7])
    FITTED.map_.train()
    try:
        assert np.array_equal(FITTED.transform(OLD[:7], SIDE[:7]), before)
        del FITTED._folded
        assert np.array_equal(FITTED.transform(OLD[:7], SIDE[:7]), before)
    finally:
        FITTED.map_.eval()


def test_a_part_can_be_the_method() -> None:
    part = MLP(inner_dim=8, training=TransformTraining(epochs=1, batch_size=32))
    assert EmbeddingMigrator(part, "neighbours").fit(OLD, NEW).transform(OLD).shape == (300, 4)
