"""A language model on disk with adapters inside, trained and asked by the likelihood of given answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.choice_rows import ChoiceRow
from holdfast.language.rank_classification import answer_log_likelihoods, rank_classify
from holdfast.language.seq2seq_folder import load_seq2seq
from holdfast.layers.adapters import Attached, Build, attach


class AdaptedModel:
    """An encoder-decoder of transformers with adapters inside, which ranks choices by their log-likelihood.

    Args:
        folder: in Hugging Face's layout; nothing is fetched, weights are read from safetensors.
        where: regular expression for the layers that get an adapter; T5's feed-forward blocks by default.
        device: where it runs.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: no such model; `where` matches nothing (when adapters are attached).
    """

    def __init__(self, folder: str | Path, where: str = r"DenseReluDense$", device: str = "cpu") -> None:
        self.folder, self.where = Path(folder).resolve(), where
        self.tokenizer, self.model = load_seq2seq(self.folder, "folder")
        self.id = f"language model: {_fingerprint(self.model)}, adapters at {where}"
        self.model.to(device).eval()
        self._attached: Attached | None = None

    def attach(self, build: Build) -> nn.Module:
        if self._attached is not None:
            self._attached.detach()
        self._attached = attach(self.model, self.where, build)
        return self._attached

    def prepare(self, rows: Sequence[ChoiceRow]) -> list[ChoiceRow]:
        return list(rows)

    def loss(self, prepared: list[ChoiceRow], rows: Tensor) -> Tensor:
        some = [prepared[i] for i in rows.tolist()]
        inputs, answers = [row.input for row in some], [row.answer for row in some]
        return -answer_log_likelihoods(self.model, self.tokenizer, inputs, answers, length_norm=True).mean()

    def scores(self, prepared: list[ChoiceRow]) -> list[np.ndarray]:
        return rank_classify(
            self.model, self.tokenizer, [row.input for row in prepared], [row.choices for row in prepared]
        )

    def without(self) -> AbstractContextManager[None]:
        return nullcontext() if self._attached is None else self._attached.off()


def _fingerprint(model: nn.Module) -> str:
    """Of all weights; the same wherever the folder is."""
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        total.update(name.encode() + value.contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:16]


__all__ = ["AdaptedModel"]
