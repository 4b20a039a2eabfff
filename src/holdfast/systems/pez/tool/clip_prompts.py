"""The text tower of a CLIP on the disk, reading embeddings of prompts between its two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.encoders.clip_folder import PretrainedCLIP
from holdfast.errors import InputError


class ClipTexts:
    """<start> p_1 .. p_L <end>, in place of `SoftSentenceEncoder`: what stands behind the end has no effect.

    Args:
        clip: a folder in Hugging Face's layout, or what was read from it.
        device: where it runs.

    Attributes:
        tokenizer: of the CLIP.
        tokens, dim: of the table, V and D.

    Raises:
        InputError: the folder holds no CLIP.
    """

    def __init__(self, clip: str | Path | PretrainedCLIP, device: str = "cpu") -> None:
        from transformers import AutoTokenizer

        self.clip = clip if isinstance(clip, PretrainedCLIP) else PretrainedCLIP(clip, device)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(self.clip.folder, local_files_only=True)
        self.tokens, self.dim = (int(n) for n in self.table.shape)
        marks = self.clip.embed(self.clip.tokens([""]))[0]
        self._first, self._last = marks[0], marks[1]

    @property
    def table(self) -> Tensor:
        """Embeddings of all tokens, (V, D)."""
        found: Tensor = self.clip.model.text_model.embeddings.token_embedding.weight
        return found

    def ids(self, text: str) -> Tensor:
        """Tokens of a text without the marks, int64 (T,)."""
        row = self.clip.tokens([text])
        return row[0, 1 : int(self.clip.ends(row))]

    def text(self, ids: Sequence[int] | Tensor) -> str:
        """What tokens say."""
        return str(self.tokenizer.decode(list(map(int, ids)))).strip()

    def from_embeddings(self, embeddings: Tensor) -> Tensor:
        """Unit vectors (B, E) of (B, T, D), with gradients.

        Raises:
            InputError: another shape; more tokens than the CLIP's context has room for.
        """
        if embeddings.ndim != 3 or embeddings.shape[2] != self.dim:
            raise InputError("embeddings", f"must have the shape (B, T, {self.dim})", tuple(embeddings.shape))
        B, T, _ = embeddings.shape
        if self.clip.context < T + 2:
            raise InputError("embeddings", f"must have at most {self.clip.context - 2} tokens", T)
        row = torch.cat([self._first.expand(B, 1, -1), embeddings, self._last.expand(B, 1, -1)], 1)
        ends = torch.full((B,), T + 1, device=row.device)
        return F.normalize(self.clip.from_embeddings(row, ends), dim=1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (N, E) of texts; NaN where the CLIP cannot read one."""
        rows = []
        for text in texts:
            try:
                rows.append(F.normalize(self.clip.texts([text]), dim=1))
            except InputError:
                rows.append(self.table.new_full((1, self.clip.dim), torch.nan))
        return torch.cat(rows)

    @torch.no_grad()
    def images(self, pixels: Tensor) -> Tensor:
        """Unit vectors (N, E) of (N, 3, H, W) images in [0, 1]."""
        return F.normalize(self.clip.images(pixels), dim=1)


__all__ = ["ClipTexts"]
