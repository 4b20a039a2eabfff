"""No file from a stranger runs code, whatever it is called and whoever reads it."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzz.estimators import classes, fitted
from fuzz.hunt import obey
from fuzz.kept import a_stage
from holdfast import catalogue, ledger
from holdfast.catalogue import System, read_card
from holdfast.data.domainnet import DomainNet
from holdfast.data.imagesets import ArrayFile, Folder, ListFile
from holdfast.data.own_domains import OwnDomains
from holdfast.data.readers import ImageFiles, decode_image, read_arrays, read_list, read_npy, read_npz, read_table
from holdfast.data.readers.listings import SUFFIXES
from holdfast.estimator.sklearn_models import load_sklearn
from holdfast.files import read_json
from holdfast.training.checkpoint import Checkpoints, load_state
from holdfast.trials.runfolder import read as read_run
from holdfast.trials.stages import Stages
from holdfast.trials.store import Store
from security.payloads import Bomb, payloads

SOURCE = Path(catalogue.__file__).parent
Reader = tuple[str, Callable[[Path], object]]


def _stage(path: Path) -> object:
    return Stages(path.parents[1]).get("world", a_stage, {"kind": "arrays"})


def readers(folder: Path) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """Every place where a file can be that holdfast reads, and what reads it there."""
    for suffix in (".npz", ".npy", ".csv", ".tsv", ".csv.gz", ".parquet", ".pq", ".xlsx", ".jsonl", ".NPZ"):
        yield folder / f"data{suffix}", read_arrays
    yield folder / "x.npy", read_npy
    yield folder / "x.npz", read_npz
    yield folder / "x.csv", read_table
    yield folder / "y.npz", lambda path: ArrayFile(str(path)).load()
    yield folder / "z.npz", lambda path: OwnDomains(str(path), str(path)).resplit
    for suffix in sorted(SUFFIXES):
        yield folder / "kinds" / "a" / f"0{suffix}", lambda path: decode_image(path, 8, "RGB")
    yield folder / "kinds" / "a" / "1.png", lambda path: Folder(str(path.parents[1]), 4).load()
    yield folder / "kinds" / "a" / "2.png", lambda path: ImageFiles([path], [0], 4).read()
    yield folder / "list.txt", lambda path: read_list(path.parent, "list.txt")
    yield folder / "list2.txt", lambda path: ListFile(str(path.parent), "list2.txt", 4).load()
    yield folder / "net" / "real_train.txt", lambda path: DomainNet(str(path.parent)).classes
    yield folder / "card.toml", read_card
    for name in ("run.json", "trials.sqlite"):
        yield folder / "run" / name, lambda path: read_run(path.parent)
    yield folder / "other.sqlite", lambda path: Store(path).close()
    yield folder / "step.safetensors", load_state
    yield folder / f"step-{1:010d}.safetensors", lambda path: Checkpoints(path.parent).read(1)
    yield folder / "model.skops", load_sklearn
    yield folder / "any.json", read_json


@pytest.mark.parametrize("what", sorted(payloads(Path("marker"))))
def test_no_reader_runs_what_is_in_a_file(what: str, tmp_path: Path, attack: Any) -> None:
    marker = tmp_path / "it went off"
    content = payloads(marker)[what]
    counted = attack(
        "A file that runs code",
        "pickles (plain, packed, of numpy, joblib, torch, pandas, inside parquet and skops), YAML, JSON, TOML, SQL and"
        " templates under every name that is read",
        "nothing ran; what is no data is refused in one line",
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps({"source": ["adamatch", []], "keys": ["k"]}))
    for path, read in readers(tmp_path):
        before = path.read_bytes() if path.is_file() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        obey(lambda read=read, path=path: read(path))  # type: ignore[misc]
        assert not marker.exists(), f"{what} ran as {path.name}"
        counted.again()
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)


@pytest.mark.parametrize("what", sorted(payloads(Path("marker"))))
def test_no_part_of_a_kept_stage_or_model_or_ledger_runs(what: str, tmp_path: Path, attack: Any) -> None:
    marker = tmp_path / "it went off"
    content = payloads(marker)[what]
    counted = attack(
        "A model, stage or ledger that runs code",
        "the same files in place of each file of a model folder, stage, plan and ledger",
        "nothing ran; a stage is computed again, all else refused in one line",
    )
    Stages(tmp_path / "stages").get("world", a_stage, {"kind": "arrays"})
    places: list[Reader] = [(str(p), _stage) for p in (tmp_path / "stages").glob("*/*.*")]
    _, cls = classes()[0]
    model = fitted(cls)[0].save(tmp_path / "model")
    places += [(str(p), lambda path: cls.load(path.parent)) for p in sorted(model.iterdir())]
    card = catalogue.load("adamatch").card
    system = System(card, "holdfast.systems.adamatch", tmp_path / "plugin", "plugin x")
    for name, read in (("small.plan.json", ledger.read_plan), ("small.json", ledger.read_ledger)):
        places.append((str(system.ledger / name), lambda path, read=read: read(system, "small")))  # type: ignore[misc]
    for name, read_one in places:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.is_file() else None
        path.write_bytes(content)
        outcome = obey(lambda read_one=read_one, path=path: read_one(path))  # type: ignore[misc]
        assert not marker.exists(), f"{what} ran as {path.name}"
        assert outcome == "refused" or read_one is _stage or path.name == "README.md"
        counted.again()
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)


def test_the_bombs_do_go_off_where_somebody_unpickles(tmp_path: Path) -> None:
    import pickle

    pickle.loads(pickle.dumps(Bomb(tmp_path / "bang")))
    assert (tmp_path / "bang").is_dir()
    shutil.rmtree(tmp_path / "bang")
    np.load(_file(tmp_path, "npy of objects", tmp_path / "bang"), allow_pickle=True)
    assert (tmp_path / "bang").is_dir()
    shutil.rmtree(tmp_path / "bang")
    torch.load(_file(tmp_path, "torch, zipped", tmp_path / "bang"), weights_only=False)
    assert (tmp_path / "bang").is_dir()


def _file(folder: Path, what: str, marker: Path) -> Path:
    path = folder / "file"
    path.write_bytes(payloads(marker)[what])
    return path


# ------------------------------------------------------------------------------------------- what no module may call
NEVER = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads", "shelve.open", "dill.load",
    "cloudpickle.load", "cloudpickle.loads", "joblib.load", "pd.read_pickle", "pandas.read_pickle", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "eval", "exec", "os.system", "os.popen", "runpy.run_path",
    "torch.hub.load", "np.loads",
}  # fmt: skip


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def wrong_calls(source: str) -> list[str]:
    """Calls that run what is in a file, or hand a text to a shell."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        options = {word.arg: getattr(word.value, "value", ...) for word in node.keywords}
        if (
            name in NEVER
            or (name in ("torch.load", "np.load", "numpy.load") and options.get(_SAFE[name]) != (name == "torch.load"))
            or options.get("shell", False) is not False
            or options.get("trust_remote_code", False) is not False
        ):
            found.append(f"line {node.lineno}: {name}")
    return found


ALLOWED = {
    "sandbox/wire.py",  # a child process reads what its own parent sends it, and nothing else
    "sandbox/function_child.py",  # runs a stranger's function because it was asked to, isolated by then
    "systems/chatgpt_failures/families/coding.py",  # runs programs that it has drawn itself, never read from anywhere
}
_SAFE = {"torch.load": "weights_only", "np.load": "allow_pickle", "numpy.load": "allow_pickle"}


def test_no_module_calls_what_runs_files(attack: Any) -> None:
    counted = attack(
        "Code that would run files",
        "every module of the package: calls of unpicklers, `eval`, shells, `torch.load`, `np.load` without their guard",
        "there is none",
    )
    for path in sorted(SOURCE.rglob("*.py")):
        if path.relative_to(SOURCE).as_posix() not in ALLOWED:
            assert wrong_calls(path.read_text(encoding="utf-8")) == [], path
            counted.again()


@pytest.mark.parametrize(
    "code",
    ["pickle.load(f)", "eval('1')", "torch.load(f)", "torch.load(f, weights_only=False)", "np.load(f)",
     "np.load(f, allow_pickle=True)", "subprocess.run('x', shell=True)", "pd.read_pickle(f)",
     "AutoModel.from_pretrained(x, trust_remote_code=True)"],
)  # fmt: skip
def test_such_calls_are_noticed(code: str) -> None:
    assert wrong_calls(code)
    assert not wrong_calls("torch.load(f, weights_only=True); np.load(f, allow_pickle=False); subprocess.run(['x'])")
