"""Tokens as text and back: what a prompt is worth once somebody types it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from holdfast.baselines.token_search import Found


class Chosen(NamedTuple):
    """The prompt of a row that is best as text.

    Attributes:
        ids: (L,) its tokens.
        text: what they say.
        score: of the tokens themselves.
        retokenized: of the text, read again.
    """

    ids: Tensor
    text: str
    score: float
    retokenized: float


def choose(
    found: Found,
    decode: Callable[[Tensor], str],
    judge: Callable[[Sequence[str], Sequence[int]], Tensor],
    refused: Callable[[str], bool] = lambda text: False,
) -> list[Chosen | None]:
    """Of the best prompts of each row, the one that is best as text.

    Args:
        found: what a search handed back.
        decode: (L,) tokens to text.
        judge: texts, and the row of each, to losses (B,); infinite where a text cannot be read.
        refused: texts that may not be chosen.

    Returns:
        A choice for each row, with losses for scores; None where all were refused or could not be read.
    """
    rows, kept, texts = [], [], []
    for row in range(len(found.ids)):
        for k in range(found.ids.shape[1]):
            text = decode(found.ids[row, k])
            if bool(found.loss[row, k].isfinite()) and not refused(text):
                rows.append(row)
                kept.append(k)
                texts.append(text)
    losses = judge(texts, rows).tolist() if texts else []
    best: list[Chosen | None] = [None] * len(found.ids)
    for row, k, text, loss in zip(rows, kept, texts, losses, strict=True):
        known = best[row]
        if loss < float("inf") and (known is None or loss < known.retokenized):
            best[row] = Chosen(found.ids[row, k], text, float(found.loss[row, k]), loss)
    return best


def cosine_losses(vectors: Tensor, aims: Tensor, weight: float = 1.0) -> Tensor:
    """w (1 - cos): (B,).

    Args:
        vectors: (B, E), of any length.
        aims: (B, E) unit vectors; or means of several, and then the mean over their cosines.
        weight: w; negative to come away from the aims.
    """
    return weight * (1 - (torch.nn.functional.normalize(vectors, dim=-1) * aims).sum(-1))


__all__ = ["Chosen", "choose", "cosine_losses"]
