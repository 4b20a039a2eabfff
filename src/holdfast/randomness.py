"""Seeds and states of the global random generators (python, numpy, torch CPU, and the CUDA device in use).

numpy's legacy generator is among them on purpose: it is what libraries draw from when they are given no generator.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def derived_seed(*parts: int | str) -> int:
    """A 63-bit seed made of numbers and words, hashed so that neighbouring parts give unrelated seeds.

    Example:
        >>> derived_seed(0, "epoch", 1) == derived_seed(0, "epoch", 1) != derived_seed(0, "epoch", 2)
        True
    """
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def global_states(device: torch.device | None = None) -> dict[str, Any]:
    """The states of the global generators, as nested dicts, tuples, numbers and tensors (nothing needs pickle).

    Args:
        device: a CUDA device whose generator belongs to the state too; other devices add nothing.
    """
    kind, mt, *rest = np.random.get_state()  # noqa: NPY002
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.array(mt, dtype=np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    if device is not None and device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_global_states(states: dict[str, Any], device: torch.device | None = None) -> None:
    """Put the global generators into the states that `global_states` gave."""
    kind, mt, *rest = states["numpy"]
    random.setstate(states["python"])
    np.random.set_state((kind, mt.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if device is not None and device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global generators for the block and give them back as they were afterwards.

    Args:
        seed: what the block draws depends on it alone; python, numpy and torch get unrelated streams.
        device: a CUDA device whose generator is seeded too. Generators of other devices are left alone.

    Example:
        >>> with seeded(3):
        ...     first = torch.rand(2)
        >>> with seeded(3):
        ...     bool((torch.rand(2) == first).all())
        True
    """
    before = global_states(device)
    random.seed(derived_seed(seed, "python"))
    np.random.seed(derived_seed(seed, "numpy") % 2**32)  # noqa: NPY002
    # Not torch.manual_seed: it would also reseed the devices that are not in `before`.
    torch.default_generator.manual_seed(derived_seed(seed, "torch"))
    if device is not None and device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(derived_seed(seed, "cuda"))
    try:
        yield
    finally:
        set_global_states(before, device)


__all__ = ["derived_seed", "global_states", "seeded", "set_global_states"]
