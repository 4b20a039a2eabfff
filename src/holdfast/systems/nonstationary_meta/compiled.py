"""Access to the compiled loops, where numba is installed."""

from __future__ import annotations

import functools
from types import ModuleType


@functools.cache
def compiled() -> ModuleType | None:
    """The module `kernels`, or None without numba (`pip install 'holdfast[fast]'` brings it)."""
    try:
        from holdfast.systems.nonstationary_meta import kernels
    except ImportError:
        return None
    return kernels


__all__ = ["compiled"]
