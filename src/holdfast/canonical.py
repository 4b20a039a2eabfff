"""One JSON form for settings: what keys, plans and ledgers are made of."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from holdfast.errors import InputError


def canonical(value: Any, name: str = "value") -> Any:
    """Settings as plain JSON: dataclasses become {"type": class name, fields...}, tuples and sets lists, paths strings.

    Args:
        value: numbers, strings, None, mappings with string keys, sequences, enums, paths, frozen dataclasses, types,
            functions (by qualified name), nested.
        name: used in the error.

    Raises:
        InputError: the value holds something whose identity JSON cannot express (a tensor, a lambda).

    Example:
        >>> canonical({"b": (1, 2), "a": None})
        {'a': None, 'b': [1, 2]}
    """
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.repr}
        return {"type": type(value).__qualname__, **{k: canonical(v, f"{name}.{k}") for k, v in fields.items()}}
    if isinstance(value, Mapping):
        return {str(k): canonical(value[k], f"{name}.{k}") for k in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [canonical(v, f"{name}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted((canonical(v, name) for v in value), key=repr)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, enum.Enum):
        return canonical(value.value, name)
    qualified = getattr(value, "__qualname__", "")
    if qualified and "<" not in qualified:
        return f"{value.__module__}:{qualified}"
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return canonical(value.item(), name)
    raise InputError(
        name, "must be made of numbers, strings, sequences, mappings and dataclasses", type(value).__name__
    )


def dumps(value: Any) -> str:
    """The canonical form as one line of JSON, keys sorted."""
    return json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of `dumps(value)`."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()
