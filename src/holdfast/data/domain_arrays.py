"""What an estimator for domain adaptation is given, checked: labelled images, others, a few labelled ones of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.image_arrays import as_images
from holdfast.errors import InputError
from holdfast.estimator.labels import encode_labels
from holdfast.validation import check_integer, check_same_length


@dataclass(frozen=True, eq=False)
class DomainArrays:
    """Images (N, C, H, W) float32 in [0, 1], and labels as indices of the classes.

    Attributes:
        source: labelled images.
        labels: (N,) theirs.
        target: images without labels, (M, C, H, W).
        labelled: a few target images and their labels, or None.
        classes: (K,) as the user calls them, in ascending order.
    """

    source: Tensor
    labels: np.ndarray
    target: Tensor
    labelled: tuple[Tensor, Tensor] | None
    classes: np.ndarray

    @classmethod
    def of(
        cls, source: tuple[Any, Any], Xt: Any, few: tuple[Any, Any], *, num_classes: int | None, batch: int, uratio: int
    ) -> DomainArrays:
        """Check what a user gives.

        Args:
            source: images and labels; errors call them Xs and ys.
            Xt: target images, at least uratio * batch of them.
            few: target images and labels, Xt_labeled and yt_labeled, or None and None.
            num_classes: K, where labels are 0 .. K - 1; None = the classes that occur.
            batch: source images per step.
            uratio: target images for each of them.

        Raises:
            InputError: names the argument.
        """
        sizes: dict[str, int] = {}
        images, target = as_images(source[0], "Xs", sizes), as_images(Xt, "Xt", sizes)
        labels, classes = _labels(source[1], num_classes)
        check_same_length(Xs=images, ys=labels)
        if len(target) < uratio * batch:
            rule = f"must have at least uratio * batch = {uratio * batch} images; use more or a smaller batch"
            raise InputError("Xt", rule, len(target))
        return cls(images, labels, target, _labelled(*few, classes, sizes), classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.source.shape[1], self.source.shape[2], self.source.shape[3]


def _labels(ys: Any, num_classes: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Class indices of ys, and the classes."""
    labels, found = encode_labels(ys, name="ys")
    if num_classes is None:
        return labels, found
    k = check_integer(num_classes, "num_classes", low=2)
    if found.dtype.kind == "U":
        if k != len(found):
            raise InputError("num_classes", f"must be the number of different names in ys ({len(found)}) or None", k)
        return labels, found
    return encode_labels(ys, name="ys", classes=np.arange(k))


def _labelled(x: Any, y: Any, classes: np.ndarray, sizes: dict[str, int]) -> tuple[Tensor, Tensor] | None:
    if (x is None) != (y is None):
        name = "Xt_labeled" if x is None else "yt_labeled"
        raise InputError(name, "must be given together with the other of Xt_labeled and yt_labeled", None)
    if x is None:
        return None
    labels, _ = encode_labels(y, name="yt_labeled", classes=classes)
    x = as_images(x, "Xt_labeled", sizes)
    check_same_length(Xt_labeled=x, yt_labeled=labels)
    return x, torch.from_numpy(labels)


__all__ = ["DomainArrays"]
