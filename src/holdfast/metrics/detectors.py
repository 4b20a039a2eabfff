"""How well scores tell the positive cases from the others: AUROC, false alarms at a recall, precision at a recall.

Higher scores speak for "positive". Ties are one threshold: cases of one score are flagged together or not at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import as_array, check_array, check_fraction, check_same_length, is_tensor


def auroc(scores: Any, positive: Any) -> float:
    """Area under the ROC curve: the probability that a positive case has the higher score; ties count half.

    Args:
        scores: (N,) floats.
        positive: (N,) booleans, or 0 and 1.

    Returns:
        In [0, 1]; NaN where one of the classes has no case.

    Raises:
        InputError: NaN scores, other labels, lengths that differ.

    Example:
        >>> auroc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        0.75
    """
    from scipy.stats import rankdata

    score, of_interest = _checked(scores, positive)
    count, others = int(of_interest.sum()), int((~of_interest).sum())
    if not count or not others:
        return float("nan")
    ranks = rankdata(score)[of_interest].sum()
    return float((ranks - count * (count + 1) / 2) / (count * others))


def fpr_at_recall(scores: Any, positive: Any, recall: float = 0.9) -> float:
    """Share of the other cases that are flagged by the highest threshold that flags this share of the positive ones.

    With recall .9 it is known as FPR@90TPR.

    Args:
        scores, positive: as in `auroc`.
        recall: share of positive cases, in (0, 1].

    Example:
        >>> fpr_at_recall([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 0, 0], recall=1.0)
        0.3333333333333333
    """
    score, of_interest = _checked(scores, positive)
    others = int((~of_interest).sum())
    threshold = _threshold(score, of_interest, recall)
    return float("nan") if threshold is None or not others else float((score[~of_interest] >= threshold).mean())


def precision_at_recall(scores: Any, positive: Any, recall: float = 0.9) -> float:
    """Share of positive cases among those that are flagged at this recall. With .9 it is known as P@R90.

    Args:
        scores, positive, recall: as in `fpr_at_recall`.

    Example:
        >>> precision_at_recall([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 0, 0], recall=1.0)
        0.6666666666666666
    """
    score, of_interest = _checked(scores, positive)
    threshold = _threshold(score, of_interest, recall)
    return float("nan") if threshold is None else float(of_interest[score >= threshold].mean())


def _threshold(score: np.ndarray, of_interest: np.ndarray, recall: float) -> float | None:
    """The highest score at and above which this share of the positive cases lies; None without such cases."""
    wanted = check_fraction(recall, "recall", zero=False)
    falling = np.sort(score[of_interest])[::-1]
    if not len(falling):
        return None
    needed = int(np.ceil(wanted * len(falling) - 1e-9))  # .9 * 10 is 9 and a little in floats
    return float(falling[needed - 1])


def _checked(scores: Any, positive: Any) -> tuple[np.ndarray, np.ndarray]:
    score = check_array(scores, "N", name="scores", dtype="float64")
    score = score.detach().cpu().numpy() if is_tensor(score) else score
    given = as_array(positive, "positive")
    given = given.cpu().numpy() if is_tensor(given) else given
    is_logical = given.dtype.kind == "b"
    of_interest = check_array(given.astype(np.int64) if is_logical else given, "N", name="positive", dtype="int64")
    check_same_length(scores=score, positive=of_interest)
    if (wrong := (of_interest != 0) & (of_interest != 1)).any():
        first = int(wrong.argmax())
        raise InputError("positive", "must hold booleans, or 0 and 1", f"{int(of_interest[first])} in row {first}")
    return score, of_interest.astype(bool)


__all__ = ["auroc", "fpr_at_recall", "precision_at_recall"]
