"""DeHallucinator: flag, translate again under dropout, keep the best by a scorer of quality.

    y = beam_search(x); if s(x, y) < threshold: return y
    H = [beam_search(x; dropout on) for n seeds];  return argmax_{h in H + [y]} Q(x, h)

y stays in the pool (ours), so that a flag that was wrong need not cost anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.language.translation import Hypothesis, TranslationModel
from holdfast.layers.mc_dropout import mc_dropout
from holdfast.metrics.chrf import chrf
from holdfast.systems.nmt_hallucinations.method.model_based import SeqLogprob
from holdfast.validation import check_integer


@dataclass(frozen=True)
class Result:
    """What became of one source.

    Attributes:
        text: the translation.
        flagged: whether the first one was suspicious.
        score: of the first one, by the detector.
        candidates: what the scorer chose from, with its scores, the first translation last; empty where not flagged.
    """

    text: str
    flagged: bool
    score: float
    candidates: tuple[tuple[str, float], ...] = ()


Quality = Callable[[TranslationModel, str, Sequence[Hypothesis]], np.ndarray]


def agreement(model: TranslationModel, source: str, pool: Sequence[Hypothesis]) -> np.ndarray:
    """Mean chrF of each hypothesis with the others, (K,): what is made up changes with every mask. Needs no model."""
    K = len(pool)
    pairs = [(a.text, b.text) for i, a in enumerate(pool) for j, b in enumerate(pool) if i != j]
    if not pairs:
        return np.zeros(K)
    return chrf([a for a, _ in pairs], [b for _, b in pairs]).reshape(K, K - 1).mean(1)


def logprob_under_dropout(
    model: TranslationModel, source: str, pool: Sequence[Hypothesis], masks: int = 10
) -> np.ndarray:
    """MC-DLogprob: mean log-probability of each hypothesis over dropout masks, (K,)."""
    drawn = [SeqLogprob().score(outputs=model.outputs([source] * len(pool), pool, seed=k)) for k in range(masks)]
    return -np.mean(drawn, axis=0)


class DeHallucinator:
    """Translates, and translates again what a detector flags.

    Args:
        model: that translates.
        detector: `score(src, mt, outputs=...)`; higher is more suspicious.
        scorer: Q, (model, source, hypotheses) -> (K,), higher is better; such as a quality estimator.
        n: hypotheses under dropout.
        threshold: a score from which on a translation is flagged, or "quantile:0.99" of clean held-out sources, which
            `fit` then needs.
        resample: how the hypotheses come about, (model, sources, n) -> a list for each source.

    Raises:
        InputError: a threshold that is neither; `translate` before `fit` where one is needed.
    """

    def __init__(
        self,
        model: TranslationModel,
        detector: Any = None,
        scorer: Quality = agreement,
        n: int = 10,
        threshold: float | str = "quantile:0.99",
        resample: Callable[[TranslationModel, Sequence[str], int], list[list[Hypothesis]]] | None = None,
    ) -> None:
        self.model, self.scorer = model, scorer
        self.detector = SeqLogprob() if detector is None else detector
        self.n = check_integer(n, "n", low=1)
        self.resample = under_dropout if resample is None else resample
        self.quantile: float | None = None
        self.threshold_: float | None = None
        if isinstance(threshold, str):
            self.quantile = _quantile(threshold)
        else:
            self.threshold_ = float(threshold)

    def fit(self, sources: Sequence[str]) -> DeHallucinator:
        """Set the threshold from translations of clean held-out sources."""
        if self.quantile is not None:
            self.threshold_ = float(np.quantile(self._scored(sources)[1], self.quantile))
        return self

    def translate(self, sources: Sequence[str]) -> list[Result]:
        """A result of each source."""
        if self.threshold_ is None:
            raise InputError(
                "threshold", "is a quantile: call fit with clean sources first", f"quantile {self.quantile}"
            )
        first, scores = self._scored(sources)
        flagged = [i for i, score in enumerate(scores) if score >= self.threshold_]
        results = [Result(y.text, False, float(s)) for y, s in zip(first, scores, strict=True)]
        if not flagged:
            return results
        drawn = self.resample(self.model, [sources[i] for i in flagged], self.n)
        for i, hypotheses in zip(flagged, drawn, strict=True):
            pool = [*hypotheses, first[i]]
            quality = self.scorer(self.model, sources[i], pool)
            seen = tuple((h.text, float(q)) for h, q in zip(pool, quality, strict=True))
            results[i] = Result(pool[int(np.argmax(quality))].text, True, float(scores[i]), seen)
        return results

    def _scored(self, sources: Sequence[str]) -> tuple[list[Hypothesis], np.ndarray]:
        first = [hypotheses[0] for hypotheses in self.model.translate(sources)]
        outputs = self.model.outputs(sources, first)
        return first, self.detector.score(sources, [y.text for y in first], outputs=outputs)


def under_dropout(model: TranslationModel, sources: Sequence[str], n: int) -> list[list[Hypothesis]]:
    """n beam searches under dropout, each with masks of its own."""
    drawn = [model.translate(sources, seed=seed) for seed in range(n)]
    return [[hypotheses[i][0] for hypotheses in drawn] for i in range(len(sources))]


def n_best(model: TranslationModel, sources: Sequence[str], n: int) -> list[list[Hypothesis]]:
    """The n best of one beam search without dropout."""
    return model.translate(sources, count=n)


def _quantile(text: str) -> float:
    kind, _, value = text.partition(":")
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if kind != "quantile" or not 0 <= share <= 1:
        raise InputError("threshold", "must be a number, or 'quantile:0.99'", text)
    return share


__all__ = [
    "DeHallucinator",
    "Hypothesis",
    "Result",
    "TranslationModel",
    "agreement",
    "logprob_under_dropout",
    "mc_dropout",
    "n_best",
    "under_dropout",
]
