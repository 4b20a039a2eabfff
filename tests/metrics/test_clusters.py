"""Purity and nearest-neighbour accuracy against loops."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from holdfast.errors import InputError
from holdfast.metrics.clusters import neighbour_accuracy, purity


def test_purity_by_counting():
    g = torch.Generator().manual_seed(0)
    clusters, y = torch.randint(0, 6, (80,), generator=g), torch.randint(0, 4, (80,), generator=g)
    most = [Counter(y[clusters == c].tolist()).most_common(1)[0][1] for c in clusters.unique()]
    assert purity(clusters, y) == pytest.approx(sum(most) / 80)
    assert purity(y, y) == 1


def test_neighbour_accuracy_by_voting():
    g = torch.Generator().manual_seed(1)
    train, test = (torch.nn.functional.normalize(torch.randn(n, 3, generator=g), dim=1) for n in (40, 15))
    y, test_y = torch.randint(0, 3, (40,), generator=g), torch.randint(0, 3, (15,), generator=g)
    right = 0
    for x, label in zip(test, test_y.tolist(), strict=True):
        near = sorted(range(40), key=lambda i: -float(train[i] @ x))[:7]
        votes = Counter(y[near].tolist())
        right += min(votes, key=lambda c: (-votes[c], c)) == label
    assert neighbour_accuracy(train, test, y, test_y, k=7) == pytest.approx(right / 15)
    assert neighbour_accuracy(train, train, y, y, k=1) == 1
    assert neighbour_accuracy(train[:3], test, y[:3], test_y, k=10) <= 1


def test_lengths_that_differ_are_refused():
    with pytest.raises(InputError):
        purity(torch.zeros(3, dtype=torch.int64), torch.zeros(4, dtype=torch.int64))
