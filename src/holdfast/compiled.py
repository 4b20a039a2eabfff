"""Loops over numbers that numba compiles where it is installed, and Python runs where it is not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The loop as numba compiles it when first called; where numba is missing, the loop as it is."""

    @functools.cache
    def found() -> Callable[..., Any]:
        if find_spec("numba") is None:
            return loop
        import numba

        try:
            return numba.njit(cache=True, error_model="numpy")(loop)
        except RuntimeError:  # no folder to keep it in
            return numba.njit(error_model="numpy")(loop)

    @functools.wraps(loop)
    def run(*arguments: Any) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):
            return found()(*arguments)

    return run


__all__ = ["compiled"]
