"""A pipe or a device under the name of a file would keep its reader waiting for good: regular files only."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fuzz.estimators import classes, fitted
from holdfast.data.readers import ImageFiles, list_folder, read_arrays, read_list, read_npy, read_npz, read_table
from holdfast.data.readers.plainpickle import read_plain_pickle
from holdfast.data.series.datasets import read_sml2010
from holdfast.data.vectors import open_source
from holdfast.errors import HoldfastError
from holdfast.estimator.sklearn_models import load_sklearn
from holdfast.files import read_json
from holdfast.training.checkpoint import load_state

READERS: dict[str, tuple[Callable[[Path], Any], ...]] = {
    "x.npy": (read_npy, read_arrays, open_source),
    "x.npz": (read_npz, read_arrays, open_source),
    "x.parquet": (read_arrays, read_table, open_source),
    "x.pkl": (read_plain_pickle,),
    "x.skops": (load_sklearn,),
    "x.json": (read_json,),
    "x.safetensors": (load_state,),
    "list.txt": (lambda path: read_list(path.parent, path), lambda path: read_sml2010([path])),
    **{f"x{suffix}": (read_table,) for suffix in (".csv", ".tsv", ".csv.gz", ".xlsx", ".jsonl")},
    **{
        f"photos/x{suffix}": (
            lambda path: ImageFiles([path]).read(),
            lambda path: ImageFiles.of(list_folder(path.parent)).read(),
        )
        for suffix in (".png", ".jpg", ".tif")
    },
}
WAYS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
}
pytestmark = pytest.mark.skipif(os.name == "nt", reason="these are files of POSIX")


class Waits(BaseException):
    """The reader has not given up."""


@contextmanager
def gives_up() -> Iterator[None]:
    """Fail instead of waiting for good. Far more time than anything needs: what hangs hangs on a quiet machine, too."""

    def over(number: int, frame: object) -> None:
        raise Waits

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("what", WAYS)
def test_no_reader_waits_for_a_pipe_or_a_device(what: str, tmp_path: Path, attack: Any) -> None:
    counted = attack(
        f"A {what} in place of an input",
        "under every name that is read: arrays, tables, vectors, images, lists, JSON, checkpoints, models",
        "refused in one line at once",
    )
    for name, readers in READERS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        WAYS[what](path)
        for read in readers:
            with gives_up(), pytest.raises(HoldfastError) as refused:
                read(path)
            assert len(str(refused.value).splitlines()) == 1
            counted.again()
        path.unlink()


@pytest.mark.parametrize("what", WAYS)
def test_no_model_folder_makes_its_reader_wait(what: str, tmp_path: Path, attack: Any) -> None:
    counted = attack(
        f"A {what} in a model folder",
        "in place of each file, of every estimator",
        "refused in one line at once",
    )
    for _, cls in classes():
        model, _example = fitted(cls)
        model.save(tmp_path / "good")
        for file in sorted(p for p in (tmp_path / "good").iterdir() if p.suffix != ".md"):
            shutil.copytree(tmp_path / "good", tmp_path / "model")
            (tmp_path / "model" / file.name).unlink()
            WAYS[what](tmp_path / "model" / file.name)
            with gives_up(), pytest.raises(HoldfastError):
                cls.load(tmp_path / "model")
            counted.again()
            shutil.rmtree(tmp_path / "model")
        shutil.rmtree(tmp_path / "good")
