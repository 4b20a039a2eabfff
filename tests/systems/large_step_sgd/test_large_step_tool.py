"""The verbs on files of a user, the regressor, the worlds, and CIFAR-10 in its published format."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from holdfast import catalogue
from holdfast.errors import InputError
from holdfast.systems.large_step_sgd import LargeStepRegressor, feature_sparsity
from holdfast.systems.large_step_sgd.cli import app
from holdfast.systems.large_step_sgd.experiment.trials import usable
from holdfast.systems.large_step_sgd.problems import Cifar10, ReluTeacher, SparseRegression
from holdfast.testing.runs import run_of

OWN = """
from torch import nn
def build():
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
def linear():
    return nn.Linear(6, 3)
class Unused(nn.Sequential):
    def forward(self, x):
        return self[2](self[1](self[0](x)))
def unused():
    net = Unused(*build())
    net.spare = nn.ReLU()
    return net
class SmallBatches(nn.Sequential):
    def forward(self, x):
        if len(x) > 2:
            raise ValueError("too many")
        return super().forward(x)
def small_batches():
    return SmallBatches(*build())
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.normal(size=(90, 6)).astype(np.float32)
    x[:, :3] += 3 * np.eye(3, dtype=np.float32)[y]
    np.savez("d.npz", x=x, y=y)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
    with torch.no_grad():
        net[0].weight[1], net[0].bias[1] = 2 * net[0].weight[0], 2 * net[0].bias[0]  # a duplicate
        net[0].weight[2], net[0].bias[2] = 0, -1  # dead
    save_file(net.state_dict(), "w.safetensors")
    return tmp_path, net, torch.from_numpy(x)


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


MEASURE = ("measure", "--model", "own.py:build", "--weights", "w.safetensors", "--data", "d.npz", "-q")
FIND = ("find-lr", "--model", "own.py:build", "--data", "d.npz", "--steps", "40", "--evaluations", "2", "-q")


def test_measure_reports_dead_and_duplicate_units(files):
    folder, net, x = files
    run(*MEASURE, "-o", "report.json", "--figure", "f.png", "--rank-rows", "4")
    report = json.loads((folder / "report.json").read_text())
    (layer,) = report["layers"]
    wanted = feature_sparsity(net[1](net[0](x)))
    assert layer["dead"] == wanted.n_dead >= 1
    assert layer["duplicates"] == wanted.n_duplicates >= 1
    assert layer["sparsity %"] == pytest.approx(100 * wanted.dedup, abs=1e-4)
    assert report["jacobian"]["outputs"] == 12
    assert report["jacobian"]["parameters"] == 6 * 12 + 12 + 36 + 3
    assert report["rows"] == 90
    assert (folder / "f.png").stat().st_size > 1000


def test_measure_of_named_layers_and_thresholds(files):
    done = run(*MEASURE, "--layer", "0", "--layer", "1", "--threshold", "0.9999")
    assert [line.split()[0] for line in done.stdout.splitlines()[2:4]] == ["0", "1"]


def test_find_lr_writes_what_it_tried(files):
    folder = files[0]
    found = json.loads(run(*FIND, "--json", "-o", "tried.csv", "--hi", "1e4").stdout)
    table = pd.read_csv(folder / "tried.csv")
    assert len(table) == 6  # lo, 10 lo, 100 lo, hi and two between
    assert found["lr"] < found["unstable"]
    assert found["lr"] in table["lr"].to_numpy()
    assert f"peak={0.8 * found['lr']:.3g}" in found["schedule"]


def test_find_lr_begins_where_the_loss_is_halved_and_draws(files):
    folder = files[0]
    few = ("--lo", "1e-5", "--hi", "1e3", "--steps", "60", "--evaluations", "4")
    found = json.loads(run(*FIND, *few, "--json", "--figure", "lr.svg").stdout)
    losses = dict(found["tried"])
    assert min(losses) == 1e-5
    begun = next(rate for rate in sorted(losses) if losses[rate] is not None and losses[rate] < 0.55)
    assert [rate for rate in sorted(losses) if rate < begun] == pytest.approx(
        [1e-5 * 10**k for k in range(round(np.log10(begun / 1e-5)))]
    )  # below it, lo was multiplied by 10 and nothing else was tried
    assert losses[found["lr"]] < 0.55
    assert "the edge" in (folder / "lr.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*MEASURE, "--layer", "9"), "--layer: must be one of"),
        ((*MEASURE[:2], "own.py:linear", *MEASURE[3:]), "must hold the weights"),
        ((*MEASURE[:4], "d.npz", *MEASURE[5:]), "safetensors"),
        ((*MEASURE, "--threshold", "0"), "--threshold: must be"),
        ((*MEASURE[:6], "empty.npz", "-q"), "empty.npz"),
        ((*MEASURE[:6], "nan.npz", "-q"), "NaN"),
        ((*MEASURE, "--rows", "1"), "--rows: must be"),
        ((*MEASURE, "-o", "w.safetensors"), "--out: must be another file than"),
        ((*MEASURE[:2], "own.py:unused", *MEASURE[3:]), "--layer: must be called in the forward pass; received spare"),
        ((*MEASURE[:4], "lost.safetensors", *MEASURE[5:]), "must hold finite weights"),
        ((*MEASURE[:2], "own.py:small_batches", *MEASURE[3:]), "raised ValueError: too many (own.py, line"),
        ((FIND[0], "--model", "own.py:small_batches", *FIND[3:]), "raised ValueError: too many (own.py, line"),
        ((*FIND, "--steps", "1"), "--steps: must be"),
        ((*FIND, "--seed", "-1"), "--seed: must be"),
        ((*FIND, "-o", "d.npz"), "--out: must"),
        ((*FIND[:3], "--data", "missing.npz", "-q"), "missing.npz: must be a file"),
        ((*FIND, "--hi", "0.002"), "--hi: must be a rate at which training diverges"),
        ((*FIND, "--lo", "1e6", "--hi", "1e7"), "--lo: must be a rate"),
        ((*FIND[:3], "--data", "few.npz", "-q"), "at least 2 rows"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(files, arguments, said):
    (files[0] / "empty.npz").write_bytes(b"")
    save_file({k: v * float("nan") for k, v in files[1].state_dict().items()}, "lost.safetensors")
    np.savez("nan.npz", x=np.full((4, 6), np.nan), y=np.arange(4) % 2)
    np.savez("few.npz", x=np.ones((2, 6)), y=np.arange(2))
    with pytest.raises(InputError) as told:
        run(*arguments)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_model_without_activation_modules_names_its_layers(files):
    save_file(nn.Linear(6, 3).state_dict(), "l.safetensors")
    with pytest.raises(InputError, match="--layer: must name layers"):
        run("measure", "--model", "own.py:linear", "--weights", "l.safetensors", "--data", "d.npz")


# ----------------------------------------------------------------------------------------------------------- regressor
def test_the_regressor_finds_few_coefficients_of_columns_as_they_were_given():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(25, 40)) * np.linspace(0.1, 10, 40) + 5
    y = 2 * X[:, 10] - X[:, 30] + 7
    model = LargeStepRegressor(steps=20_000).fit(X, y)
    np.testing.assert_allclose(model.coef_[[10, 30]], [2, -1], atol=0.1)
    assert 0.9**3 * 0.95 * model.edge_ <= model.rate_ <= 0.95 * model.edge_
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_)
    assert np.abs(model.predict(X) - y).max() < 0.3 * y.std()
    size = np.abs(model.coef_) * X.std(0)
    assert (size > 0.01 * size.max()).sum() < 20


def test_the_regressor_on_constants_noise_and_bad_input():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    flat = LargeStepRegressor(steps=400).fit(X, np.full(30, 3.0))
    assert flat.predict(X[:2]).tolist() == [3.0, 3.0]
    noise = LargeStepRegressor(steps=400).fit(X, rng.normal(size=30))
    assert np.isfinite(noise.coef_).all()
    for change, what in (({"fraction": 0.0}, "fraction"), ({"steps": 1}, "steps"), ({"decay": 0.5}, "decay")):
        with pytest.raises(InputError, match=what):
            LargeStepRegressor(**change).fit(X, X[:, 0])
    with pytest.raises(InputError, match="NaN"):
        LargeStepRegressor().fit(np.full((3, 2), np.nan), np.ones(3))


# -------------------------------------------------------------------------------------------------------------- worlds
def test_the_worlds_are_what_they_say():
    data = SparseRegression().load(np.random.default_rng(0))
    assert data["train"][0].shape == (80, 200)
    theta = np.linalg.lstsq(*data["test"], rcond=None)[0]
    assert np.linalg.norm(theta) == pytest.approx(1)
    assert (theta[:20] > -1e-9).all()
    assert np.abs(theta[20:]).max() < 1e-9
    taught = ReluTeacher().load(np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(taught["train"][0], axis=1), 1)
    assert taught["train"][1].shape == (15,)
    with pytest.raises(InputError, match="k"):
        SparseRegression(k=300)


def test_a_run_that_ends_above_its_beginning_is_not_used():
    assert usable(np.linspace(1, 0, 50))
    assert usable(np.zeros(50))
    assert not usable(np.linspace(1, 2, 50))
    assert not usable(np.array([1.0, np.nan]))


def test_the_full_problem_reads_cifar_as_published_and_runs(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]:
        content = {b"data": rng.integers(0, 256, (6, 3072), dtype=np.uint8), b"labels": (np.arange(6) % 3).tolist()}
        (folder / name).write_bytes(pickle.dumps(content))
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    data = Cifar10(width=2).load(rng)
    assert data.x.shape == (27, 3, 32, 32)
    assert data.validation_x.shape == (3, 3, 32, 32)
    both = torch.cat([data.x, data.validation_x])
    assert both.mean().abs() < 1e-4
    experiment = catalogue.load("large_step_sgd").experiment
    assert set(experiment.scales["full"].problems) == {"CIFAR-10"}
    run_ = run_of(experiment, "small", "CIFAR-10", tmp_path / "run", scale="full")
    assert run_.problem == Cifar10()
    assert run_.scale.status == "not yet run"
