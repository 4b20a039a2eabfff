"""Named streams of randomness: the same (replicate, name) gives the same numbers in every arm and on every worker."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from holdfast.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch


class Streams:
    """Streams of one trial.

    Args:
        replicate: number of the replicate; None for a deterministic arm, which may not draw at all.
        reseed: `Arm.reseed`; enters every stream except those whose name starts with "split", so that a reseeded
            arm sees the same data as the others but its own initialisation, batches and augmentation.

    Example:
        >>> from holdfast.trials.streams import Streams
        >>> a, b = Streams(1000).rng("init"), Streams(1000).rng("init")
        >>> bool(a.random() == b.random())
        True
    """

    def __init__(self, replicate: int | None, reseed: int = 0) -> None:
        self._replicate, self._reseed = replicate, reseed

    def seed(self, name: str) -> int:
        """A 63-bit seed for the stream. Hashed, so that neighbouring replicates are unrelated."""
        if self._replicate is None:
            raise InputError("arm", "is declared deterministic and may not draw random numbers", f"stream {name!r}")
        salt = 0 if name.startswith("split") else self._reseed
        digest = hashlib.sha256(f"{self._replicate}|{name}|{salt}".encode()).digest()
        return int.from_bytes(digest[:8], "little") >> 1

    def rng(self, name: str) -> np.random.Generator:
        """A numpy generator at the start of the stream. Asking twice gives the same numbers twice."""
        import numpy as np

        return np.random.default_rng(self.seed(name))

    def generator(self, name: str, device: str | torch.device = "cpu") -> torch.Generator:
        """A torch generator at the start of the stream, on the given device."""
        import torch

        return torch.Generator(device=device).manual_seed(self.seed(name))


@contextmanager
def seeded_libraries(seed: int) -> Iterator[None]:
    """Seed the global generators for code that draws from them, and give them back as they were.

    Those of random and, where they are imported, of numpy and torch (on all devices in use). Unlike
    `holdfast.randomness.seeded` this does not import torch.
    """
    with ExitStack() as before:
        before.callback(random.setstate, random.getstate())
        random.seed(seed)
        if (numpy := sys.modules.get("numpy")) is not None:
            before.callback(numpy.random.set_state, numpy.random.get_state())
            numpy.random.seed(seed % 2**32)
        if (torch := sys.modules.get("torch")) is not None:
            used = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
            before.enter_context(torch.random.fork_rng(used))
            torch.manual_seed(seed)
        yield
