"""Pic2Word on a user's arrays: learning, composing, searching, and whose CLIP it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.encoders.clip import ConvTower, TinyCLIP
from holdfast.errors import InputError
from holdfast.systems.pic2word import Pic2Word
from holdfast.systems.pic2word import estimator as module

WORDS = ["a", "photo", "of", "cartoon", "red", "ball", "*"]
FAST = {"hidden": 16, "steps": 5, "batch": 8, "device": "cpu"}


def clip(seed=0):
    torch.manual_seed(seed)
    return TinyCLIP(WORDS, ConvTower(width=8, dim=6), context=7, width=8, heads=2, dim=6)


@pytest.fixture(scope="module")
def fitted():
    return Pic2Word(clip(), **FAST).fit(np.random.default_rng(0).random((20, 3, 16, 16)))


def test_training_lowers_the_loss_and_leaves_clip_alone():
    own = clip()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    X = np.random.default_rng(0).normal(size=(32, 6)) * 3
    model = Pic2Word(own, hidden=64, steps=150, batch=16, lr=5e-3, device="cpu").fit(X)
    losses = model.history_["loss"][1]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())


def test_images_are_their_features(fitted):
    X = np.random.default_rng(1).random((3, 3, 16, 16)).astype(np.float32)
    features = fitted.image_features(X)
    assert torch.allclose(features, fitted.clip.images(torch.from_numpy(X)), atol=1e-6)
    assert np.allclose(fitted.pseudo_words(X), fitted.pseudo_words(features), atol=1e-6)
    texts = ["a cartoon of *", "a *", "* of a ball"]
    assert np.allclose(fitted.compose(X, texts), fitted.compose(features, texts), atol=1e-6)


def test_queries_are_unit_rows_that_depend_on_their_own_image_and_text(fitted, monkeypatch):
    rng = np.random.default_rng(2)
    features, texts = rng.normal(size=(5, 6)), ["a *", "a photo of *", "* ball", "a red *", "a * of a ball"]
    found = fitted.compose(features, texts)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    monkeypatch.setattr(module, "CHUNK", 2)
    assert np.allclose(fitted.compose(features, texts), found, atol=1e-6)
    assert np.allclose(fitted.compose(features[3:4], texts)[3], found[3], atol=1e-6)
    assert np.allclose(fitted.compose(features[2:3], [texts[2].replace("*", "photo")], "photo"), found[2:3], atol=1e-6)


def test_search_finds_what_loops_find(fitted):
    rng = np.random.default_rng(3)
    queries, gallery = rng.normal(size=(4, 6)), rng.normal(size=(9, 6)) * 5
    rows, cosines = fitted.search(queries, gallery, k=3)
    for q, row, values in zip(queries, rows, cosines, strict=True):
        all_of = [q @ g / np.linalg.norm(q) / np.linalg.norm(g) for g in gallery]
        assert row.tolist() == sorted(range(9), key=lambda j, a=all_of: -a[j])[:3]
        assert np.allclose(values, sorted(all_of)[::-1][:3], atol=1e-5)


def test_a_model_is_loaded_with_its_clip_and_refuses_another(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    features = np.random.default_rng(4).normal(size=(2, 6))
    with pytest.raises(InputError, match="clip"):
        Pic2Word.load(tmp_path / "m")
    loaded = Pic2Word.load(tmp_path / "m", clip=clip())
    assert np.array_equal(loaded.compose(features, ["a *", "* of"]), fitted.compose(features, ["a *", "* of"]))
    with pytest.raises(InputError, match="trained with"):
        Pic2Word.load(tmp_path / "m", clip=clip(1)).compose(features, ["a *", "* of"])


@pytest.mark.parametrize(
    ("settings", "X", "named"),
    [
        ({"prompt": "a photo"}, None, "prompt"),
        ({"prompt": "a * of *"}, None, "prompt"),
        ({"prompt": "a photo of*"}, None, "prompt"),
        ({"steps": 0}, None, "steps"),
        ({"lr": 0}, None, "lr"),
        ({"dropout": 1}, None, "dropout"),
        ({"clip": 3}, None, "clip"),
        ({"clip": "nowhere"}, None, "clip"),
        ({}, np.zeros((4, 5)), "X"),
        ({}, np.zeros((4, 1, 16, 16)), "X"),
        ({}, np.full((4, 3, 16, 16), 255.0), "X"),
        ({}, np.full((4, 6), np.nan), "X"),
        ({}, np.zeros((0, 6)), "X"),
        ({}, np.ones((1, 6)), "X"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(settings, X, named):
    with pytest.raises(InputError, match=named):
        Pic2Word(**{"clip": clip(), **FAST, **settings}).fit(np.ones((4, 6)) if X is None else X)


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ("a *", "texts"),
        (None, "texts"),
        ((t for t in ["a *", "a *"]), "texts"),
        ([], "texts"),
        (["a photo", "a *"], "texts"),
        (["* *", "a *"], "texts"),
        (["a *, red", "a *"], "texts"),
        (["a green *", "a *"], "text"),
        (["a a a a a a *", "a *"], "text"),
        (["a *"] * 3, "texts"),
    ],
)
def test_texts_that_cannot_be_composed_are_refused(fitted, texts, named):
    with pytest.raises(InputError, match=named):
        fitted.compose(np.ones((2, 6)), texts)


@pytest.mark.parametrize(
    ("gallery", "k", "named"),
    [(np.ones((3, 5)), 1, "queries"), (np.ones((3, 6)), 4, "k"), (np.zeros((3, 6)), 1, "gallery")],
)
def test_galleries_that_do_not_fit_are_refused(fitted, gallery, k, named):
    with pytest.raises(InputError, match=named):
        fitted.search(np.ones((1, 6)), gallery, k)
