"""The verbs on the sample, on features, and on broken files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.pic2word import Pic2Word
from holdfast.systems.pic2word.cli import app
from holdfast.systems.pic2word.tool.files import text_alone
from holdfast.systems.pic2word.tool.sample import CLIP, make_clip, write_sample

FAST = ["--hidden", 16, "--steps", 5, "--batch", 8, "--device", "cpu", "--quiet"]


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    place = tmp_path_factory.mktemp("own photos")
    write_sample(place, photos=12)
    return place


@pytest.fixture
def here(sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(here):
    features = np.random.default_rng(0).normal(size=(10, 64))
    Pic2Word(str(CLIP), hidden=8, steps=2, batch=4, device="cpu").fit(features).save(here / "m")
    np.save(here / "g.npy", np.random.default_rng(1).normal(size=(7, 64)).astype(np.float32))
    return here


def test_the_sample_holds_a_small_clip_that_knows_its_drawings(sample):
    assert sum(f.stat().st_size for f in CLIP.iterdir()) < 300_000
    assert len(list((sample / "gallery").iterdir())) == 144


def test_from_photos_to_hits(sample, here):
    assert run("fit", sample / "photos", "--clip", sample / "clip", "-o", "m", *FAST).exit_code == 0
    assert (here / "loss.svg").is_file()
    assert run("index", sample / "gallery", "--clip", sample / "clip", "-o", "g.npy", "-q").exit_code == 0
    assert len(pd.read_csv("g.csv")) == 144
    words = ["--text", "a sketch of *", "--index", "g.npy", "--model", "m", "-k", 3]
    done = run("query", "--image", sample / "query.png", *words)
    assert done.exit_code == 0, done.output
    table = pd.read_csv("hits.csv")
    assert table["rank"].tolist() == [1, 2, 3]
    assert all(name.endswith(".png") for name in table["image"])
    assert (table["cosine"].diff().dropna() <= 0).all()
    assert "rows are scaled" in done.stderr


def test_the_packaged_clip_finds_what_words_say(sample, here):
    from holdfast.encoders.clip_folder import PretrainedCLIP
    from holdfast.encoders.clip_images import features_of

    clip, files = PretrainedCLIP(CLIP), sorted((sample / "gallery").iterdir())
    texts = clip.texts([f"a {file.stem}" for file in files])
    cosines = np.corrcoef(texts.numpy(), features_of(clip, files).numpy())[:144, 144:]
    first = (-cosines).argsort(1)[:, :5]
    assert np.mean([i in row for i, row in enumerate(first)]) > 0.7


def test_features_and_several_pictures_work_without_image_files(model):
    np.save("pictures.npy", np.random.default_rng(2).normal(size=(2, 64)))
    words = ["--text", "*", "--index", "g.npy", "--model", "m", "-o", "h.parquet", "-k", 50]
    done = run("query", "--image", "pictures.npy", *words)
    assert "numbers of rows" in done.stderr
    assert pd.read_parquet("h.parquet").groupby("picture").size().tolist() == [7, 7]


@pytest.mark.parametrize(
    ("make", "change", "said"),
    [
        (lambda _: None, {"--text": "a sketch"}, "--text"),
        (lambda _: None, {"--text": "a zebra of *"}, "zebra"),
        (lambda _: None, {"--image": "none.png"}, "none.png"),
        (lambda _: None, {"--index": "none.npy"}, "none.npy"),
        (lambda f: np.save(f / "g.npy", np.zeros((3, 64))), {}, "g.npy"),
        (lambda f: np.save(f / "g.npy", np.ones((3, 5))), {}, "--index"),
        (lambda f: np.save(f / "g.npy", np.full((3, 64), np.nan)), {}, "g.npy"),
        (lambda f: (f / "g.csv").write_text("image\na\n"), {}, "g.csv"),
        (lambda f: make_clip(f / "other", steps=1, images=300), {"--clip": "other"}, "--clip"),
        (lambda f: (f / "empty").mkdir(), {"--clip": "empty"}, "--clip"),
    ],
)
def test_broken_queries_are_named_and_nothing_is_written(model, sample, make, change, said):
    make(model)
    words = {
        "--image": str(sample / "query.png"),
        "--text": "a sketch of *",
        "--index": "g.npy",
        "--model": "m",
        **change,
    }
    with pytest.raises(InputError, match=said):
        run("query", *(w for pair in words.items() for w in pair))
    assert not (model / "hits.csv").exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: (f / "p").mkdir(), "p"),
        (lambda f: np.save(f / "p", np.zeros((4, 5))) or (f / "p.npy").rename(f / "p"), "p"),
        (lambda f: ((f / "p").mkdir(), (f / "p" / "a.png").write_text("no image")), "a.png"),
    ],
)
def test_broken_images_are_named_and_no_model_is_written(here, sample, make, said):
    make(here)
    with pytest.raises(InputError, match=said):
        run("fit", "p", "--clip", sample / "clip", "-o", "m", *FAST)
    assert not (here / "m").exists()


def test_an_index_is_an_npy_file(here, sample):
    with pytest.raises(InputError, match="--out"):
        run("index", sample / "gallery", "--clip", sample / "clip", "-o", "g.csv")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a cartoon of *", "a cartoon"),
        ("* on white", "on white"),
        ("a photo of * , red", "a photo of red"),
        ("*", "a photo"),
    ],
)
def test_a_text_alone_is_the_query_without_its_picture(text, wanted):
    assert text_alone(text) == wanted
