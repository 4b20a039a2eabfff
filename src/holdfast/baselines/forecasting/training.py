"""How networks that forecast are trained: squared error, AdamW, a rate that falls to zero as half a cosine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from holdfast.baselines.forecasting.networks import Forecast, Regression
from holdfast.data.batches import Batches
from holdfast.randomness import seeded
from holdfast.training import Best, fit
from holdfast.training.loop import Trained


def half_cosine(progress: float) -> float:
    """1 at the start, 0 at the end."""
    return float(0.5 + 0.5 * np.cos(np.pi * progress))


def train_network(
    net: type[Forecast],
    tensors: dict[str, Tensor],
    *,
    steps: int,
    batch: int,
    lr: float,
    weight_decay: float,
    seed: Callable[[str], int],
    device: str = "cpu",
    keep: Best | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train a network on windows.

    Args:
        net: its class, made from the numbers of columns (w, M, h).
        tensors: "window" (n, w), "covariates" (n, M), "target" (n, h), float32.
        steps, batch, lr, weight_decay: of training; gradients are clipped at norm 1.
        seed: of "init", "batches" and "augment".
        device: where it is trained.
        keep: what the best weights are chosen by; None = the last are kept.
        on_step: called with (steps done, steps).
    """
    window, covariates, target = (tensors[name].shape[1] for name in ("window", "covariates", "target"))
    with seeded(seed("init")):
        make: Callable[..., Forecast] = net
        made = make(window, covariates, target)
    return fit(
        Regression(made, lr, weight_decay),
        Batches(tensors, min(batch, len(tensors["window"])), seed("batches")),
        steps=steps,
        seed=seed("augment"),
        schedule=half_cosine,
        clip=1.0,
        device=device,
        keep=keep,
        on_step=on_step,
        log_every=steps,
    )


__all__ = ["half_cosine", "train_network"]
