"""What is done with knowledge neurons: how much the answer falls, new value vectors, which neurons facts share.

Sections 4 and 5. Differences: the paper's text adds lambda e, its code lambda (|v|/|e|) e as here; `select` of the code
counts a fact's own neurons twice, here once.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.systems.knowledge_neurons.method.attribution import Neuron
from holdfast.validation import check_fraction, check_integer

LAM1, LAM2, SELECT, ERASED = 1.0, 8.0, 0.1, 20


def relative_change(before: Tensor, after: Tensor) -> float:
    """mean(P' - P) / mean(P) over a fact's prompts; -1 where nothing is left.

    Raises:
        InputError: no prompts, or probabilities that are all 0.

    Source: section 4.2.

    Example:
        >>> round(relative_change(torch.tensor([0.9, 0.1]), torch.tensor([0.4, 0.1])), 6)
        -0.5
    """
    if not before.numel() or float(before.sum()) <= 0:
        raise InputError("before", "must be probabilities, not all 0", f"{before.numel()} values")
    return float((after - before).double().mean() / before.double().mean())


def edited_values(
    values: Tensor, old: Tensor, new: Tensor, lam1: float = LAM1, lam2: float = LAM2, *, normalize: bool = True
) -> Tensor:
    """v - lam1 (|v|/|e|) e + lam2 (|v|/|e'|) e' for each value vector.

    Args:
        values: (k, h).
        old, new: (h,) directions of the old and the new answer, their embeddings or others.
        lam1, lam2: how much is taken and given.
        normalize: whether a direction is brought to the length of v first, as the authors' code does.

    Source: section 5.1 and the authors' code.

    Example:
        >>> edited_values(torch.tensor([[3.0, 4.0]]), torch.tensor([2.0, 0]), torch.tensor([0, 1.0]), 1, 2).tolist()
        [[-2.0, 14.0]]
    """
    length = values.norm(dim=1, keepdim=True)
    less, more = ((length * e / e.norm()) if normalize else e.expand_as(values) for e in (old, new))
    return values - lam1 * less + lam2 * more


def select(sets: Sequence[Collection[Neuron]], share: float = SELECT) -> list[list[Neuron]]:
    """Each fact's neurons without those that more than a share of the relation's facts have.

    Two facts may always have one in common, so that few facts do not lose everything: the bound is at least 1 fact.

    Source: section 5.1.
    """
    check_fraction(share, "share")
    count = Counter(neuron for neurons in sets for neuron in set(neurons))
    most = max(share * len(sets), 1)
    return [[neuron for neuron in neurons if count[neuron] <= most] for neurons in sets]


def most_frequent(sets: Sequence[Collection[Neuron]], k: int = ERASED) -> list[Neuron]:
    """The k neurons that most of the relation's facts have; of equal ones the first by layer and place. Section 5.2."""
    check_integer(k, "k", low=1)
    count = Counter(neuron for neurons in sets for neuron in set(neurons))
    return sorted(count, key=lambda neuron: (-count[neuron], neuron))[:k]


def shared(sets: Sequence[Collection[Neuron]], relations: Sequence[str]) -> tuple[float, float]:
    """Mean number of neurons that two facts have in common: of one relation, and of two. NaN without such a pair.

    Source: section 4.1, table 2.
    """
    counts: dict[bool, list[int]] = {True: [], False: []}
    for i, j in itertools.combinations(range(len(sets)), 2):
        counts[relations[i] == relations[j]].append(len(set(sets[i]) & set(sets[j])))
    same, other = (sum(found) / len(found) if found else math.nan for found in (counts[True], counts[False]))
    return same, other


def perplexity(probabilities: Tensor) -> float:
    """exp of the mean -log P of the answers.

    Example:
        >>> perplexity(torch.tensor([0.5, 0.125]))
        4.0
    """
    return float(torch.exp(-probabilities.double().clamp_min(1e-300).log().mean()))


__all__ = ["edited_values", "most_frequent", "perplexity", "relative_change", "select", "shared"]
