"""Scores from what the translation model says: its probabilities, its attention, its answers under dropout.

Notation: source x of S tokens and translation y of T, both with their end; A (T, S) the cross-attention of the last
layer, mean over heads, rows sum to 1. Higher is more suspicious.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.language.translation import Outputs
from holdfast.metrics.chrf import chrf
from holdfast.systems.nmt_hallucinations.method.texts import Texts

IGNORED = 0.2  # a source token that receives less in all (Berard et al. 2019)
SUM_TOLERANCE = 1e-3


def seq_logprob(logits: Tensor, labels: Tensor, pad_id: int, include_eos: bool = True) -> Tensor:
    """(1/T) sum_t log p(y_t | y_<t, x): the mean log-probability of a translation, by forced decoding.

    Args:
        logits: (B, T, V) of the model that has read the source and y_<t.
        labels: int64 (B, T), the end after the last token, then `pad_id`.
        pad_id: what fills rows up.
        include_eos: whether the end counts, as in fairseq's score.

    Returns:
        (B,), at most 0; higher is better (detectors negate it). Float32, or float64 for such logits.

    Example:
        >>> sure = torch.tensor([[[0.0, 50.0, 0.0], [0.0, 0.0, 50.0]]])
        >>> seq_logprob(sure, torch.tensor([[1, 2]]), pad_id=0).tolist()
        [0.0]
    """
    counts = labels != pad_id
    if not include_eos:
        last = counts.cumsum(1) == counts.sum(1, keepdim=True)
        counts = counts & ~(last & counts)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    each = logits.log_softmax(2).gather(2, labels.clamp(min=0)[..., None])[..., 0]
    return (each * counts).sum(1) / counts.sum(1).clamp(min=1)


def checked_attention(attention: Tensor, mask: Tensor | None = None) -> Tensor:
    """A (T, S) or (B, T, S), whose rows sum to 1 over the source.

    Raises:
        InputError: they do not; says by how much, and whether the other axis would.
    """
    sums = attention.sum(-1) if mask is None else attention.sum(-1)[mask]
    wrong = (sums - 1).abs().max() if sums.numel() else attention.new_zeros(())
    if not bool(wrong <= SUM_TOLERANCE):
        other = (attention.sum(-2) - 1).abs().max()
        hint = "; the first axis does: is it (source, target)?" if bool(other <= SUM_TOLERANCE) else ""
        raise InputError(
            "attention", "must sum to 1 over the source, its last axis", f"off by {float(wrong):.3g}{hint}"
        )
    return attention


def received(attention: Tensor) -> Tensor:
    """u = mean_t A[t, :], a distribution over the source, (S,)."""
    return checked_attention(attention).mean(0)


def attn_ignored_source(attention: Tensor, threshold: float = IGNORED) -> float:
    """Share of the source tokens that receive less than `threshold` in all: |{j: sum_t A[t, j] < .2}| / S.

    Example:
        >>> attn_ignored_source(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
        0.5
    """
    return float((checked_attention(attention).sum(0) < threshold).double().mean())


def attn_to_eos(attention: Tensor) -> float:
    """mean_t A[t, end of the source]: high where the decoder does not look at the words."""
    return float(received(attention)[-1])


def wass_to_unif(attention: Tensor) -> float:
    """Total variation between u and the uniform distribution, .5 ||u - 1/S||_1, in [0, 1 - 1/S] (arXiv 2212.09631)."""
    u = received(attention)
    return float(0.5 * (u - 1 / len(u)).abs().sum())


def earth_movers(u: Tensor, others: Tensor) -> Tensor:
    """1-D earth mover's distances with unit steps, ||cumsum(u - v)||_1, of u (S,) to each row of (R, S)."""
    return (u - others).cumsum(1).abs().sum(1)


class WassToData:
    """Mean distance of u to its nearest reference maps of translations about as long (arXiv 2212.09631).

    Args:
        reference_maps: A of translations that are good, (T_r, S_r) each.
        bottom_k: how many of the nearest count.
        window: references with a length in ((1 - window) T, (1 + window) T), both ends excluded; without any, all.
        max_refs: at most so many, drawn.
        seed: of that draw.
    """

    def __init__(
        self,
        reference_maps: Sequence[Tensor],
        bottom_k: int = 4,
        window: float = 0.1,
        max_refs: int = 1000,
        seed: int = 0,
    ) -> None:
        if not len(reference_maps):
            raise InputError("reference_maps", "must hold at least one map", "none")
        self.bottom_k, self.window, self.max_refs, self.seed = bottom_k, window, max_refs, seed
        kept = [received(A) for A in reference_maps]
        self._lengths = torch.tensor([len(A) for A in reference_maps])
        self._maps = torch.nn.utils.rnn.pad_sequence(kept, batch_first=True)

    def of(self, attention: Tensor) -> float:
        """The score of one map (T, S)."""
        u, T = received(attention), len(attention)
        near = (self._lengths > (1 - self.window) * T) & (self._lengths < (1 + self.window) * T)
        rows = near.nonzero()[:, 0] if bool(near.any()) else torch.arange(len(near))
        if len(rows) > self.max_refs:
            rng = torch.Generator().manual_seed(self.seed)
            rows = rows[torch.randperm(len(rows), generator=rng)[: self.max_refs]]
        width = max(len(u), self._maps.shape[1])
        padded = torch.nn.functional.pad(u, (0, width - len(u)))
        theirs = torch.nn.functional.pad(self._maps[rows], (0, width - self._maps.shape[1]))
        return float(earth_movers(padded, theirs).sort().values[: self.bottom_k].mean())

    def score(self, src: Any = None, mt: Any = None, ref: Any = None, outputs: Outputs | None = None) -> np.ndarray:
        """(N,) float64, from `outputs.attention`."""
        return np.array([self.of(A) for A in _attention(outputs)])


def convert_score(x: np.ndarray, old: tuple[float, float], new: tuple[float, float]) -> np.ndarray:
    """Linearly from one range (low, high) onto another: new_low + (x - old_low) (new_high - new_low) / (old ...).

    The reference code subtracts the new minimum in place of the old one.
    """
    return new[0] + (x - old[0]) * (new[1] - new[0]) / (old[1] - old[0])


def wass_combo(
    to_unif: np.ndarray, to_data: np.ndarray, clean_to_unif: np.ndarray, clean_to_data: np.ndarray, share: float = 0.999
) -> np.ndarray:
    """Wass-Combo: To-Unif, mapped onto To-Data's range, where it is above nearly all of clean data; else To-Data.

    Args:
        to_unif, to_data: (N,) scores.
        clean_to_unif, clean_to_data: (M,) scores of held-out translations that are good: they give the threshold (the
            `share` quantile of To-Unif) and the ranges.
    """
    threshold = np.quantile(clean_to_unif, share)
    ranges = [(float(c.min()), float(c.max())) for c in (clean_to_unif, clean_to_data)]
    return np.where(to_unif >= threshold, convert_score(to_unif, ranges[0], ranges[1]), to_data)


# ------------------------------------------------------------------------------------------------------- as detectors
def _attention(outputs: Outputs | None) -> Sequence[Tensor]:
    if outputs is None or not len(outputs.attention):
        raise InputError("outputs", "must hold the model's attention", "none")
    return outputs.attention


@dataclass(frozen=True)
class SeqLogprob:
    """- the mean log-probability: the paper's best detector that looks into the model."""

    def score(self, src: Any = None, mt: Any = None, ref: Any = None, outputs: Outputs | None = None) -> np.ndarray:
        """(N,) float64.

        Raises:
            InputError: no outputs, or one with a NaN (says which row).
        """
        if outputs is None:
            raise InputError("outputs", "must hold the model's log-probabilities", "none")
        scores = np.array([-float(each.double().mean()) for each in outputs.token_logprobs])
        if np.isnan(scores).any():
            raise InputError("outputs", "must hold no NaN", f"row {int(np.isnan(scores).argmax())}")
        return scores


@dataclass(frozen=True)
class OfAttention:
    """A score of each attention map: `attn_ignored_source`, `attn_to_eos`, `wass_to_unif`."""

    of: Callable[..., float]
    settings: tuple[tuple[str, Any], ...] = ()

    def score(self, src: Any = None, mt: Any = None, ref: Any = None, outputs: Outputs | None = None) -> np.ndarray:
        """(N,) float64."""
        return np.array([self.of(A, **dict(self.settings)) for A in _attention(outputs)])


@dataclass(frozen=True)
class MCDSim:
    """- mean similarity of the translation and n translations under dropout: what is made up changes each time.

    Attributes:
        n: how many of the hypotheses are used.
        sim: (texts, other texts) -> (N,); "chrf" is chrF of sacrebleu, where the paper has METEOR.
    """

    n: int = 10
    sim: str | Callable[[Texts, Texts], np.ndarray] = "chrf"

    def score(self, src: Any, mt: Texts, ref: Any = None, outputs: Outputs | None = None) -> np.ndarray:
        """(N,) float64.

        Raises:
            InputError: a translation with fewer than n hypotheses; a similarity that is not known.
        """
        if isinstance(self.sim, str) and self.sim != "chrf":
            raise InputError("sim", "must be 'chrf' or a function of two lists of texts", self.sim)
        similarity = chrf if isinstance(self.sim, str) else self.sim
        drawn = () if outputs is None else outputs.hypotheses
        if len(drawn) != len(mt) or any(len(h) < self.n for h in drawn):
            least = min(map(len, drawn), default=0)
            raise InputError("outputs", f"must hold {self.n} hypotheses of every translation", least)
        flat = [h for hypotheses in drawn for h in hypotheses[: self.n]]
        return -similarity([y for y in mt for _ in range(self.n)], flat).reshape(len(mt), self.n).mean(1)


__all__ = [
    "MCDSim",
    "OfAttention",
    "Outputs",
    "SeqLogprob",
    "WassToData",
    "attn_ignored_source",
    "attn_to_eos",
    "checked_attention",
    "convert_score",
    "earth_movers",
    "received",
    "seq_logprob",
    "wass_combo",
    "wass_to_unif",
]
