"""A folder with what a user might have lying around, a toy system to work on it, and nothing outside of it to break."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from fuzz.calling import call
from holdfast import catalogue
from holdfast.catalogue import Catalogue
from holdfast.cli import commands
from holdfast.trials.executors import InProcess, LocalProcesses
from toy_system import ToySystem


class InThisProcess(LocalProcesses):
    """Checks the number of jobs as the real one does, and starts no process: thousands of cases follow."""

    run = InProcess.run


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def toy_in(folder: Path) -> Iterator[ToySystem]:
    """A toy system beside those of the catalogue, importable, in a folder that commands then work in."""
    toy = ToySystem(folder)
    found = catalogue.find()
    everything = Catalogue(
        {**found.systems, toy.name: toy.system}, {"wreck\x1b[31m": "ImportError: no\nmodule \x1b[0m"}
    )
    with (
        working_in(folder),
        mock.patch.object(sys, "path", [str(folder), *sys.path]),
        mock.patch.object(sys, "dont_write_bytecode", True),
        mock.patch.object(catalogue, "find", return_value=everything),
        mock.patch.object(commands, "LocalProcesses", InThisProcess),
    ):
        try:
            yield toy
        finally:
            toy.reload()


def furnish(folder: Path) -> None:
    """Files and folders, good ones and others; their names are in `PLACES`."""
    rng = np.random.default_rng(0)
    (folder / "empty").mkdir()
    (folder / "file.txt").write_text("words\n")
    (folder / "nothing.npz").write_bytes(b"")
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "gone")
    os.mkfifo(folder / "pipe")
    (folder / "table.csv").write_text("a,b,label\n1,2,0\n3,4,1\n")
    x, y = rng.random((12, 1, 8, 8), np.float32), np.arange(12) % 2
    np.savez(folder / "images.npz", x=x, y=y)
    np.savez(folder / "other.npz", x=x[::-1] * 0.5, y=y)
    np.save(folder / "images.npy", x)
    np.save(folder / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for kind in ("cat", "[/dog]"):
        (folder / "photos" / kind.replace("/", "∕")).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 255, (9, 9), np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / kind.replace("/", "∕") / f"{i}.png")


PLACES = (
    "empty",
    "file.txt",
    "nothing.npz",
    "binary",
    "loop",
    "dangling",
    "pipe",
    "table.csv",
    "images.npz",
    "other.npz",
    "images.npy",
    "objects.npy",
    "photos",
    "photos/cat",
    "photos/cat/0.png",
    "run",
    "run/run.json",
    "run/trials.sqlite",
    "gone",
    "gone/further",
    ".",
)


def a_run(toy: ToySystem) -> None:
    """A finished run of the toy in the folder `run`."""
    done = call(["run", toy.name, "--scale", "smoke", "--out", "run", "--quiet"])
    assert done.code == 0, done.err
