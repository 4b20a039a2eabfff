"""Work that trials share."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import toy_experiment
from holdfast.errors import InputError
from holdfast.trials import stages as module
from holdfast.trials.stages import ABOUT, Stages

CALLS: list[Any] = []


def tensors(n: int) -> dict[str, torch.Tensor]:
    CALLS.append(n)
    whole = torch.arange(n, dtype=torch.float64)
    return {"a": whole, "b": whole[::2], "c": torch.tensor(True), "half": torch.ones(2, dtype=torch.bfloat16)}


def arrays(n: int) -> dict[str, np.ndarray]:
    CALLS.append(n)
    return {"file": np.arange(n), "names": np.array(["x", "é"]), "allow_pickle": np.ones((), dtype=np.float32)}


def plain(n: int) -> Any:
    CALLS.append(n)
    return {"n": n, "list": (1, None, "é"), "float": np.float64(0.1), "nan": float("inf")}


def slow(n: int) -> list[int]:
    CALLS.append(n)
    time.sleep(0.2)
    return [n]


def draws(n: int) -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002


def unfit(what: str) -> Any:
    return {
        "object": {"a": np.array([object()])},
        "mixed": {"a": np.ones(1), "b": torch.ones(1)},
        "bytes": b"x",
        "set": {1},
    }[what]


def broken(n: int) -> None:
    CALLS.append(n)
    raise RuntimeError("no such world")


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def test_tensors_come_back(tmp_path: Path) -> None:
    first, again = (Stages(tmp_path).get("t", tensors, {"n": 5}) for _ in range(2))
    for found in (first, again):
        assert set(found) == {"a", "b", "c", "half"}
        assert all(torch.equal(found[k], v) and found[k].dtype == v.dtype for k, v in tensors(5).items())
    assert CALLS == [5, 5, 5]  # one for the stage, two for the comparisons


def test_arrays_come_back_whatever_they_are_called(tmp_path: Path) -> None:
    for _ in range(2):
        found = Stages(tmp_path).get("a", arrays, {"n": 5})
        assert list(found) == ["file", "names", "allow_pickle"]
        for key, value in arrays(5).items():
            np.testing.assert_array_equal(found[key], value)
            assert found[key].dtype == np.asarray(value).dtype


def test_json_comes_back_as_json_for_the_first_asker_too(tmp_path: Path) -> None:
    first, again = (Stages(tmp_path).get("j", plain, {"n": 5}) for _ in range(2))
    assert first == again == {"n": 5, "list": [1, None, "é"], "float": 0.1, "nan": float("inf")}
    assert CALLS == [5]


def test_name_function_and_arguments_are_told_apart(tmp_path: Path) -> None:
    stages = Stages(tmp_path)
    for name, fn, n in (("a/b", plain, 1), ("a_b", plain, 1), ("a_b", plain, 2), ("a_b", slow, 1)):
        stages.get(name, fn, {"n": n})
        stages.get(name, fn, {"n": n})
    assert CALLS == [1, 1, 2, 1]
    assert not [f for f in os.listdir(tmp_path) if f.endswith(".partial")]


@pytest.mark.parametrize("what", ["closure_hash", "versions"])
def test_other_code_or_libraries_are_another_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    Stages(tmp_path).get("j", plain, {"n": 1})
    monkeypatch.setattr(module, what, lambda *_: "changed")
    Stages(tmp_path).get("j", plain, {"n": 1})
    assert CALLS == [1, 1]


def _replace(file: Path, content: bytes) -> None:
    file.unlink()  # not written over: tensors read from it may still be mapped
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder, value: _replace(value, value.read_bytes()[:-3]),
        lambda folder, value: _replace(value, value.read_bytes()[:-1] + b"\x07"),
        lambda folder, value: value.unlink(),
        lambda folder, value: (folder / ABOUT).unlink(),
        lambda folder, value: (folder / ABOUT).write_text("[]"),
        lambda folder, value: (folder / ABOUT).write_bytes(b"\xff{"),
        lambda folder, value: (folder / ABOUT).write_text("[" * 100_000),
        lambda folder, value: (shutil.rmtree(folder), folder.write_text("a file")),
        lambda folder, value: (shutil.rmtree(folder), folder.symlink_to("nowhere")),
    ],
)
@pytest.mark.parametrize("fn", [tensors, arrays, plain])
def test_a_damaged_stage_is_computed_again(tmp_path: Path, fn: Any, damage: Any) -> None:
    stages = Stages(tmp_path)
    first = stages.get("s", fn, {"n": 3})
    (folder,) = (f for f in tmp_path.iterdir() if f.is_dir())
    (value,) = folder.glob("value.*")
    damage(folder, value)
    again = stages.get("s", fn, {"n": 3})
    assert str(again) == str(first)
    assert CALLS == [3, 3]
    assert module._intact(folder)


def test_threads_compute_it_once(tmp_path: Path) -> None:
    all_here = threading.Barrier(6)

    def ask(_: int) -> Any:
        all_here.wait()
        return Stages(tmp_path).get("s", slow, {"n": 4})

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == [[4]] * 6
    assert CALLS == [4]


HOLDER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from holdfast.trials.stages import Stages
from toy_experiment import makes_world

def stop_half_way(self, folder, *rest, **more):
    folder.with_name(f".{folder.name}.partial").mkdir()
    print("computing", flush=True)
    time.sleep(60)

Stages._compute = stop_half_way
Stages(Path(sys.argv[2])).get("s", makes_world, {"seed": 1, "size": 2, "log": sys.argv[3]})
"""


def test_a_holder_that_is_killed_leaves_the_work_to_the_next(tmp_path: Path) -> None:
    log = tmp_path / "calls.log"
    command = [sys.executable, "-c", HOLDER, Path(toy_experiment.__file__).parent, tmp_path, log]
    holder = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "computing\n"
        (partial,) = tmp_path.glob(".*.partial")
        kw = {"seed": 1, "size": 2, "log": str(log)}
        asking = threading.Thread(target=Stages(tmp_path).get, args=("s", toy_experiment.makes_world, kw))
        asking.start()
        asking.join(0.3)
        assert asking.is_alive()
        assert not log.exists()
        holder.send_signal(signal.SIGKILL)
        asking.join(20)
        assert log.read_text() == f"{os.getpid()}\n"
        assert not partial.exists()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()  # type: ignore[union-attr]


def test_computing_is_shared_cost_and_reading_is_not(tmp_path: Path) -> None:
    entered = []

    @contextmanager
    def aside() -> Any:
        entered.append("in")
        yield
        entered.append("out")

    one, two = Stages(tmp_path, aside), Stages(tmp_path, aside)
    one.get("s", slow, {"n": 1})
    two.get("s", slow, {"n": 1})
    assert one.computed_seconds >= 0.2
    assert two.computed_seconds == 0
    assert entered == ["in", "out"]
    (folder,) = (f for f in tmp_path.iterdir() if f.is_dir())
    about = json.loads((folder / ABOUT).read_text())
    assert about["seconds"] == one.computed_seconds
    assert about["kw"] == {"n": 1}


def test_global_randomness_is_the_stages_own(tmp_path: Path) -> None:
    """Whoever computes it, the stage has the same numbers, and the one who did draws on as if it had not."""
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = draws(0)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    computed = Stages(tmp_path / "one").get("s", draws, {"n": 1})
    assert draws(0) == before
    assert Stages(tmp_path / "two").get("s", draws, {"n": 1}) == computed
    assert Stages(tmp_path / "two").get("s", draws, {"n": 2}) != computed


@pytest.mark.parametrize("what", ["object", "mixed", "bytes", "set"])
def test_what_no_stage_can_hold(tmp_path: Path, what: str) -> None:
    with pytest.raises(InputError, match="stage 's': must return a dict of tensors"):
        Stages(tmp_path).get("s", unfit, {"what": what})
    assert not [f for f in tmp_path.iterdir() if f.is_dir() and not f.name.startswith(".")]


def test_functions_without_an_identity_are_refused(tmp_path: Path) -> None:
    for fn in (lambda n: n, Stages(tmp_path).get, [].append):
        with pytest.raises(InputError, match="stage 's': needs a function defined at the top of a module"):
            Stages(tmp_path).get("s", fn, {"n": 1})
    with pytest.raises(InputError, match=r"stage 's'\.n: must be made of"):
        Stages(tmp_path).get("s", plain, {"n": np.ones(2)})


def test_a_failed_computation_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no such world"):
            Stages(tmp_path).get("s", broken, {"n": 1})
    assert CALLS == [1, 1]


def test_what_cannot_be_kept_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str, value: Any, folder: Path) -> Path:
        (folder / "value.json").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_save", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*/s-"):
            Stages(tmp_path).get("s", plain, {"n": 1})
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []
    assert Stages(tmp_path).get("s", plain, {"n": 1}) == Stages(tmp_path).get("s", plain, {"n": 1})
