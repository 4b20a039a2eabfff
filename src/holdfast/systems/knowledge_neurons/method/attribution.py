"""Which neurons carry a fact: integrated gradients of the gold probability, coarse sets, refining. Sections 3.1, 3.2.

a are a layer's neurons at the mask, P_x(s) the probability of the answer when they are set to s:

    Attr_i = a_i * integral_0^1 dP_x(alpha a)/da_i dalpha  ~  a_i * sum_k w_k dP_x(alpha_k a)/da_i

Differences from the paper: its sum runs over alpha = k/m, k = 1..m ("right"), its code's over k = 0..m-1 ("left", the
default here too); both are off by O(1/m), "midpoint" and "trapezoid" by O(1/m^2). EleutherAI's package takes m points
with both ends, each 1/m ("ends").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_choice, check_fraction, check_integer

Rule = Literal["left", "right", "midpoint", "trapezoid", "ends"]
RULES: tuple[Rule, ...] = ("left", "right", "midpoint", "trapezoid", "ends")
STEPS, COARSE, SHARE, STEP, ROUNDS, FEWEST = 20, 0.2, 0.7, 0.05, 6, 3
Neuron = tuple[int, int]  # layer, place in it


def quadrature(steps: int = STEPS, rule: Rule = "left") -> tuple[Tensor, Tensor]:
    """Points alpha in [0, 1] and their weights, which sum to 1: float32 (K,) each, K = steps ("trapezoid": one more).

    Raises:
        InputError: no step ("ends" needs 2), a rule that is not known.

    Example:
        >>> [x.tolist() for x in quadrature(2, "midpoint")]
        [[0.25, 0.75], [0.5, 0.5]]
    """
    check_choice(rule, RULES, "rule")
    check_integer(steps, "steps", low=2 if rule == "ends" else 1)
    if rule == "ends":
        return torch.linspace(0, 1, steps), torch.full((steps,), 1 / steps)
    if rule == "trapezoid":
        weights = torch.full((steps + 1,), 1 / steps)
        weights[[0, -1]] /= 2
        return torch.linspace(0, 1, steps + 1), weights
    shift = {"left": 0.0, "right": 1.0, "midpoint": 0.5}[rule]
    return (torch.arange(steps) + shift) / steps, torch.full((steps,), 1 / steps)


def integrated_gradients(
    probability: Callable[[Tensor], Tensor], a: Tensor, steps: int = STEPS, rule: Rule = "left"
) -> Tensor:
    """Attr of every neuron: (N, d). All points of all rows are one forward and one backward pass.

    Args:
        probability: (K, N, d) to (K, N), the probability of each row's answer; differentiable.
        a: (N, d) the neurons as they are.
        steps, rule: of `quadrature`.

    Source: section 3.1, equations 4 and 5. The gradient is that of the probability, not of its logarithm.

    Example:
        >>> integrated_gradients(lambda s: (s**2).sum(-1), torch.tensor([[1.0, 2.0]]), 8, "midpoint").tolist()
        [[1.0, 4.0]]
    """
    alphas, weights = (x.to(a) for x in quadrature(steps, rule))
    points = (alphas[:, None, None] * a.detach()).requires_grad_()
    (gradients,) = torch.autograd.grad(probability(points).sum(), points)
    return a.detach() * torch.einsum("k,knd->nd", weights, gradients)


def gradient_times_activation(probability: Callable[[Tensor], Tensor], a: Tensor) -> Tensor:
    """a_i dP/da_i at the neurons as they are: one point in place of a path. Shapes as in `integrated_gradients`."""
    return integrated_gradients(probability, a, 1, "right")


def logit_lens(a: Tensor, values: Tensor, embedding: Tensor) -> Tensor:
    """What each neuron writes in the direction of the answer: a_i (v_i . e_y).

    Args:
        a: (N, L, d) neurons of all layers.
        values: (L, d, h) their value vectors.
        embedding: (N, h) of each row's answer.
    """
    return a * torch.einsum("ldh,nh->nld", values, embedding)


def coarse(attribution: Tensor, t: float = COARSE) -> Tensor:
    """The coarse set of a prompt: neurons of at least t times the largest attribution of all layers.

    Args:
        attribution: (..., L, d); leading axes are prompts.
        t: the threshold; the authors compare with >=.

    Returns:
        bool, of the same shape; nothing where no attribution is positive.

    Raises:
        InputError: t outside [0, 1].

    Source: section 3.2, step 2.

    Example:
        >>> coarse(torch.tensor([[0.1, 0.2], [1.0, 0.19]])).tolist()
        [[False, True], [True, False]]
    """
    check_fraction(t, "t")
    most = attribution.amax((-2, -1), keepdim=True)
    return (attribution >= t * most) & (most > 0)


def refine(sets: Tensor, p: float = SHARE) -> Tensor:
    """Neurons in at least p n of the n prompts' coarse sets, and in at least three (or all, of fewer prompts).

    Args:
        sets: bool (n, L, d).
        p: share of the prompts.

    Returns:
        bool (L, d).

    Source: section 3.2, step 4; the "three" is the authors' code.
    """
    check_fraction(p, "p")
    n = len(sets)
    return sets.sum(0) >= max(p * n - 1e-9, min(FEWEST, n))


def adapt(
    facts: Sequence[Tensor], p: float = SHARE, goal: tuple[float, float] = (2, 5), rounds: int = ROUNDS
) -> tuple[list[Tensor], float]:
    """Refined sets of one relation's facts, with p moved until the mean number of neurons lies in the goal.

    Args:
        facts: coarse sets of each fact's prompts, bool (n, L, d).
        p: to start with; it moves by .05.
        goal: smallest and largest mean number.
        rounds: most moves.

    Returns:
        Sets (L, d) of every fact, and the p that was used.

    Raises:
        InputError: no facts; a goal upside down.
    """
    if not facts:
        raise InputError("facts", "must not be empty", "none")
    if not 0 <= goal[0] <= goal[1]:
        raise InputError("adapt", "must be the smallest and the largest mean number", goal)
    found = [refine(sets, p) for sets in facts]
    for _ in range(rounds):
        mean = sum(int(one.sum()) for one in found) / len(found)
        moved = p - STEP if mean < goal[0] else p + STEP if mean > goal[1] else p
        moved = round(min(max(moved, 0.0), 1.0), 6)
        if moved == p:
            break
        p, found = moved, [refine(sets, moved) for sets in facts]
    return found, p


def members(chosen: Tensor) -> list[Neuron]:
    """(L, d) bool as (layer, neuron) pairs, layer by layer."""
    return [(int(layer), int(place)) for layer, place in chosen.nonzero()]


def top(scores: Tensor, k: int) -> list[Neuron]:
    """The k neurons of the highest scores (L, d), best first; of equal ones the first.

    Raises:
        InputError: k is not between 1 and the number of neurons.
    """
    check_integer(k, "k", low=1, high=scores.numel())
    order = scores.flatten().argsort(descending=True, stable=True)[:k]
    return [(int(i) // scores.shape[-1], int(i) % scores.shape[-1]) for i in order]


__all__ = [
    "adapt", "coarse", "gradient_times_activation", "integrated_gradients", "logit_lens", "members", "quadrature",
    "refine", "top",
]  # fmt: skip
