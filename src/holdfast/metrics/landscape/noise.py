"""How much gradients differ between batches and between samples.

McCandlish, Kaplan, Amodei, 2018, arXiv 1812.06162 (noise scale); Welford, 1962 (moments in one pass).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.validation import check_integer


class Welford:
    """Mean and variance of vectors that are seen one at a time, without the cancellation of sums of squares.

    Example:
        >>> moments = Welford()
        >>> for row in torch.tensor([[1.0, 0.0], [3.0, 0.0]]):
        ...     moments.add(row)
        >>> moments.mean.tolist(), moments.variance().tolist()
        ([2.0, 0.0], [2.0, 0.0])
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(0)
        self._squares = torch.zeros(0)

    def add(self, vector: Tensor) -> None:
        """One more vector (D,)."""
        if not self.count:
            self.mean, self._squares = torch.zeros_like(vector), torch.zeros_like(vector)
        self.count += 1
        before = vector - self.mean
        self.mean = self.mean + before / self.count
        self._squares = self._squares + before * (vector - self.mean)

    def variance(self) -> Tensor:
        """(D,), divided by n - 1.

        Raises:
            InputError: fewer than two vectors.
        """
        if self.count < 2:
            raise InputError("vectors", "must be at least 2 for a variance", self.count)
        return self._squares / (self.count - 1)


@dataclass(frozen=True)
class GradientNoise:
    """What the gradients of batches say.

    Attributes:
        mean_norm: norm of the mean gradient.
        std_norm: norm of the standard deviation (divided by n - 1) of the entries.
        snr: mean_norm / (std_norm + 1e-10).
        noise: S, an estimate of the trace of the covariance of one sample's gradient.
        signal: G, an estimate of the squared norm of the true gradient; can be negative where noise hides it.
        noise_scale: S / G, the batch size above which larger batches help little; NaN where G <= 0.
    """

    mean_norm: float
    std_norm: float
    snr: float
    noise: float
    signal: float
    noise_scale: float


def gradient_noise(gradients: Iterable[Tensor], batch: int) -> GradientNoise:
    """Signal and noise from the gradients of batches of one size at fixed weights.

    With b samples a batch and B in all, S = (E|g_b|^2 - |mean|^2) / (1/b - 1/B) and
    G = (B |mean|^2 - b E|g_b|^2) / (B - b).

    Args:
        gradients: flat gradients (D,), one a batch; at least two, read once.
        batch: samples per batch.

    Raises:
        InputError: fewer than two gradients, a batch size below 1.

    Example:
        >>> found = gradient_noise(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), batch=8)
        >>> found.mean_norm, round(found.noise, 6), round(found.signal, 6), round(found.noise_scale, 6)
        (1.0, 16.0, 0.0, nan)
    """
    size = check_integer(batch, "batch", low=1)
    moments, squares = Welford(), 0.0
    for gradient in gradients:
        moments.add(gradient.double())
        squares += float(gradient.double().square().sum())
    if moments.count < 2:
        raise InputError("gradients", "must be at least 2", moments.count)
    whole, each = size * moments.count, squares / moments.count
    mean, std = float(moments.mean.norm()), float(moments.variance().sqrt().norm())
    noise = (each - mean**2) / (1 / size - 1 / whole)
    signal = (whole * mean**2 - size * each) / (whole - size)
    return GradientNoise(mean, std, mean / (std + 1e-10), noise, signal, noise / signal if signal > 0 else math.nan)


def sample_gradients(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor, chunk: int | None = None
) -> Tensor:
    """The gradient of every sample's loss, in evaluation mode.

    Args:
        model: network of (N, ...) -> (N, ...).
        loss: (outputs of one row (1, ...), its target (1, ...)) -> scalar.
        x: (N, ...) inputs.
        y: (N, ...) targets.
        chunk: rows at a time; None = all.

    Returns:
        (N, D), parameters flattened in their order.
    """
    weights = {name: value.detach() for name, value in model.named_parameters()}

    def of_one(named: dict[str, Tensor], row: Tensor, target: Tensor) -> Tensor:
        return loss(functional_call(model, named, (row[None],)), target[None])

    with evaluating(model):
        found = vmap(grad(of_one), in_dims=(None, 0, 0), chunk_size=chunk)(weights, x, y)
    return torch.cat([part.reshape(len(x), -1) for part in found.values()], 1)


def mean_cosine(gradients: Tensor) -> float:
    """Mean cosine over all pairs of different rows (N, D); rows of length 0 count with cosine 0.

    Raises:
        InputError: fewer than two rows.

    Example:
        >>> mean_cosine(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        0.3333333333333333
    """
    if gradients.ndim != 2 or len(gradients) < 2:
        raise InputError("gradients", "must be at least two rows (N, D)", tuple(gradients.shape))
    length = gradients.double().norm(dim=1, keepdim=True)
    unit = gradients.double() / torch.where(length > 0, length, 1.0)
    # The sum over all pairs is the squared norm of the sum; pairs of a row with itself are taken out.
    total = float(unit.sum(0).square().sum() - unit.square().sum())
    return total / (len(unit) * (len(unit) - 1))


__all__ = ["GradientNoise", "Welford", "gradient_noise", "mean_cosine", "sample_gradients"]
