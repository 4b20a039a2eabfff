"""A user's rows and network: what is held out, what a builder must give, whose weights fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from holdfast.data.own_rows import builder, loaded, read_rows
from holdfast.errors import InputError


def rows(path, n=50, **change):
    rng = np.random.default_rng(0)
    np.savez(path, **{"x": rng.normal(size=(n, 4)), "y": np.arange(n) % 5, **change})
    return path


def test_a_fifth_of_every_class_is_held_out_the_same_every_time(tmp_path):
    first, second = (read_rows(rows(tmp_path / "d.npz")) for _ in range(2))
    assert torch.bincount(first.held_y).tolist() == [2] * 5
    assert torch.bincount(first.y).tolist() == [8] * 5
    assert first.classes == 5
    assert torch.equal(first.held_x, second.held_x)
    assert first.x.dtype == torch.float32


def test_a_builder_is_seeded_and_tried_on_rows(tmp_path):
    (tmp_path / "own.py").write_text("from torch import nn\ndef build():\n    return nn.Linear(4, 5)\n")
    build = builder(str(tmp_path / "own.py:build"), read_rows(rows(tmp_path / "d.npz")))
    assert torch.equal(build(1).weight, build(1).weight)
    assert not torch.equal(build(1).weight, build(2).weight)
    with pytest.raises(InputError, match="at least 6"):
        builder(str(tmp_path / "own.py:build"), read_rows(rows(tmp_path / "e.npz", y=np.arange(50) % 6)))


def test_weights_are_loaded_from_files_and_folders_and_others_refused(tmp_path):
    net, wanted = nn.Linear(4, 5), nn.Linear(4, 5)
    save_file(wanted.state_dict(), tmp_path / "model.safetensors")
    for place in (tmp_path, tmp_path / "model.safetensors"):
        assert torch.equal(loaded(net, place).weight, wanted.weight)
        assert not net.training
    with pytest.raises(InputError, match=r"'bias' is \(5,\), the model's \(6,\)"):
        loaded(nn.Linear(4, 6), tmp_path)
    (tmp_path / "text.safetensors").write_text("weights")
    with pytest.raises(InputError, match="safetensors file"):
        loaded(net, tmp_path / "text.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"y": np.zeros(50, int)}, "K >= 2"), ({"y": np.arange(50) % 5 - 1}, "0 .. K-1"), ({"n": 5}, "2 rows")],
)
def test_rows_that_cannot_be_divided_are_refused(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read_rows(rows(tmp_path / "d.npz", **change))
