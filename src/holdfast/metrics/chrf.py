"""chrF and chrF++ of sentences, by sacrebleu (Popovic 2015, 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdfast.errors import MissingExtra


def chrf(texts: Sequence[str], references: Sequence[str], word_order: int = 0) -> np.ndarray:
    """F-score of character n-grams of each text against its reference, in %, (N,) float64.

    Args:
        texts, references: N of each.
        word_order: 0 is chrF, 2 is chrF++; character order 6, beta 2.

    Raises:
        MissingExtra: sacrebleu is not installed.

    Example:
        >>> chrf(["the cat", ""], ["the cat", "a dog"]).tolist()
        [100.0, 0.0]
    """
    try:
        from sacrebleu.metrics import CHRF
    except ImportError as error:
        raise MissingExtra("sacrebleu", "mt") from error
    metric = CHRF(word_order=word_order)
    return np.array([metric.sentence_score(a, [b]).score for a, b in zip(texts, references, strict=True)])


__all__ = ["chrf"]
