"""Learning curves read backwards: the exchange rate of an augmentation (section 3 of arXiv 2210.06441).

e_ref(n) is the error without augmentation. A run with augmentation on n samples that has the error e is worth
n_eff = e_ref^-1(e) samples: v(n) = n_eff - n extra ones, at the exchange rate x(n) = n_eff / n.

Differences: the paper fits its curves by code that is not public. Here are two readings, a power law with an offset
(least squares on log errors) and a falling curve without any form. The second extrapolates nothing: an error below all
of the reference's is worth the largest size, one above all of them the smallest, and both are said to be censored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.errors import InputError
from holdfast.metrics.scaling import MonotoneCurve, PowerLaw, Reading, fit_power_law, resampled_means
from holdfast.validation import check_array, check_choice, check_integer, check_positive, check_same_length

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["power_offset", "power", "monotone"]
FORMS = ("power_offset", "power", "monotone")
EXTRAPOLATIONS = ("flag", "nan", "allow")
FEWEST_SIZES, LEAST_SPAN = 4, 10.0


def log2_rate(sizes: Any, reference: Any, n: Any, error: Any) -> np.ndarray:
    """log2 of the exchange rate, by the falling curve: finite for every error above 0.

    Args:
        sizes: (K,) sizes of the reference curve, ascending.
        reference: (..., K) its errors.
        n: (M,) sizes of the augmented runs.
        error: (..., M) their errors.

    Returns:
        (..., M) float64.

    Example:
        >>> log2_rate([100, 200, 400], [0.4, 0.2, 0.1], [100, 100], [0.2, 0.4]).tolist()
        [1.0, 0.0]
    """
    size = MonotoneCurve(sizes, reference).inverse(error).size
    return np.log2(size) - np.log2(np.asarray(n, np.float64))


def pure_power_law(sizes: np.ndarray, errors: np.ndarray) -> PowerLaw:
    """e(n) = a n^(-c): a straight line through log e over log n; a curve that rises gets c = 0."""
    x, y = np.log(sizes), np.log(errors)
    centred = x - x.mean()
    c = np.maximum(0.0, -(y * centred).sum(-1) / (centred**2).sum())
    level = y.mean(-1) + c * x.mean()
    residual = y - (level[..., None] - c[..., None] * x)
    return PowerLaw(np.exp(level), c, np.zeros_like(c), np.sqrt((residual**2).mean(-1)))


def _fitted(form: Form, sizes: np.ndarray, errors: np.ndarray) -> PowerLaw | MonotoneCurve:
    if form == "monotone":
        return MonotoneCurve(sizes, errors)
    return fit_power_law(sizes, errors) if form == "power_offset" else pure_power_law(sizes, errors)


@dataclass(frozen=True, eq=False)
class ScalingCurve:
    """A learning curve and its bootstrap: the runs of every size drawn anew, averaged and fitted again.

    Made by `ScalingCurve.fit`.

    Attributes:
        sizes: (K,) sizes, ascending.
        errors: (K,) mean error at each, in [0, 1].
        form: "power_offset", "power" or "monotone".
        curve: fitted to the means; a law's `residual` says how well.
        draws: the same of (B, K) resampled means.
    """

    sizes: np.ndarray
    errors: np.ndarray
    form: Form
    curve: PowerLaw | MonotoneCurve
    draws: PowerLaw | MonotoneCurve

    @classmethod
    def fit(cls, n: Any, error: Any, form: Form = "power_offset", n_boot: int = 1000, seed: int = 0) -> ScalingCurve:
        """Fit a curve to runs.

        Args:
            n: (R,) size of each run; sizes repeat.
            error: (R,) its error, above 0 and at most 1. Errors of one size are averaged before the fit.
            form: a n^(-c) + b ("power_offset"), a n^(-c) ("power"), or any falling curve ("monotone").
            n_boot: bootstrap draws.
            seed: of the draws.

        Raises:
            InputError: fewer than 4 sizes, sizes that span less than a factor of 10, errors outside (0, 1].

        Example:
            >>> n = np.array([100, 200, 400, 800, 1600])
            >>> curve = ScalingCurve.fit(n, 9 * n**-0.9 + 0.05, n_boot=10)
            >>> {name: round(value, 4) for name, value in curve.params.items()}
            {'a': 9.0, 'c': 0.9, 'b': 0.05}
        """
        check_choice(form, FORMS, "form")
        sizes, runs = by_size(n, error)
        check_sizes(sizes)
        means = np.array([run.mean() for run in runs])
        drawn = resampled_means(runs, check_integer(n_boot, "n_boot", low=1), np.random.default_rng(seed))
        return cls(sizes, means, form, _fitted(form, sizes, means), _fitted(form, sizes, drawn))

    @property
    def params(self) -> dict[str, float]:
        """{"a", "c", "b"}; {} of a falling curve."""
        law = self.curve
        return {k: float(getattr(law, k)) for k in ("a", "c", "b")} if isinstance(law, PowerLaw) else {}

    def ci(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Percentile intervals of `params` over the draws."""
        tail = 50 * (1 - level)
        if not isinstance(self.draws, PowerLaw):
            return {}
        found = {k: np.percentile(getattr(self.draws, k), [tail, 100 - tail]) for k in ("a", "c", "b")}
        return {k: (float(low), float(high)) for k, (low, high) in found.items()}

    @property
    def rises(self) -> bool:
        """Whether the mean error rises anywhere with more data."""
        return bool((np.diff(self.errors) > 0).any())

    def predict(self, n: Any) -> np.ndarray:
        """(M,) errors at sizes (M,); a falling curve is level outside of its sizes."""
        return predicted(self.curve, n)

    def invert(self, error: Any) -> Reading:
        """Sizes at which the curve has errors (M,); infinite below a power law's offset."""
        return _read(self.curve, error, self.sizes)


def predicted(curve: PowerLaw | MonotoneCurve, n: Any) -> np.ndarray:
    """(..., M) errors at sizes (M,)."""
    if isinstance(curve, PowerLaw):
        return curve(n)
    at, rows = np.log(np.asarray(n, np.float64)), np.atleast_2d(curve.falling)
    found = np.stack([np.interp(at, np.log(curve.sizes), row) for row in rows])
    return found.reshape(*curve.falling.shape[:-1], -1)


def _read(curve: PowerLaw | MonotoneCurve, error: Any, sizes: np.ndarray) -> Reading:
    """Sizes, and where the errors are outside of what was measured (-1 before, 1 beyond)."""
    if isinstance(curve, MonotoneCurve):
        return curve.inverse(error)
    size = curve.inverse(error)
    outside = np.where(size > sizes[-1] * (1 + 1e-9), 1, np.where(size < sizes[0] * (1 - 1e-9), -1, 0))
    return Reading(size, outside)


def exchange_rate(
    reference: ScalingCurve, n: Any, error: Any, extrapolate: Literal["flag", "nan", "allow"] = "flag", seed: int = 1
) -> pd.DataFrame:
    """What runs with an augmentation are worth, one row per size.

    Args:
        reference: curve without the augmentation, on the same test set.
        n: (R,) sizes of runs with it; repeated ones are averaged.
        error: (R,) their errors, above 0 and at most 1.
        extrapolate: readings outside of the reference's sizes are flagged ("flag"), made NaN ("nan"), or left as they
            are without a flag ("allow"). A falling curve has none: it censors.
        seed: of the bootstrap of these runs; the reference has its own draws.

    Returns:
        Columns n, error, n_eff, extra (n_eff - n), rate (n_eff / n), lo and hi (95 % of the rate over the draws; a draw
        that a falling curve censors sets no limit on that side, so lo can be 0 and hi infinite), extrapolated (-1
        before the smallest size, 1 beyond the largest, 0 inside).

    Raises:
        InputError: errors outside (0, 1], no run.

    Example:
        >>> n = np.array([100, 200, 400, 800, 1600])
        >>> curve = ScalingCurve.fit(n, 9 * n**-0.9 + 0.05, n_boot=10)
        >>> exchange_rate(curve, [100, 200], 9 * (3.0 * np.array([100, 200]))**-0.9 + 0.05)["rate"].round(6).tolist()
        [3.0, 3.0]
    """
    import pandas as pd

    check_choice(extrapolate, EXTRAPOLATIONS, "extrapolate")
    sizes, runs = by_size(n, error)
    means = np.array([run.mean() for run in runs])
    reading = reference.invert(means)
    count = np.asarray(reference.draws.b if isinstance(reference.draws, PowerLaw) else reference.draws.errors).shape[0]
    drawn = resampled_means(runs, count, np.random.default_rng(seed))
    redrawn = _read(reference.draws, drawn, reference.sizes)
    least = most = redrawn.size / sizes
    if reference.form == "monotone":
        least, most = np.where(redrawn.censored < 0, 0.0, least), np.where(redrawn.censored > 0, np.inf, most)
    # Infinite draws cannot be interpolated.
    low, high = (np.quantile(q, at, axis=0, method="nearest") for q, at in ((least, 0.025), (most, 0.975)))
    size, outside = reading.size, reading.censored
    if extrapolate == "nan" and reference.form != "monotone":
        size = np.where(outside == 0, size, np.nan)
        low, high = (np.where(outside == 0, end, np.nan) for end in (low, high))
    if extrapolate == "allow" and reference.form != "monotone":
        outside = np.zeros_like(outside)
    columns = {"n": sizes, "error": means, "n_eff": size, "extra": size - sizes, "rate": size / sizes}
    return pd.DataFrame(columns | {"lo": low, "hi": high, "extrapolated": outside})


def by_size(n: Any, error: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    """The sizes in order, and the errors of the runs of each.

    Raises:
        InputError: no run, sizes not above 0, errors outside (0, 1].
    """
    size = check_array(np.asarray(n, np.float64), "R", name="n")
    e = check_array(np.asarray(error, np.float64), "R", name="error")
    check_same_length(n=size, error=e)
    check_positive(float(size.min()), "n")
    if not ((e > 0) & (e <= 1)).all():
        raise InputError("error", "must be shares above 0 and at most 1", float(e[~((e > 0) & (e <= 1))][0]))
    sizes = np.unique(size)
    return sizes, [e[size == one] for one in sizes]


def check_sizes(sizes: np.ndarray, argument: str = "n") -> None:
    """Raise InputError unless a curve can be fitted: at least 4 sizes over at least a factor of 10."""
    if len(sizes) < FEWEST_SIZES:
        rule = f"must have at least {FEWEST_SIZES} sizes for a reference curve, over at least a factor of 10"
        raise InputError(argument, rule, f"{len(sizes)}: {', '.join(f'{size:g}' for size in sizes)}")
    if sizes[-1] < LEAST_SPAN * sizes[0]:
        rule = f"must span at least a factor of {LEAST_SPAN:g} for a reference curve"
        raise InputError(argument, rule, f"{sizes[0]:g} to {sizes[-1]:g}")


__all__ = ["FORMS", "Form", "ScalingCurve", "by_size", "check_sizes", "exchange_rate", "log2_rate", "predicted"]
