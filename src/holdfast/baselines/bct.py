"""Backward-compatible training (Shen, Xiong, Xia, Soatto, CVPR 2020, arXiv 2003.11942).

The new model is trained so that the old model's classifier understands its embeddings, too; new queries are then
compared with old embeddings as they are. Nothing has to be migrated, and the new model pays for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_array, check_number


def bct_loss(
    features: Tensor,
    labels: Tensor,
    old_classifier_weight: Tensor,
    known_classes: Tensor | Sequence[int],
    weight: float = 1.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The influence loss: weight times the cross-entropy of the frozen old classifier on the new embeddings.

    Only rows whose class the old classifier knows take part; the mean is over these rows, and the loss is 0 (with
    gradient 0) where a batch has none. The other reading of the paper, made-up class centres for new classes, is not
    offered. No gradient reaches the old classifier.

    Args:
        features: (N, D), of the new model; D must be that of the old one.
        labels: (N,) int64, classes as the new model counts them.
        old_classifier_weight: (K, D), row k for class `known_classes[k]`.
        known_classes: (K,) different classes.
        weight: lambda.
        label_smoothing: in [0, 1).

    Returns:
        A scalar to be added to the new model's own loss.

    Raises:
        InputError: shapes that do not fit (different embedding lengths above all), repeated classes.

    Example:
        >>> old = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> loss = bct_loss(torch.tensor([[20.0, 0.0], [0.0, 9.0]]), torch.tensor([3, 8]), old, [3, 5])
        >>> round(float(loss), 6)  # class 8 is unknown to the old model and left out
        0.0
    """
    sizes: dict[str, int] = {}
    check_array(features, "N D", name="features", finite=False, sizes=sizes, empty=True)
    if labels.shape != features.shape[:1]:
        raise InputError("labels", f"must have shape ({len(features)},)", f"shape {tuple(labels.shape)}")
    if old_classifier_weight.ndim != 2 or old_classifier_weight.shape[1] != sizes["D"]:
        rule = f"must have rows of length {sizes['D']}, that of the new embeddings"
        raise InputError("old_classifier_weight", rule, f"shape {tuple(old_classifier_weight.shape)}")
    check_number(weight, "weight", low=0)
    known = torch.as_tensor(known_classes, dtype=torch.int64, device=labels.device)
    if known.shape != old_classifier_weight.shape[:1] or known.unique().numel() != known.numel():
        rule = f"must name {len(old_classifier_weight)} different classes, one per row of the old classifier"
        raise InputError("known_classes", rule, known.tolist())
    same = labels[:, None] == known  # (N, K)
    knows = same.any(1).to(features.dtype)
    logits = features @ old_classifier_weight.detach().to(features).T
    rows = F.cross_entropy(logits, same.int().argmax(1), reduction="none", label_smoothing=label_smoothing)
    # A mask and no selection: how many rows are known must not have to be fetched from the device.
    return weight * (rows * knows).sum() / knows.sum().clamp_min(1)


__all__ = ["bct_loss"]
