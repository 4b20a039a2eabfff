"""Image files as rows of a source of batches: for sets that do not fit in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from holdfast.data.readers.images import ImageFiles


class ImageRows(Dataset[dict[str, Tensor]]):
    """Items {"x": (3, side, side) float32 in [0, 1]}, decoded when asked for, for `LoaderBatches`.

    Args:
        paths: the files; side: pixels that they are brought to.
    """

    def __init__(self, paths: Sequence[Path], side: int) -> None:
        self.files = ImageFiles(paths, size=side, mode="RGB")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {"x": self.files[i]}


__all__ = ["ImageRows"]
