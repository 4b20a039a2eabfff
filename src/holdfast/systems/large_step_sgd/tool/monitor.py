"""A monitor of layers' sparsity while a network trains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from holdfast.layers.outputs import Hooks, evaluating
from holdfast.systems.large_step_sgd.method.features import SparsityReport, feature_sparsity
from holdfast.validation import check_integer


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
        *,
        corr_threshold: float = 0.95,
        max_units: int | None = 1000,
    ) -> None:
        self.model, self.layers, self.loader = model, list(layers), loader
        self.every = check_integer(every, "every", low=1)
        self.corr_threshold, self.max_units = corr_threshold, max_units
        self.history: list[tuple[int, dict[str, SparsityReport]]] = []
        self._done = 0

    def step(self) -> dict[str, SparsityReport] | None:
        """Count a step, and measure if it is time."""
        self._done += 1
        if self._done % self.every:
            return None
        self.history.append((self._done, self.measure()))
        return self.history[-1][1]

    @torch.no_grad()
    def measure(self) -> dict[str, SparsityReport]:
        """Layer -> report, now."""
        with evaluating(self.model), Hooks(self.model, self.layers) as hooks:
            for batch in self.loader:
                self.model(batch[0] if isinstance(batch, list | tuple) else batch)
        return {
            name: feature_sparsity(phi, self.corr_threshold, self.max_units) for name, phi in hooks.features().items()
        }


__all__ = ["FeatureSparsityMonitor"]
