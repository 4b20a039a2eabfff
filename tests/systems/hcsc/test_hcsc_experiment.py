"""The trials against loops, the ways to levels, and the loader of photographs on a tiny folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.synthetic.leaves import World, leaves_world
from holdfast.experiment import Scalar
from holdfast.systems.hcsc.experiment import experiment
from holdfast.systems.hcsc.experiment.levels import independent_levels, one_level, random_parents, tree_levels
from holdfast.systems.hcsc.experiment.trials import Train, accuracies, areas, judged, learner_of, pairs_of
from holdfast.systems.hcsc.method.selection import responsibilities
from holdfast.systems.hcsc.problems import Leaves, Photographs
from holdfast.testing.runs import run_of

SMALL = Leaves(supers=2, subs=2, leaves=2, images=10, test_images=2)


@pytest.fixture(scope="module")
def made():
    world = SMALL.draw(np.random.default_rng(0))
    features = torch.nn.functional.normalize(world.render(world.train), dim=1)
    index = torch.cat([torch.randperm(80, generator=torch.Generator().manual_seed(0))[:30], torch.tensor([-1, -1])])
    queries = torch.tensor([3, 20, 70])
    return world, {"features": features, "queue": features[index], "index": index, "queries": queries}


def values(measurements):
    return {m.name: m.value for m in measurements if isinstance(m, Scalar)}


def test_areas_count_pairs_of_other_images_alone(made):
    world, known = made
    rng = np.random.default_rng(1)
    scores = [rng.random((3, 32)) for _ in range(3)]
    got = values(areas(scores, known, world))
    for level, name in enumerate(("leaf", "sub", "super")):
        wins = []
        pairs = [(i, j) for i in range(3) for j in range(32)
                 if known["index"][j] >= 0 and known["index"][j] != known["queries"][i]]  # fmt: skip
        same = {(i, j): world.y[known["queries"][i], level] == world.y[known["index"][j], level] for i, j in pairs}
        for a in pairs:
            wins += [float(scores[level][a] > scores[level][b]) for b in pairs if same[a] and not same[b]]
        assert got[f"AUC, {name}"] == pytest.approx(np.mean(wins))
    assert got["AUC"] == pytest.approx(np.mean([got[f"AUC, {name}"] for name in ("leaf", "sub", "super")]))


def test_judged_by_hand(made):
    world, known = made
    tree = tree_levels(known["features"], (8, 4, 2), 0)
    got = values(judged(tree, known, world))
    same, counted = pairs_of(known, world)
    for level, name in enumerate(("leaf", "sub", "super")):
        own, others = [], []
        for i, query in enumerate(known["queries"]):
            for j in range(32):
                p = float(responsibilities(known["queue"], tree, level)[j, tree.assign[level][query]])
                if counted[i, j]:
                    (own if same[level][i, j] else others).append(p)
        assert got[f"log2 ratio, {name}"] == pytest.approx(np.log2(np.mean(own) / np.mean(others)), abs=1e-4)


def test_ways_to_levels_differ_where_they_should(made):
    x = made[1]["features"]
    tree, single, independent, broken = (
        way(x, (8, 4, 2), 5) for way in (tree_levels, one_level, independent_levels, random_parents)
    )
    for other in (single, independent, broken):
        assert torch.equal(other.assign[0], tree.assign[0])
        assert len(other) == 3
    for level in range(3):
        assert torch.equal(single.assign[level], tree.assign[0])
        assert torch.equal(single.prototypes[level], tree.prototypes[0])
    for level, k in enumerate((8, 4, 2)):  # each level by itself is a k-means of all rows
        alone = tree_levels(x, (k,), 5 + level)
        assert torch.equal(independent.assign[level], alone.assign[0])
    assert sorted(torch.bincount(broken.parent[0]).tolist()) == [2, 2, 2, 2]
    assert torch.equal(broken.assign[1], broken.parent[0][broken.assign[0]])
    assert not torch.equal(broken.parent[0], tree.parent[0])
    for u in range(4):
        mean = broken.prototypes[0][broken.parent[0] == u].mean(0)
        torch.testing.assert_close(broken.prototypes[1][u], mean / mean.norm())


def test_accuracy_is_that_of_the_neighbours_per_level(made):
    world = made[0]
    x = torch.nn.functional.one_hot(world.y[:, 1], 4).float()
    test = torch.nn.functional.one_hot(world.test_y[:, 1], 4).float()
    got = values(accuracies(x, test, world.y, world.test_y))
    assert got["accuracy, sub"] == got["accuracy, super"] == 100
    assert got["accuracy, leaf"] < 100
    assert got["accuracy"] == pytest.approx(np.mean([got["accuracy, leaf"], 100, 100]))


def test_the_oracle_keeps_every_item_of_another_class(tmp_path):
    run = run_of(replace(experiment, problems={"leaves": SMALL, "ImageNet": Photographs()}), "HCSC", "leaves", tmp_path)
    world = SMALL.draw(np.random.default_rng(0))
    run.problem = SMALL
    learner = learner_of(Train(oracle=True), world, run)
    learner.queue.index[:4] = torch.tensor([0, 79, 11, 3])
    tree = tree_levels(torch.randn(80, 4), (8, 4, 2), 0)
    keep = learner.keep(tree, torch.tensor([0, 40]))
    assert [k[0, :4].tolist() for k in keep] == [[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0]]
    assert all(bool((k[:, 4:] == 1).all()) for k in keep)  # keys of no row


def test_the_world_has_the_spread_that_it_says():
    world = leaves_world(np.random.default_rng(0), (40, 3, 3), (40, 1), noise=0.25)
    code = world.train[:, :16]
    leaf = torch.stack([code[world.y[:, 0] == c].mean(0) for c in range(360)])
    within = code - leaf[world.y[:, 0]]
    assert float(within.std()) == pytest.approx(0.25, rel=0.05)
    sub = leaf.view(120, 3, 16).mean(1)
    assert float((leaf.view(120, 3, 16) - sub[:, None]).std()) == pytest.approx(0.5 * (2 / 3) ** 0.5, rel=0.05)
    upper = sub.view(40, 3, 16).mean(1)
    expected = ((0.49 + 0.25 / 3) * 2 / 3) ** 0.5
    assert float((sub.view(40, 3, 16) - upper[:, None]).std()) == pytest.approx(expected, rel=0.08)
    assert world.y[0].tolist() == [0, 0, 0]
    assert world.y[-1].tolist() == [359, 119, 39]
    assert isinstance(world, World)


def test_photographs_train_on_a_tiny_folder_in_the_published_format(tmp_path):
    pytest.importorskip("transformers")
    rng = np.random.default_rng(0)
    names = []
    for wnid in ("n01", "n02"):
        (tmp_path / "train" / wnid).mkdir(parents=True)
        for i in range(4):
            image = Image.fromarray(rng.integers(0, 256, (40, 36, 3), dtype=np.uint8))
            image.save(tmp_path / "train" / wnid / f"{wnid}_{i}.JPEG")
        names += [f"{wnid}_1.JPEG"]
    (tmp_path / "1percent.txt").write_text("\n".join(names) + "\n")
    problem = Photographs(
        tmp_path / "train", tmp_path / "1percent.txt", side=32, depths=(1, 1, 1, 1), n_clusters=(4, 2)
    )
    small = replace(experiment.scales["full"], epochs=2, warmup=1, batch=4, queue=8, workers=0)
    tiny = replace(experiment, problems={**experiment.problems, "ImageNet": problem}, scales={"smoke": small})
    for arm in ("MoCo", "HCSC"):
        got = values(tiny.trial(run_of(tiny, arm, "ImageNet", tmp_path / arm)))
        assert 0 <= got["accuracy"] <= 100
