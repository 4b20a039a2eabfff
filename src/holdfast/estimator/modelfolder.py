"""The folder a fitted model is kept in: `config.json`, `model.safetensors` and a model card `README.md`.

Nothing in the folder is executable: settings are JSON, numbers are safetensors, models of other libraries are in
formats of these that hold no code (`foreign_models`), scikit-learn's read against a list of trusted types. A model file
from a stranger must not run code, so there is no pickle, and decoding makes no other objects than frozen dataclasses of
packages that the estimator names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from holdfast import files
from holdfast.canonical import is_intact, sealed
from holdfast.errors import HoldfastError, InputError
from holdfast.estimator.foreign_models import SUFFIXES, Format, format_called, format_of
from holdfast.files import read_json, write_json, write_text
from holdfast.validation import is_tensor

FORMAT = 1
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
OURS = {CONFIG, WEIGHTS, CARD}
AS_SAVED = "must be as it was saved: it is damaged or was edited; restore it from a copy or fit again"


class Given:
    """Stands for an init argument that cannot be stored (a module, a function) and must be given again to `load`."""

    def __init__(self, description: str) -> None:
        self.description = description


# ------------------------------------------------------------------------------------------------------------- encoding
class Encoder:
    """Turns values into JSON and collects the arrays and models of other libraries met on the way.

    Args:
        packages: top-level packages whose frozen dataclasses may be stored, those that decoding will allow.
        trusted: type names allowed inside scikit-learn models, those that decoding will allow.

    Attributes:
        tensors: name -> torch tensor or numpy array, for the safetensors file.
        foreign: file name -> (how it is kept, model of another library).
    """

    def __init__(self, packages: tuple[str, ...], trusted: tuple[str, ...] = ()) -> None:
        self._packages, self.trusted = packages, trusted
        self.tensors: dict[str, Any] = {}
        self.foreign: dict[str, tuple[Format, Any]] = {}

    def encode(self, value: Any, name: str) -> Any:
        """`value` as JSON; `name` is its path ("init.backbone", "learned.classes_").

        Raises:
            InputError: a value that has no safe form.
        """
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"$float": repr(value)}
        if isinstance(value, np.generic):
            return self.encode(value.item(), name)
        if isinstance(value, np.ndarray) or is_tensor(value):
            return self._array(value, name)
        if isinstance(value, Mapping):
            items = [[self.encode(k, name), self.encode(v, f"{name}.{k}")] for k, v in value.items()]
            plain = all(isinstance(k, str) and not k.startswith("$") for k in value)
            return dict(items) if plain else {"$items": items}
        if isinstance(value, list | tuple):
            members = [self.encode(v, f"{name}.{i}") for i, v in enumerate(value)]
            return members if isinstance(value, list) else {"$tuple": members}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, name)
        if _is_module(value):
            if not name.startswith("learned.") or name.count(".") > 1:
                rule = "must not hold a torch module to be saved; a module is stored as a learned attribute of its own"
                raise InputError(name, rule, type(value).__qualname__)
            self.tensors |= {f"{name}/{key}": tensor for key, tensor in value.state_dict().items()}
            return {"$module": name}
        if (kept := format_of(value)) is not None:
            file = self._file(name, kept.suffix)
            self.foreign[file] = kept, value
            return {kept.tag: file}
        raise InputError(name, "must be made of numbers, strings, arrays and frozen dataclasses to be saved", value)

    def _file(self, name: str, suffix: str) -> str:
        """A new name for a file of the folder: keys of mappings are the user's, and may be paths."""
        plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:100]
        number = 0
        while (file := f"{plain}-{number}{suffix}" if number else f"{plain}{suffix}") in self.foreign:
            number += 1
        return file

    def _array(self, value: Any, name: str) -> Any:
        if is_tensor(value):
            self.tensors[name] = value
            return {"$tensor": name}
        if value.dtype.kind == "U":
            return {"$strings": value.tolist()}
        if value.dtype.kind not in "biuf":
            raise InputError(name, "must be an array of numbers or strings to be saved", f"dtype {value.dtype}")
        self.tensors[name] = value
        return {"$array": name}

    def _dataclass(self, value: Any, name: str) -> Any:
        kind = type(value)
        if not kind.__dataclass_params__.frozen or "<" in kind.__qualname__:
            raise InputError(name, "must be a frozen dataclass defined in a module to be saved", kind.__qualname__)
        if kind.__module__.split(".")[0] not in self._packages:
            allowed = " or ".join(self._packages)
            raise InputError(name, f"must be a type of {allowed} to be saved", f"{kind.__module__}.{kind.__qualname__}")
        fields = {f.name: self.encode(getattr(value, f.name), f"{name}.{f.name}") for f in _init_fields(kind)}
        return {"$type": f"{kind.__module__}:{kind.__qualname__}", "fields": fields}


def _init_fields(kind: Any) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(kind) if f.init]


def _is_module(value: Any) -> bool:
    nn = sys.modules.get("torch.nn")
    return nn is not None and isinstance(value, nn.Module)


# ------------------------------------------------------------------------------------------------------------- decoding
class Decoder:
    """Turns JSON made by `Encoder` back into values.

    Args:
        folder: where the arrays are.
        packages: top-level packages whose frozen dataclasses may be made.
        trusted: type names allowed inside scikit-learn models, besides those skops trusts by itself.
        moved: "module:name" of types as they were saved -> as they are now.
    """

    def __init__(
        self,
        folder: Path,
        packages: tuple[str, ...],
        trusted: tuple[str, ...] = (),
        moved: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._folder, self._packages, self._trusted, self._moved = folder, packages, trusted, moved

    def decode(self, value: Any, name: str) -> Any:
        """The value; a module comes back as its state dict, which the estimator loads into a module it built itself.

        Raises:
            InputError: a damaged or foreign file, or a type that is not allowed.
        """
        if isinstance(value, list):
            return [self.decode(v, name) for v in value]
        if not isinstance(value, dict):
            return value
        tag = next((key for key in value if key.startswith("$")), None)
        if tag is None:
            return {k: self.decode(v, f"{name}.{k}") for k, v in value.items()}
        inner = value[tag]
        if tag == "$type":
            return self._dataclass(inner, value.get("fields", {}), name)
        decoders = {
            "$float": lambda: float(inner),
            "$tuple": lambda: tuple(self.decode(inner, name)),
            "$items": lambda: {self.decode(k, name): self.decode(v, name) for k, v in inner},
            "$strings": lambda: np.asarray(inner, dtype=str),
            "$array": lambda: self._tensors("numpy", [inner])[inner],
            "$tensor": lambda: self._tensors("pt", [inner])[inner],
            "$module": lambda: self._state(inner),
            "$given": lambda: Given(inner),
        }
        if (kept := format_called(tag)) is not None:
            return self._foreign(kept, inner, name)
        if tag not in decoders:
            raise InputError(f"{self._folder / CONFIG}: {name}", "must be of a kind this version knows", tag)
        return decoders[tag]()

    def _dataclass(self, path: str, fields: dict[str, Any], name: str) -> Any:
        path = self._moved.get(path, path)
        module, _, qualname = path.partition(":")
        if module.split(".")[0] not in self._packages:
            allowed = " or ".join(self._packages)
            raise InputError(f"{self._folder / CONFIG}: {name}", f"must be a type of {allowed}", path)
        try:
            kind: Any = importlib.import_module(module)
            for part in qualname.split("."):
                kind = getattr(kind, part)
        except (ImportError, AttributeError) as e:
            raise InputError(f"{self._folder / CONFIG}: {name}", f"must be a type that exists ({e})", path) from e
        # __module__ is compared too: a name merely imported into an allowed module is not that module's own.
        own = isinstance(kind, type) and kind.__module__ == module and dataclasses.is_dataclass(kind)
        if not own or not kind.__dataclass_params__.frozen:
            raise InputError(f"{self._folder / CONFIG}: {name}", "must be a frozen dataclass", path)
        known = {f.name for f in _init_fields(kind)}
        if unknown := set(fields) - known:
            raise InputError(f"{self._folder / CONFIG}: {name}", f"must have only fields of {path}", sorted(unknown))
        return kind(**{key: self.decode(v, f"{name}.{key}") for key, v in fields.items()})

    def _names(self) -> list[str]:
        with self._open("numpy") as file:
            return list(file.keys())

    def _tensors(self, framework: str, names: list[str]) -> dict[str, Any]:
        with self._open(framework) as file:
            if missing := set(names) - set(file.keys()):
                raise InputError(str(self._folder / WEIGHTS), "must hold every array of config.json", sorted(missing))
            return {name: file.get_tensor(name) for name in names}

    def _state(self, prefix: str) -> dict[str, Any]:
        names = [name for name in self._names() if name.startswith(f"{prefix}/")]
        return {name.removeprefix(f"{prefix}/"): t for name, t in self._tensors("pt", names).items()}

    @contextmanager
    def _open(self, framework: str) -> Iterator[Any]:
        from safetensors import SafetensorError, safe_open

        path = self._folder / WEIGHTS
        files.check_regular(path)
        try:
            with safe_open(path, framework=framework) as file:
                yield file
        except (OSError, SafetensorError) as e:
            raise InputError(str(path), "must be a whole safetensors file", str(e)) from e

    def _foreign(self, kept: Format, file: str, name: str) -> Any:
        if Path(file).name != file:
            raise InputError(f"{self._folder / CONFIG}: {name}", "must name a file of the model folder", file)
        return kept.load(self._folder / file, self._trusted)


# -------------------------------------------------------------------------------------------------------------- folders
def write(folder: Path, config: dict[str, Any], encoder: Encoder, card: str) -> None:
    """Write a model folder whole or not at all.

    Raises:
        InputError: `folder` exists and holds something else than a model of ours, which is then left alone.
    """
    from safetensors import SafetensorError

    with replacing_folder(folder) as new:
        try:
            _write_tensors(new / WEIGHTS, encoder.tensors)
        except SafetensorError as e:  # how it tells of a full disk
            raise HoldfastError(f"{folder}: cannot be written ({e}); free space and save again") from e
        for name, (kept, model) in encoder.foreign.items():
            kept.save(model, new / name, encoder.trusted)
        sums = {path.name: _sha256(path) for path in sorted(new.iterdir())}
        write_json(new / CONFIG, sealed({"format": FORMAT, **config, "sha256": sums}))
        write_text(new / CARD, card)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder; it takes the place of the model at `folder` when the block ends well.

    Raises:
        InputError: `folder` exists and is neither empty nor a model folder.
        OSError: the model cannot be written; the earlier one is in place.
    """
    check_replaceable(Path(folder))
    with files.replacing_folder(Path(folder)) as new:
        yield new


def check_replaceable(folder: Path) -> None:
    """Refuse to write a model over anything that is not a model folder or empty."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(str(folder), "must be a folder for the model, not a file")
    strange = sorted(p.name for p in folder.iterdir() if p.name not in OURS and p.suffix not in SUFFIXES)
    if strange:
        raise InputError(str(folder), "must be new, empty or a saved model", f"a folder with {', '.join(strange[:5])}")


def _write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    if any(is_tensor(t) for t in tensors.values()):
        import torch
        from safetensors.torch import save_file

        # Cloned one by one: safetensors refuses tensors that share memory (tied weights, views).
        copies = {
            name: (t.detach() if is_tensor(t) else torch.from_numpy(np.array(t))).to("cpu").contiguous().clone()
            for name, t in tensors.items()
        }
        save_file(copies, path)
    else:
        from safetensors.numpy import save_file as save_arrays

        save_arrays({name: np.array(a, order="C") for name, a in tensors.items()}, path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(folder: Path) -> dict[str, Any]:
    """The configuration of a model folder.

    Raises:
        InputError: not a model folder, or a format this version does not know.
    """
    folder = Path(folder)
    if not folder.exists():
        files.put_back(folder)
    if not (folder / CONFIG).is_file():
        raise InputError(str(folder), f"must be a folder with a saved model ({CONFIG} is missing)")
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict) or config.get("library") != "holdfast":
        raise InputError(str(folder / CONFIG), "must describe a holdfast model", "another kind of file")
    if config.get("format") != FORMAT:
        received = f"format {config.get('format')} written by holdfast {config.get('version')}"
        raise InputError(str(folder), f"must be of model format {FORMAT}; use the version that wrote it", received)
    return config


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Tell of whatever goes wrong in the block as of a damaged model."""
    try:
        yield
    except HoldfastError:
        raise
    except Exception as e:  # forged settings can go wrong anywhere in what is built from them
        raise InputError(str(folder / CONFIG), AS_SAVED, repr(e)) from e


def check_intact(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a model whose settings or numbers are not what was saved: nothing else would tell of a flipped bit.

    Raises:
        InputError: a file of the folder is missing or was changed since.
    """
    sums = config.get("sha256")
    if not is_intact(config) or not isinstance(sums, dict):
        raise InputError(str(folder / CONFIG), AS_SAVED)
    for name, wanted in sums.items():
        path = folder / Path(name).name
        if not path.is_file() or _sha256(path) != wanted:
            raise InputError(str(path), AS_SAVED)
