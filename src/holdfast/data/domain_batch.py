"""One training batch of two domains, checked and laid out for a single pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_labels


@dataclass(frozen=True)
class DomainBatch:
    """Images of a batch in one tensor: labelled source, then labelled target, then unlabelled target.

    Example:
        >>> import torch
        >>> from holdfast.data.domain_batch import DomainBatch
        >>> x = torch.zeros(4, 1, 8, 8)
        >>> DomainBatch.of({"sx": x, "sy": torch.arange(4), "tx": torch.cat([x, x])}, num_classes=4).sizes
        [4, 0, 8]

    Attributes:
        images: `(B + L + T, C, H, W)`.
        labels: `(B + L,)` int64, of the rows before the unlabelled ones.
        source, extra, target: B, L and T. L is 0 unless some target rows are labelled.
    """

    images: Tensor
    labels: Tensor
    source: int
    extra: int
    target: int

    @property
    def labelled(self) -> int:
        """B + L."""
        return self.source + self.extra

    @property
    def sizes(self) -> list[int]:
        """[B, L, T], for `torch.split`."""
        return [self.source, self.extra, self.target]

    @classmethod
    def of(cls, batch: Mapping[str, Tensor], num_classes: int) -> DomainBatch:
        """From a dict of "sx" `(B, C, H, W)`, "sy" `(B,)`, "tx" `(T, C, H, W)` and optionally "lx" `(L, C, H, W)` with
        "ly" `(L,)`.

        Labels are checked here only if they are in host memory: reading them from a device would make it wait. There
        the kernel of the cross-entropy checks them.

        Raises:
            InputError: a part is missing; domains differ in channels or size; labels are outside [0, K) or not one per
                image.
        """
        if "tx" not in batch:
            raise InputError("batch", 'must have unlabelled images "tx"', sorted(batch))
        return cls._lay_out(batch, num_classes)

    @classmethod
    def labelled_part(cls, batch: Mapping[str, Tensor], num_classes: int) -> DomainBatch:
        """As `of`, without the unlabelled images."""
        return cls._lay_out({name: value for name, value in batch.items() if name != "tx"}, num_classes)

    @classmethod
    def _lay_out(cls, batch: Mapping[str, Tensor], num_classes: int) -> DomainBatch:
        for image, label in (("sx", "sy"), ("lx", "ly")):
            if (image in batch) != (label in batch) or (image == "sx" and image not in batch):
                raise InputError("batch", f'must have "{image}" together with "{label}"', sorted(batch))
        names = [name for name in ("sx", "lx", "tx") if name in batch]
        first = batch["sx"]
        for name in names:
            shape = batch[name].shape
            if len(shape) != 4:
                raise InputError(name, "must have shape (N, C, H, W)", tuple(shape))
            if shape[1] != first.shape[1]:
                raise InputError(name, f"must have as many channels as sx ({first.shape[1]})", shape[1])
            if shape[2:] != first.shape[2:]:
                raise InputError(name, f"must have images of the size of sx {tuple(first.shape[2:])}", tuple(shape[2:]))
        labels = batch["sy"] if "ly" not in batch else torch.cat([batch["sy"], batch["ly"]])
        size = {name: len(batch[name]) if name in batch else 0 for name in ("sx", "lx", "tx")}
        if len(labels) != size["sx"] + size["lx"]:
            raise InputError("labels", f"must be one per labelled image ({size['sx'] + size['lx']})", len(labels))
        if labels.device.type == "cpu":
            check_labels(labels, num_classes, "labels")
        images = first if len(names) == 1 else torch.cat([batch[name] for name in names])
        return cls(images, labels, size["sx"], size["lx"], size["tx"])
