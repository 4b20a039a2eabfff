"""The KT estimator: the exact Bayes mixture over all constant distributions (Krichevsky and Trofimov 1981).

With counts c_s of n symbols from an alphabet of size A, and the Dirichlet(1/2, ..., 1/2) prior,

    P(next = s) = (c_s + 1/2) / (n + A/2)                                               (`kt_estimates`)
    P(x_1 .. x_n) = G(A/2) / G(1/2)^A  x  prod_s G(c_s + 1/2) / G(n + A/2)              (`kt_log_marginal`)

G is the gamma function; the second is the running product of the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def kt_estimates(counts: np.ndarray) -> np.ndarray:
    """P(next = s) from counts (..., A) of what was seen before: (..., A).

    Example:
        >>> kt_estimates(np.array([1, 2])).tolist()
        [0.375, 0.625]
    """
    return (counts + 0.5) / (counts.sum(-1, keepdims=True) + 0.5 * counts.shape[-1])


def kt_log_marginal(counts: Any) -> Any:
    """Log-probability that KT gives to sequences with these counts, in any order.

    Args:
        counts: (..., A) counts of the symbols.

    Returns:
        (...) float64, natural logarithm.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import kt_log_marginal
        >>> round(float(np.exp(kt_log_marginal([1, 1]))), 6)  # 1/2 x 1/4
        0.125
    """
    from scipy.special import gammaln

    counts = np.asarray(counts, dtype=np.float64)
    size = counts.shape[-1]
    constant = gammaln(size / 2) - size * gammaln(0.5)
    return constant + gammaln(counts + 0.5).sum(-1) - gammaln(counts.sum(-1) + size / 2)


def kt_probs(x: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """KT's predictions before each symbol of x (B, T), from counts (B, A) of what was seen before: (B, T, A)."""
    seen = one_hot(x, counts.shape[1])
    return kt_estimates(np.cumsum(seen, axis=1) - seen + counts[:, None])


def one_hot(x: np.ndarray, alphabet: int) -> np.ndarray:
    """(B, T, A) int64, 1 where the symbol is; x (B, T)."""
    return (x[:, :, None] == np.arange(alphabet)).astype(np.int64)


__all__ = ["kt_estimates", "kt_log_marginal", "kt_probs", "one_hot"]
