"""Access to the compiled loops, where numba is installed."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from types import ModuleType


@functools.cache
def compiled() -> ModuleType | None:
    """The module `kernels`, or None without numba (`pip install 'holdfast[fast]'` brings it)."""
    if find_spec("numba") is None:
        return None
    from holdfast.systems.nonstationary_meta.tool import kernels

    return kernels


__all__ = ["compiled"]
