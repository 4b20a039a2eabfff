"""The verbs on files of a user's own, and on broken ones."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.ssl_interplay import KernelSSL
from holdfast.systems.ssl_interplay.cli import app


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(30, 1, 3)) + 0.2 * rng.normal(size=(30, 2, 3))).reshape(60, 3)
    np.save("X.npy", x)
    (tmp_path / "g.csv").write_text("group\n" + "\n".join(f"s{i // 2}" for i in range(60)) + "\n")
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_fit_and_transform_write_model_figure_embedding_and_spectrum(files):
    done = run("fit", "X.npy", "--groups", "g.csv", "-o", "m", "--components", 4)
    assert done.exit_code == 0, done.output
    assert "largest reg" in done.output
    assert (files / "spectrum.svg").read_text().lstrip().startswith("<?xml")
    done = run("transform", "m", "X.npy", "-o", "e.npy", "--spectrum", "s.csv")
    assert done.exit_code == 0, done.output
    model = KernelSSL.load("m")
    assert np.allclose(np.load("e.npy"), model.transform(np.load("X.npy")), atol=1e-5)
    rows = (files / "s.csv").read_text().splitlines()
    assert rows[0] == "feature,theta,state"
    assert [row.rsplit(",", 1)[1] for row in rows[1:6]] == ["alive"] * 4 + [rows[5].rsplit(",", 1)[1]]


def test_a_model_made_in_python_transforms_files(files):
    KernelSSL(3, reg=1e-4).fit(np.load("X.npy"), np.arange(60) // 2).save("m")
    assert run("transform", "m", "X.npy", "-o", "e.csv").exit_code == 0
    assert (files / "e.csv").read_text().startswith("feature0,feature1,feature2\n")


@pytest.mark.parametrize(
    ("make", "words", "said"),
    [
        (lambda f: np.save(f / "X.npy", np.zeros((0, 3))), (), "X.npy"),
        (lambda f: np.save(f / "X.npy", np.full((60, 3), np.nan)), (), "X.npy"),
        (lambda f: np.save(f / "X.npy", np.zeros((60, 3, 2))), (), "X.npy"),
        (lambda f: (f / "X.npy").write_text("no array"), (), "X.npy"),
        (lambda f: (f / "g.csv").write_text("group\na\nb\n"), (), "g.csv"),
        (lambda f: (f / "g.csv").write_text("group\n" + "\n".join(map(str, range(60)))), (), "--groups"),
        (lambda _: None, ("--reg", 100), "--reg"),
        (lambda _: None, ("--kernel", "cosine"), "--kernel"),
        (lambda _: None, ("--components", 0), "--components"),
        (lambda _: None, ("--figure", "x.txt"), "--figure"),
    ],
)
def test_broken_files_and_settings_are_named_and_nothing_is_written(files, make, words, said):
    make(files)
    with pytest.raises(InputError, match=said):
        run("fit", "X.npy", "--groups", "g.csv", "-o", "m", *words)
    assert not (files / "m").exists()


def test_rows_with_other_columns_are_refused(files):
    KernelSSL(3).fit(np.load("X.npy"), np.arange(60) // 2).save("m")
    np.save("new.npy", np.zeros((4, 5)))
    with pytest.raises(InputError, match=r"new\.npy"):
        run("transform", "m", "new.npy")
    assert not (files / "embedding.npy").exists()
