"""Which devices there are, and how many threads work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from holdfast.errors import InputError


def check_device(device: str | torch.device, name: str = "device") -> torch.device:
    """A device that torch knows and this machine has.

    Example:
        >>> from holdfast.devices import check_device
        >>> check_device("cpu")
        device(type='cpu')
        >>> check_device("gpu")
        Traceback (most recent call last):
        holdfast.errors.InputError: device: must be "cpu", "cuda", "cuda:1", ... or "mps"; received gpu
    """
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(name, 'must be "cpu", "cuda", "cuda:1", ... or "mps"', str(device)) from error
    present = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (place.index or 0) >= present.get(place.type, 0):
        raise InputError(name, "must be available on this machine (`holdfast doctor` lists devices)", str(device))
    return place


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """That many threads for torch's work on the CPU; as before on exit."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


__all__ = ["check_device", "torch_threads"]
