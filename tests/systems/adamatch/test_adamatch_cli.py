"""AdaMatch's verbs on small files: folders, arrays, tables out, one-line errors, interruption."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.adamatch.cli import app
from holdfast.systems.adamatch.estimator import AdaMatchClassifier

FAST = ["--steps", "3", "--batch", "4", "--uratio", "2", "--size", "8", "--device", "cpu"]


def _folder(root: Path, per_class: int, seed: int, colour: bool = False, flat: bool = False) -> Path:
    """Dark cats and bright dogs."""
    rng = np.random.default_rng(seed)
    for name, low in (("cat", 0), ("dog", 128)):
        where = root if flat else root / name
        where.mkdir(parents=True, exist_ok=True)
        for i in range(per_class):
            pixels = rng.integers(low, low + 128, (8, 8, 3) if colour else (8, 8)).astype("uint8")
            Image.fromarray(pixels).save(where / f"{name}{i}.png")
    return root


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folders and arrays, and a fitted model."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("own data")  # with a space
    _folder(root / "source", 6, 0)
    _folder(root / "target", 6, 1, flat=True)
    _folder(root / "labelled", 4, 2)
    rng = np.random.default_rng(0)
    np.savez(root / "source.npz", x=rng.random((12, 8, 8)), y=np.arange(12) % 2)
    np.save(root / "target.npy", rng.random((12, 8, 8)))
    run("fit", "--source", root / "source", "--target", root / "target", "--out", root / "model", *FAST)
    yield root
    torch.set_num_threads(before)


def run(*arguments):
    """Run a verb; an exception is raised here as the command line's main would see it."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_fit_writes_a_model_of_the_folder_classes(files):
    model = AdaMatchClassifier.load(files / "model")
    assert model.classes_.tolist() == ["cat", "dog"]
    assert model.image_shape_ == (1, 8, 8)
    assert sorted(p.name for p in files.iterdir() if "training" in p.name) == []


def test_predict_writes_a_table(files, tmp_path):
    out = tmp_path / "deep" / "p.csv"
    result = run("predict", files / "model", files / "target", "--out", out)
    assert "classes of 12 images" in result.stderr
    assert result.stdout == ""
    table = pd.read_csv(out)
    assert list(table.columns) == ["path", "class", "probability"]
    model = AdaMatchClassifier.load(files / "model")
    for row in table.itertuples():
        pixels = np.asarray(Image.open(row.path))[None]
        assert row[2] == model.predict(pixels)[0]
        assert row.probability == pytest.approx(model.predict_proba(pixels).max(), abs=1e-5)


def test_predict_writes_parquet_with_every_class_for_one_image_and_arrays(files, tmp_path):
    out = tmp_path / "p.parquet"
    run("predict", files / "model", files / "target" / "cat0.png", "--out", out, "--all-classes")
    table = pd.read_parquet(out)
    assert list(table.columns) == ["path", "class", "probability", "p(cat)", "p(dog)"]
    assert table[["p(cat)", "p(dog)"]].sum(axis=1).to_numpy() == pytest.approx([1.0])
    run("predict", files / "model", files / "target.npy", "--out", out)
    assert pd.read_parquet(out)["row"].tolist() == [str(i) for i in range(12)]


def test_predictions_do_not_depend_on_the_piece_of_work(files, tmp_path, monkeypatch):
    run("predict", files / "model", files / "target", "--out", tmp_path / "whole.csv")
    monkeypatch.setattr("holdfast.data.readers.image_inputs.CHUNK", 5)
    run("predict", files / "model", files / "target", "--out", tmp_path / "pieces.csv")
    whole, pieces = pd.read_csv(tmp_path / "whole.csv"), pd.read_csv(tmp_path / "pieces.csv")
    pd.testing.assert_frame_equal(whole, pieces, atol=1e-5)


def test_evaluate_agrees_with_predictions(files):
    report = json.loads(run("evaluate", files / "model", files / "labelled", "--json").stdout)
    model = AdaMatchClassifier.load(files / "model")
    matrix = [[0, 0], [0, 0]]
    for i, name in enumerate(("cat", "dog")):
        for path in (files / "labelled" / name).iterdir():
            matrix[i][model.classes_.tolist().index(model.predict(np.asarray(Image.open(path))[None])[0])] += 1
    assert report["confusion"]["matrix"] == matrix
    right = matrix[0][0] + matrix[1][1]
    exact = binomtest(right, 8).proportion_ci(0.95, method="exact")
    assert report["accuracy"]["value"] == right / 8
    assert report["accuracy"]["interval"] == pytest.approx([exact.low, exact.high])
    text = run("evaluate", files / "model", files / "labelled").stdout
    assert f"({right} of 8)" in text
    assert "cat" in text


def test_arrays_and_a_few_target_labels(files, tmp_path):
    out = tmp_path / "m"
    np.savez(tmp_path / "few.npz", x=np.zeros((2, 8, 8)), y=[0, 1])
    arguments = ["--source", files / "source.npz", "--target", files / "target.npy", "--labels", tmp_path / "few.npz"]
    run("fit", *arguments, "--out", out, "--mirror", *FAST)
    model = AdaMatchClassifier.load(out)
    assert model.classes_.tolist() == [0, 1]
    assert "labelled_target" in model.history_
    assert "Mirror" in repr(model.weak)
    report = json.loads(run("evaluate", out, files / "source.npz", "--json").stdout)
    assert report["accuracy"]["of"] == 12


def test_grey_and_colour_images_meet_in_colour(files, tmp_path):
    _folder(tmp_path / "colour", 6, 3, colour=True)
    run("fit", "--source", files / "source", "--target", tmp_path / "colour", "--out", tmp_path / "m", *FAST)
    assert AdaMatchClassifier.load(tmp_path / "m").image_shape_ == (3, 8, 8)
    run("predict", tmp_path / "m", files / "target", "--out", tmp_path / "p.csv")
    run("predict", tmp_path / "m", files / "target.npy", "--out", tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("change", "argument", "words"),
    [
        ({"--source": "target"}, "--source", "class folders"),
        ({"--source": "nothing"}, "--source", "must be a folder"),
        ({"--source": "target.npy"}, "--source", "must have labels"),
        ({"--target": "nothing.npz"}, "", "must be a file"),
        ({"--labels": "strange"}, "--labels", "only known classes"),
        ({"--batch": "20"}, "--target", "at least uratio"),
        ({"--backbone": "huge"}, "--backbone", "must be one of"),
        ({"--steps": "0"}, "--steps", "at least 1"),
        ({"--device": "abacus"}, "--device", "must be"),
        ({"--target": "wide.npy"}, "--target", "W=8"),
        ({"--out": "labelled"}, "", "saved model"),
    ],
)
def test_mistakes_are_named_by_their_option(files, tmp_path, change, argument, words):
    if not (files / "strange").exists():
        _folder(files / "strange", 1, 0)
        (files / "strange" / "cat").rename(files / "strange" / "cow")
        np.save(files / "wide.npy", np.zeros((12, 8, 9)))
    options = {"--source": "source", "--target": "target", "--out": str(tmp_path / "m")}
    options |= dict(zip(FAST[::2], FAST[1::2], strict=True)) | change
    paths = ("--source", "--target", "--labels", "--out")
    with pytest.raises(InputError, match=words) as e:
        run("fit", *(x for k, v in options.items() for x in (k, files / v if k in paths else v)))
    assert e.value.argument.startswith(argument)
    assert not (tmp_path / "m").exists()


def test_other_verbs_name_mistakes_too(files, tmp_path):
    with pytest.raises(InputError, match=r"must end in \.csv, \.tsv or \.parquet"):
        run("predict", files / "model", files / "target", "--out", tmp_path / "p.txt")
    with pytest.raises(InputError, match=r"config\.json is missing"):
        run("predict", files / "source", files / "target")
    with pytest.raises(InputError, match="class folders"):
        run("evaluate", files / "model", files / "target")
    with pytest.raises(InputError, match="only known classes"):
        run("evaluate", files / "model", files / "source.npz")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "broken.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"broken\.png"):
        run("predict", files / "model", tmp_path / "images", "--out", tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()


def test_an_interrupted_fit_resumes_to_the_same_model(files, tmp_path, monkeypatch):
    arguments = ["--source", files / "source", "--target", files / "target", *FAST, "--steps", "10"]
    run("fit", *arguments, "--out", tmp_path / "whole")
    with pytest.raises(InputError, match="must follow an interrupted run"):
        run("fit", *arguments, "--out", tmp_path / "m", "--resume")
    save = AdaMatchClassifier.fit

    def interrupted(self, *args, **kwargs):
        def stop(done, total):
            if done == 6:
                raise KeyboardInterrupt

        return save(self, *args, **{**kwargs, "progress": stop})

    with monkeypatch.context() as patch:
        patch.setattr(AdaMatchClassifier, "fit", interrupted)
        result = CliRunner().invoke(app, ["fit", *map(str, arguments), "--out", str(tmp_path / "m")])
        assert result.exit_code != 0
        assert "--resume continues" in result.stderr
    assert not (tmp_path / "m").exists()
    run("fit", *arguments, "--out", tmp_path / "m", "--resume")
    one, two = AdaMatchClassifier.load(tmp_path / "m"), AdaMatchClassifier.load(tmp_path / "whole")
    x = np.load(files / "target.npy")
    assert np.array_equal(one.predict_proba(x), two.predict_proba(x))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "whole"]


@pytest.mark.parametrize("verb", ["fit", "predict", "evaluate"])
def test_help_has_an_example(verb):
    assert f"holdfast adamatch {verb}" in run(verb, "--help").stdout
