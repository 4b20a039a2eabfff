import json
import math
import re
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.errors import HoldfastError, InputError
from holdfast.training.checkpoint import Checkpoints, load_state, save_state

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
keys = st.text(max_size=4) | st.integers(-5, 5) | st.sampled_from(["a/b", "a", "b", "a'"])
tensors = st.builds(
    lambda dtype, shape: torch.arange(math.prod(shape)).reshape(shape).to(dtype),
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
)
states = st.recursive(
    scalars | tensors,
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def same(a, b):
    """Equal values of equal types, bit by bit; NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(type(x) is type(y) for x, y in zip(a, b, strict=True)) and all(
            same(a[k], b[k]) for k in a)  # fmt: skip
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    return a == b


@given(states)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_nested_state_comes_back_exactly(tmp_path, state):
    save_state(tmp_path / "state", state)
    assert same(load_state(tmp_path / "state"), state)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.LBFGS])
def test_optimiser_states_continue_exactly(tmp_path, kind):
    def start():
        torch.manual_seed(0)
        net = nn.Linear(3, 2)
        more = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        return net, kind(net.parameters(), lr=0.1, **more)

    def step(net, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = net(torch.arange(6.0).reshape(2, 3) / 6).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)

    net, optimizer = start()
    for _ in range(3):
        step(net, optimizer)
    save_state(tmp_path / "s", {"net": net.state_dict(), "optimizer": optimizer.state_dict()})
    other, other_optimizer = start()
    state = load_state(tmp_path / "s")
    other.load_state_dict(state["net"])
    other_optimizer.load_state_dict(state["optimizer"])
    for _ in range(2):
        step(net, optimizer)
        step(other, other_optimizer)
    assert torch.equal(net.weight, other.weight)


def test_shared_and_strided_tensors(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    state = {"tied": base, "again": base, "view": base[1], "strided": base.T, "parameter": nn.Parameter(base)}
    save_state(tmp_path / "s", state)
    back = load_state(tmp_path / "s")
    assert all(torch.equal(back[name], t) for name, t in state.items())
    back["tied"][:] = 0
    assert torch.equal(back["again"], base)


def test_the_file_is_plain_safetensors_with_readable_names(tmp_path):
    save_state(tmp_path / "s", {"optimizers": [{"state": {0: {"momentum_buffer": torch.ones(2)}}}]})
    raw = (tmp_path / "s").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert set(header) == {"__metadata__", "optimizers/0/state/0/momentum_buffer"}


@pytest.mark.parametrize("value", [object(), {1, 2}, lambda: 0, b"bytes", 1j])
def test_what_cannot_be_saved_is_named_by_its_place(tmp_path, value):
    with pytest.raises(InputError, match=r"^model/3/bad: "):
        save_state(tmp_path / "s", {"model": {3: {"bad": value}}})
    with pytest.raises(InputError, match=r"^model: must have keys"):
        save_state(tmp_path / "s", {"model": {(1, 2): 0}})
    assert list(tmp_path.iterdir()) == []


def test_every_truncation_and_every_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "s"
    save_state(path, {"w": torch.arange(4.0), "n": [1, 2.5, "x"]})
    whole = path.read_bytes()
    damaged = [whole[:n] for n in range(len(whole))]
    damaged += [whole[:i] + bytes([whole[i] ^ (1 << (i % 8))]) + whole[i + 1 :] for i in range(len(whole))]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(HoldfastError) as error:
            load_state(path)
        assert re.fullmatch(rf"{re.escape(str(path))}: damaged [^\n]*; delete it or restore it[^\n]*", str(error.value))


def test_foreign_and_missing_files(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(HoldfastError, match=r"other.safetensors: damaged or not a checkpoint \(not of format"):
        load_state(tmp_path / "other.safetensors")
    torch.save({"a": 1}, tmp_path / "pickle.pt")
    with pytest.raises(HoldfastError, match=r"pickle\.pt: damaged"):
        load_state(tmp_path / "pickle.pt")
    with pytest.raises(HoldfastError, match=r"none: does not exist"):
        load_state(tmp_path / "none")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "s"
    save_state(path, {"a": 1})

    def full(tensors, file, metadata):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("holdfast.training.checkpoint.save_file", full)
    with pytest.raises(HoldfastError, match=r"cannot be written .*No space left.*free space"):
        save_state(path, {"a": 2})
    assert load_state(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_series_keeps_the_newest_and_clears_what_a_kill_left(tmp_path):
    series = Checkpoints(tmp_path / "run", every=5)
    assert (series.newest(), series.steps()) == (None, [])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".holdfast-file.0").mkdir()
    (tmp_path / "run" / ".holdfast-file.0" / "step-0000000005.safetensors").write_bytes(b"half")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    for step in (5, 10, 15):
        series.write(step, {"step": step})
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "notes.txt", "step-0000000010.safetensors", "step-0000000015.safetensors"]  # fmt: skip
    assert series.newest() == 15
    assert series.read(10) == {"step": 10}
    assert series.of_process(0) == series
    assert series.of_process(1).steps() == []


def test_a_damaged_series_says_what_comes_next(tmp_path):
    series = Checkpoints(tmp_path)
    series.write(5, {})
    series.path(5).write_bytes(b"")
    with pytest.raises(HoldfastError, match="starts from the beginning"):
        series.read(5)
    series.write(9, {})
    series.path(9).write_bytes(b"")
    with pytest.raises(HoldfastError, match=r"continues from step-0000000005\.safetensors"):
        series.read(9)


@pytest.mark.parametrize(("name", "value"), [("every", 0), ("keep", 1)])
def test_bad_settings(tmp_path, name, value):
    with pytest.raises(InputError, match=f"^{name}"):
        Checkpoints(tmp_path, **{name: value})
