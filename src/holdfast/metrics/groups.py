"""Accuracy of each group of cases, and of the worst: an average hides a group that a model fails on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.experiment import Metric
from holdfast.validation import check_present, check_same_length, is_tensor


def group_accuracies(y: Any, predicted: Any, groups: Any) -> dict[Any, float]:
    """Share of right predictions in every group that occurs.

    Args:
        y: (N,) labels of any kind.
        predicted: (N,) labels of the same kind.
        groups: (N,) group of each case, of any kind.

    Returns:
        {group: share in [0, 1]}, groups in ascending order.

    Raises:
        InputError: lengths that differ, missing labels or groups, no case.

    Example:
        >>> group_accuracies([0, 1, 1, 0], [0, 1, 0, 0], ["a", "a", "b", "b"])
        {'a': 1.0, 'b': 0.5}
    """
    truth, answer, group = (_column(*pair) for pair in ((y, "y"), (predicted, "predicted"), (groups, "groups")))
    if not check_same_length(y=truth, predicted=answer, groups=group):
        raise InputError("y", "must have at least one row", "none")
    names, index = np.unique(group, return_inverse=True)
    right = np.bincount(index, weights=truth == answer) / np.bincount(index)
    return dict(zip(names.tolist(), right.tolist(), strict=True))


def worst_group_accuracy(y: Any, predicted: Any, groups: Any) -> float:
    """The lowest of `group_accuracies`.

    Example:
        >>> worst_group_accuracy([0, 1, 1, 0], [0, 1, 0, 0], ["a", "a", "b", "b"])
        0.5
    """
    return min(group_accuracies(y, predicted, groups).values())


@dataclass(frozen=True)
class WorstGroup(Metric):
    """Accuracy of the worst group, from (group, right) of every case.

    Attributes:
        groups: how many there are; each must have cases.
    """

    groups: int = 4

    def of_case(self, values: Any) -> Any:
        member = values[:, :1] == np.arange(self.groups)
        return np.concatenate([member, member * values[:, 1:]], axis=1).astype(float)

    def of_mean(self, mean: Any) -> Any:
        return (mean[..., self.groups :] / mean[..., : self.groups]).min(-1)


def _column(values: Any, name: str) -> np.ndarray:
    array = check_present(values, name)
    array = array.detach().cpu().numpy() if is_tensor(array) else np.asarray(array)
    if array.ndim != 1:
        raise InputError(name, "must have shape (N)", f"shape {array.shape}")
    return array


__all__ = ["WorstGroup", "group_accuracies", "worst_group_accuracy"]
