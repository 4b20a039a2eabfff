"""The KT estimator: the exact Bayes mixture over all constant distributions (Krichevsky and Trofimov 1981).

With counts c_s of n symbols from an alphabet of size A, and the Dirichlet(1/2, ..., 1/2) prior,

    P(next = s) = (c_s + 1/2) / (n + A/2)                                               (`KT.prob`)
    P(x_1 .. x_n) = G(A/2) / G(1/2)^A  x  prod_s G(c_s + 1/2) / G(n + A/2)              (`kt_log_marginal`)

G is the gamma function; the second is the running product of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.stream import Steps, Stream, check_state


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


def one_hot(x: np.ndarray, alphabet: int) -> np.ndarray:
    """(B, T, A) int64, 1 where the symbol is; x (B, T)."""
    return (x[:, :, None] == np.arange(alphabet)).astype(np.int64)


def kt_probs(x: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """KT's predictions before each symbol of x (B, T), from counts (B, A) of what was seen before: (B, T, A)."""
    seen = one_hot(x, counts.shape[1])
    before = np.cumsum(seen, axis=1) - seen + counts[:, None]
    return (before + 0.5) / (before.sum(2, keepdims=True) + 0.5 * counts.shape[1])


class KT(Stream):
    """The KT estimator of one sequence; O(A) memory and time per symbol.

    Args:
        alphabet: number of symbols A.

    Example:
        >>> from holdfast.systems.nonstationary_meta import KT
        >>> kt = KT()
        >>> for bit in [1, 1, 0]:
        ...     kt.update(bit)
        >>> kt.prob().tolist()
        [0.375, 0.625]
    """

    def __init__(self, alphabet: int = 2) -> None:
        super().__init__(alphabet)
        self._counts = np.zeros(self.alphabet, np.int64)

    @property
    def counts(self) -> np.ndarray:
        """(A,) int64: how often each symbol was seen."""
        return self._counts.copy()

    def prob(self) -> np.ndarray:
        return (self._counts + 0.5) / (self.t + 0.5 * self.alphabet)

    def change_prob(self) -> float:
        """1 for the first symbol, 0 for all others: there is one segment."""
        return float("nan") if self.t == 0 else float(self.t == 1)

    def _take(self, symbol: int) -> float:
        p = (self._counts[symbol] + 0.5) / (self.t + 0.5 * self.alphabet)
        self._counts[symbol] += 1
        return float(p)

    def _run(self, x: np.ndarray) -> Steps:
        p = kt_probs(x[None], self._counts[None])[0]
        self._counts += np.bincount(x, minlength=self.alphabet)
        return Steps(np.log(p), (np.arange(self.t, self.t + len(x)) == 0).astype(np.float64))

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"counts": self._counts.copy()}

    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        counts = check_state(arrays, "counts", (self.alphabet,), "i")
        if (counts < 0).any() or counts.sum() != t:
            raise InputError("state['counts']", f"must be counts of {t} symbols", counts.tolist())
        self._counts = counts


__all__ = ["KT", "kt_log_marginal", "kt_probs", "one_hot"]
