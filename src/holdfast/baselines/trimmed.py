"""Iterative trimmed loss minimisation: train on the cases with the smallest losses, choose them again, and so on.

Shen and Sanghavi, "Learning with Bad Training Data via Iterative Trimmed Loss Minimization", ICML 2019, arXiv
1810.11874, algorithm 1, for any classifier with `fit` and `predict_proba`.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_fraction, check_integer, check_labels, check_same_length


def trimmed_fit(estimator: Any, X: Any, y: Any, share: float, rounds: int = 10) -> tuple[Any, np.ndarray]:
    """Fit on all cases, then again and again on the floor(share N) cases with the smallest cross-entropy.

    It ends early where the same cases are chosen again, or where those chosen are of one class, which are then left
    out of account.

    Args:
        estimator: a classifier as scikit-learn's; copies of it are fitted.
        X: (N, F) numbers.
        y: (N,) labels 0 or 1.
        share: of the cases that are kept, in (0, 1]; 1 = one ordinary fit.
        rounds: at most so many fits after the first.

    Returns:
        (the last fitted classifier, (N,) bool: what it was fitted on).

    Raises:
        InputError: a share outside (0, 1], or so small that nothing is kept; labels of one class.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> X = np.array([[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]])
        >>> model, kept = trimmed_fit(LogisticRegression(), X, [0, 0, 0, 1, 1, 0], share=0.85)
        >>> kept.tolist()
        [True, True, True, True, True, False]
    """
    rows = np.asarray(check_array(X, "N F", name="X"))
    labels = np.asarray(check_labels(y, 2))
    count = int(check_fraction(share, "share", zero=False) * check_same_length(X=rows, y=labels) + 1e-9)
    check_integer(rounds, "rounds", low=0)
    if not count:
        raise InputError("share", f"must keep at least one of {len(labels)} cases", share)
    if len(np.unique(labels)) < 2:
        raise InputError("y", "must hold both classes", f"only {labels[0]}")
    kept = np.ones(len(labels), bool)
    model = copy.deepcopy(estimator).fit(rows, labels)
    for _ in range(rounds):
        losses = -np.log(np.clip(model.predict_proba(rows)[np.arange(len(labels)), labels], 1e-300, None))
        chosen = np.zeros(len(labels), bool)
        chosen[np.argsort(losses, kind="stable")[:count]] = True
        if (chosen == kept).all() or len(np.unique(labels[chosen])) < 2:
            break
        kept = chosen
        model = copy.deepcopy(estimator).fit(rows[kept], labels[kept])
    return model, kept


__all__ = ["trimmed_fit"]
