"""An encoder-decoder of transformer blocks from ids to ids: forced decoding, beam search, cross-attention.

Padding has the id 0, which is also the end, on both sides, and is masked: what counts of a row are its first `length`
ids, the end included. The decoder reads the end first, as fairseq's does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.layers.attention import Attention, real_tokens
from holdfast.layers.attention_weights import weights_of
from holdfast.layers.decoding import Beams, CachedSteps, beam_search
from holdfast.layers.positions import sinusoids
from holdfast.layers.transformer import Block, FeedForward, Stack

END = 0


class EncoderDecoder(nn.Module):
    """Pre-LN blocks with sinusoidal positions; the logits share the target's embeddings.

    Args:
        source, target: sizes of the vocabularies, the end included.
        width, layers, heads, hidden: of both stacks.
        dropout: of what each part of a block adds, and of the embeddings.

    Example:
        >>> net = EncoderDecoder(10, 12, width=8, hidden=16).eval()
        >>> source, real = padded_ids([[3, 4], [5]])
        >>> net(source, real, padded_ids([[7, 8, 9], [7]])[0]).shape
        torch.Size([2, 4, 12])
        >>> net.beam(source, real, width=3, longest=5).tokens.shape[:2]
        torch.Size([2, 3])
    """

    def __init__(
        self,
        source: int,
        target: int,
        width: int = 64,
        layers: int = 1,
        heads: int = 4,
        hidden: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.read, self.write = nn.Embedding(source, width), nn.Embedding(target, width)
        for table in (self.read, self.write):
            nn.init.normal_(table.weight, std=width**-0.5)

        def block(cross: bool) -> Block:
            over = Attention(width, heads) if cross else None
            return Block(width, Attention(width, heads), FeedForward(width, hidden), cross=over, dropout=dropout)

        self.encoder = Stack([block(False) for _ in range(layers)], nn.LayerNorm(width))
        self.decoder = Stack([block(True) for _ in range(layers)], nn.LayerNorm(width))
        self.dropout = nn.Dropout(dropout)

    def _embedded(self, table: nn.Embedding, ids: Tensor, at: int = 0) -> Tensor:
        positions = torch.arange(at, at + ids.shape[1], device=ids.device)
        width = table.embedding_dim
        return self.dropout(table(ids) * math.sqrt(width) + sinusoids(positions, width).to(table.weight.dtype))

    def encode(self, source: Tensor, real: Tensor) -> Tensor:
        """`(B, S)` ids and which of them are real -> memory `(B, S, E)`."""
        return self.encoder(self._embedded(self.read, source), mask=real[:, None, None])

    def logits(self, x: Tensor) -> Tensor:
        """`(..., E)` -> `(..., V)`."""
        return x @ self.write.weight.T

    def forward(self, source: Tensor, real: Tensor, target: Tensor) -> Tensor:
        """Logits `(B, T, V)` of every target id, given the ones before it (forced decoding).

        Args:
            source: int64 `(B, S)`; real: bool of the same shape.
            target: int64 `(B, T)`, the end included.
        """
        before = F.pad(target[:, :-1], (1, 0), value=END)
        memory, mask = self.encode(source, real), real[:, None, None]
        x = self.decoder(self._embedded(self.write, before), causal=True, memory=memory, memory_mask=mask)
        return self.logits(x)

    @contextmanager
    def cross_attention(self) -> Iterator[list[Tensor]]:
        """While entered, keeps the last layer's attention over the source, `(B, H, T, S)` of every pass."""
        cross = self.decoder.blocks[-1].cross
        assert isinstance(cross, Attention)
        with weights_of(cross) as kept:
            yield kept

    @torch.no_grad()
    def beam(self, source: Tensor, real: Tensor, width: int, longest: int) -> Beams:
        """The sequences of each row with the highest mean log-probability that a beam of this width finds."""
        memory = self.encode(source, real)
        steps = CachedSteps(
            lambda ids, at: self._embedded(self.write, ids, at), self.decoder, self.logits, memory, real
        )
        return beam_search(steps, source.new_full((len(source),), END), END, longest, width)


def padded_ids(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of ids with an end after each, int64 `(B, T)`, and which are real, the end included, bool `(B, T)`.

    Example:
        >>> [part.tolist() for part in padded_ids([[3, 4], [5]])]
        [[[3, 4, 0], [5, 0, 0]], [[True, True, True], [True, True, False]]]
    """
    ids = nn.utils.rnn.pad_sequence([torch.tensor([*row, END]) for row in rows], batch_first=True)
    return ids, real_tokens(torch.tensor([len(row) + 1 for row in rows]), ids.shape[1])


__all__ = ["END", "EncoderDecoder", "padded_ids"]
