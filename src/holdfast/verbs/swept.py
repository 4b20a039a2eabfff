"""What a command sweeps over: widths and rates as they are written on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.errors import InputError


def widths_of(text: str) -> list[int]:
    """Widths in ascending order from "64,128,256".

    Raises:
        InputError: something else.
    """
    return _numbers(text, "widths", int)


def rates_of(text: str) -> list[float]:
    """Rates in ascending order from "0.001,0.01", or the powers of two from "-12:-4".

    Raises:
        InputError: something else.
    """
    first, colon, last = text.partition(":")
    if not colon:
        return _numbers(text, "rates", float)
    try:
        lo, hi = int(first), int(last)
    except ValueError as e:
        raise InputError("rates", "must be FROM:TO in powers of two, such as -12:-4", text) from e
    if not -60 <= lo < hi <= 20:
        raise InputError("rates", "must rise, between -60 and 20", text)
    return [2.0**k for k in range(lo, hi + 1)]


def _numbers(text: str, name: str, kind: Callable[[str], Any]) -> list[Any]:
    try:
        found = sorted({kind(part) for part in text.split(",")})
    except ValueError as e:
        raise InputError(name, "must be numbers separated by commas", text) from e
    if not found[0] > 0:
        raise InputError(name, "must be positive", found[0])
    return found


__all__ = ["rates_of", "widths_of"]
