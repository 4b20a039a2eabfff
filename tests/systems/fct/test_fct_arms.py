"""The arms: what is measured, what they share, FastFill's orders."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from holdfast.experiment.claims import Differs
from holdfast.experiment.run import Run
from holdfast.ledger.freezing import configurations
from holdfast.systems.fct.experiment import ARMS, CLAIMS, DIGITS, experiment
from holdfast.systems.fct.experiment.arms import AsTheyAre, Budget, Chosen, Linear, Rotated, Transformed
from holdfast.systems.fct.experiment.embeddings import Part, Vectors, parts_of, rows_of, scores
from holdfast.systems.fct.experiment.fastfill import (
    AtRandom,
    Backfilled,
    ByDisagreement,
    ByNeighbours,
    ByTrueError,
    ByUncertainty,
)
from holdfast.systems.fct.problems import MnistGrowth
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams


def part(rows=40, seed=0, noise=0.0):
    """New embeddings that are a rotation of the old ones, plus noise that grows with the first old number."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, rows)
    old = np.eye(4)[labels] * 3 + rng.normal(size=(rows, 4))
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(4, 4)))[0]
    new = old @ turn + noise * np.abs(old[:, :1]) * rng.normal(size=(rows, 4))
    tensors = [torch.from_numpy(x).float() for x in (old, new, rng.normal(size=(rows, 2)))]
    return Part(tensors[0], tensors[1], {"own": tensors[2]}, torch.from_numpy(labels))


def vectors(noise=0.0):
    return Vectors(part(200, 1, noise), part(60, 2, noise), part(80, 3, noise))


def run_of(tmp_path, arm=None, problem=None, reseed=0, **scale):
    (tmp_path / "out").mkdir(exist_ok=True)
    return Run(
        arm=arm,
        arm_name="x",
        problem=problem,
        problem_name="x",
        point={},
        replicate=7,
        scale=Budget(**{"epochs": 4, "batch": 32, "inner": 16, **scale}),
        device="cpu",
        dir=tmp_path / "out",
        streams=Streams(7, reseed),
        stages=Stages(tmp_path / "stages"),
        report=lambda done, total: None,
    )


def measured(recipe, run, data):
    return {m.name: m.value for m in recipe.measure(run, data) if hasattr(m, "value")}


# -------------------------------------------------------------------------------------------------------------- scores
def test_scores_are_what_loops_give():
    rows = part(25)
    query, gallery = rows.old + 0.1, rows.new
    top, found = 0, 0.0
    for i in range(25):
        order = sorted((k for k in range(25) if k != i), key=lambda k: float((query[i] - gallery[k]).norm()))
        truth = sorted((k for k in range(25) if k != i), key=lambda k: float((rows.new[i] - rows.new[k]).norm()))
        top += bool(rows.labels[order[0]] == rows.labels[i])
        found += len(set(order[:10]) & set(truth[:10])) / 10
    given = scores(rows, query, gallery, "l2")
    assert given["top-1"] == pytest.approx(100 * top / 25)
    assert given["recall@10"] == pytest.approx(100 * found / 25)


def test_without_labels_there_is_recall_alone():
    rows = dataclasses.replace(part(), labels=None)
    assert set(scores(rows, rows.new, rows.new, "cosine")) == {"recall@10"}
    assert scores(rows, rows.new, rows.new, "cosine")["recall@10"] == 100


def test_parts_follow_each_other_in_the_order_given():
    tensors = {"old": torch.arange(6.0)[:, None], "new": torch.arange(6.0)[:, None] + 10, "side/a": torch.zeros(6, 1)}
    parts = parts_of(rows_of(tensors, np.array([5, 0, 3, 1, 4, 2]), {"fit": 3, "test": 2}))
    assert parts["fit"].old[:, 0].tolist() == [5, 0, 3]
    assert parts["test"].new[:, 0].tolist() == [11, 14]
    assert parts["fit"].side["a"].shape == (3, 1)
    assert parts["fit"].labels is None


# ---------------------------------------------------------------------------------------------------------- migrations
@pytest.mark.parametrize("recipe", [Linear(), Linear("own"), Rotated(), Linear(penalty=0.0)])
def test_a_rotation_is_undone(tmp_path, recipe):
    assert measured(recipe, run_of(tmp_path), vectors())["recall@10"] > 95


def test_galleries_as_they_are(tmp_path):
    run, data = run_of(tmp_path), vectors()
    assert measured(AsTheyAre("new", "new"), run, data)["recall@10"] == 100
    assert measured(AsTheyAre("old", "old"), run, data)["recall@10"] == 100  # a rotation changes no neighbour
    assert measured(AsTheyAre("new", "old"), run, data)["recall@10"] < 60


def test_side_information_alone_does_not_see_the_old_embedding(tmp_path):
    recipe, data = Transformed("own", without_old=True), vectors()
    old, side = recipe.inputs(data.fit)
    assert torch.equal(old, data.fit.side["own"])
    assert side is None
    assert Transformed("own").inputs(data.fit)[0] is data.fit.old


def test_the_best_candidate_on_the_validation_part_is_taken(tmp_path):
    run, data = run_of(tmp_path), vectors()
    weak, good = Linear(penalty=1e6), Linear()
    chosen = Chosen((weak, good)).represent(run, data)
    assert torch.equal(chosen["test"][1], good.represent(run, data)["test"][1])
    assert not torch.equal(chosen["test"][1], weak.represent(run, data)["test"][1])


def test_the_same_replicate_gives_the_same_numbers_and_other_seeds_others(tmp_path):
    data = vectors(0.5)
    one, same = (Transformed().represent(run_of(tmp_path), data)["test"][1] for _ in range(2))
    other = Transformed().represent(run_of(tmp_path, reseed=1), data)["test"][1]
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_settings_reach_the_training():
    fitter = Transformed(lr=0.5, weight_decay=0.25, inner=7).fitter(Budget(epochs=9, batch=11, kept=0.3))
    assert (fitter.inner_dim, fitter.training.lr, fitter.training.weight_decay) == (7, 0.5, 0.25)
    assert (fitter.training.epochs, fitter.training.batch_size, fitter.training.frozen_norm) == (9, 11, 0.3)


# ------------------------------------------------------------------------------------------------------------ FastFill
@pytest.mark.parametrize("order", [ByUncertainty(), AtRandom(), ByTrueError(), ByNeighbours(), ByDisagreement(1)])
def test_backfilling_ends_where_everything_is_new(tmp_path, order):
    data, run = vectors(0.5), run_of(tmp_path)
    found = list(Backfilled(order).measure(run, data))
    (curve,) = (m for m in found if hasattr(m, "x"))
    assert curve.x == [10.0 * k for k in range(11)]
    values = {m.name: m.value for m in found if hasattr(m, "value")}
    assert values["mAP"] == curve.y[0]
    assert values["backfilling mAP"] == pytest.approx(np.mean(curve.y))
    assert curve.y[-1] == pytest.approx(scores(data.test, data.test.new, data.test.new, "l2")["mAP"])


def test_all_orders_fill_the_same_gallery(tmp_path):
    data = vectors(0.5)
    first = {
        measured(Backfilled(o), run_of(tmp_path), data)["mAP"] for o in (ByUncertainty(), AtRandom(), ByNeighbours())
    }
    assert len(first) == 1


def test_known_errors_are_put_first(tmp_path):
    """Noise grows with the first old number, so neighbours' errors are about as large."""
    data = vectors(2.0)
    run, recipe = run_of(tmp_path, epochs=10), Backfilled(ByNeighbours())
    from holdfast.systems.fct.experiment.fastfill import Filling

    filling = Filling(recipe, run, data, recipe.fit(run, data))
    size = data.test.old[:, 0].abs()
    order = ByNeighbours()(filling, data.test)
    assert sorted(order.tolist()) == list(range(80))
    assert size[order[:20]].mean() > 1.5 * size[order[-20:]].mean()
    errors = (recipe.migration.migrate(filling.fitted, data.test) - data.test.new).square().sum(1)
    assert errors[ByTrueError()(filling, data.test)].diff().max() <= 0


# ------------------------------------------------------------------------------------------------------------ declared
def test_every_tuned_arm_tries_equally_many_configurations():
    tried = {n: configurations(n, a, experiment.tuning.configurations) for n, a in ARMS.items() if a.space}
    assert {len(t) for t in tried.values()} == {6}
    untuned = {n for n, a in ARMS.items() if not a.space and a.tuned_as is None}
    assert untuned == {"old/old", "new/new", "raw new/old"}  # nothing about them can be chosen


def test_arms_that_share_a_gallery_share_its_settings():
    fastfill = {n for n, a in ARMS.items() if a.tuned_as == "FastFill"}
    assert {type(ARMS[n].method.order) for n in fastfill} == {AtRandom, ByTrueError, ByNeighbours, ByDisagreement}
    assert ARMS["BCT new/new"].tuned_as == "BCT new/old"


def test_controls_are_there_and_one_must_not_be_found():
    controls = {c.expect: c for c in CLAIMS if c.role == "control"}
    assert set(controls) == {"found", "not found"}
    assert isinstance(controls["not found"], Differs)
    assert ARMS[controls["not found"].other].reseed


def test_arms_with_other_seeds_use_the_same_embeddings(tmp_path):
    from holdfast.baselines.classifier import EncoderTraining
    from holdfast.systems.fct.experiment import trial

    problem, found = MnistGrowth(), []
    for reseed in (0, 1):
        quick = {"training": EncoderTraining(1, 32), "side_epochs": 1, "side_batch": 32, "rows": 96, "epochs": 2}
        run = run_of(tmp_path, Transformed("SimCLR"), problem, reseed, **quick)
        found.append({m.name: m.value for m in trial(run) if hasattr(m, "value")})
    assert found[0] != found[1]
    stages = {p.name for p in (tmp_path / "stages").iterdir() if not p.name.startswith(".")}
    assert len(stages) == 2  # encoders and side-information, each once


def test_demo_and_smoke_are_about_the_headline():
    (headline,) = (c for c in CLAIMS if c.role == "headline")
    for name in ("smoke", "demo"):
        assert set(headline.arms) <= set(experiment.scales[name].arms)
        assert experiment.scales[name].problems == (DIGITS,)
