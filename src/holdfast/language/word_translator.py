"""A small translation model of one's own: whole words in, whole words out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from holdfast.language.translation import Hypothesis, Outputs
from holdfast.layers.encoder_decoder import END, EncoderDecoder, padded_ids
from holdfast.layers.mc_dropout import mc_dropout
from holdfast.randomness import seeded


class WordTranslator:
    """An encoder-decoder of whole words as a `TranslationModel` of texts.

    Args:
        net: put into eval mode.
        source, target: words of both sides, in the order of their ids from 1 on; 0 is the end.
        beam: width of the search.
        longest: ids of a translation, the end included.
    """

    def __init__(
        self, net: EncoderDecoder, source: Sequence[str], target: Sequence[str], beam: int = 3, longest: int = 20
    ) -> None:
        self.net, self.width, self.longest = net.eval(), beam, longest
        self._source = {word: i for i, word in enumerate(source, 1)}
        self._words = ("", *target)
        self._target = {word: i for i, word in enumerate(self._words)}

    def text(self, ids: Sequence[int]) -> str:
        """The words of ids."""
        return " ".join(self._words[i] for i in ids if i != END)

    def translate(self, sources: Sequence[str], *, seed: int | None = None, count: int = 1) -> list[list[Hypothesis]]:
        """See `TranslationModel`."""
        with self._asked(seed):
            beams = self.net.beam(*self._read(sources), max(self.width, count), self.longest)
        found = []
        for rows, lengths in zip(beams.tokens[:, :count].tolist(), beams.lengths[:, :count].tolist(), strict=True):
            cut = [tuple(row[:length]) for row, length in zip(rows, lengths, strict=True)]
            found.append([Hypothesis(self.text(ids), ids) for ids in cut])
        return found

    def outputs(
        self, sources: Sequence[str], translations: Sequence[Hypothesis | str], *, seed: int | None = None
    ) -> Outputs:
        """See `TranslationModel`."""
        rows = [y.ids if isinstance(y, Hypothesis) else self._ids(y) for y in translations]
        target = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        source, real = self._read(sources)
        with self._asked(seed), self.net.cross_attention() as kept:
            logits = self.net(source, real, target)
        each, maps = logits.log_softmax(2).gather(2, target[..., None])[..., 0], kept[0].mean(1)
        return Outputs(
            [each[i, : len(row)] for i, row in enumerate(rows)],
            [maps[i, : len(row), real[i]] for i, row in enumerate(rows)],
        )

    def _ids(self, text: str) -> tuple[int, ...]:
        return (*(self._target[word] for word in text.split()), END)

    def _read(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        return padded_ids([[self._source[word] for word in text.split()] for text in texts])

    @contextmanager
    def _asked(self, seed: int | None) -> Iterator[None]:
        """Without gradients; with a seed under dropout."""
        with torch.no_grad():
            if seed is None:
                yield
                return
            with seeded(seed), mc_dropout(self.net):
                yield


__all__ = ["WordTranslator"]
