"""The verbs on small files, on tiny models, and on what is broken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.pez.cli import app
from toy_prompt_models import tiny_bert, tiny_clip, tiny_gpt2

FAST = ["--steps", 3, "--quiet"]
REAL = Path(os.environ.get("HOLDFAST_DATA", "")) / "ithaca" / "README.md"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    return {"bert": tiny_bert(place / "bert"), "clip": tiny_clip(place / "clip"), "gpt2": tiny_gpt2(place / "gpt2")}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("red cat\n\nblue house tree\n")
    rows = [f"the film was {how},{label}" for how, label in (("warm", "good"), ("cold", "bad")) for _ in range(6)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def prompts(path="prompt.json"):
    return json.loads(Path(path).read_text())["prompts"]


def test_texts_of_a_file_and_of_the_line(here, models):
    words = ["--file", "lines.txt", "--text", "good dog", "--len", 3, "--model", models["bert"]]
    done = run("invert", *words, "-o", "p.json", *FAST)
    assert done.exit_code == 0, done.output
    found = prompts("p.json")
    assert [one["target"] for one in found] == ["good dog", "red cat", "blue house tree"]
    assert all(len(one["ids"]) == 3 and one["text"] and -1 <= one["retokenized_score"] <= 1 for one in found)
    assert run("invert", *words, "--together", *FAST).exit_code == 0
    assert len(prompts()) == 1


def test_blocked_words_are_not_said(here, models):
    Path("block.txt").write_text("cat\nred\n")
    run("invert", "--text", "red cat", "--len", 4, "--block", "block.txt", "--model", models["bert"], *FAST)
    assert not {"cat", "red"} & set(prompts()[0]["text"].split())


def test_vectors_and_images(here, models):
    np.save("v.npy", np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32))
    assert run("invert", "--vectors", "v.npy", "--len", 2, "--model", models["bert"], *FAST).exit_code == 0
    assert [one["target"] for one in prompts()] == ["row 0 of v.npy", "row 1 of v.npy"]
    Path("photos").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 255, (20, 20, 3), np.uint8)).save(f"photos/{name}")
    assert run("invert", "--image", "photos", "--len", 2, "--clip", models["clip"], *FAST).exit_code == 0
    assert [one["target"] for one in prompts()] == ["a.png", "b.png"]
    assert run("invert", "--image", "photos/a.png", "--len", 2, "--clip", models["clip"], *FAST).exit_code == 0
    assert len(prompts()) == 1


def test_distill_and_classify(here, models):
    assert run("distill", "lines.txt", "--len", 2, "--model", models["bert"], *FAST).exit_code == 0
    assert prompts()[0]["target"] == "red cat  blue house tree"
    words = ["--prompt-len", 2, "--batch", 4, "--every", 2]
    done = run("classify", "rows.csv", "--lm", models["gpt2"], "--words", "good=great,bad=awful", *words, *FAST)
    assert done.exit_code == 0, done.output
    assert set(json.loads(Path("prompt.json").read_text())["accuracy"]) == {"prompt", "empty"}
    Path("other.csv").write_text(Path("rows.csv").read_text().replace("text,label", "said,kind"))
    named = ["--column", "text=said", "--column", "label=kind"]
    assert run("classify", "other.csv", "--lm", models["gpt2"], *named, *words, *FAST).exit_code == 0


@pytest.mark.skipif(not REAL.is_file(), reason="needs HOLDFAST_DATA")
def test_a_real_text_gets_shorter(here):
    Path("real.txt").write_text(" ".join(REAL.read_text().split()[:40]) + "\n")
    done = run("distill", "real.txt", "--len", 6, "--steps", 2, "--quiet")
    assert done.exit_code == 0, done.output
    assert len(prompts()[0]["ids"]) == 6


BROKEN = {
    "nothing": (["invert"], "--text"),
    "an empty text": (["invert", "--text", " "], "--text"),
    "an empty file": (["invert", "--file", "empty.txt"], "file"),
    "no such file": (["invert", "--file", "none.txt"], "file"),
    "bytes": (["invert", "--file", "bytes.bin"], "file"),
    "NaN": (["invert", "--vectors", "nan.npy"], "nan.npy"),
    "another width": (["invert", "--vectors", "wide.npy"], "16"),
    "one number": (["invert", "--vectors", "flat.npy"], "vectors"),
    "images without a CLIP": (["invert", "--image", "x.png"], "--clip"),
    "no folder of a model": (["invert", "--text", "red", "--model", "nowhere"], "--model"),
    "another ending": (["invert", "--text", "red", "-o", "p.txt"], "json"),
    "no rate": (["invert", "--text", "red", "--lr", "0"], "lr"),
    "a prompt that is short": (["distill", "lines.txt", "--len", "50"], "--len"),
    "words that are none": (["classify", "rows.csv", "--lm", "GPT2", "--words", "good"], "--words"),
    "too few rows": (["classify", "few.csv", "--lm", "GPT2"], "at least 8"),
    "no column": (["classify", "lines.csv", "--lm", "GPT2"], "text"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_input_is_said_in_a_line(here, models, case):
    Path("empty.txt").write_text("")
    Path("bytes.bin").write_bytes(b"\xff\xfe\x00\x80")
    np.save("nan.npy", np.full((2, 16), np.nan, np.float32))
    np.save("wide.npy", np.ones((2, 5), np.float32))
    np.save("flat.npy", np.ones(16, np.float32))
    Path("few.csv").write_text("text,label\na,b\nc,d\n")
    Path("lines.csv").write_text("one,two\n1,2\n")
    words, said = BROKEN[case]
    given = [str(models["gpt2"]) if w == "GPT2" else w for w in words]
    if words[0] != "classify" and "--model" not in words:
        given += ["--model", str(models["bert"])]
    try:
        done = run(*given, *FAST)
    except InputError as error:
        shown = str(error)
    else:
        assert done.exit_code == 2, done.output
        shown = done.output
    assert said in shown
    assert not Path("prompt.json").exists()
