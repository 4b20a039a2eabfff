"""What adapters are put on: the contract, and a sentence encoder that compares texts with choices.

A language model on disk is another such base: `holdfast.language.adapted_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.choice_rows import ChoiceRow
from holdfast.layers.adapters import Build
from holdfast.validation import check_positive


class TextEncoder(Protocol):
    """Texts to unit vectors; `name` tells encoders apart."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, d) float32, every row of length 1."""


class Base(Protocol):
    """A frozen model that adapters are put on.

    Attributes:
        id: tells models apart.
    """

    id: str

    def attach(self, build: Build) -> nn.Module:
        """New adapters, which the base uses from now on."""

    def prepare(self, rows: Sequence[ChoiceRow]) -> Any:
        """What `loss` and `scores` need of rows."""

    def loss(self, prepared: Any, rows: Tensor) -> Tensor:
        """Mean cross-entropy of these rows' answers."""

    def scores(self, prepared: Any) -> list[np.ndarray]:
        """Scores of every row's choices, through the adapters as they are."""

    def without(self) -> AbstractContextManager[None]:
        """The base alone."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Rows as a sentence encoder reads them.

    Attributes:
        z: (N, d); options: (C, d), all different choices; place: (N, K), -1 where there are fewer; target: (N,), -1
            where nobody has said.
    """

    z: Tensor
    options: Tensor
    place: Tensor
    target: Tensor


def adapted(z: Tensor, adapter: nn.Module | None) -> Tensor:
    """A(z): sentence vectors (N, d) through the adapter, of length 1 again; bit for bit z's own where U is 0."""
    return F.normalize(z if adapter is None else adapter(z), dim=-1)


def choice_scores(z: Tensor, options: Tensor, place: Tensor, tau: float) -> Tensor:
    """s(c | z) of every choice, (N, K).

    Args:
        z: (N, d) adapted vectors.
        options: (C, d) vectors of all different choices.
        place: (N, K) int64, rows of `options`; -1 where a row has fewer choices, whose score is -inf.
        tau: inverse temperature.
    """
    scores = tau * (z @ options.T).gather(1, place.clamp_min(0))
    return scores.masked_fill(place < 0, -torch.inf)


class SentenceBase:
    """Scores a choice by the cosine of its vector with the adapted vector of the text.

    Without an expert this is what sentence encoders do for new labels; one model serves all tasks.

    Args:
        encoder: texts to unit vectors; stays as it is.
        tau: inverse temperature of the cosines.

    Raises:
        InputError: tau is not positive.
    """

    def __init__(self, encoder: TextEncoder, tau: float = 20.0) -> None:
        self.encoder, self.tau = encoder, check_positive(tau, "tau")
        self.id = f"sentences: {encoder.name}, tau {tau:g}"
        self._adapter: nn.Module | None = None

    def attach(self, build: Build) -> nn.Module:
        self._adapter = build(None, self.encoder.encode(["holdfast"]).shape[1])
        return self._adapter

    def prepare(self, rows: Sequence[ChoiceRow]) -> Vectors:
        names = sorted({choice for row in rows for choice in row.choices})
        number = {name: i for i, name in enumerate(names)}
        place = torch.full((len(rows), max(len(row.choices) for row in rows)), -1)
        for i, row in enumerate(rows):
            place[i, : len(row.choices)] = torch.tensor([number[choice] for choice in row.choices])
        z, options = (torch.from_numpy(self.encoder.encode(texts)) for texts in ([row.input for row in rows], names))
        return Vectors(z, options, place, torch.tensor([-1 if row.target is None else row.target for row in rows]))

    def loss(self, prepared: Vectors, rows: Tensor) -> Tensor:
        z = adapted(prepared.z[rows], self._adapter)
        scores = choice_scores(z, prepared.options, prepared.place[rows], self.tau)
        return F.cross_entropy(scores, prepared.target[rows])

    def scores(self, prepared: Vectors) -> list[np.ndarray]:
        with torch.inference_mode():
            z = adapted(prepared.z, self._adapter)
            scores = choice_scores(z, prepared.options, prepared.place, self.tau).numpy()
        return [row[:count] for row, count in zip(scores, (prepared.place >= 0).sum(1).tolist(), strict=True)]

    def without(self) -> AbstractContextManager[None]:
        return _Without(self)


class _Without(AbstractContextManager[None]):
    """The adapter set aside."""

    def __init__(self, base: SentenceBase) -> None:
        self._base = base

    def __enter__(self) -> None:
        self._aside, self._base._adapter = self._base._adapter, None

    def __exit__(self, *error: object) -> None:
        self._base._adapter = self._aside


__all__ = ["Base", "SentenceBase", "TextEncoder", "Vectors", "adapted", "choice_scores"]
