"""NT-Xent against loops."""

from __future__ import annotations

import math

import pytest
import torch

from holdfast.errors import InputError
from holdfast.losses.contrastive import nt_xent


def nt_xent_by_hand(first, second, temperature):
    rows = [[v / math.sqrt(sum(u * u for u in r)) for v in r] for r in first.tolist() + second.tolist()]
    half, total = len(first), 0.0
    for i, a in enumerate(rows):
        similar = [sum(x * y for x, y in zip(a, b, strict=True)) / temperature for b in rows]
        partner = similar[i + half if i < half else i - half]
        total -= partner - math.log(sum(math.exp(s) for k, s in enumerate(similar) if k != i))
    return total / len(rows)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
def test_nt_xent_is_what_loops_give(temperature):
    rng = torch.Generator().manual_seed(1)
    first, second = torch.randn(7, 5, generator=rng), torch.randn(7, 5, generator=rng)
    found = nt_xent(first, second, temperature)
    assert float(found) == pytest.approx(nt_xent_by_hand(first, second, temperature), rel=1e-5)


def test_nt_xent_does_not_see_lengths_or_which_view_is_first():
    first, second = torch.randn(6, 4), torch.randn(6, 4)
    assert torch.allclose(nt_xent(first, second), nt_xent(3 * second, first * torch.rand(6, 1).add(0.1)), atol=1e-5)


@pytest.mark.parametrize(("first", "second"), [((1, 3), (1, 3)), ((4, 3), (4, 2)), ((4, 3), (5, 3))])
def test_nt_xent_refuses_what_has_no_partners(first, second):
    with pytest.raises(InputError, match="second"):
        nt_xent(torch.zeros(first), torch.zeros(second))
