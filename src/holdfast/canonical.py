"""One JSON form for settings: what keys, plans and ledgers are made of."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from types import ModuleType
from typing import Any

from holdfast.errors import InputError

ADDED = "added after plans had been frozen"


def canonical(value: Any, name: str = "value") -> Any:
    """Settings as plain JSON: dataclasses become {"type": class name, fields...}, tuples and sets lists, paths strings.

    Args:
        value: numbers, strings, None, mappings, sequences, enums, paths, frozen dataclasses, types, functions (by
            qualified name), nested.
        name: used in the error.

    Raises:
        InputError: the value holds something whose identity JSON cannot express: an array, a lambda, a bound method,
            a mapping with both 1 and "1" as keys.

    Example:
        >>> canonical({"b": (1, 2), "a": None})
        {'a': None, 'b': [1, 2]}
    """
    if isinstance(value, enum.Enum):
        return canonical(value.value, name)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if not _as_before(value, f)}
        if "type" in fields:
            raise InputError(f"{name}.type", "is no name for a field: the class is kept under it", fields["type"])
        return {"type": type(value).__qualname__, **{k: canonical(v, f"{name}.{k}") for k, v in fields.items()}}
    if isinstance(value, Mapping):
        if len({str(k) for k in value}) < len(value):
            raise InputError(name, "must have keys that differ as strings", list(value))
        return {str(k): canonical(value[k], f"{name}.{k}") for k in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [canonical(v, f"{name}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted((canonical(v, name) for v in value), key=repr)
    if isinstance(value, PurePath):
        return str(value)
    if (path := qualified_name(value)) is not None:
        return path
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a number of numpy's or torch's
        return canonical(value.item(), name)
    rule = "must be made of numbers, strings, sequences, mappings, dataclasses and functions of a module"
    raise InputError(name, rule, type(value).__name__)


def added(default: Any) -> Any:
    """The default of a dataclass field that was added after plans had been frozen.

    At its default the field is left out of the JSON form, so that what was kept before there was such a field still
    says the same.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Arm:
        ...     name: str
        ...     points: int | None = added(None)
        >>> canonical(Arm("a")), canonical(Arm("a", 3))
        ({'type': 'Arm', 'name': 'a'}, {'type': 'Arm', 'name': 'a', 'points': 3})
    """
    return dataclasses.field(default=default, metadata={ADDED: True})


def _as_before(value: Any, field: dataclasses.Field[Any]) -> bool:
    return bool(field.metadata.get(ADDED)) and getattr(value, field.name) == field.default


def qualified_name(value: Any) -> str | None:
    """ "module:name" of a class or function that can be imported under it, None for anything else.

    A lambda or inner function has no such name, and a bound method is more than its name says.

    Example:
        >>> qualified_name(json.dumps), qualified_name({}.get)
        ('json:dumps', None)
    """
    name, owner = getattr(value, "__qualname__", ""), getattr(value, "__self__", None)
    if not name or "<" in name or not (owner is None or isinstance(owner, ModuleType)):
        return None
    return f"{value.__module__}:{name}"


def dumps(value: Any) -> str:
    """The canonical form as one line of JSON, keys sorted."""
    return json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of `dumps(value)`."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with the digest of itself.

    Example:
        >>> is_intact(sealed({"a": 1})), is_intact({**sealed({"a": 1}), "a": 2})
        (True, False)
    """
    return {**content, "digest": digest(content)}


def is_intact(content: Mapping[str, Any]) -> bool:
    """Whether content is what was sealed."""
    return content.get("digest") == digest({k: v for k, v in content.items() if k != "digest"})
