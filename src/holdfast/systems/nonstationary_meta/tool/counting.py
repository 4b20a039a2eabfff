"""Streams that count: KT, and KT with a memory that fades or ends.

The latter are the simple predictors for changing sources that any other has to beat.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.method.kt import kt_estimates, kt_probs, one_hot
from holdfast.systems.nonstationary_meta.tool.stream import Steps, Stream, check_state
from holdfast.validation import check_fraction, check_integer


def decayed_kt_probs(x: np.ndarray, decay: float, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (B, T, A) before each symbol of x (B, T), T >= 1, from counts (B, A); and the counts afterwards."""
    from scipy.signal import lfilter

    come = one_hot(x, counts.shape[1]).astype(np.float64)
    after, _ = lfilter([1.0], [1.0, -decay], come, axis=1, zi=decay * counts[:, None])
    before = np.concatenate([counts[:, None], after[:, :-1]], axis=1)
    return kt_estimates(before), after[:, -1].copy()


def window_kt_probs(x: np.ndarray, window: int, alphabet: int) -> np.ndarray:
    """Predictions (B, T, A) before each symbol of x (B, T) from the `window` symbols before it."""
    length = x.shape[1]
    sums = np.zeros((len(x), length + 1, alphabet), np.int64)
    np.cumsum(one_hot(x, alphabet), axis=1, out=sums[:, 1:])
    end = np.arange(length)
    begin = np.maximum(end - window, 0)
    return kt_estimates(sums[:, end] - sums[:, begin])


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
        return kt_estimates(self._counts)

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


class DecayedKT(Stream):
    """KT on counts that fade: c <- decay c, then c[x_t] += 1; P(s) = (c_s + 1/2) / (sum c + A/2).

    Args:
        decay: in (0, 1]; about 1 / (1 - decay) symbols are remembered. 1 is KT.
        alphabet: number of symbols A.

    Example:
        >>> from holdfast.systems.nonstationary_meta import DecayedKT
        >>> model = DecayedKT(decay=0.5)
        >>> for bit in [1, 1, 0]:
        ...     model.update(bit)
        >>> model.prob().round(4).tolist()  # counts 1 and 0.5 x (1 + 0.5)
        [0.5455, 0.4545]
    """

    def __init__(self, decay: float = 0.95, alphabet: int = 2) -> None:
        super().__init__(alphabet)
        self.decay = check_fraction(decay, "decay", zero=False)
        self._counts = np.zeros(self.alphabet)

    def prob(self) -> np.ndarray:
        return kt_estimates(self._counts)

    def _take(self, symbol: int) -> float:
        p = float(self.prob()[symbol])
        self._counts *= self.decay
        self._counts[symbol] += 1
        return p

    def _run(self, x: np.ndarray) -> Steps:
        p, after = decayed_kt_probs(x[None], self.decay, self._counts[None])
        self._counts = after[0]
        return Steps(np.log(p[0]), np.full(len(x), np.nan))

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"counts": self._counts.copy()}

    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        counts = check_state(arrays, "counts", (self.alphabet,), "f")
        if (counts < 0).any() or counts.sum() > t * (1 + 1e-9):
            raise InputError("state['counts']", f"must be faded counts of {t} symbols", counts.tolist())
        self._counts = counts


class WindowKT(Stream):
    """KT on the last `window` symbols alone.

    Args:
        window: number of symbols remembered, at least 1.
        alphabet: number of symbols A.

    Example:
        >>> from holdfast.systems.nonstationary_meta import WindowKT
        >>> model = WindowKT(window=2)
        >>> for bit in [1, 0, 0]:
        ...     model.update(bit)
        >>> model.prob().round(4).tolist()
        [0.8333, 0.1667]
    """

    def __init__(self, window: int = 32, alphabet: int = 2) -> None:
        super().__init__(alphabet)
        self.window = check_integer(window, "window", low=1)
        self._recent = np.empty(0, np.int64)

    def prob(self) -> np.ndarray:
        return kt_estimates(np.bincount(self._recent, minlength=self.alphabet))

    def _take(self, symbol: int) -> float:
        p = float(self.prob()[symbol])
        self._recent = np.append(self._recent, symbol)[-self.window :]
        return p

    def _run(self, x: np.ndarray) -> Steps:
        known = len(self._recent)
        both = np.concatenate([self._recent, x])
        p = window_kt_probs(both[None], self.window, self.alphabet)[0, known:]
        self._recent = both[-self.window :].copy()
        return Steps(np.log(p), np.full(len(x), np.nan))

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"recent": self._recent.copy()}

    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        recent = check_state(arrays, "recent", (min(t, self.window),), "i")
        if recent.size and (recent.min() < 0 or recent.max() >= self.alphabet):
            raise InputError("state['recent']", f"must hold symbols 0 .. {self.alphabet - 1}", recent.tolist())
        self._recent = recent


__all__ = ["KT", "DecayedKT", "WindowKT", "decayed_kt_probs", "window_kt_probs"]
