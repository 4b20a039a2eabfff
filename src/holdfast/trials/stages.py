"""Work shared by trials: computed once per run folder, whichever trial or process asks first."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.canonical import dumps
from holdfast.errors import InputError
from holdfast.trials.closure import closure_hash


class Stages:
    """The stages of a run folder.

    Args:
        root: folder they live in; it may be on a file system that several machines share.

    Attributes:
        computed_seconds: time this object's owner spent computing stages (to be recorded as shared cost).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.computed_seconds = 0.0

    def get(self, name: str, fn: Callable[..., Any], kw: dict[str, Any]) -> Any:
        """The stage's value, computed if nobody has yet; a stage that cannot be read back is computed again."""
        if "<" in fn.__qualname__:
            raise InputError(f"stage {name!r}", "needs a function defined at the top of a module", fn.__qualname__)
        code = closure_hash(inspect.getmodule(fn).__name__)  # type: ignore[union-attr]
        key = hashlib.sha256(f"{name}|{fn.__qualname__}|{code}|{dumps(kw)}".encode()).hexdigest()[:24]
        folder = self.root / f"{_plain(name)}-{key}"
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released by the kernel if the holder dies
            if folder.is_dir():
                try:
                    return _load(folder)
                except (OSError, ValueError, KeyError):
                    shutil.rmtree(folder)
            start = time.perf_counter()
            value = fn(**kw)
            seconds = time.perf_counter() - start
            self.computed_seconds += seconds
            temporary = self.root / f".{folder.name}.{os.getpid()}"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            kind = _save(value, temporary)
            about = {"stage": name, "kind": kind, "seconds": seconds, "kw": json.loads(dumps(kw))}
            (temporary / "stage.json").write_text(json.dumps(about))
            temporary.rename(folder)
            return _load(folder)  # what the first asker gets is what every later one gets


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60]


def _save(value: Any, folder: Path) -> str:
    torch = sys.modules.get("torch")
    named = isinstance(value, dict) and bool(value)
    if named and torch is not None and all(isinstance(v, torch.Tensor) for v in value.values()):
        from safetensors.torch import save_file

        save_file({k: v.detach().cpu().contiguous().clone() for k, v in value.items()}, folder / "value.safetensors")
        return "tensors"
    if named and all(type(v).__module__ == "numpy" for v in value.values()):
        import numpy as np

        np.savez(folder / "value.npz", **value)
        return "arrays"
    try:
        (folder / "value.json").write_text(json.dumps(value))
    except TypeError as error:
        raise InputError(
            "stage", "must return a dict of tensors, a dict of numpy arrays, or JSON", str(error)
        ) from error
    return "json"


def _load(folder: Path) -> Any:
    kind = json.loads((folder / "stage.json").read_text())["kind"]
    if kind == "tensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(folder / "value.safetensors")
        except SafetensorError as error:
            raise ValueError(str(error)) from error
    if kind == "arrays":
        import numpy as np

        with np.load(folder / "value.npz", allow_pickle=False) as arrays:
            return dict(arrays)
    return json.loads((folder / "value.json").read_text())
