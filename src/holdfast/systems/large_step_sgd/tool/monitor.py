"""The sparsity of layers: of a network as it is, and while it trains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from holdfast.layers.outputs import Hooks, evaluating
from holdfast.systems.large_step_sgd.method.features import SparsityReport, feature_sparsity
from holdfast.validation import check_array, check_integer


@torch.no_grad()
def layers_sparsity(
    model: nn.Module, layers: Sequence[str], batches: Iterable[Any], corr_threshold: float, max_units: int | None
) -> dict[str, tuple[int, SparsityReport]]:
    """Layer -> its units and its report, in evaluation mode; batches: of inputs, or tuples that begin with them."""
    with evaluating(model), Hooks(model, layers) as hooks:
        for batch in batches:
            model(batch[0] if isinstance(batch, list | tuple) else batch)
    found = {name: check_array(phi, "N M", name=f"outputs of layer {name}") for name, phi in hooks.features().items()}
    return {name: (phi.shape[1], feature_sparsity(phi, corr_threshold, max_units)) for name, phi in found.items()}


class FeatureSparsityMonitor:
    """The sparsity of layers while a network trains: call `step()` after every optimiser step.

    Args:
        model: it is measured in evaluation mode and put back.
        layers: names of modules, of their outputs after the activation function.
        loader: gives batches of inputs, or tuples that begin with them; always the same rows.
        every: steps between measurements.
        corr_threshold, max_units: as in `feature_sparsity`.

    Attributes:
        history: (step, layer -> report), one for every measurement.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> monitor = FeatureSparsityMonitor(net, ["1"], [torch.randn(8, 2)], every=2)
        >>> [monitor.step() is not None for _ in range(4)], [step for step, _ in monitor.history]
        ([False, True, False, True], [2, 4])
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[str],
        loader: Iterable[Any],
        every: int = 200,
        corr_threshold: float = 0.95,
        max_units: int | None = 1000,
    ) -> None:
        self.every = check_integer(every, "every", low=1)
        self.measured = (model, list(layers), loader, corr_threshold, max_units)
        self.history: list[tuple[int, dict[str, SparsityReport]]] = []
        self._done = 0

    def step(self) -> dict[str, SparsityReport] | None:
        """Count a step, and measure if it is time."""
        self._done += 1
        if self._done % self.every:
            return None
        found = {name: report for name, (_, report) in layers_sparsity(*self.measured).items()}
        self.history.append((self._done, found))
        return found


__all__ = ["FeatureSparsityMonitor", "layers_sparsity"]
