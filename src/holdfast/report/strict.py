"""Results as JSON that every program can read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.report import wording


def strict_json(document: Any) -> str:
    """Nested data as indented JSON; NaN and infinities become null, what JSON does not know its text.

    Example:
        >>> strict_json({"a": float("nan"), "b": (1, 2)}).split()
        ['{', '"a":', 'null,', '"b":', '[', '1,', '2', ']', '}']
    """
    return json.dumps(_plain(document), indent=1, allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Nested data with only what JSON knows."""
    value = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {wording.clean(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return wording.clean(value)
