"""Pruning, rewinding and the limit of one pruning: the reference's masks, sorting, closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.errors import InputError
from holdfast.systems.lottery_ticket import (
    IMP,
    Level,
    MagnitudePruner,
    MaskDict,
    error_barrier,
    gordon_limit,
    max_prune_fraction,
    newly_small,
    sgd_stability,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "lottery_ticket.npz"


class Named(nn.Module):
    """A network whose tensors have the reference's names."""

    def __init__(self):
        super().__init__()
        self.c, self.fc1, self.fc2, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(36, 20), nn.Linear(20, 12), nn.Linear(12, 5)


# ------------------------------------------------------------------------------------------------------------- parity
def test_masks_of_six_levels_equal_the_references():
    with np.load(VECTORS) as file:
        stored = {name: file[name] for name in file.files}
    net, mask = Named(), None
    for level in range(1, 7):
        for name in MaskDict.ones(net):
            net.get_parameter(name).data = torch.from_numpy(stored[f"w{level}/{name}"])
        exclude = tuple(n for n in str(stored[f"ignore{level}"]).split(",") if n)
        pruner = MagnitudePruner(float(stored[f"frac{level}"]), exclude=exclude, compat="open_lth")
        mask = pruner.next_mask(net, mask)
        for name, kept in mask.items():
            assert kept.numpy().tolist() == stored[f"mask{level}/{name}"].astype(bool).tolist(), (level, name)
        assert mask.kept == int(stored[f"kept{level}"])
        assert mask.density == pytest.approx(float(stored[f"density{level}"]))


def test_ties_go_as_in_the_reference():
    with np.load(VECTORS) as file:
        weights, wanted = file["tie_w"], file["tie_mask_0.25"]
    net = nn.Linear(weights.shape[1], weights.shape[0], bias=False)
    net.weight.data = torch.from_numpy(weights).float()
    mask = MagnitudePruner(0.25, compat="open_lth").next_mask(net)
    assert mask["weight"].numpy().tolist() == wanted.astype(bool).tolist()
    ours = MagnitudePruner(0.25).next_mask(net)
    assert int((~ours["weight"]).sum()) == math.ceil(0.25 * weights.size)


# ------------------------------------------------------------------------------------------------------------ pruning
def by_sorting(weights, kept, fraction):
    """The kept places after the smallest have gone, by sorting (size, place)."""
    alive = [i for i in range(len(weights)) if kept[i]]
    gone = sorted(alive, key=lambda i: (abs(weights[i]), i))[: math.ceil(fraction * len(alive))]
    return [bool(kept[i]) and i not in gone for i in range(len(weights))]


@given(st.integers(2, 12), st.sampled_from([0.1, 0.25, 0.5, 0.9]), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_exactly_the_smallest_survivors_go(width, fraction, seed):
    rng = np.random.default_rng(seed)
    net = nn.Sequential(nn.Linear(width, 2, bias=False), nn.Linear(2, 3, bias=False))
    weights = rng.integers(-3, 4, 2 * width + 6).astype(np.float32)
    kept = rng.random(len(weights)) < 0.7
    kept[0] = True
    net[0].weight.data = torch.from_numpy(weights[: 2 * width]).view(2, width)
    net[1].weight.data = torch.from_numpy(weights[2 * width :]).view(3, 2)
    mask = MaskDict({"0.weight": torch.from_numpy(kept[: 2 * width]).view(2, width),
                     "1.weight": torch.from_numpy(kept[2 * width :]).view(3, 2)})  # fmt: skip
    after = MagnitudePruner(fraction).next_mask(net, mask)
    found = torch.cat([after["0.weight"].reshape(-1), after["1.weight"].reshape(-1)]).tolist()
    assert found == by_sorting(weights, kept, fraction)


def test_layerwise_the_fraction_of_every_tensor_goes_and_excluded_ones_stay():
    torch.manual_seed(0)
    net = Named()
    mask = MagnitudePruner(0.3, scope="layerwise", exclude=("fc.weight",)).next_mask(net)
    for name, kept in mask.items():
        weights = net.get_parameter(name).detach().reshape(-1).numpy()
        wanted = [True] * 60 if name == "fc.weight" else by_sorting(weights, np.ones(len(weights), bool), 0.3)
        assert kept.reshape(-1).tolist() == wanted


def test_densities_fall_by_the_fraction_and_masks_are_nested():
    torch.manual_seed(0)
    net, mask = Named(), None
    size = MaskDict.ones(net).size
    for level in range(1, 9):
        before, mask = mask, MagnitudePruner(0.2).next_mask(net, mask)
        assert abs(mask.density - 0.8**level) <= level / size
        if before is not None:
            assert all(bool((before[name] | ~kept).all()) for name, kept in mask.items())


@pytest.mark.parametrize(
    ("pruner", "message"),
    [(MagnitudePruner(0.0), "fraction"), (MagnitudePruner(1.0), "fraction"), (MagnitudePruner(exclude=("x",)), "name"),
     (MagnitudePruner(scope="row"), "scope"),
     (MagnitudePruner(exclude=("c.weight", "fc1.weight", "fc2.weight", "fc.weight")), "leave weights")],
)  # fmt: skip
def test_prunings_that_cannot_be_are_refused(pruner, message):
    with pytest.raises(InputError, match=message):
        pruner.next_mask(Named())


# ---------------------------------------------------------------------------------------------------------------- IMP
def build(seed):
    torch.manual_seed(seed)
    return nn.Linear(10, 2, bias=False)


class Recorder:
    """Training that adds its step's number to every kept weight, and writes down what it was asked for."""

    def __init__(self):
        self.calls = []

    def __call__(self, net, mask, start, stop, seed):
        self.calls.append((start, stop, seed, net.weight.detach().clone(), mask.kept))
        with torch.no_grad():
            net.weight.add_(0.01 * torch.arange(20.0).view(2, 10)).mul_(mask["weight"])
        return {"calls": float(len(self.calls))}


def test_imp_by_hand():
    train = Recorder()
    levels = list(IMP(build, train, levels=3, rewind_step=5, pruner=MagnitudePruner(0.25)).run(4))
    start = build(4).weight.detach()
    rewound = start + 0.01 * torch.arange(20.0).view(2, 10)
    assert train.calls[0][:3] == (0, 5, 4)
    mask = torch.ones(2, 10, dtype=torch.bool)
    for index, (level, call) in enumerate(zip(levels, train.calls[1:], strict=True)):
        assert call[:3] == (5, None, 4)
        assert torch.equal(call[3], rewound * mask)
        end = (rewound * mask + 0.01 * torch.arange(20.0).view(2, 10)) * mask
        assert torch.allclose(level.weights["weight"], end)
        assert (level.index, level.metrics) == (index, {"calls": float(index + 2)})
        assert torch.equal(level.mask["weight"], mask)
        mask = torch.tensor(by_sorting(end.reshape(-1).tolist(), mask.reshape(-1).tolist(), 0.25)).view(2, 10)


def test_a_run_goes_on_after_levels_that_are_there():
    imp = IMP(build, Recorder(), levels=4, rewind_step=3)
    whole = list(imp.run(0))
    train = Recorder()
    rest = list(IMP(build, train, levels=4, rewind_step=3).run(0, done=tuple(whole[:3])))
    assert [level.index for level in rest] == [3, 4]
    assert len(train.calls) == 3  # to the rewinding point, and two levels
    for ours, theirs in zip(rest, whole[3:], strict=True):
        assert torch.equal(ours.weights["weight"], theirs.weights["weight"])
        assert torch.equal(ours.mask["weight"], theirs.mask["weight"])


def test_without_rewinding_steps_the_start_is_the_initialisation():
    train = Recorder()
    next(IMP(build, train, levels=1, rewind_step=0).run(2))
    assert [call[:2] for call in train.calls] == [(0, None)]
    assert torch.equal(train.calls[0][3], build(2).weight.detach())


def test_children_differ_by_their_noise_alone():
    parent = build(0)
    before = parent.weight.detach().clone()
    mask = MaskDict({"weight": torch.rand(2, 10, generator=torch.Generator().manual_seed(0)) < 0.5})

    def train(net, mask, start, stop, seed):
        with torch.no_grad():
            net.weight.add_(seed).mul_(mask["weight"])
        return {}

    first, second = sgd_stability(parent, mask, train, 7, (1, 2))
    assert torch.equal(parent.weight, before)
    assert torch.allclose(first.weight, (before + 1) * mask["weight"])
    assert torch.allclose(second.weight, (before + 2) * mask["weight"])
    assert error_barrier(first, second, lambda net: float(net.weight.sum())).barrier == pytest.approx(0, abs=1e-5)


# ---------------------------------------------------------------------------------------------------- limit of pruning
def test_the_limit_of_a_round_well_is_in_closed_form():
    eps, curvature, distance = 0.3, 2.0, 1.7
    radius = 2 * eps / curvature
    even = torch.full((5,), 0.2, dtype=torch.float64)
    found = gordon_limit(distance, torch.full((5,), curvature, dtype=torch.float64), even, eps)
    assert found == pytest.approx(radius / (distance**2 + radius))


def test_the_limit_by_loops_and_its_directions():
    values = torch.tensor([-1.0, 0.0, 0.5, 3.0, 40.0], dtype=torch.float64)
    shares = torch.tensor([0.1, 0.3, 0.3, 0.2, 0.1], dtype=torch.float64)
    eps, distance = 0.1, 0.8
    wanted = 0.0
    for value, share in zip(values.tolist(), shares.tolist(), strict=True):
        square = 2 * eps / value if value > 0 else math.inf
        wanted += share * (1.0 if math.isinf(square) else square / (distance**2 + square))
    assert gordon_limit(distance, values, shares, eps) == pytest.approx(wanted)
    assert gordon_limit(0.9, values, shares, eps) < wanted
    assert gordon_limit(0.8, values + 0.5, shares, eps) < wanted
    assert gordon_limit(0.8, values, shares, 1e9) == pytest.approx(1)


def test_the_crossing_with_the_diagonal():
    rng = np.random.default_rng(0)
    w = torch.from_numpy(rng.normal(size=400))
    values, shares = torch.full((1,), 5.0, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    found = max_prune_fraction(values, shares, w, eps=1.0, points=401)
    sizes = np.sort(w.numpy() ** 2)
    for alpha, distance, limit in zip(found.alphas[::57], found.distances[::57], found.limits[::57], strict=True):
        square = sizes[: round(alpha * 400)].sum()
        assert distance == pytest.approx(math.sqrt(square))
        assert limit == pytest.approx((2 / 5) / (square + 2 / 5))
    on = np.interp(found.alpha_star, found.alphas, found.limits)
    assert on == pytest.approx(found.alpha_star, abs=1e-9)
    assert 0.05 < found.alpha_star < 0.95
    learned = nn.Parameter(w.clone())  # as a network's weights come
    assert max_prune_fraction(values, shares, learned, eps=1.0, points=401).alpha_star == found.alpha_star
    wide = max_prune_fraction(torch.zeros(1, dtype=torch.float64), shares, w, eps=1.0)
    assert wide.alpha_star == 1
    capped = max_prune_fraction(torch.zeros(1, dtype=torch.float64), shares, w, 1.0, least_curvature=5.0, points=401)
    assert capped.alpha_star == pytest.approx(found.alpha_star)


@pytest.mark.parametrize(("w", "eps", "message"), [(torch.ones(3), 0.0, "eps"), (torch.ones(0), 1.0, "w")])
def test_a_limit_of_nothing_is_refused(w, eps, message):
    with pytest.raises(InputError, match=message):
        max_prune_fraction(torch.ones(1), torch.ones(1), w, eps)


def test_newly_small_weights_by_hand():
    mask = MaskDict({"w": torch.tensor([True, True, True, True, False])})
    before = {"w": torch.tensor([0.1, -0.2, 3.0, 4.0, 0.0])}
    after = {"w": torch.tensor([0.1, 5.0, -0.2, 4.0, 0.0])}
    assert newly_small(before, after, mask, 0.5) == 0.5  # places 0 and 2 go; before, 0 and 1 were smallest
    assert newly_small(before, before, mask, 0.5) == 0


def test_a_level_keeps_what_it_is_given():
    level = Level(2, MaskDict({"w": torch.ones(1, dtype=torch.bool)}), {"w": torch.ones(1)}, {"error": 1.0})
    assert (level.index, level.metrics["error"]) == (2, 1.0)
