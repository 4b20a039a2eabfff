"""Declarations say in their annotations what their fields hold; this holds them to it.

Python does not, and a wrong field would be noticed hours later, in the middle of a run, by whatever trips over it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import Any

from holdfast.errors import InputError

Rule = tuple[Callable[[Any], bool], str]


def check_fields(owner: Any, prefix: str = "") -> None:
    """Raise InputError, naming the field, unless every simply annotated field of a dataclass holds what it says.

    Args:
        owner: the dataclass instance. Annotations other than those of texts, numbers, flags, names and mappings (and
            those that are not written as text) are passed over.
        prefix: of the names in errors.

    Example:
        >>> from holdfast.experiment import Scale
        >>> check_fields(Scale(threads="two"), "scale 'demo': ")
        Traceback (most recent call last):
        holdfast.errors.InputError: scale 'demo': threads: must be a whole number; received two
    """
    for field in dataclasses.fields(owner):
        rule = RULES.get(field.type) if isinstance(field.type, str) else None
        value = getattr(owner, field.name)
        if rule is not None and not rule[0](value):
            raise InputError(f"{prefix}{field.name}", f"must be {rule[1]}", value)


def check_kind(value: Any, kind: type, name: str) -> None:
    """Raise InputError unless the value is of a class."""
    if not isinstance(value, kind):
        raise InputError(name, f"must be a {kind.__name__}", value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_text, value))


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _maps_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


def _optional(rule: Rule) -> Rule:
    return lambda value: value is None or rule[0](value), f"{rule[1]} or None"


_TEXT: Rule = (_is_text, "a text")
_WHOLE: Rule = (_is_whole, "a whole number")
_NUMBER: Rule = (_is_number, "a finite number")
_NAMES: Rule = (_are_texts, "a tuple of names")
RULES: dict[str, Rule] = {
    "str": _TEXT,
    "str | None": _optional(_TEXT),
    "int": _WHOLE,
    "int | None": _optional(_WHOLE),
    "float | None": _optional(_NUMBER),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "bool | None": _optional((lambda value: isinstance(value, bool), "True or False")),
    "tuple[str, ...]": _NAMES,
    "tuple[str, ...] | None": _optional(_NAMES),
    "str | tuple[str, ...]": (lambda value: _is_text(value) or _are_texts(_as_tuple(value)), "a name or several"),
    "Mapping[str, Any]": (_maps_texts, "a mapping from names"),
    "Mapping[str, Sequence[Any]]": (_maps_texts, "a mapping from names"),
}

__all__ = ["check_fields", "check_kind"]
