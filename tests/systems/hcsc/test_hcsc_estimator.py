"""HCSC as an estimator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from holdfast.errors import InputError
from holdfast.estimator import NotFitted
from holdfast.systems.hcsc import HCSC
from holdfast.systems.hcsc.estimator import usual_clusters

SMALL = {"n_clusters": (6, 2), "epochs": 2, "warmup": 1, "batch": 8, "queue": 16, "device": "cpu"}


def groups(rows=20):
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(4, 6))
    return np.repeat(centres, rows, 0) + 0.3 * rng.normal(size=(4 * rows, 6))


def test_features_of_a_group_are_near_each_other():
    x = groups()
    model = HCSC(n_clusters=(8, 4), epochs=30, batch=16, queue=64, device="cpu").fit(x)
    found = model.embed(x)
    assert found.shape == (80, 64)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    near = (found @ found.T - 2 * np.eye(80)).argmax(1) // 20
    assert (near == np.arange(80) // 20).mean() > 0.95
    assert (model.paths(x)[:, 0] == model.tree_.paths()[:, 0]).mean() > 0.8


def test_images_as_arrays_as_bytes_and_from_a_folder(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    for i, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / f"{i:02d}.png")
    settings = {**SMALL, "n_clusters": (4, 2), "size": 16, "warmup": 2}  # no draw that rounding could turn
    of_bytes = HCSC(**settings).fit(images)
    of_floats = HCSC(**settings).fit(images.astype(np.float32) / 255)
    of_files = HCSC(**settings).fit(tmp_path)
    for other in (of_floats, of_files):
        np.testing.assert_allclose(other.embed(images), of_bytes.embed(images), atol=1e-4)
    np.testing.assert_allclose(of_files.embed(str(tmp_path)), of_bytes.embed(images), atol=1e-4)
    grey = HCSC(**settings).fit(images[:, 0])
    assert grey.row_shape_ == (1, 16, 16)
    with pytest.raises(InputError, match="as in the fit"):
        grey.embed(images)


def test_a_saved_model_has_its_tree(tmp_path):
    x = groups(6)
    model = HCSC(**SMALL).fit(x)
    model.save(tmp_path / "m")
    again = HCSC.load(tmp_path / "m")
    np.testing.assert_array_equal(again.embed(x), model.embed(x))
    np.testing.assert_array_equal(again.paths(x), model.paths(x))
    assert again.tree_.path(3) == model.tree_.path(3)
    assert again.tree_.to_newick() == model.tree_.to_newick()


def test_a_backbone_of_ones_own_is_copied(tmp_path):
    class Wide(nn.Module):
        dim = 7

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 7)

        def forward(self, x):
            return self.layer(x)

    mine = Wide()
    before = mine.layer.weight.clone()
    model = HCSC(backbone=mine, **SMALL).fit(groups(6))
    assert torch.equal(mine.layer.weight, before)
    assert model.embed(groups(6)).shape == (24, 7)
    model.save(tmp_path / "m")
    assert np.array_equal(HCSC.load(tmp_path / "m", backbone=Wide()).embed(groups(6)), model.embed(groups(6)))


def test_the_tree_is_that_of_the_projections():
    x = groups(6)
    model = HCSC(**SMALL).fit(x)
    found = model.project(x)
    near = (found @ model.tree_.prototypes[0].numpy().T).argmax(1)
    assert np.array_equal(model.paths(x)[:, 0], near)
    means = np.stack([found[model.tree_.assign[0].numpy() == c].mean(0) for c in range(6)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(means, model.tree_.prototypes[0], atol=1e-3)


def test_scale_and_place_of_features_do_not_matter():
    x = groups(6)
    a, b = (HCSC(**{**SMALL, "warmup": 2}).fit(rows).embed(rows) for rows in (x, 100 * x + 7))
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_few_rows_and_a_queue_that_does_not_divide():
    assert HCSC(epochs=1, batch=100, queue=7, device="cpu").fit(groups(1)).tree_.sizes(0).sum() == 4
    HCSC(**{**SMALL, "batch": 10, "queue": 25}).fit(groups(6))


@pytest.mark.parametrize(
    ("rows", "counts"),
    [(1000, (50, 13, 4)), (4800, (240, 60, 15)), (10**6, (240, 60, 15)), (40, (3, 2)), (5, (2,)), (4, (2,))],
)
def test_usual_clusters(rows, counts):
    assert usual_clusters(rows) == counts


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"n_clusters": (2, 6)}, "n_clusters"),
        ({"n_clusters": (100, 6)}, "n_clusters"),
        ({"epochs": 0}, "epochs"),
        ({"warmup": -1}, "warmup"),
        ({"backbone": "resnet"}, "backbone"),
        ({"backbone": nn.Linear(6, 3)}, "backbone.dim"),
        ({"m": 2}, "m"),
        ({"T": 0}, "T"),
        ({"augment": 3}, "augment"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_wrong_settings_are_refused(settings, name):
    with pytest.raises(InputError) as caught:
        HCSC(**{**SMALL, **settings}).fit(groups(6))
    assert caught.value.argument == name


@pytest.mark.parametrize("x", [np.zeros((3, 2)), np.full((9, 2), np.nan), np.zeros(9), np.array([["a"]] * 9)])
def test_wrong_rows_are_refused(x):
    with pytest.raises(InputError):
        HCSC(**SMALL).fit(x)


def test_rows_of_another_width_and_no_fit():
    model = HCSC(**SMALL)
    with pytest.raises(NotFitted):
        model.embed(groups(6))
    with pytest.raises(InputError):
        model.fit(groups(6)).embed(groups(6)[:, :4])
