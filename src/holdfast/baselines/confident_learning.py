"""Confident learning: which given labels are probably wrong, from out-of-sample probabilities alone.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021, arXiv
1911.00068: the confident joint, its calibration to the class counts, and pruning by noise rate. Written from the paper.

What the paper leaves open is settled so that results are those of the authors' package by its default rule: every class
has a confident case that is right; calibrated counts are rounded so that every class keeps its total; at least one case
of every class is left; a case whose given label is the most probable one is no issue. Where calibrated counts lie half
way between whole numbers, ours may prune one case more or less.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_labels, check_same_length

SLACK = 1e-6  # a probability this close to a threshold passes it


def confident_joint(labels: Any, p: Any) -> np.ndarray:
    """Counts of (given label, probable true label), calibrated so that each row sums to its class's count.

    A case with label i counts in column j if p_j reaches class j's threshold, the mean p_j of the cases labelled j;
    where several classes are reached, in that of the most probable one; where none is, nowhere.

    Args:
        labels: (N,) given labels in [0, K).
        p: (N, K) out-of-sample probabilities.

    Returns:
        (K, K) int64, row = given label.

    Raises:
        InputError: other shapes, labels outside, probabilities outside [0, 1], a class without a case.

    Example:
        >>> p = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.95, 0.05]]
        >>> confident_joint([0, 0, 0, 1, 1, 1], p).tolist()
        [[2, 1], [1, 2]]
    """
    given, probability = _checked(labels, p)
    classes = probability.shape[1]
    one_hot = np.eye(classes)[given]
    counts = one_hot.sum(0)
    thresholds = (one_hot * probability).sum(0) / counts
    reached = probability >= thresholds - SLACK
    confident = reached.any(1)
    likely = np.where(reached, probability, -1.0).argmax(1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (given[confident], likely[confident]), 1.0)
    np.fill_diagonal(joint, joint.diagonal().clip(min=1.0))  # every class has a case that is right
    calibrated = joint / joint.sum(1, keepdims=True) * counts[:, None]
    return np.stack([_rounded(row) for row in calibrated])


def label_issues(labels: Any, p: Any) -> np.ndarray:
    """Cases whose label is probably wrong, by pruning by noise rate.

    For every pair of classes i, j the n cases with label i and the largest p_j - p_i, with n from the confident joint.

    Args:
        labels, p: as in `confident_joint`.

    Returns:
        (N,) bool.

    Example:
        >>> p = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.95, 0.05]]
        >>> label_issues([0, 0, 0, 1, 1, 1], p).tolist()
        [False, False, True, False, False, True]
    """
    given, probability = _checked(labels, p)
    joint = confident_joint(given, probability)
    wrong = np.zeros(len(given), bool)
    for i, row in enumerate(joint):
        mine = np.flatnonzero(given == i)
        for j, count in enumerate(_leaving_one(row, i)):
            if j != i and count:
                margin = probability[mine, j] - probability[mine, i]
                cut = np.sort(margin)[::-1][count - 1]
                wrong[mine[margin >= cut]] = True
    return wrong & (probability.argmax(1) != given)


def _leaving_one(row: np.ndarray, own: int) -> np.ndarray:
    """How many cases of a class to prune towards each other class, so that one is left."""
    pruned = row.copy()
    pruned[own] = 0
    if row[own] >= 1 or not pruned.sum():
        return pruned
    total = pruned.sum()
    return _rounded(pruned * (total - 1) / total)


def _rounded(row: np.ndarray) -> np.ndarray:
    """Whole numbers with the row's total: what rounding down leaves goes to the largest fractions."""
    whole = np.floor(row + 1e-9)
    left = round(float(row.sum() - whole.sum()))
    whole[np.argsort((row - whole).round(9), kind="stable")[len(row) - left :]] += 1  # ties: the later class
    return whole.astype(np.int64)


def _checked(labels: Any, p: Any) -> tuple[np.ndarray, np.ndarray]:
    probability = np.asarray(check_array(p, "N K", name="p", dtype="float64", low=0.0, high=1.0))
    given = np.asarray(check_labels(labels, probability.shape[1], "labels"))
    check_same_length(labels=given, p=probability)
    missing = sorted(set(range(probability.shape[1])) - set(given.tolist()))
    if missing:
        raise InputError("labels", "must hold a case of every class that p has a column for", f"none of {missing}")
    return given, probability


__all__ = ["confident_joint", "label_issues"]
