"""The loss of backward-compatible training against explicit loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from holdfast.baselines.bct import bct_loss
from holdfast.errors import InputError


def by_hand(features, labels, old, known, weight, smoothing=0.0):
    losses = []
    for x, y in zip(features.tolist(), labels.tolist(), strict=True):
        if y not in known:
            continue
        logits = [sum(a * b for a, b in zip(x, row, strict=True)) for row in old.tolist()]
        norm = math.log(sum(math.exp(z) for z in logits))
        target = [smoothing / len(known) + (1 - smoothing) * (k == y) for k in known]
        losses.append(-sum(t * (z - norm) for t, z in zip(target, logits, strict=True)))
    return weight * float(np.mean(losses)) if losses else 0.0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_what_loops_give(smoothing):
    rng = torch.Generator().manual_seed(0)
    features, old = torch.randn(30, 6, generator=rng).double(), torch.randn(3, 6, generator=rng).double()
    labels, known = torch.randint(0, 8, (30,), generator=rng), [5, 1, 7]
    found = bct_loss(features, labels, old, known, 2.5, smoothing)
    assert float(found) == pytest.approx(by_hand(features, labels, old, known, 2.5, smoothing), abs=1e-10)


def test_rows_of_unknown_classes_get_no_gradient_and_neither_does_the_old_classifier():
    features = torch.randn(4, 3, requires_grad=True)
    old = torch.randn(2, 3, requires_grad=True)
    bct_loss(features, torch.tensor([0, 4, 1, 4]), old, [0, 1]).backward()
    assert old.grad is None
    assert (features.grad.abs().sum(1) > 0).tolist() == [True, False, True, False]


def test_a_batch_without_known_classes_costs_nothing():
    features = torch.randn(4, 3, requires_grad=True)
    loss = bct_loss(features, torch.full((4,), 9), torch.randn(2, 3), [0, 1])
    loss.backward()
    assert float(loss) == 0
    assert not features.grad.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"old_classifier_weight": torch.zeros(2, 4)}, "rows of length 3"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, r"must have shape \(4,\)"),
        ({"known_classes": [1, 1]}, "2 different classes"),
        ({"known_classes": [1]}, "2 different classes"),
        ({"weight": -1.0}, "weight"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {
        "features": torch.zeros(4, 3),
        "labels": torch.zeros(4, dtype=torch.int64),
        "old_classifier_weight": torch.zeros(2, 3),
        "known_classes": [0, 1],
    }
    with pytest.raises(InputError, match=message):
        bct_loss(**{**given, **change})
