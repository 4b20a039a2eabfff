"""What a translation model is here, and one from a folder: any encoder-decoder in Hugging Face's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.language.seq2seq_folder import load_seq2seq
from holdfast.validation import check_integer

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """A translation, and the ids it was generated as: another tokenisation has other probabilities."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Outputs:
    """What a model says about N translations.

    Attributes:
        token_logprobs: log p(y_t | y_<t, x) of each token, the end included, (T_i,) each.
        attention: of the last layer over the source, mean over heads, (T_i, S_i) each, padding cut off.
        hypotheses: what it says under dropout, several texts each; empty where nobody asked.
    """

    token_logprobs: Sequence[Tensor]
    attention: Sequence[Tensor] = ()
    hypotheses: Sequence[Sequence[str]] = field(default=())


class TranslationModel(Protocol):
    """An encoder-decoder that translates texts."""

    def translate(self, sources: Sequence[str], *, seed: int | None = None, count: int = 1) -> list[list[Hypothesis]]:
        """The `count` best hypotheses of each source; with a seed under dropout (the encoder, too), else without."""
        ...

    def outputs(
        self, sources: Sequence[str], translations: Sequence[Hypothesis | str], *, seed: int | None = None
    ) -> Outputs:
        """By forced decoding: of the ids of a hypothesis, of a text as it is tokenised."""
        ...


class LocalTranslator:
    """A translation model of transformers (Marian, T5, M2M-100, ...). Nothing is downloaded, no code of it is run.

    Args:
        folder: with config.json, safetensors and a tokenizer.
        beam: width of the search.
        batch: sentences at a time.
        max_tokens: of a translation.
        device: "cpu", "cuda", ...; None = CUDA where there is one.

    Raises:
        InputError: the folder holds no such model.
        MissingExtra: transformers is not installed.
    """

    def __init__(
        self, folder: str | Path, *, beam: int = 5, batch: int = 16, max_tokens: int = 256, device: str | None = None
    ) -> None:
        import torch

        self.folder = Path(folder)
        self.beam, self.batch = check_integer(beam, "beam", low=1), check_integer(batch, "batch", low=1)
        self.max_tokens = check_integer(max_tokens, "max_tokens", low=1)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.tokenizer, self.model = load_seq2seq(self.folder, what="a translation model")
        self.model.to(self.device).eval()
        self.progress: Callable[[int, int], None] | None = None

    def translate(self, sources: Sequence[str], *, seed: int | None = None, count: int = 1) -> list[list[Hypothesis]]:
        """See `TranslationModel`: the encoder reads the source again under each dropout mask."""
        found: list[list[Hypothesis]] = []
        for part in self._batches(sources):
            with self._asked(seed):
                ids = self.model.generate(
                    **self._read(part), num_beams=max(self.beam, count), num_return_sequences=count, do_sample=False,
                    max_new_tokens=self.max_tokens,
                )  # fmt: skip
            texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
            flat = [Hypothesis(text, self._written(row)) for text, row in zip(texts, ids.tolist(), strict=True)]
            found += [flat[i : i + count] for i in range(0, len(flat), count)]
        return found

    def _written(self, ids: list[int]) -> tuple[int, ...]:
        """What was generated: without the token that the decoder starts from, and without padding after the end."""
        row, end, pad = ids[1:], self.model.generation_config.eos_token_id, self.tokenizer.pad_token_id
        ends = end if isinstance(end, list) else [end]
        for i, token in enumerate(row):
            if token in ends:
                return tuple(row[: i + 1])
        while row and row[-1] == pad:
            row.pop()
        return tuple(row)

    def outputs(
        self, sources: Sequence[str], translations: Sequence[Hypothesis | str], *, seed: int | None = None
    ) -> Outputs:
        """See `TranslationModel`."""
        import torch

        rows = [list(y.ids) if isinstance(y, Hypothesis) else self._ids_of(y) for y in translations]
        log_probs, maps = [], []
        for at, part in enumerate(self._batches(sources)):
            ids = rows[at * self.batch : (at + 1) * self.batch]
            tokens = self._read(part)
            labels = torch.full((len(ids), max(map(len, ids))), -100, device=self.device)
            for i, row in enumerate(ids):
                labels[i, : len(row)] = torch.tensor(row, device=self.device)
            with self._asked(seed):
                said = self.model(**tokens, labels=labels, output_attentions=True)
            each = said.logits.float().log_softmax(2).gather(2, labels.clamp(min=0)[..., None])[..., 0].cpu()
            weights, real = said.cross_attentions[-1].float().mean(1).cpu(), tokens["attention_mask"].bool().cpu()
            for i, row in enumerate(ids):
                log_probs.append(each[i, : len(row)])
                maps.append(weights[i, : len(row)][:, real[i]])
        return Outputs(log_probs, maps)

    def _ids_of(self, text: str) -> list[int]:
        return [int(i) for i in self.tokenizer(text_target=text, truncation=True).input_ids]

    def _batches(self, sources: Sequence[str]) -> Iterator[Sequence[str]]:
        for at in range(0, len(sources), self.batch):
            yield sources[at : at + self.batch]
            if self.progress is not None:
                self.progress(min(at + self.batch, len(sources)), len(sources))

    def _read(self, texts: Sequence[str]) -> dict[str, Any]:
        tokens = self.tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True)
        return {name: tokens[name].to(self.device) for name in ("input_ids", "attention_mask")}

    @contextmanager
    def _asked(self, seed: int | None) -> Iterator[None]:
        """Without gradients; with a seed under dropout."""
        import torch

        from holdfast.layers.mc_dropout import mc_dropout
        from holdfast.randomness import seeded

        with torch.no_grad():
            if seed is None:
                yield
                return
            with seeded(seed, self.device), mc_dropout(self.model):
                yield


__all__ = ["Hypothesis", "LocalTranslator", "Outputs", "TranslationModel"]
