"""The verbs on files of a user: tickets that go on, barriers, sparse weights, one-line errors."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner

from holdfast.data.own_rows import builder, loaded, read_rows
from holdfast.data.readers.arrays import read_npz
from holdfast.errors import HoldfastError, InputError
from holdfast.layers.weight_masks import load_mask
from holdfast.systems.lottery_ticket.cli import app
from holdfast.systems.lottery_ticket.tool import tickets

OWN = """
from torch import nn
def build():
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3))
def small():
    return nn.Linear(6, 2)
def broken():
    raise ValueError("no such width")
def tanh():
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 3))
def lazy():
    return nn.Sequential(nn.LazyLinear(12), nn.Linear(12, 3))
class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.b.weight = self.a.weight
    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())
def plain():
    return nn.Softmax(1)
def text():
    return "a net"
"""
FAST = ["--steps", "12", "--batch", "16", "--fraction", "0.4"]


def rows(path, n=120, **change):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    x = rng.normal(size=(n, 6)).astype(np.float32)
    x[:, :3] += 3 * np.eye(3, dtype=np.float32)[y]
    np.savez(path, **{"x": x, "y": y, **change})
    return path


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    rows(tmp_path / "d.npz")
    torch.set_num_threads(1)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def prune(out, *more):
    return run("prune", "--model", "own.py:build", "--data", "d.npz", "--density", ".2", "-o", out, *FAST, *more)


def test_a_ticket_has_the_density_and_zeros_where_the_mask_says(files):
    done = prune("ticket")
    table = pd.read_csv(files / "ticket" / "levels.csv")
    assert table["level"].tolist() == [0, 1, 2, 3, 4]
    assert table["density"].tolist() == pytest.approx([0.2 ** (k / 4) for k in range(5)], abs=0.02)
    weights = load_file(files / "ticket" / "model.safetensors")
    mask = load_mask(files / "ticket" / "mask.safetensors")
    assert mask.density == pytest.approx(0.2, abs=0.02)
    assert all(not weights[name][~kept].any() for name, kept in mask.items())
    assert all(bool(weights[name][kept].any()) for name, kept in mask.items())
    others = json.loads((files / "ticket" / "others.json").read_text())
    assert set(others) == {"layers shuffled", "one-shot"}
    assert "layers shuffled" in done.stdout
    assert (files / "ticket" / "levels.svg").is_file()


def test_few_weights_end_at_the_density_too(files):
    model, levels = nn.Linear(9, 8, bias=False), 14
    pruner, mask = tickets.Pruning(density=0.05).pruner, None
    for level in range(1, levels + 1):
        before, mask = mask, pruner.next_mask(model, mask)
        assert mask.kept == round(72 * 0.05 ** (level / levels))
        order = model.weight.detach().abs().reshape(-1).argsort(descending=True)[: mask.kept]
        assert torch.equal(mask["weight"].reshape(-1).nonzero().squeeze(1), order.sort().values)
        assert before is None or bool((before["weight"] | ~mask["weight"]).all())


def test_a_table_will_do(files):
    x, y = (np.load(files / "d.npz")[name] for name in "xy")
    pd.DataFrame({**{f"f{k}": x[:, k] for k in range(6)}, "y": y}).to_csv(files / "d.csv", index=False)
    run("prune", "--model", "own.py:build", "--data", "d.csv", "--density", ".5", "-o", "t", *FAST)
    assert (files / "t" / "model.safetensors").is_file()


def test_errors_are_those_of_the_rows_held_out(files):
    prune("ticket")
    data = read_rows(files / "d.npz")
    assert (len(data.y), len(data.held_y)) == (96, 24)
    assert np.bincount(data.held_y.numpy()).tolist() == [8, 8, 8]
    x = read_npz(files / "d.npz")[0]
    together = {tuple(row) for row in [*data.x.tolist(), *data.held_x.tolist()]}
    assert together == {tuple(row) for row in x.tolist()}
    net = loaded(builder("own.py:build", data)(0), files / "ticket")
    with torch.no_grad():
        error = 100 * float((net(data.held_x).argmax(1) != data.held_y).float().mean())
    assert pd.read_csv(files / "ticket" / "levels.csv")["error %"].iloc[-1] == pytest.approx(error)


def test_the_same_command_goes_on_after_the_last_whole_level(files):
    prune("whole")
    prune("again")
    for level in (3, 4):
        for kind in ("safetensors", "mask.safetensors"):
            (files / "again" / f"level{level}.{kind}").unlink()
    (files / "again" / "model.safetensors").unlink()
    kept = (files / "again" / "level2.safetensors").stat().st_mtime_ns
    prune("again")
    assert (files / "again" / "level2.safetensors").stat().st_mtime_ns == kept
    for name in ("levels.csv", "model.safetensors", "mask.safetensors", "level3.safetensors"):
        assert (files / "again" / name).read_bytes() == (files / "whole" / name).read_bytes()


def test_a_finished_ticket_is_not_trained_again(files, monkeypatch):
    prune("ticket")
    before = (files / "ticket" / "levels.csv").read_bytes()

    def fails(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr("holdfast.systems.lottery_ticket.tool.tickets.train_masked", fails)
    assert "one-shot" in prune("ticket").stdout
    assert (files / "ticket" / "levels.csv").read_bytes() == before


def test_a_folder_of_other_settings_or_of_other_files_is_refused(files):
    prune("ticket")
    with pytest.raises(InputError, match=r"same network, data and settings.*other settings$"):
        prune("ticket", "--steps", "13")
    rows(files / "d.npz", n=123)
    with pytest.raises(InputError, match=r"received other data$"):
        prune("ticket")
    rows(files / "d.npz")
    with pytest.raises(InputError, match=r"received other network$"):  # as many weights of the same names
        prune("ticket", "--model", "own.py:tanh")
    (files / "mine").mkdir()
    (files / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="new or empty"):
        prune("mine")
    assert [path.name for path in (files / "mine").iterdir()] == ["thesis.txt"]


def test_a_run_that_left_no_level_does_not_hold_its_folder(files):
    with pytest.raises(HoldfastError, match="loss became nan"):
        prune("ticket", "--lr", "1e12")
    assert [path.name for path in (files / "ticket").iterdir()] == ["ticket.json"]
    prune("ticket")
    assert (files / "ticket" / "model.safetensors").is_file()
    (files / "mine").mkdir()
    (files / "mine" / "ticket.json").write_text('{"seat": 12}')
    with pytest.raises(InputError, match="new or empty"):
        prune("mine")
    assert (files / "mine" / "ticket.json").read_text() == '{"seat": 12}'


def test_a_file_in_a_levels_place_is_refused(files):
    prune("ticket")
    save_file({"weight": torch.ones(2)}, files / "ticket" / "level2.safetensors")
    with pytest.raises(InputError, match=r"level2\.safetensors: must be a level"):
        prune("ticket")


def test_excluded_tensors_stay_whole(files):
    prune("ticket", "--exclude", "3.weight")
    mask = load_mask(files / "ticket" / "mask.safetensors")
    assert mask.per_layer()["3.weight"] == 1
    assert mask.per_layer()["0.weight"] == pytest.approx(0.2, abs=0.03)
    for names, words in ((["9.weight"], "must name"), (["0.weight", "3.weight"], "must leave a tensor")):
        with pytest.raises(InputError, match=words):
            prune("other", *(part for name in names for part in ("--exclude", name)))
    assert not (files / "other").exists()  # said before the first training


def test_the_barrier_of_a_network_with_itself_is_zero_and_there_is_one_between_strangers(files):
    prune("ticket")
    args = ("--model", "own.py:build", "--data", "d.npz")
    same = json.loads(run("barrier", "ticket", "ticket", *args, "--json").stdout)
    assert same["barrier"] == 0
    assert len(same["errors"]) == 11
    done = run("barrier", "ticket", "ticket/level0.safetensors", *args, "--points", "3", "--figure", "b.svg")
    assert "barrier" in done.stdout
    assert (files / "b.svg").is_file()


def test_weights_of_another_network_are_refused(files):
    save_file({"weight": torch.ones(2, 6)}, files / "w.safetensors")
    with pytest.raises(InputError, match="weights of the model"):
        run("barrier", "w.safetensors", "w.safetensors", "--model", "own.py:build", "--data", "d.npz")


def test_sparsify_keeps_the_largest(files):
    net = nn.Linear(6, 2)
    save_file(net.state_dict(), files / "w.safetensors")
    run("sparsify", "w.safetensors", "--model", "own.py:small", "--density", ".25", "-o", "s.safetensors")
    weight = load_file(files / "s.safetensors")["weight"]
    order = net.weight.detach().abs().reshape(-1).argsort(descending=True)[:3]
    wanted = torch.zeros(12).index_copy(0, order, net.weight.detach().reshape(-1)[order])
    assert torch.equal(weight.reshape(-1), wanted)
    assert torch.equal(load_file(files / "s.safetensors")["bias"], net.bias)


@pytest.mark.parametrize(
    ("model", "message"),
    [("own.py:broken", "no such width"), ("own.py:text", "torch.nn.Module"), ("own.py:nothing", "function"),
     ("own.py:small", "at least 3"), ("own.py:lazy", "waits for a first input"), ("own.py:plain", "linear or conv"),
     ("other.py:build", "there")],
)  # fmt: skip
def test_builders_that_do_not_build_are_named(files, model, message):
    with pytest.raises(InputError, match=message):
        run("prune", "--model", model, "--data", "d.npz", "-o", "ticket", *FAST)
    assert not (files / "ticket").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"y": np.zeros(120, int)}, "K >= 2"), ({"y": np.arange(120) % 3 + 1}, "classes 0"),
     ({"x": np.full((120, 6), np.nan)}, "finite"), ({"x": np.zeros((7, 6)), "y": np.arange(7) // 2}, "2 rows"),
     ({"y": np.arange(120) / 2}, "whole"), ({"x": np.zeros((120, 5))}, "rows of --data.*shape .2, 5"),
     ({"x": np.full((120, 6), 1e300)}, "32 bits")],
)  # fmt: skip
def test_data_that_cannot_be_learned_from_is_refused(files, change, message):
    rows(files / "bad.npz", **change)
    with pytest.raises(InputError, match=message):
        run("prune", "--model", "own.py:build", "--data", "bad.npz", "-o", "ticket", *FAST)


def test_an_archive_without_labels_and_an_empty_one_are_refused(files):
    np.savez(files / "x.npz", x=np.zeros((9, 6)))
    with pytest.raises(InputError, match="labels"):
        run("prune", "--model", "own.py:build", "--data", "x.npz", "-o", "t")
    (files / "e.npz").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        run("prune", "--model", "own.py:build", "--data", "e.npz", "-o", "t")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--density", "0"),
        ("--density", "1"),
        ("--density", "0.009"),
        ("--fraction", "1"),
        ("--rewind", "1"),
        ("--momentum", "1"),
        ("--momentum", "-0.1"),
        ("--weight-decay", "-1"),
        ("--weight-decay", "nan"),
    ],
)
def test_settings_outside_their_range_are_refused(files, option, value):
    with pytest.raises(InputError, match=option.strip("-").replace("-", ".")):
        run("prune", "--model", "own.py:build", "--data", "d.npz", "-o", "t", option, value)
    assert not (files / "t").exists()


def test_weights_that_are_no_numbers_are_refused(files):
    """Their errors would be those of class 0, and their barrier none."""
    save_file({"weight": torch.full((2, 6), float("nan")), "bias": torch.zeros(2)}, files / "w.safetensors")
    for verb in (
        ("barrier", "w.safetensors", "w.safetensors", "--data", "two.npz"),
        ("sparsify", "w.safetensors", "-o", "s"),
    ):
        rows(files / "two.npz", y=np.arange(120) % 2)
        with pytest.raises(InputError, match="finite weights"):
            run(*verb, "--model", "own.py:small")
    assert not (files / "s").exists()


def test_sparsify_refuses_what_it_cannot_do_and_takes_tied_weights(files):
    net = nn.Linear(6, 2)
    save_file(net.state_dict(), files / "w.safetensors")
    for model, more, words in (
        ("small", ("--exclude", "weight"), "must leave a tensor"),
        ("small", ("--density", "0.05"), "at least 1 of the 12"),
        ("text", (), "torch.nn.Module"),
    ):
        with pytest.raises(InputError, match=words):
            run("sparsify", "w.safetensors", "--model", f"own.py:{model}", "-o", "s.safetensors", *more)
    assert not (files / "s.safetensors").exists()
    run("prune", "--model", "own.py:Tied", "--data", "d.npz", "--density", ".5", "-o", "tied", *FAST)
    run("sparsify", "tied", "--model", "own.py:Tied", "--density", ".2", "-o", "s.safetensors")
    made = load_file(files / "s.safetensors")
    assert torch.equal(made["a.weight"], made["b.weight"])
    assert int((made["a.weight"] != 0).sum() + (made["c.weight"] != 0).sum()) == 11  # of 54
