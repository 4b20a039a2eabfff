"""LIN of one sequence as a stream: the recursion of `method.lin`, in compiled loops where numba is installed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.method.lin import LIMIT_EVERY, LINRecords
from holdfast.systems.nonstationary_meta.tool import safety
from holdfast.systems.nonstationary_meta.tool.compiled import compiled
from holdfast.systems.nonstationary_meta.tool.stream import Steps, Stream, check_state
from holdfast.validation import check_integer, check_number


class LIN(Stream):
    """LIN of one sequence: time and memory per symbol grow with the number of starts that are kept.

    Args:
        alphabet: number of symbols A.
        prune: starts whose weight is below e^-prune of the heaviest one's are dropped, every 8 symbols; None keeps all:
            exact, O(t) per symbol. What it can cost is bounded by `lin_pruning_bound`.
        limit: after every 1,024 symbols the heaviest so many starts are kept at most: time and memory per symbol are
            bounded on any sequence. None = no limit. `dropped` says what was lost.

    Attributes:
        records: number of starts kept.
        dropped: sum over all prunings by `limit` of the share of the weight that was dropped.

    Raises:
        InputError: prune is negative or no number, limit below 2.

    Example:
        >>> from holdfast.systems.nonstationary_meta import LIN
        >>> lin = LIN()
        >>> for bit in [0] * 20 + [1] * 12:
        ...     lin.update(bit)
        >>> lin.prob().round(3).tolist()
        [0.088, 0.912]
    """

    def __init__(self, alphabet: int = 2, *, prune: float | None = 30.0, limit: int | None = None) -> None:
        super().__init__(alphabet)
        self.prune = None if prune is None else check_number(prune, "prune", low=0)
        self.limit = None if limit is None else check_integer(limit, "limit", low=2)
        self.dropped = 0.0
        self._records = LINRecords(self.alphabet)
        self._records.begin(0.0)
        self._change = float("nan")

    @property
    def records(self) -> int:
        return len(self._records)

    def starts(self) -> tuple[np.ndarray, np.ndarray]:
        """(start, probability): 0-based positions where the segment of the *next* symbol may have begun."""
        return self.t - self._records.length, np.exp(self._records.log_weight)

    def prob(self) -> np.ndarray:
        return self._records.predict()

    def change_prob(self) -> float:
        """Probability that the newest symbol started a segment, given all symbols seen; NaN before the first."""
        return self._change

    def _take(self, symbol: int) -> float:
        log_p, self._change = self._records.step(symbol, self.prune, self.t + 1)
        self._keep_heaviest(self.t + 1)
        return float(np.exp(log_p))

    def _keep_heaviest(self, seen: int) -> None:
        if self.limit is not None and seen % LIMIT_EVERY == 0:
            self.dropped += self._records.keep_heaviest(self.limit)

    def _run(self, x: np.ndarray) -> Steps:
        kernels = compiled()
        if kernels is None or not safety.starts_are_safe(self.t + len(x), self.alphabet):
            return super()._run(x)
        steps = Steps(np.empty((len(x), self.alphabet)), np.empty(len(x)))
        ratio = 0.0 if self.prune is None else float(np.exp(-self.prune))
        begin = 0
        while begin < len(x):  # in parts, so that room for new records is not needed for all of x at once
            start = self.t + begin
            part = slice(begin, begin + LIMIT_EVERY - start % LIMIT_EVERY)
            self._run_part(kernels.lin_steps, x[part], start, ratio, Steps(*(s[part] for s in steps)))
            begin = min(part.stop, len(x))
            self._keep_heaviest(self.t + begin)
        np.log(steps.log_probs, out=steps.log_probs)
        return steps

    def _run_part(self, kernel: object, x: np.ndarray, start: int, ratio: float, steps: Steps) -> None:
        records, room = self._records, np.empty(len(x))
        counts = np.concatenate([records.counts, np.empty((self.alphabet, len(x)))], axis=1)
        length = np.concatenate([records.length, room])
        weight = np.concatenate([np.exp(records.log_weight), room])
        live = kernel(x, start, len(records), ratio, counts, length, weight, *steps)  # type: ignore[operator]
        records.counts, records.length = counts[:, :live].astype(np.int64), length[:live].astype(np.int64)
        with np.errstate(divide="ignore"):  # exact LIN: a weight may be too small for a float, and irrelevant
            records.log_weight = np.log(weight[:live])
        self._change = float(steps.change[-1])

    def _arrays(self) -> dict[str, np.ndarray]:
        records = self._records
        return {
            "counts": records.counts.T.copy(),
            "length": records.length.copy(),
            "log_weight": records.log_weight.copy(),
            "change": np.array(self._change),
            "dropped": np.array(self.dropped),
        }

    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        records = len(np.atleast_1d(arrays["length"]))
        counts = check_state(arrays, "counts", (records, self.alphabet), "i")
        length = check_state(arrays, "length", (records,), "i")
        weight = check_state(arrays, "log_weight", (records,), "f")
        ordered = records > 0 and length[-1] == 0 and (np.diff(length) < 0).all() and length[0] <= t
        if not ordered or (counts < 0).any() or (counts.sum(1) != length).any():
            raise InputError("state['length']", f"must be falling lengths of segments within {t} symbols", length)
        mine = self._records
        mine.counts, mine.length, mine.log_weight = np.ascontiguousarray(counts.T), length, weight
        self._change, self.dropped = float(arrays["change"]), float(arrays["dropped"])


__all__ = ["LIN"]
