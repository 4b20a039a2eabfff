"""Pruning against torch.nn.utils.prune and a sort, and what a mask adds to a training step: same work, same run.

python benchmarks/lottery_ticket.py [--weights 25000000] [--repeats 7]
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from holdfast.systems.lottery_ticket import MagnitudePruner, MaskDict
from holdfast.testing.timing import interleaved, medians


def masks(weights: int, repeats: int) -> None:
    """20 % of the weights of ten layers at once."""
    side = int((weights / 10) ** 0.5)
    net = nn.Sequential(*(nn.Linear(side, side, bias=False) for _ in range(10)))
    pruner = MagnitudePruner(0.2)

    def by_torch() -> nn.Module:
        other = copy.deepcopy(net)
        layers = [(layer, "weight") for layer in other]
        prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.2)
        return other

    def by_sort() -> list[np.ndarray]:
        # as the reference does: a sort of all magnitudes in numpy
        flat = np.concatenate([np.abs(layer.weight.detach().numpy()).reshape(-1) for layer in net])
        threshold = np.sort(flat)[int(np.ceil(0.2 * len(flat)))]
        return [np.abs(layer.weight.detach().numpy()) > threshold for layer in net]

    ours, theirs = pruner.next_mask(net), by_torch()
    differ = sum(int((ours[f"{i}.weight"] != (layer.weight_mask > 0)).sum()) for i, layer in enumerate(theirs))
    print(f"{10 * side * side:,} weights; masks differ from torch's in {differ} places")
    works = {"ours": lambda: pruner.next_mask(net), "torch.nn.utils.prune": by_torch, "numpy sort": by_sort}
    median = medians(interleaved(works, repeats, warm=1))
    for name, seconds in median.items():
        print(f"{name:<24} {1e3 * seconds:8.1f} ms, {seconds / median['ours']:5.2f} x ours")


def steps(repeats: int) -> None:
    """A hundred steps of SGD on LeNet-300-100, dense, masked by us, and reparametrised by torch."""
    torch.manual_seed(0)
    x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))
    dense = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
    pruned, masked = copy.deepcopy(dense), copy.deepcopy(dense)
    layers = [(layer, "weight") for layer in pruned if isinstance(layer, nn.Linear)]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.9)
    mask: MaskDict = MagnitudePruner(0.9).next_mask(masked)
    optimizers = {name: torch.optim.SGD(net.parameters(), 0.1, momentum=0.9) for name, net in
                  (("dense", dense), ("masked", masked), ("torch.nn.utils.prune", pruned))}  # fmt: skip

    def train(net: nn.Module, name: str) -> None:
        for _ in range(100):
            optimizers[name].zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizers[name].step()

    with mask.attach(masked, optimizers["masked"]):
        works: dict[str, Callable[[], object]] = {
            "dense": lambda: train(dense, "dense"),
            "masked": lambda: train(masked, "masked"),
            "torch.nn.utils.prune": lambda: train(pruned, "torch.nn.utils.prune"),
        }
        median = medians(interleaved(works, repeats, warm=1))
    for name, seconds in median.items():
        print(f"{name:<24} {10 * seconds:8.2f} ms a step, {seconds / median['dense']:5.2f} x dense")


def main() -> None:
    """Both comparisons."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=int, default=25_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    masks(given.weights, given.repeats)
    steps(given.repeats)


if __name__ == "__main__":
    main()
