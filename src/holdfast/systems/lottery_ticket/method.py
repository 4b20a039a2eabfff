"""Unmasking the lottery ticket hypothesis, in the paper's order.   arXiv 2210.03044

Iterative magnitude pruning with rewinding: train a dense network tau steps to w_tau; then again and again train the
masked w_tau to the end, drop the fraction alpha of its smallest surviving weights, and rewind. The paper asks of the
networks of successive levels whether they lie in one valley of the loss (`error_barrier`), whether training finds back
after a disturbance (`sgd_stability`), and how much may be pruned at once, given the curvature (`max_prune_fraction`).

Differences from the paper and from facebookresearch/open_lth:

- masks are applied after every optimiser step and gradients are masked, so pruned weights are exactly 0 at all times;
  the reference multiplies before the next forward pass, and what it saves may hold weights that are not 0;
- exactly n = ceil(alpha * survivors) weights go, survivors of tensors that may be pruned; equal magnitudes go in the
  order of the tensors. The reference counts the survivors of excluded tensors too, drops n + 1, and all that tie:
  `compat="open_lth"`;
- the limit of pruning is that of a random subspace (Larsen et al., 2021, arXiv 2107.05802), as in the paper, on a
  quadratic well; directions of no or negative curvature count as infinitely wide unless a least curvature is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.weight_masks import MaskDict
from holdfast.validation import check_choice, check_fraction, check_positive

Scope = Literal["global", "layerwise"]


# ------------------------------------------------------------------------------------------------------------- pruning
@dataclass(frozen=True)
class MagnitudePruner:
    """m^(L) -> m^(L+1): of the weights that survive, the fraction of smallest magnitude goes.

    Args:
        fraction: alpha, in (0, 1).
        scope: "global": one threshold over all tensors; "layerwise": the fraction of each tensor.
        exclude: names of tensors that keep their masks.
        compat: "open_lth" prunes as the reference does, see the module's docstring.

    Example:
        >>> net = nn.Linear(4, 1, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[0.1, -3.0, 0.2, 1.0]]))
        >>> MagnitudePruner(0.5).next_mask(net)["weight"].tolist()
        [[False, True, False, True]]
    """

    fraction: float = 0.2
    scope: Scope = "global"
    exclude: tuple[str, ...] = ()
    compat: Literal["open_lth"] | None = None

    def next_mask(self, model: nn.Module, mask: Mapping[str, Tensor] | None = None) -> MaskDict:
        """The mask of the next level.

        Args:
            model: with trained weights.
            mask: of this level; None = all weights of linear and convolutional layers.

        Raises:
            InputError: a fraction outside (0, 1), names that are not there, nothing left to prune.
        """
        check_fraction(self.fraction, "fraction", zero=False, one=False)
        check_choice(self.scope, ("global", "layerwise"), "scope")
        current = MaskDict(MaskDict.ones(model) if mask is None else mask)
        current.check(model)
        for name in self.exclude:
            if name not in current:
                raise InputError("exclude", f"must name tensors of the mask ({', '.join(current)})", name)
        chosen = {name: kept for name, kept in current.items() if name not in self.exclude}
        size = {n: model.get_parameter(n).detach().abs().cpu() for n in chosen}
        survivors = sum(int(kept.sum()) for kept in chosen.values())
        if not survivors:
            raise InputError("mask", "must leave weights to prune", "none")
        if self.compat == "open_lth":
            return _as_open_lth(current, chosen, size, self.fraction)
        if self.scope == "layerwise":
            parts = [_without_smallest({n: kept}, size, self.fraction) for n, kept in chosen.items() if kept.any()]
            return MaskDict({**current, **{name: kept for part in parts for name, kept in part.items()}})
        return MaskDict({**current, **_without_smallest(chosen, size, self.fraction)})


def _without_smallest(masks: Mapping[str, Tensor], size: Mapping[str, Tensor], fraction: float) -> dict[str, Tensor]:
    """Exactly ceil(fraction * survivors) fewer. The threshold is selected, not sorted: O(D)."""
    alive = {name: kept.cpu() for name, kept in masks.items()}
    left = np.concatenate([size[n].numpy()[kept.numpy()] for n, kept in alive.items()])
    n = math.ceil(fraction * len(left))
    left.partition(n - 1)
    threshold = float(left[n - 1])
    after = {name: kept & (size[name] > threshold) for name, kept in alive.items()}
    stay = len(left) - n - sum(int(kept.sum()) for kept in after.values())  # of those at the threshold, the last ones
    for name in reversed(after):
        if not stay:
            break
        at = (alive[name] & (size[name] == threshold)).reshape(-1).nonzero().squeeze(1)[-stay:]
        after[name].view(-1)[at] = True
        stay -= len(at)
    return {name: kept.to(masks[name].device) for name, kept in after.items()}


def _as_open_lth(
    current: MaskDict, chosen: Mapping[str, Tensor], size: Mapping[str, Tensor], fraction: float
) -> MaskDict:
    n = math.ceil(fraction * current.kept)
    left = torch.cat([size[name][kept.cpu()] for name, kept in chosen.items()]).sort().values
    if n >= len(left):
        raise InputError("fraction", f"must leave some of the {len(left)} weights that may be pruned", f"{n} would go")
    return MaskDict(
        {**current, **{name: kept & (size[name] > left[n]).to(kept.device) for name, kept in chosen.items()}}
    )


# ------------------------------------------------------------------------------- iterative magnitude pruning (IMP)
@dataclass(frozen=True, eq=False)
class Level:
    """What a level of IMP leaves.

    Attributes:
        index: L; 0 is the dense network.
        mask: m^(L).
        weights: the state after training, w^(L).
        metrics: what the training function returned.
    """

    index: int
    mask: MaskDict
    weights: Mapping[str, Tensor]
    metrics: Mapping[str, float]


# (model, mask, first step, step to end before or None for the last, seed of the noise) -> metrics; trains in place.
Train = Callable[[nn.Module, MaskDict, int, int | None, int], Mapping[str, float]]


@dataclass(frozen=True)
class IMP:
    """Iterative magnitude pruning with weight rewinding.

    Args:
        build: seed -> fresh network.
        train: (model, mask, start, stop, seed) trains in place under the mask from step `start` until before step
            `stop` (None: to the end of its schedule) and returns metrics. Schedule and order of the data continue at
            `start`; the optimiser starts anew.
        levels: number of prunings; level 0 is dense.
        rewind_step: tau, where the weights go back to; 0 = initialisation.
        pruner: what goes after each level.
    """

    build: Callable[[int], nn.Module]
    train: Train
    levels: int
    rewind_step: int
    pruner: MagnitudePruner = MagnitudePruner()

    def start(self, seed: int) -> tuple[nn.Module, dict[str, Tensor]]:
        """The network and its weights w_tau, before any pruning."""
        model = self.build(seed)
        if self.rewind_step:
            self.train(model, MaskDict.ones(model), 0, self.rewind_step, seed)
        return model, _copied(model)

    def run(self, seed: int, done: tuple[Level, ...] = ()) -> Iterator[Level]:
        """The levels, one after the other, from the first that is not in `done`.

        Args:
            seed: of initialisation and noise.
            done: levels 0 .. k of an interrupted run with the same arguments.
        """
        model, rewound = self.start(seed)
        mask = MaskDict.ones(model)
        for index in range(self.levels + 1):
            if index < len(done):
                level = done[index]
                model.load_state_dict(dict(level.weights))
            else:
                model.load_state_dict(rewound)
                mask.apply_(model)
                metrics = self.train(model, mask, self.rewind_step, None, seed)
                level = Level(index, mask, _copied(model), metrics)
                yield level
            if index < self.levels:
                mask = self.pruner.next_mask(model, level.mask)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def sgd_stability(
    model: nn.Module, mask: MaskDict, train: Train, start: int, seeds: tuple[int, int]
) -> list[nn.Module]:
    """Two children of one network, trained from `start` with different noise of SGD; their barrier says how stable.

    Args:
        model: at w_tau; not changed.
        mask: of both.
        train: as in `IMP`.
        start: tau.
        seeds: of the noise.

    Returns:
        The two trained networks, for `error_barrier`.
    """
    import copy

    children = [copy.deepcopy(model) for _ in seeds]
    for child, seed in zip(children, seeds, strict=True):
        mask.apply_(child)
        train(child, mask, start, None, seed)
    return children


# -------------------------------------------------------------------------------------------- how much may go at once?
@dataclass(frozen=True, eq=False)
class PruneLimit:
    """How much of a network one pruning can take.

    Attributes:
        alpha_star: the largest fraction alpha with alpha <= limit(R(alpha)).
        alphas: (M,) fractions.
        distances: (M,) R, how far pruning that fraction of smallest weights moves the weights.
        limits: (M,) fractions that may be pruned at that distance.
    """

    alpha_star: float
    alphas: np.ndarray
    distances: np.ndarray
    limits: np.ndarray


def gordon_limit(distance: float, eigenvalues: Tensor, weights: Tensor, eps: float) -> float:
    """alpha*(R) = (1/D) sum_i r_i^2 / (R^2 + r_i^2) with r_i^2 = 2 eps / lambda_i.

    A random subspace through a point at distance R meets the sublevel set {x: x'Hx / 2 <= eps} with high probability if
    it keeps at least the other dimensions. Directions with lambda_i <= 0 are infinitely wide and count 1.

    Args:
        distance: R.
        eigenvalues: (M,) of the Hessian.
        weights: (M,) shares of the dimensions; they sum to 1.
        eps: rise of the loss that still counts as matching.
    """
    # r^2 / (R^2 + r^2) = 2 eps / (lambda R^2 + 2 eps), which needs no division by lambda
    return float((weights * 2 * eps / (eigenvalues.clamp_min(0) * distance**2 + 2 * eps)).sum())


def max_prune_fraction(
    eigenvalues: Tensor,
    weights: Tensor,
    w: Tensor,
    eps: float,
    *,
    least_curvature: float = 0.0,
    points: int = 1001,
) -> PruneLimit:
    """Where the curve alpha -> alpha*(R(alpha)) meets the diagonal: the predicted limit of one pruning.

    Args:
        eigenvalues, weights: of the Hessian over the surviving weights, as `hessian_spectrum` gives them.
        w: (D,) surviving weights.
        eps: rise of the loss that counts as matching, > 0.
        least_curvature: smaller eigenvalues count as this.
        points: fractions the curve is computed at, 0 and 1 among them.

    Raises:
        InputError: eps not above 0, no weights.
    """
    check_positive(eps, "eps")
    if not w.numel():
        raise InputError("w", "must hold the surviving weights", "none")
    squares = np.concatenate([[0.0], np.cumsum(np.sort(w.detach().double().cpu().numpy().reshape(-1) ** 2))])
    alphas = np.linspace(0, 1, points)
    distances = np.sqrt(squares[np.round(alphas * (len(squares) - 1)).astype(int)])
    curved = eigenvalues.clamp_min(least_curvature)
    limits = np.array([gordon_limit(float(r), curved, weights, eps) for r in distances])
    # limits fall from 1 and alphas rise from 0: one crossing, linear between the two points around it
    gap = limits - alphas
    k = int(np.flatnonzero(gap >= 0)[-1])
    alpha = float(alphas[k])
    if k + 1 < points:
        alpha += float(gap[k] / (gap[k] - gap[k + 1]) * (alphas[k + 1] - alphas[k]))
    return PruneLimit(alpha, alphas, distances, limits)


def newly_small(before: Mapping[str, Tensor], after: Mapping[str, Tensor], mask: MaskDict, fraction: float) -> float:
    """Of the weights that would go next, the share that was not among the smallest before: retraining makes new ones.

    Args:
        before: weights at the end of the level before, under its mask.
        after: weights of this level.
        mask: of this level.
        fraction: of the next pruning.
    """
    earlier, later = (torch.cat([w[n].abs()[kept] for n, kept in mask.items()]) for w in (before, after))
    n = math.ceil(fraction * len(later))
    goes = later.argsort(stable=True)[:n]
    small_before = torch.zeros(len(earlier), dtype=torch.bool).index_fill(0, earlier.argsort(stable=True)[:n], True)
    return float((~small_before[goes]).float().mean())


__all__ = [
    "IMP", "Level", "MagnitudePruner", "PruneLimit", "gordon_limit", "max_prune_fraction", "newly_small",
    "sgd_stability",
]  # fmt: skip
