"""Work shared by trials: computed once per run folder, whichever trial or process asks first."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from holdfast.canonical import canonical, digest, qualified_name
from holdfast.errors import InputError
from holdfast.files import named
from holdfast.trials.closure import closure_hash, versions
from holdfast.trials.streams import seeded_libraries

ABOUT = "stage.json"


class Stages:
    """The stages of a run folder.

    Args:
        root: folder they live in; it may be on a file system that several machines share.
        aside: entered while a stage is computed, or waited for because another process computes it, so that the
            owner's meters can leave that out.

    Attributes:
        computed_seconds: time this object's owner spent computing stages (to be recorded as shared cost).
    """

    def __init__(self, root: Path, aside: Callable[[], AbstractContextManager[Any]] = nullcontext) -> None:
        self.root = root
        self.computed_seconds = 0.0
        self._aside = aside

    def get(self, name: str, fn: Callable[..., Any], kw: Mapping[str, Any]) -> Any:
        """The stage's value, computed if nobody has yet; one that was damaged on the disk is computed again.

        The global random generators are seeded for `fn` and given back as they were: its result does not depend on
        the trial that asks first, nor that trial's numbers on having been first.

        Raises:
            InputError: `fn` is not a function of a module, or it returned something that no stage can hold.
        """
        function = qualified_name(fn)
        if function is None:
            raise InputError(f"stage {name!r}", "needs a function defined at the top of a module", fn)
        about = {
            "stage": name,
            "function": function,
            "code": closure_hash(fn.__module__),
            "versions": versions(),
            "kw": canonical(kw, f"stage {name!r}"),
        }
        key = digest(about)
        folder = self.root / f"{_plain(name)}-{key[:24]}"
        if not _intact(folder):
            self.root.mkdir(parents=True, exist_ok=True)
            # The system gives a lock back when its holder dies, so the next one in line computes.
            with self._aside(), FileLock(self.root / f".{folder.name}.lock"):
                if not _intact(folder):
                    self._compute(folder, about, lambda: fn(**kw), seed=int(key[:8], 16))
        return _load(folder)  # what the first asker gets is what every later one gets

    def _compute(self, folder: Path, about: dict[str, Any], fn: Callable[[], Any], seed: int) -> None:
        start = time.perf_counter()
        with seeded_libraries(seed):
            value = fn()
        seconds = time.perf_counter() - start
        self.computed_seconds += seconds
        temporary = folder.with_name(f".{folder.name}.partial")
        _remove(temporary)  # left by a process that was killed here
        try:
            with named(folder):
                temporary.mkdir()
                file = _save(about["stage"], value, temporary)
                about = {**about, "seconds": seconds, "file": file.name, "sha256": _sha256(file)}
                (temporary / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
                _remove(folder)
                temporary.rename(folder)
        finally:
            _remove(temporary)  # of a full disk it would take the last bytes


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60]


def _remove(path: Path) -> None:
    """A folder, or what lies in its place; what cannot be removed is met again by who needs the place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _intact(folder: Path) -> bool:
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        inside = Path(about["file"]).name == about["file"]
        return bool(inside and _sha256(folder / about["file"]) == about["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _save(name: str, value: Any, folder: Path) -> Path:
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    parts = list(value.values()) if isinstance(value, dict) and all(isinstance(k, str) for k in value) else []
    if parts and torch is not None and all(isinstance(v, torch.Tensor) for v in parts):
        from safetensors.torch import save_file

        file = folder / "value.safetensors"
        save_file({k: v.detach().cpu().contiguous().clone() for k, v in value.items()}, file)
    elif parts and numpy is not None and all(isinstance(v, numpy.ndarray) and not v.dtype.hasobject for v in parts):
        file = folder / "value.npz"
        # Numbered, as names like "file" would be taken for arguments of savez.
        numpy.savez(file, names=numpy.array(list(value)), **{f"value{i}": v for i, v in enumerate(parts)})
    else:
        file = folder / "value.json"
        try:
            file.write_text(json.dumps(value), encoding="utf-8")
        except (TypeError, ValueError) as error:
            rule = "must return a dict of tensors, a dict of arrays of numbers or strings, or JSON"
            raise InputError(f"stage {name!r}", rule, str(error)) from error
    return file


def _load(folder: Path) -> Any:
    file = folder / json.loads((folder / ABOUT).read_text(encoding="utf-8"))["file"]
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    if file.suffix == ".npz":
        import numpy as np

        with np.load(file, allow_pickle=False) as arrays:
            return {str(name): arrays[f"value{i}"] for i, name in enumerate(arrays["names"])}
    return json.loads(file.read_text(encoding="utf-8"))
