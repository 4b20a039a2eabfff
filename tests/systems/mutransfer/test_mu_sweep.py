"""Sweeps, the experiment's claims and trial, a user's model, the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Record, RecordTable
from holdfast.experiment.claims import Parabola, Region, ShiftOfArgmin
from holdfast.systems.mutransfer.cli import app
from holdfast.systems.mutransfer.experiment import experiment
from holdfast.systems.mutransfer.experiment.claims import CheaperTransfer, WiderIsBetter
from holdfast.systems.mutransfer.net import Transformer
from holdfast.systems.mutransfer.problems import TextTransformer, TokenFile
from holdfast.systems.mutransfer.tool.sweep import TransferSweep, transfer_sweep
from holdfast.trials.campaign import Campaign
from holdfast.trials.plan import ExperimentSource

MODELS = """
import torch
from torch import nn

def build(width):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))

class Swollen(nn.Linear):
    def forward(self, x):
        return super().forward(x) * self.in_features

def wrong(width):
    model = build(width)
    model[2] = Swollen(width, width)
    return model

def broken(width):
    return nn.Linear(8, width / 2)

def named():
    return {"x": torch.zeros(3, 8)}

class Lossy(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = build(width)

    def forward(self, x, labels):
        return {"loss": nn.functional.cross_entropy(self.net(x), labels)}

def few():
    return tuple(part[:20] for part in batch())  # fewer rows than a step takes

def batch_of_names():
    x, y = few()
    return {"x": x, "labels": y}

def uneven():
    return {"x": torch.zeros(3, 8), "labels": torch.zeros(4)}

def batch():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(256, 8, generator=rng)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of the user's in the working folder."""
    name = f"models_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


# ------------------------------------------------------------------------------------------------------------- claims
def table_of(losses: dict[tuple[str, int], list[float]]) -> RecordTable:
    """Losses over rates 2^-8 .. 2^-4 for (arm, width), on the digits."""
    records = [
        Record(f"{arm}{width}{k}", arm, "digits, MLP", {"width": width, "rate": 2.0**k}, 0, "ok", {"training loss": y})
        for (arm, width), values in losses.items()
        for k, y in zip(range(-8, -3), values, strict=True)
    ]
    scale = experiment.scales["small"]
    narrowed = type(scale)(points={"width": (32, 512), "rate": tuple(2.0**k for k in range(-8, -3))})
    return RecordTable(records, experiment, narrowed)


LOSSES = {
    ("muP", 32): [4.0, 2.0, 1.0, 2.0, 4.0],
    ("muP", 512): [4.0, 2.0, 0.5, 1.0, 4.0],
    ("SP", 32): [4.0, 2.0, 1.0, 2.0, 4.0],
    ("SP", 512): [2.0, 0.5, 1.0, 4.0, 8.0],
}
COMMON: dict[str, Any] = {
    "metric": "training loss",
    "on": "digits, MLP",
    "of": "rate",
    "along": "width",
    "start": 32,
    "end": 512,
}


def test_cost_of_transfer() -> None:
    claim = CheaperTransfer("muP", than="SP", **COMMON)
    assert claim.statistic(table_of(LOSSES)) == {0: pytest.approx(math.log2(1.0 / 0.5))}
    swapped = CheaperTransfer("SP", than="muP", **COMMON)
    assert swapped.statistic(table_of(LOSSES)) == {0: pytest.approx(-1.0)}


def test_wider_is_better() -> None:
    assert WiderIsBetter("muP", margin=0.1, **COMMON).statistic(table_of(LOSSES)) == {0: pytest.approx(-1.0)}
    assert WiderIsBetter("SP", margin=0.1, **COMMON).statistic(table_of(LOSSES)) == {0: pytest.approx(0.0)}


def test_shift_with_a_parabola() -> None:
    claim = ShiftOfArgmin("SP", target=Region.within(1), optimum=Parabola(), **COMMON)
    at_32 = -6.0  # symmetric
    left, centre, right = 2.0, 0.5, 1.0
    at_512 = -7 + (left - right) / (2 * (left - 2 * centre + right))
    assert claim.statistic(table_of(LOSSES)) == {0: pytest.approx(at_512 - at_32)}


def test_claims_of_a_narrower_scale_are_left_out() -> None:
    demo = experiment.scales["demo"]
    pairs = {(arm, "digits, MLP") for arm in ("SP", "muP")}
    kept = [claim for claim in experiment.claims if claim.readable(pairs, experiment, demo)]
    assert experiment.claims[0] in kept
    assert len(kept) < len(experiment.claims)


# ----------------------------------------------------------------------------------------------------------- problems
def test_text_is_windows_of_what_ships_with_scikit_learn() -> None:
    x, y = TextTransformer().data()
    assert x.shape == y.shape
    assert x.shape[1] == 32
    assert torch.equal(x[5, 1:], y[5, :-1])
    assert len(TextTransformer().fingerprint()) == 16


def test_token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    problem = TokenFile(vocabulary=100, length=4)
    assert not problem.available()
    with pytest.raises(InputError, match="HOLDFAST_DATA"):
        problem.data()
    (tmp_path / "mutransfer").mkdir()
    path = tmp_path / "mutransfer" / "wikitext103.bin"
    np.arange(20, dtype="<u2").tofile(path)
    x, y = problem.data()
    assert x.shape == (16, 4)
    assert y[0].tolist() == [1, 2, 3, 4]
    assert problem.available()
    assert problem.fingerprint()
    assert isinstance(problem.build(32), Transformer)
    with pytest.raises(InputError, match="ids below 10"):
        TokenFile(vocabulary=10, length=4).data()


def test_full_scale_is_declared_for_wide_models() -> None:
    full = experiment.scales["full"]
    assert experiment.swept(full, "wikitext, transformer")["width"][-1] == 8192
    assert full.status == "not yet run"


# ------------------------------------------------------------------------------------------------------------- sweeps
def test_sweep_finds_the_optimum_and_says_what_to_do() -> None:
    frame = pd.DataFrame(
        {"arm": arm, "width": width, "rate": 2.0**k, "seed": seed, "loss": 1 + (k - best) ** 2}
        for arm, width, best in (("muP", 32, -6), ("muP", 512, -6), ("SP", 32, -6), ("SP", 512, -9), ("off", 32, -13))
        for k in range(-12, -2)
        for seed in (0, 1)
    )
    sweep = TransferSweep.of(frame)
    assert sweep.shift("muP") == pytest.approx(0.0)
    assert sweep.shift("SP") == pytest.approx(-3.0)
    assert "Use a base rate of 0.016" in sweep.recommend("muP")
    assert "does not transfer" in sweep.recommend("SP")
    assert "sweep a wider range of rates" in sweep.recommend("off")
    assert len(sweep.figure().axes) == 3
    with pytest.raises(InputError, match="must be one of"):
        sweep.recommend("absent")


def test_sweep_trains_every_combination_on_the_same_batches() -> None:
    seen: list[tuple[int, float]] = []

    def train(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> float:
        seen.append((seed, optimizer.param_groups[0]["lr"]))
        return float("nan") if len(seen) == 1 else 1.0

    build = lambda w: nn.Sequential(nn.Linear(3, w), nn.Linear(w, 2))  # noqa: E731
    sweep = transfer_sweep(build, [8, 16], [0.1, 0.2, 0.4], train=train, seeds=2)
    assert len(sweep.frame) == len(seen) == 24
    assert sweep.frame["loss"].notna().all()
    with pytest.raises(InputError, match="one of the two"):
        transfer_sweep(build, [8, 16], [0.1, 0.2, 0.4])
    with pytest.raises(InputError, match="three positive rates"):
        transfer_sweep(build, [8, 16], [0.1], train=train)


X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))


def swept(jobs: int, **options: Any) -> Any:
    """A sweep of a builder that only lives in this function, as those of notebooks do."""
    build = lambda w: nn.Sequential(nn.Linear(3, w), nn.ReLU(), nn.Linear(w, 2))  # noqa: E731
    data = (X, (X[:, 0] > 0).long())
    return transfer_sweep(build, [8, 16], [0.1, 0.2, 0.4], data, steps=3, seeds=2, jobs=jobs, **options)


def test_runs_can_be_sent_to_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    one, done = swept(1).frame, []

    def sent(work: Iterable[Any], jobs: int) -> Iterator[float]:
        assert jobs == 2
        return (cloudpickle.loads(cloudpickle.dumps(run))() for run in work)

    monkeypatch.setattr("holdfast.systems.mutransfer.tool.sweep.in_processes", sent)
    two = swept(2, progress=lambda *each: done.append(each)).frame
    assert one.equals(two)
    assert done == [(i, 24) for i in range(1, 25)]
    with pytest.raises(InputError, match="jobs"):
        swept(0)


@pytest.mark.slow
def test_sweep_over_processes_gives_the_same() -> None:
    one, two = swept(1).frame, swept(2).frame
    assert one.drop(columns="loss").equals(two.drop(columns="loss"))
    assert torch.allclose(torch.tensor(one["loss"]), torch.tensor(two["loss"]), rtol=1e-6)


def test_own_model_is_an_experiment_of_its_own(models: str, tmp_path: Path) -> None:
    spec = tmp_path / "model.json"
    content = {"builder": f"{models}:build", "batch": f"{models}:batch", "widths": [8, 16], "rates": [0.01, 0.1, 1.0]}
    spec.write_text(json.dumps({**content, "steps": 3}))
    results = Campaign(ExperimentSource("mutransfer", (str(spec),)), "smoke", tmp_path / "run", replicates=1).run()
    assert not results.failed
    assert len(results.finished) == 12
    assert results.experiment.claims[0].role == "headline"
    for wrong in ("{}", "[]", "x", json.dumps({**content, "widths": [0, 4]}), json.dumps({**content, "rates": [0.1]})):
        spec.write_text(wrong)
        other = tmp_path / f"other{abs(hash(wrong))}.json"
        other.write_text(wrong)
        with pytest.raises(InputError):
            ExperimentSource("mutransfer", (str(other),)).load()


def test_a_batch_may_be_a_dict(models: str, tmp_path: Path) -> None:
    losses = []
    for builder, batch in (("build", "few"), ("Lossy", "batch_of_names")):
        spec = tmp_path / f"{builder}.json"
        content = {"builder": f"{models}:{builder}", "batch": f"{models}:{batch}", "widths": [8, 16]}
        spec.write_text(json.dumps({**content, "rates": [0.01, 0.1, 1.0], "steps": 3}))
        run = Campaign(ExperimentSource("mutransfer", (str(spec),)), "smoke", tmp_path / builder, replicates=1).run()
        assert not run.failed
        losses.append(sorted(record.scalars["training loss"] for record in run.finished))
    assert losses[0] == pytest.approx(losses[1])


def test_a_sweep_in_memory_takes_a_dict() -> None:
    class Lossy(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2))

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> Any:
            return {"loss": nn.functional.cross_entropy(self.net(x), labels)}

    data = {"x": X, "labels": (X[:, 0] > 0).long()}
    found = transfer_sweep(Lossy, [8, 16], [0.1, 0.2, 0.4], data, steps=3, seeds=2).frame
    assert found["loss"].tolist() == pytest.approx(swept(1).frame["loss"].tolist())


# -------------------------------------------------------------------------------------------------------- command line
def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_report_prints_and_writes_the_table(models: str, tmp_path: Path) -> None:
    done = call("report", f"{models}:build", "--base", "16", "--width", "64", "--out", "table.csv")
    assert done.exit_code == 0, done.output
    frame = pd.read_csv(tmp_path / "table.csv")
    assert frame["role"].tolist() == ["input", "vector", "hidden", "vector", "output", "fixed"]


def test_check_passes_and_fails_with_the_layer(models: str, tmp_path: Path) -> None:
    common = ("--batch", f"{models}:batch", "--widths", "32,64,128", "--seeds", "1", "--steps", "3")
    done = call("check", f"{models}:build", *common)
    assert done.exit_code == 0, done.output
    assert "passed" in done.output
    assert {path.name for path in (tmp_path / "coord_check").iterdir()} == {
        "slopes.csv",
        "activations.csv",
        "check.html",
        "check.svg",
        "check.png",
    }
    failed = call("check", f"{models}:wrong", *common, "--out", "failed")
    assert failed.exit_code == 1
    assert "failed at 2" in failed.output
    page = (tmp_path / "failed" / "check.html").read_text(encoding="utf-8")
    assert page.count('class="marked"') >= 1
    assert "layer 2: its size" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "nowhere"), "module:function"),
        (("check", "{}:build", "--widths", "a,b"), "--widths"),
        (("check", "{}:build", "--rule", "best"), "--rule"),
        (("check", "{}:build", "--batch", "{}:absent"), "--batch: must name a function"),
        (("check", "{}:build", "--batch", "{}:build"), "--batch: must be a function without arguments"),
        (("sweep", "{}:build", "--batch", "{}:build"), "--batch: must be a function without arguments"),
        (("sweep", "{}:build", "--rates", "3:1"), "--rates"),
        (("report", "{}:build", "--out", "table.xls"), "--out"),
        (("report", "{}.py:broken"), "BUILDER: must not fail; received broken(64), which raised TypeError"),
        (("check", "{}:broken"), "BUILDER: must not fail; received broken(64), which raised TypeError"),
        (("sweep", "{}:broken"), "BUILDER: must not fail; received broken(64), which raised TypeError"),
        (("sweep", "{}:Lossy", "--batch", "{}:uneven"), "--batch: as a dict must hold tensors with as many rows"),
        (("sweep", "{}:build", "--batch", "{}:named"), "--batch: must fit the model and the loss"),
    ],
)
def test_mistakes_on_the_command_line(models: str, arguments: tuple[str, ...], message: str) -> None:
    done = call(*(argument.format(models) for argument in arguments))
    assert isinstance(done.exception, HoldfastError)
    assert message in str(done.exception)


@pytest.mark.slow
def test_sweep_on_the_command_line(models: str, tmp_path: Path) -> None:
    done = call(
        "sweep", f"{models}:build", "--batch", f"{models}:batch", "--widths", "16,32", "--rates", "-8:-4",
        "--steps", "10", "--seeds", "1", "--jobs", "1",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(tmp_path / "sweep" / "losses.csv")) == 20
    assert (tmp_path / "sweep" / "sweep.svg").is_file()
    assert (tmp_path / "sweep" / "run" / "report.html").is_file() or list((tmp_path / "sweep" / "run").glob("*.html"))
