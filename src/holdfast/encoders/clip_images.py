"""Features of image files through CLIP, some hundred at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from holdfast.data.readers.images import ImageFiles
from holdfast.encoders.clip import JointEncoder

CHUNK = 256
Box = tuple[float, float, float, float]


@torch.no_grad()
def features_of(
    clip: JointEncoder,
    paths: Sequence[Path],
    boxes: Sequence[Box] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """(N, d) features, not scaled, on the CPU.

    Args:
        clip: frozen; images come in its size (`pixels`).
        paths: of the images; their central squares are taken, or the boxes.
        boxes: a part of each, x1, y1, x2, y2 in pixels of the file; () = all of it.
        progress: called with (images done, images).
    """
    side, found = int(getattr(clip, "pixels", 224)), []
    for start in range(0, len(paths), CHUNK):
        part = slice(start, start + CHUNK)
        if boxes:
            images = torch.cat([_cut(p, box, side) for p, box in zip(paths[part], boxes[part], strict=True)])
        else:
            images = ImageFiles(paths[part], size=side, mode="RGB").read()
        found.append(clip.images(images).cpu())
        if progress is not None:
            progress(min(start + CHUNK, len(paths)), len(paths))
    return torch.cat(found)


def _cut(path: Path, box: Box, side: int) -> Tensor:
    """(1, 3, side, side) of a part of an image, stretched to a square."""
    left, top, right, bottom = (round(v) for v in box)
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB").crop((left, top, right, bottom)), np.float32) / 255
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return interpolate(image, (side, side), mode="bilinear", antialias=True, align_corners=False)


__all__ = ["features_of"]
