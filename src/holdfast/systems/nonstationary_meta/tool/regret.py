"""Expected regret of predictions, checked: for numpy arrays and torch tensors, float64 of the same kind out."""

from __future__ import annotations

from typing import Any

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.method.regret import regret
from holdfast.validation import check_array, is_tensor


def expected_regret(log_probs: Any, theta: Any) -> Any:
    """Expected regret of every prediction.

    Args:
        log_probs: `(B, T, 2)`, natural logarithms of the predicted probabilities of 0 and 1, before the symbol is seen.
            May be -inf where the symbol is impossible.
        theta: `(B, T)`, true probabilities of a 1.

    Returns:
        float64 `(B, T)`, at least 0, in nats; inf where a possible symbol was given probability 0.

    Raises:
        InputError: shapes do not fit, NaN, theta outside [0, 1].

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import expected_regret
        >>> half = np.log(np.full((1, 2, 2), 0.5))
        >>> expected_regret(half, np.array([[0.5, 1.0]])).round(4).tolist()
        [[0.0, 0.6931]]
    """
    log_probs, theta = _checked(log_probs, theta)
    return regret(log_probs, theta)


def cumulative_regret(log_probs: Any, theta: Any) -> Any:
    """Mean over sequences of the regret summed up to each position.

    Args:
        log_probs, theta: as for `expected_regret`.

    Returns:
        float64 `(T,)`, in nats.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import cumulative_regret
        >>> half = np.log(np.full((5, 3, 2), 0.5))
        >>> cumulative_regret(half, np.ones((5, 3))).round(3).tolist()
        [0.693, 1.386, 2.079]
    """
    per_position = expected_regret(log_probs, theta)
    if len(per_position) == 0:
        raise InputError("log_probs", "must have at least one sequence", f"shape {tuple(log_probs.shape)}")
    return per_position.mean(0).cumsum(0)


def excess_regret(log_probs: Any, optimum: Any, theta: Any) -> Any:
    """Regret above that of another predictor on the same sequences; the entropy of the source cancels.

    Single sequences may well have negative values. In expectation none is negative if `optimum` is the Bayes mixture
    of the prior that the sources were drawn from.

    Args:
        log_probs, optimum: `(B, T, 2)` each.
        theta: `(B, T)`.

    Returns:
        float64 `(B, T)`, in nats.
    """
    return expected_regret(log_probs, theta) - expected_regret(optimum, theta)


def _checked(log_probs: Any, theta: Any) -> tuple[Any, Any]:
    sizes: dict[str, int] = {}
    theta = check_array(
        theta, "B T", name="theta", dtype="float64", low=0.0, high=1.0, empty=True, sizes=sizes
    )  # fmt: skip
    log_probs = check_array(
        log_probs, "B T 2", name="log_probs", dtype="float64", finite=False, high=1e-6, empty=True, sizes=sizes
    )  # fmt: skip
    if is_tensor(log_probs) != is_tensor(theta):
        raise InputError("theta", "must be of the kind of log_probs: both numpy arrays or both tensors")
    if bool((log_probs != log_probs).any()):
        raise InputError("log_probs", "must not be NaN")
    return log_probs, theta


__all__ = ["cumulative_regret", "excess_regret", "expected_regret"]
