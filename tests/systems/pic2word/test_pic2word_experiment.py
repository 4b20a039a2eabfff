"""The drawn worlds, the arms, and the loaders of published benchmarks on tiny files in their formats."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.synthetic.captioned import kind_words, training_images
from holdfast.encoders.clip_images import features_of
from holdfast.errors import InputError
from holdfast.experiment import Scalar
from holdfast.systems.pic2word import load_cirr, load_coco, load_fashion_iq, load_imagenet_r
from holdfast.systems.pic2word.experiment import Asked, Average, Mapped, experiment
from holdfast.systems.pic2word.problems import Beside, Style, fresh_clip
from holdfast.systems.pic2word.tool.published import Published
from holdfast.systems.pic2word.tool.sample import CLIP
from holdfast.testing.runs import run_of

REAL = Path(os.environ.get("HOLDFAST_DATA", "")) / "pic2word"


def test_training_images_are_said_rightly():
    drawn = training_images(60, np.random.default_rng(0))
    assert drawn.image.shape == (60, 3, 16, 16)
    assert drawn.single.sum() == 30
    for text, single, photo in zip(drawn.captions, drawn.single, drawn.photo, strict=True):
        assert (" and a " in text) == (not single)
        if " of " in text:
            assert text.startswith("a photo") == bool(photo)


def test_an_object_beside_another_has_one_target_and_half_matches():
    given = Beside(queries=20).draw(np.random.default_rng(0))
    assert given.relevant.sum(1).tolist() == [1] * 20
    kinds = [kind_words(k) for k in range(36)]
    for composed, alone, full, target in zip(
        given.composed, given.alone, given.full, given.relevant.int().argmax(1), strict=True
    ):
        first, second = kinds[target // 36], kinds[target % 36]
        assert composed == f"a photo of * and a {second}"
        assert alone == f"a photo of a {second}"
        assert full == f"a photo of a {first} and a {second}"
    assert given.gallery.shape == (1296, 3, 16, 16)


def test_styles_have_two_targets_that_differ_in_style_alone():
    given = Style(queries=15).draw(np.random.default_rng(0))
    assert given.relevant.sum(1).tolist() == [2] * 15
    assert all(not text.startswith("a photo") for text in given.composed)
    for composed, alone, full in zip(given.composed, given.alone, given.full, strict=True):
        assert composed == f"{alone} of *"
        assert full.startswith(f"{alone} of a ")


def test_permuted_queries_have_anothers_word_and_averages_their_weight():
    clip = fresh_clip().eval()
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(3, 64))).float()
    asked = Asked(features, ["a photo of *"] * 3, ["a red bar"] * 3, ["a red bar"] * 3)
    from holdfast.systems.pic2word.method import PseudoWordMapper

    mapper = PseudoWordMapper(64, 64, hidden=8).eval()
    with torch.no_grad():
        whole, broken = (Mapped(permuted=p).queries(clip, asked, mapper) for p in (False, True))
        assert torch.allclose(broken[1], whole[0], atol=1e-6)
        unit = torch.nn.functional.normalize
        wanted = unit(0.7 * unit(features, dim=1) + 0.3 * unit(clip.texts(["a red bar"] * 3), dim=1), dim=1)
        assert torch.allclose(Average(0.7).queries(clip, asked, None), wanted, atol=1e-6)
        assert not torch.allclose(Average(0.7, arc=True).queries(clip, asked, None), wanted, atol=1e-4)


@pytest.mark.parametrize("arm", ["Pic2Word", "slerp", "text only"])
def test_trials_yield_recalls(arm, tmp_path):
    found = {m.name: m.value for m in experiment.trial(run_of(experiment, arm, "style", tmp_path))}
    assert set(found) == set(experiment.metrics)
    assert all(0 <= value <= 100 for value in found.values())


# ------------------------------------------------------------------------------------------------- published benchmarks
def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.fixture
def cirr(tmp_path):
    pair = {"pairid": 1, "reference": "b", "target_hard": "c", "target_soft": {"c": 1.0}, "caption": "is red"}
    pair["img_set"] = {"id": 0, "members": ["a", "b", "c"], "reference_rank": 0, "target_rank": 1}
    write(tmp_path / "cirr" / "captions" / "cap.rc2.val.json", [pair])
    files = {name: f"./dev/{name}.png" for name in "abc"}
    write(tmp_path / "cirr" / "image_splits" / "split.rc2.val.json", files)
    for i, name in enumerate("abc"):
        (tmp_path / "cirr" / "dev").mkdir(exist_ok=True)
        Image.new("RGB", (20, 16), (80 * i, 30, 200)).save(tmp_path / "cirr" / "dev" / f"{name}.png")
    return tmp_path / "cirr"


def test_cirr(cirr):
    bench = load_cirr(cirr)
    assert [p.name for p in bench.images] == ["b.png"]
    assert bench.composed == ("a photo of * , is red",)
    assert bench.alone == ("a photo of is red",)
    assert bench.relevant.tolist() == [[False, False, True]]
    assert bench.exclude.tolist() == [1]
    assert all(path.is_file() for path in bench.gallery)


def test_fashion_iq(tmp_path):
    write(tmp_path / "captions" / "cap.shirt.val.json", [{"target": "B2", "candidate": "B1", "captions": ["x", "y"]}])
    write(tmp_path / "image_splits" / "split.shirt.val.json", ["B1", "B2"])
    bench = load_fashion_iq(tmp_path, "shirt")
    assert bench.composed == ("a photo of * , y and x",)
    assert bench.relevant.tolist() == [[False, True]]
    assert bench.exclude.tolist() == [-1]
    assert bench.gallery[1] == tmp_path / "images" / "B2.png"


def test_imagenet_r(tmp_path):
    write(tmp_path / "imgnet_real_query.txt", "real/a.JPEG 2 \nreal/b.JPEG 3 \n")
    write(tmp_path / "imgnet_targets.txt", "r/toy_3.jpg 2002 \nr/cartoon_1.jpg 2 \nr/x.jpg 6003 \nr/toy_9.jpg 2003 \n")
    bench = load_imagenet_r(tmp_path, "toy", images=Path("elsewhere"))
    assert bench.composed == ("a toy of *",) * 2
    assert bench.relevant.tolist() == [[True, False, False, False], [False, False, False, True]]
    assert bench.images[0] == Path("elsewhere/real/a.JPEG")
    with pytest.raises(InputError, match="domain"):
        load_imagenet_r(tmp_path, "photo")
    write(tmp_path / "imgnet_targets.txt", "r/toy_3.jpg two\n")
    with pytest.raises(InputError, match="line 1"):
        load_imagenet_r(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="HOLDFAST_DATA has no pic2word")
def test_imagenet_r_as_published():
    bench = load_imagenet_r(REAL, "origami")
    assert len(bench.images) == 10000
    assert len(bench.gallery) == 16983
    assert bench.relevant.any(0).sum() == 550


def test_coco(tmp_path):
    write(tmp_path / "q.csv", 'id,query_regions,query_class,classes\n7,"1;2;9;12 ",dog,dog;cat;car\n')
    bench = load_coco(tmp_path / "q.csv", tmp_path)
    assert bench.composed == ("a photo of * and dog and cat and car",)
    assert bench.alone == ("a photo of dog and cat and car",)
    assert bench.boxes == ((1, 2, 9, 12),)
    assert bench.gallery[0].name == "000000000007.jpg"
    write(tmp_path / "q.csv", "id,query_regions,query_class,classes\n7,1;2;9,dog,dog\n")
    with pytest.raises(InputError, match="regions"):
        load_coco(tmp_path / "q.csv", tmp_path)
    write(tmp_path / "q.csv", "id,classes\n7,dog\n")
    with pytest.raises(InputError, match="rows of id"):
        load_coco(tmp_path / "q.csv", tmp_path)


@pytest.mark.parametrize("content", ["no json", "{}", "[]"])
def test_broken_captions_are_refused(cirr, content):
    write(cirr / "captions" / "cap.rc2.val.json", content)
    with pytest.raises(InputError, match="cap"):
        load_cirr(cirr)


def test_a_picture_outside_the_split_is_refused(cirr):
    write(cirr / "image_splits" / "split.rc2.val.json", {"a": "./dev/a.png", "b": "./dev/b.png"})
    with pytest.raises(InputError, match="target_hard"):
        load_cirr(cirr)


def test_boxes_are_cut_out(tmp_path):
    from holdfast.encoders.clip_folder import PretrainedCLIP

    image = np.zeros((20, 30, 3), np.uint8)
    image[4:12, 10:18] = (255, 0, 0)
    Image.fromarray(image).save(tmp_path / "whole.png")
    Image.fromarray(image[4:12, 10:18]).save(tmp_path / "part.png")
    clip = PretrainedCLIP(CLIP)
    cut = features_of(clip, [tmp_path / "whole.png"], boxes=[(10, 4, 18, 12)])
    assert torch.allclose(cut, features_of(clip, [tmp_path / "part.png"]), atol=1e-4)
    assert not torch.allclose(cut, features_of(clip, [tmp_path / "whole.png"]), atol=1e-2)


def test_a_published_benchmark_runs_from_its_folders(cirr, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    (tmp_path / "clip").symlink_to(CLIP)
    (tmp_path / "photos").symlink_to(cirr / "dev")
    # The tiny CLIP's words: the caption is one of them.
    pair = json.loads((cirr / "captions" / "cap.rc2.val.json").read_text())[0]
    write(cirr / "captions" / "cap.rc2.val.json", [{**pair, "caption": "that is red"}])
    problem = Published("cirr", _plain, clip="clip", images="photos")
    assert problem.available()
    run = run_of(experiment, "average", "style", tmp_path / "run")
    run.problem = problem
    found = {m.name: m.value for m in experiment.trial(run) if isinstance(m, Scalar)}
    assert found["R@10"] == 100
    run.arm = Mapped()
    assert {m.name for m in experiment.trial(run)} == {"R@1", "R@10"}


def _plain(folder):
    """CIRR with the comma left out, a word that the tiny CLIP does not have."""
    import dataclasses

    bench = load_cirr(folder)
    return dataclasses.replace(bench, composed=tuple(t.replace(" ,", "") for t in bench.composed))
