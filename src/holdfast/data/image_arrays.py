"""Images as users have them in memory, brought to the one form that methods work on: (N, C, H, W) in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import as_array, check_array, is_tensor


def images_from_array(x: np.ndarray, name: str) -> np.ndarray:
    """Images in any usual layout as (N, C, H, W) float32 in [0, 1]; whole numbers are divided by 255.

    Raises:
        InputError: not 3 or 4 axes, channels neither 1 nor 3, values outside 0 .. 255 or 0 .. 1.
    """
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise InputError(name, "must have shape (N, H, W), (N, C, H, W) or (N, H, W, C), C 1 or 3", f"shape {x.shape}")
    if x.dtype.kind in "iu":
        return check_array(x, "N C H W", name=name, low=0, high=255).astype(np.float32) / 255
    return check_array(x, "N C H W", name=name, low=0, high=1, dtype="float32")


def as_images(x: Any, name: str, sizes: dict[str, int]) -> Tensor:
    """Images as float32 `(N, C, H, W)` in [0, 1] on the CPU.

    Args:
        x: `(N, C, H, W)` or `(N, H, W)`, floating-point in [0, 1] or uint8.
        name: what the user calls them.
        sizes: C, H and W bound so far; must match.

    Raises:
        InputError: another shape, type, size or range, NaN, or no images.
    """
    array = as_array(x, name)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4 and array.shape[1] > 4 and array.shape[3] in (1, 3):
        raise InputError(name, "must have channels first: shape (N, C, H, W)", f"shape {tuple(array.shape)}")
    byte, bound = str(array.dtype).endswith("uint8"), dict(sizes)
    check_array(array, "N C H W", name=name, dtype="integer" if byte else "floating", sizes=bound)
    if not byte:
        array = check_array(array, "N C H W", name=name, dtype="float32", low=0, high=1)
    del bound["N"]
    sizes.update(bound)
    if not is_tensor(array):
        array = np.require(array, requirements=["C", "W"])  # torch takes neither negative strides nor read-only memory
    tensor = torch.as_tensor(array).detach().to("cpu", torch.float32)
    return tensor.div_(255) if byte else tensor


__all__ = ["as_images", "images_from_array"]
