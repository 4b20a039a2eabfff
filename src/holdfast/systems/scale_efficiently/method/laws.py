"""L(N) = E + A N^-alpha, fitted to runs, with intervals from resampled residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.metrics.scaling import fit_power_law
from holdfast.validation import check_array, check_integer, check_same_length


@dataclass(frozen=True)
class ScalingFit:
    """A law of losses.

    Attributes:
        E: loss of an endless model; A, alpha: how it is approached.
        intervals: of the three, 95 %, from the bootstrap; empty without one.
        residual: root mean square of the log residuals.
    """

    E: float
    A: float
    alpha: float
    intervals: dict[str, tuple[float, float]]
    residual: float

    def __call__(self, n: Any) -> np.ndarray:
        """The loss at sizes n."""
        return np.asarray(self.E + self.A * np.asarray(n, np.float64) ** -self.alpha)


def fit_scaling_law(n: Any, loss: Any, n_boot: int = 200, seed: int = 0) -> ScalingFit:
    """The law with the least squares of log residuals.

    Args:
        n: (K,) sizes, at least four different ones, in any unit.
        loss: (K,) positive losses.
        n_boot: draws of residuals; 0 = no intervals.
        seed: of the draws.

    Raises:
        InputError: fewer than four different sizes for the three numbers; sizes or losses that are not positive.

    Example:
        >>> n = np.array([1e6, 3e6, 1e7, 3e7, 1e8])
        >>> law = fit_scaling_law(n, 1.7 + 400 * n**-0.34, n_boot=0)
        >>> round(law.E, 3), round(law.alpha, 3)
        (1.7, 0.34)
    """
    sizes, losses = (
        np.asarray(check_array(x, "K", name=name, dtype="float64")) for x, name in ((n, "n"), (loss, "loss"))
    )
    check_same_length(n=sizes, loss=losses)
    check_integer(n_boot, "n_boot", low=0)
    for name, values in (("n", sizes), ("loss", losses)):
        if (values <= 0).any():
            raise InputError(name, "must be positive", float(values.min()))
    if len(np.unique(sizes)) < 4:
        raise InputError("n", "must hold at least four different sizes for three numbers", len(np.unique(sizes)))
    sizes, place = np.unique(sizes, return_inverse=True)  # runs of one size count by their geometric mean
    losses = np.exp(np.bincount(place, np.log(losses)) / np.bincount(place))
    unit = float(np.exp(np.log(sizes).mean()))  # weights or millions of them: the fit should not care
    law = fit_power_law(sizes / unit, losses)
    E, alpha = float(law.b), float(law.c)
    intervals: dict[str, tuple[float, float]] = {}
    if n_boot:
        fitted = law(sizes / unit)
        residuals = np.log(losses / fitted) * np.sqrt(len(sizes) / max(1, len(sizes) - 3))  # three numbers were fitted
        rng = np.random.default_rng(seed)
        drawn = fitted * np.exp(rng.choice(residuals, (n_boot, len(sizes))))
        again = fit_power_law(sizes / unit, drawn)
        for name, values in (("E", again.b), ("A", again.a * unit**again.c), ("alpha", again.c)):
            low, high = np.quantile(values, (0.025, 0.975))
            intervals[name] = (float(low), float(high))
    return ScalingFit(E, float(law.a) * unit**alpha, alpha, intervals, float(law.residual))


__all__ = ["ScalingFit", "fit_scaling_law"]
