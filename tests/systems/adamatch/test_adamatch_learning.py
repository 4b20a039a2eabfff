"""A fit that learned nothing says so, and what can be had without the method stands beside it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from holdfast.data.augment import Identity
from holdfast.errors import InputError
from holdfast.metrics import learning
from holdfast.metrics.classification import Share
from holdfast.metrics.learning import Learning, some_rows
from holdfast.systems.adamatch.cli import app
from holdfast.systems.adamatch.estimator import AdaMatchClassifier

PLAIN = {"batch": 16, "uratio": 2, "weak": Identity(), "strong": Identity(), "device": "cpu"}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def halves(n: int, low: float, high: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The left (0) or right (1) half of 8x8 is bright."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = np.full((n, 8, 8), low) + rng.normal(0, 0.02, (n, 8, 8))
    x[np.arange(n)[:, None], :, (4 * y[:, None] + np.arange(4))] += high - low
    return x.clip(0, 1), y


def files(root: Path, n: int, levels: tuple[float, float], seed: int, flat: bool = False, side: int = 8) -> Path:
    """The same as image files of that side: class folders "left" and "right", or one folder."""
    for i, (image, y) in enumerate(zip(*halves(n, *levels, seed), strict=True)):
        folder = root if flat else root / ("left", "right")[y]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = (image * 255).round().astype("uint8").repeat(side // 8, 0).repeat(side // 8, 1)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return root


def fit(*arguments: object):
    result = CliRunner().invoke(app, ["fit", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("statistics", [False, True])
def test_labels_that_mean_nothing_are_not_learned(statistics):
    """Noise with labels by lot: the weights cannot hold two hundred of them in three steps."""
    rng = np.random.default_rng(0)
    Xs, ys = rng.random((200, 8, 8)), rng.permutation(np.arange(200) % 2)
    model = AdaMatchClassifier(steps=3, target_statistics=statistics, **PLAIN).fit(Xs, ys, Xs)
    right = int((model.predict(Xs) == ys).sum())  # the target's statistics are those of the source here
    assert (model.learning_.labelled.right, model.learning_.labelled.n) == (right, 200)
    assert right < 117  # where guessing becomes improbable
    first = next(model.learning_.doubts())
    assert first.startswith(f"The model is right on {right / 200:.0%} of the labelled images themselves, chance is 50%")


def test_one_class_for_the_target_is_named_although_the_labelled_images_are_learned(tmp_path):
    """All target images show the left half bright."""
    (Xs, ys), (Xt, yt) = halves(200, 0.1, 0.9, 0), halves(160, 0.1, 0.9, 1)
    model = AdaMatchClassifier(steps=60, **PLAIN).fit(Xs, np.array(["left", "right"])[ys], Xt[yt == 0])
    (doubt,) = model.learning_.doubts()
    assert re.match(r"The model gives \d+% of the target images the class 'left'", doubt)
    same = AdaMatchClassifier.load(model.save(tmp_path / "m"))
    assert same.learning_ == model.learning_
    sound = AdaMatchClassifier(steps=60, **PLAIN).fit(Xs, ys, Xt)
    assert list(sound.learning_.doubts()) == []


def test_frequencies_that_are_known_are_what_chance_is_of():
    labels, right = np.arange(100) % 2, np.arange(100) % 2
    mostly = np.array([0] * 97 + [1] * 3)
    classes = np.array(["a", "b"])
    assert len(list(Learning.of(classes, labels, right, mostly).doubts())) == 1
    known = Learning.of(classes, labels, right, mostly, prior=np.array([0.9, 0.1]))
    assert known.target.chance == 0.9
    rare = Learning.of(classes, labels, right, np.array([0] * 80 + [1] * 20), prior=np.array([0.8, 0.2]))
    assert list(rare.doubts()) == []


def test_many_images_are_looked_at_from_the_first_to_the_last(monkeypatch):
    assert some_rows(5).tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setattr(learning, "MOST", 3)
    assert some_rows(101).tolist() == [0, 50, 100]


SMALL = ["--batch", "4", "--uratio", "2", "--device", "cpu", "--quiet"]


def test_the_command_line_never_ends_with_confidence_in_nothing(tmp_path):
    source, target = files(tmp_path / "s", 200, (0.5, 0.5), 0), files(tmp_path / "t", 12, (0.5, 0.5), 1, flat=True)
    said = fit("--source", source, "--target", target, "--out", tmp_path / "m", "--size", 8, "--steps", 1, *SMALL)
    assert "it has learned nothing." in said.stderr
    assert "(--steps)" in said.stderr.splitlines()[-1]
    assert "confident" not in said.stderr


def test_sizes_that_are_changed_are_announced(tmp_path):
    source, target = files(tmp_path / "s", 8, (0, 1), 0, side=16), files(tmp_path / "t", 8, (0, 1), 1, flat=True)
    both = ["--source", source, "--target", target, "--steps", 1, *SMALL]
    said = fit(*both, "--out", tmp_path / "a", "--size", 8).stderr
    assert said.splitlines()[0] == "Images of 8x8 to 16x16 pixels are brought to 8x8 (--size)."
    Image.new("L", (16, 40)).save(source / "left" / "tall.png")
    said = fit(*both, "--out", tmp_path / "b", "--size", 8).stderr
    first = "Images of 8x8 to 16x40 pixels are cut to their middle square and brought to 8x8 (--size)."
    assert said.splitlines()[0] == first
    source = files(tmp_path / "u", 8, (0, 1), 0)
    said = fit("--source", source, *both[2:], "--out", tmp_path / "c", "--size", 8)
    assert "--size" not in said.stderr.splitlines()[0]


def test_the_baselines_are_what_the_same_steps_give_without_the_target():
    """Contrast and level differ: source only fails on the target, its batch norm adapted does not."""
    (Xs, ys), (Xt, yt) = halves(200, 0.1, 0.9, 0), halves(200, 0.3, 0.6, 1)
    model = AdaMatchClassifier(steps=60, **PLAIN).fit(Xs, ys, Xt)
    before = model.predict_proba(Xt)
    found = model.baselines(Xs, ys, Xt)
    assert list(found) == ["source only", "AdaBN"]
    assert found["source only"].score(Xs, ys) > 0.95
    assert found["source only"].score(Xt, yt) < 0.8
    assert found["AdaBN"].score(Xt, yt) > 0.95
    elsewhere = model.baselines(Xs, ys, Xs)  # another target changes the statistics alone
    alone = found["source only"].predict_proba(Xt)
    assert np.array_equal(elsewhere["source only"].predict_proba(Xt), alone)
    assert np.array_equal(model.predict_proba(Xt), before)


def test_compare_measures_on_labels_and_says_what_it_measures_without(tmp_path):
    source = files(tmp_path / "s", 16, (0.1, 0.9), 0)
    target, test = files(tmp_path / "t", 16, (0.3, 0.6), 1, flat=True), files(tmp_path / "l", 10, (0.3, 0.6), 2)
    both = ["--source", source, "--target", target, "--size", 8, "--steps", 2, *SMALL, "--compare"]
    said = fit(*both, "--out", tmp_path / "a", "--target-labels", test)
    lines = said.stdout.splitlines()
    assert lines[0].split("  ")[0] == "model"
    assert [re.split(r"\s{2,}", line)[0] for line in lines[1:]] == ["AdaMatch", "source only", "AdaBN"]
    x, y = halves(10, 0.3, 0.6, 2)
    names = np.array(["left", "right"])[y]
    model = AdaMatchClassifier.load(tmp_path / "a")
    share = model.score((x[:, None] * 255).round().astype("uint8"), names)
    low, high = Share(round(10 * share), 10).interval
    assert re.split(r"\s{2,}", lines[1])[1:] == [f"{share:.1%}", f"{low:.1%} to {high:.1%}"]
    assert "10 labelled target images" in said.stderr
    said = fit(*both, "--out", tmp_path / "b")
    assert "accuracy" not in said.stdout
    assert "100.0%" in said.stdout.splitlines()[1]  # AdaMatch agrees with itself
    assert "none of these numbers is an accuracy on the target" in said.stderr


def test_labels_to_measure_on_need_compare(tmp_path):
    source, target = files(tmp_path / "s", 8, (0, 1), 0), files(tmp_path / "t", 8, (0, 1), 1, flat=True)
    both = ["--source", source, "--target", target, "--out", tmp_path / "m", "--size", 8, "--steps", 1, *SMALL]
    with pytest.raises(InputError, match="--target-labels: must come with --compare"):
        fit(*both, "--target-labels", source)
    strange = files(tmp_path / "x", 4, (0, 1), 0)
    (strange / "left").rename(strange / "middle")
    with pytest.raises(InputError, match="--target-labels: must have only known classes"):
        fit(*both, "--compare", "--target-labels", strange)
    assert not (tmp_path / "m").exists()
