"""Labelled images that encoders are trained on and applied to: in memory, or files decoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches, BatchSource, LoaderBatches
from holdfast.data.readers.images import ImageFiles
from holdfast.errors import InputError
from holdfast.training.inference import forward_in_batches


@dataclass(frozen=True, eq=False)
class ImageArray:
    """Images in memory, with the interface of `holdfast.data.readers.images.ImageFiles`.

    Attributes:
        pixels: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def subset(self, indices: Sequence[int] | Tensor) -> ImageArray:
        """Only these images, in this order."""
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        return ImageArray(self.pixels[chosen], self.labels[chosen])

    def read(self, indices: Sequence[int] | None = None) -> Tensor:
        """The pixels of some images, or of all."""
        return self.pixels if indices is None else self.pixels[torch.as_tensor(indices, dtype=torch.int64)]


Images = ImageArray | ImageFiles


def labels_of(images: Images) -> Tensor:
    """(N,) int64.

    Raises:
        InputError: the images have none.
    """
    if images.labels is None:
        raise InputError("images", "must have labels", "a flat folder")
    return images.labels


def of_classes(images: Images, count: int) -> Images:
    """The images of the classes 0 .. count - 1, in their order: what a model saw that was trained before the others."""
    return images.subset(torch.nonzero(labels_of(images) < count).squeeze(1))


def image_batches(images: Images, size: int, seed: int, workers: int = 0) -> BatchSource:
    """Endless shuffled batches {"x": (size, C, H, W), "y": (size,)}; files are decoded in worker processes."""
    size = min(size, len(images))
    if isinstance(images, ImageArray):
        return Batches({"x": images.pixels, "y": images.labels}, size, seed)
    return LoaderBatches(images, size, seed, workers=workers, collate=_as_batch)


def embed(encoder: nn.Module, images: Images, size: int = 512) -> Tensor:
    """(N, D) float32 on the CPU: the encoder in evaluation mode on all images, `size` in memory at a time."""
    parts = (range(start, min(start + size, len(images))) for start in range(0, len(images), size))
    return torch.cat([forward_in_batches(encoder, images.read(part), size).cpu() for part in parts])


def _as_batch(items: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {"x": torch.stack([x for x, _ in items]), "y": torch.stack([y for _, y in items])}


__all__ = ["ImageArray", "Images", "embed", "image_batches", "labels_of", "of_classes"]
