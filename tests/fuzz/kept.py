"""What runs keep: plans, ledgers, run.json, stores, stages and checkpoints, damaged or changed and sealed again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st

from fuzz.calling import call, obey_on_terminal
from fuzz.hunt import Attempt, Fuzz, Outcome, obey
from fuzz.mutation import changed, damaged
from fuzz.sandbox import a_run, toy_in
from fuzz.words import deep, json_values
from holdfast import catalogue
from holdfast.canonical import sealed
from holdfast.report.digest import render
from holdfast.training.checkpoint import load_state, save_state
from holdfast.trials.stages import Stages
from toy_system import ToySystem

STALE = (0, 1)


def _text(value: Any) -> bytes:
    return json.dumps(value).encode()


def _sealed_again(value: Any) -> bytes:
    """With the digest that the changed content has, where it can have one."""
    try:
        return _text(sealed({k: v for k, v in value.items() if k != "digest"}))
    except (ValueError, AttributeError, RecursionError):
        return _text(value)


@contextlib.contextmanager
def _ledgers(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    """A frozen, committed plan and its ledger, one of them changed, met by every command that reads them."""
    with toy_in(folder) as toy:
        _decide(toy)
        plan, ledger = toy.system.ledger / "small.plan.json", toy.system.ledger / "small.json"
        whole = {path: path.read_bytes() for path in (plan, ledger)}

        def cases(path: Path) -> st.SearchStrategy[tuple[Path, bytes]]:
            content = json.loads(whole[path])
            new = st.one_of(
                changed(content).map(_sealed_again),
                changed(content).map(_sealed_again),
                changed(content).map(_text),
                damaged(whole[path]),
                json_values().map(_text),
                deep.map(str.encode),
            )
            return st.tuples(st.just(path), new)

        command = st.sampled_from(
            (
                ["verdicts"],
                ["verdicts", "--check"],
                ["report", toy.name],
                ["run", toy.name, "--scale", "small"],
                ["digest"],
            )
        )

        def attempt(case: tuple[tuple[Path, bytes], list[str]]) -> Outcome:
            (path, content), line = case
            for kept, good in whole.items():
                kept.write_bytes(good)
            path.write_bytes(content)
            shutil.rmtree(folder / "holdfast-runs" / toy.name / "small" / "artifacts", ignore_errors=True)
            if line == ["digest"]:
                return obey(lambda: render(catalogue.find()))
            more = ["--jobs", "0", "--quiet"] if line[0] == "run" else []
            return obey_on_terminal([*line, *more], STALE)

        assert all(attempt(((plan, whole[plan]), line)) == "accepted" for line in (["verdicts", "--check"], ["digest"]))
        yield st.tuples(st.sampled_from((plan, ledger)).flatmap(cases), command), attempt


def _decide(toy: ToySystem) -> None:
    for line in (["freeze", toy.name], ["run", toy.name, "--scale", "small", "--ledger", "--out", "runs/small"]):
        done = call([*line, "--quiet", "--jobs", "0"])
        assert done.code == 0, done.err
        toy.commit(line[0])


@contextlib.contextmanager
def _runs(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    """A finished run whose run.json or store was changed, shown again, or gone on with."""
    with toy_in(folder) as toy:
        a_run(toy)
        (folder / "run").rename(folder / "good")
        told = json.loads((folder / "good" / "run.json").read_text())
        with contextlib.closing(sqlite3.connect(folder / "good" / "trials.sqlite")) as db:
            rows = dict(db.execute("SELECT key, record FROM trials"))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw = (folder / "good" / "trials.sqlite").read_bytes()
        row = st.sampled_from(sorted(rows)).flatmap(
            lambda key: st.tuples(st.just(key), changed(json.loads(rows[key])).map(_text))
        )
        other = st.one_of(json_values().map(_text), deep.map(str.encode))
        case = st.one_of(
            st.tuples(st.just("run.json"), st.one_of(changed(told).map(_text), other, damaged(_text(told)))),
            st.tuples(st.just("row"), st.one_of(row, st.tuples(st.sampled_from(sorted(rows)), other))),
            st.tuples(st.just("trials.sqlite"), damaged(raw)),
        )
        again = ["run", toy.name, "--scale", "smoke", "--out", "run", "--quiet"]
        line = st.sampled_from((["report", "run"], ["report", "run", "--json"], ["report", "good", "run"], again))

        def attempt(drawn: tuple[tuple[str, Any], list[str]]) -> Outcome:
            (what, content), line = drawn
            shutil.rmtree(folder / "run", ignore_errors=True)
            shutil.copytree(folder / "good", folder / "run")
            if what == "row":
                _replace_row(folder / "run" / "trials.sqlite", *content)
            else:
                (folder / "run" / what).write_bytes(content)
            return obey_on_terminal(line, STALE)

        yield st.tuples(case, line), attempt


def _replace_row(store: Path, key: str, record: bytes) -> None:
    text = record.decode(errors="replace")
    checksum = hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as db:
        db.execute("UPDATE trials SET record = ?, checksum = ? WHERE key = ?", (text, checksum, key))


# ---------------------------------------------------------------------------------------------- stages and checkpoints
def a_stage(kind: str) -> Any:
    """What is computed once and kept: tensors, arrays or JSON."""
    import numpy as np

    return {"tensors": {"w": torch.ones(2, 3)}, "arrays": {"w": np.ones((2, 3))}, "json": {"w": [1, 2]}}[kind]


@contextlib.contextmanager
def _states(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    path = folder / "state.safetensors"
    save_state(path, {"w": torch.ones(3), "n": {1: (2.0, None)}, "list": [torch.zeros(2, 2), "x"]})
    whole = path.read_bytes()

    def attempt(content: bytes) -> Outcome:
        path.write_bytes(content)
        return obey(lambda: load_state(path))

    huge = st.integers(0, 2**64 - 1).map(lambda n: n.to_bytes(8, "little") + whole[8:])
    yield st.one_of(damaged(whole), _forged(whole), huge), attempt


def _forged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A well-formed file with another header."""
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])

    def build(new: Any) -> bytes:
        text = _text(new)
        return len(text).to_bytes(8, "little") + text + whole[8 + size :]

    structure = changed(json.loads(header["__metadata__"]["structure"])).map(
        lambda new: build({**header, "__metadata__": {**header["__metadata__"], "structure": json.dumps(new)}})
    )
    return st.one_of(changed(header).map(build), structure)


@contextlib.contextmanager
def _stages(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    """A damaged stage is computed again; whoever asks gets the value in any case."""
    kinds = ("tensors", "arrays", "json")
    for kind in kinds:
        Stages(folder / kind).get("world", a_stage, {"kind": kind})
    files = {path: path.read_bytes() for kind in kinds for path in (folder / kind).rglob("*.*") if path.is_file()}

    def cases(path: Path) -> st.SearchStrategy[tuple[Path, bytes]]:
        damage = damaged(files[path])
        if path.name == "stage.json":
            damage = st.one_of(damage, changed(json.loads(files[path])).map(_text), deep.map(str.encode))
        return st.tuples(st.just(path), damage)

    def attempt(case: tuple[Path, bytes]) -> Outcome:
        path, content = case
        kind = path.relative_to(folder).parts[0]
        for other, whole in files.items():
            other.parent.mkdir(exist_ok=True, parents=True)
            other.write_bytes(whole)
        path.write_bytes(content)
        return obey(lambda: Stages(folder / kind).get("world", a_stage, {"kind": kind}))

    yield st.sampled_from(sorted(p for p in files if p.suffix != ".lock")).flatmap(cases), attempt


FUZZES = (
    Fuzz(
        "ledgers",
        "Plans and ledgers of nonsense",
        "fields changed, removed, added, with their seal made right again; bytes changed; met by `verdicts`, `report`,"
        " `run`, the digest",
        300,
        _ledgers,
    ),
    Fuzz(
        "runs",
        "Run folders of nonsense",
        "run.json and records changed, with checksums made right again; bytes of the store changed; met by `report`,"
        " `run`",
        300,
        _runs,
    ),
    Fuzz("checkpoints", "Damaged and forged checkpoints", "bytes changed, headers and structure changed", 800, _states),
    Fuzz("stages", "Damaged and forged stages", "description and values changed, bytes cut or changed", 300, _stages),
)
