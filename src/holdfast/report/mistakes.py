"""A picture of what a classifier gets wrong."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

COLUMNS, MOST, SIDE = 8, 16, 64


def draw_mistakes(path: Path, images: Tensor, labels: Tensor, logits: Tensor, classes: tuple[str, ...]) -> str:
    """Write a sheet of the most confident mistakes and say in words what each was taken for.

    Args:
        path: of the PNG file.
        images: `(N, C, H, W)` in [0, 1], C = 1 or 3.
        labels: `(N,)`.
        logits: `(N, K)`.
        classes: K names.

    Returns:
        A caption that lists, row by row, true class and prediction; the sheet has at most 16 images, 8 to a row.
    """
    confidence, predicted = logits.float().softmax(1).max(1)
    wrong = torch.nonzero(predicted != labels).squeeze(1)
    chosen = wrong[confidence[wrong].argsort(descending=True)][:MOST]
    rows = max(1, -(-len(chosen) // COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * SIDE), "white")
    said = []
    for place, i in enumerate(chosen.tolist()):
        pixels = (images[i].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        tile = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
        row, column = divmod(place, COLUMNS)
        sheet.paste(tile.resize((SIDE - 4, SIDE - 4), Image.Resampling.NEAREST), (column * SIDE + 2, row * SIDE + 2))
        said.append(f"{classes[int(labels[i])]} taken for {classes[int(predicted[i])]}")
    sheet.save(path)
    share = f"{len(wrong)} of {len(labels)} test images are wrong"
    return f"{share}; the most confident mistakes, row by row: {', '.join(said)}" if said else share


__all__ = ["draw_mistakes"]
