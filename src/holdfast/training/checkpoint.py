"""Checkpoints of training: one safetensors file each, tensors plus a JSON description of how they are nested.

No pickle anywhere: a checkpoint from a stranger can be damaged, but it cannot run code. A file holds its own checksum,
is written under a temporary name, flushed to the disk and moved, so that a kill or a full disk leaves the last good
checkpoint in place.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from holdfast.errors import HoldfastError, InputError
from holdfast.files import check_regular, replacing
from holdfast.validation import check_integer

FORMAT = "holdfast-checkpoint-1"


# ---------------------------------------------------------------------------------------------------------- one file
def save_state(path: str | Path, state: Any) -> None:
    """Write a nested state to one safetensors file, whole or not at all.

    Args:
        path: the file; folders above it are made.
        state: dicts (keys: str, int, float, bool, None), lists, tuples, tensors, numbers, strings, booleans, None, in
            any nesting: what `state_dict()` of modules and optimisers gives. Tensors may be on any device and may
            share memory; they come back on the CPU, each with memory of its own.

    Raises:
        InputError: the state holds something else, named by its place in the nesting.
        HoldfastError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
        >>> save_state(path, {"momentum": {0: torch.ones(2)}, "betas": (0.9, 0.999)})
        >>> load_state(path)
        {'momentum': {0: tensor([1., 1.])}, 'betas': (0.9, 0.999)}
    """
    path = Path(path)
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_encode(state, "", tensors))
    metadata = {"format": FORMAT, "structure": text, "crc32": str(_checksum(text, tensors))}
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata=metadata)
        _flush_folder(path.parent)
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise HoldfastError(f"{path}: cannot be written ({reason}); free space or choose another folder") from error


def load_state(path: str | Path, remedy: str = "delete it or restore it from a copy") -> Any:
    """Read what `save_state` wrote.

    Args:
        path: the file.
        remedy: what the user should do if the file is damaged; ends the message.

    Raises:
        HoldfastError: the file is missing, truncated, altered, or not of this format.
    """
    path = Path(path)
    try:
        if path.exists():
            check_regular(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"not of format {FORMAT}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if int(metadata["crc32"]) != _checksum(metadata["structure"], tensors):
            raise ValueError("its checksum does not match its content")
        return _decode(json.loads(metadata["structure"]), tensors)
    except InputError as error:
        raise HoldfastError(f"{path}: not a checkpoint ({error.received}); {remedy}") from error
    except FileNotFoundError as error:
        raise HoldfastError(f"{path}: does not exist") from error
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise HoldfastError(f"{path}: damaged or not a checkpoint ({reason}); {remedy}") from error


def _encode(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON; tensors are put aside under their place ("optimizers/0/state/3/momentum_buffer")."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        name = place or "value"
        while name in tensors:  # keys that hold a slash can spell the place of another tensor
            name += "'"
        # A copy of its own: safetensors refuses memory that is shared (tied weights) or strided.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        if strange := [key for key in value if not (key is None or isinstance(key, bool | int | float | str))]:
            raise InputError(place or "state", "must have keys that are strings or numbers", strange[0])
        return {"dict": [[key, _encode(v, f"{place}/{key}".lstrip("/"), tensors)] for key, v in value.items()]}
    if isinstance(value, list | tuple):
        items = [_encode(v, f"{place}/{i}".lstrip("/"), tensors) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    rule = "must be made of dicts, lists, tuples, tensors, numbers, strings, booleans and None to be saved"
    raise InputError(place or "state", rule, type(value).__name__)


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "dict":
        return {key: _decode(v, tensors) for key, v in inner}
    if kind == "tuple":
        return tuple(_decode(v, tensors) for v in inner)
    raise ValueError(f"unknown kind {kind!r}")


def _checksum(text: str, tensors: dict[str, Tensor]) -> int:
    """CRC-32 of the structure and of every tensor's name, type, shape and bytes."""
    value = zlib.crc32(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        value = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), value)
        value = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, value)
    return value


def _flush_folder(folder: Path) -> None:
    """Make the move itself survive a power cut; only systems with POSIX folders can do it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# ---------------------------------------------------------------------------------------------------------- a series
@dataclass(frozen=True)
class Checkpoints:
    """Where and how often training saves its state.

    Attributes:
        dir: folder of the series; holds `step-<steps done>.safetensors` and nothing else of interest.
        every: steps between checkpoints; the last step is always saved.
        keep: how many are kept. At least 2, so that a damaged newest file costs `every` steps, not the run.

    Example:
        >>> import tempfile
        >>> series = Checkpoints(tempfile.mkdtemp(), every=10)
        >>> series.newest() is None
        True
        >>> series.write(10, {"w": 1.5})
        >>> series.newest(), series.read(10)
        (10, {'w': 1.5})
    """

    dir: str | Path
    every: int = 1000
    keep: int = 2

    def __post_init__(self) -> None:
        check_integer(self.every, "every", low=1)
        check_integer(self.keep, "keep", low=2)

    def of_process(self, rank: int) -> Checkpoints:
        """The series of one process: random states and running statistics differ between processes."""
        return self if rank == 0 else Checkpoints(Path(self.dir) / f"process-{rank}", self.every, self.keep)

    def path(self, step: int) -> Path:
        """File of the checkpoint after `step` steps."""
        return Path(self.dir) / f"step-{step:010d}.safetensors"

    def steps(self) -> list[int]:
        """Steps of the files present, in order."""
        return sorted(int(p.stem.removeprefix("step-")) for p in Path(self.dir).glob("step-" + "[0-9]" * 10 + ".*"))

    def newest(self) -> int | None:
        """The largest step there is a file for."""
        return max(self.steps(), default=None)

    def write(self, step: int, state: Any) -> None:
        """Save a state, then remove all but the newest `keep` files."""
        save_state(self.path(step), state)
        for old in (self.path(s) for s in self.steps()[: -self.keep]):
            with contextlib.suppress(FileNotFoundError):
                old.unlink()

    def read(self, step: int) -> Any:
        """Load the state after `step` steps.

        Raises:
            HoldfastError: the file is missing or damaged; says what a new start would continue from.
        """
        earlier = [s for s in self.steps() if s < step]
        then = f"continues from {self.path(earlier[-1]).name}" if earlier else "starts from the beginning"
        return load_state(self.path(step), remedy=f"delete it and run again: training then {then}")


__all__ = ["FORMAT", "Checkpoints", "load_state", "save_state"]
