"""Comparisons and expectations that the generic checks are written with; failures are sentences."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from holdfast.validation import is_tensor


def to_numpy(x: Any) -> np.ndarray:
    """A tensor or array-like as a numpy array."""
    return x.detach().cpu().numpy() if is_tensor(x) else np.asarray(x)


def must_raise(kind: type[Exception], argument: str, action: Callable[[], Any], what: str = "this") -> None:
    """Assert that the action raises `kind`, and that an InputError is about `argument` (a prefix of its name)."""
    try:
        action()
    except kind as e:
        named = getattr(e, "argument", argument)
        if not named.startswith(argument):
            raise AssertionError(f"{what}: the error must name {argument}, it names {named}: {e}") from e
    except Exception as e:
        raise AssertionError(f"{what}: must raise {kind.__name__}, raised {type(e).__name__}: {e}") from e
    else:
        raise AssertionError(f"{what}: must raise {kind.__name__}, raised nothing")


def equal(a: Any, b: Any) -> bool:
    """Bit equality of nested dicts and sequences of arrays."""
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    a, b = to_numpy(a), to_numpy(b)
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def close(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    """Equality up to `tolerance` for numbers, equality for the rest."""
    if a.dtype.kind != "f":
        return equal(a, b)
    return a.shape == b.shape and np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def disturb_global_generators(seed: int) -> None:
    """Put the global generators of random, numpy and torch (where imported) into a known, different state."""
    import random

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the global generator is the point
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)
