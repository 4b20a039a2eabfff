r"""LIN: the exact Bayes mixture over all segmentations, with a hazard that falls with length (Willems 1996).

A segment of n symbols so far ends there with probability 1 / (2n): 1/2 after its first symbol, then 1/4, 1/6, ...
(arXiv 2302.03067, section 4; the reference code calls it "live and die"). One record per possible start s of the
current segment holds the counts since s and the posterior weight v_s of that start for the symbol to come:

    P(x) = sum_s v_s KT_s(x);    then   v_s <- v_s KT_s(x) / P(x)                        (Bayes)
    v_new = sum_s v_s / (2 n_s),        v_s <- v_s (1 - 1 / (2 n_s))                     (the segment ends or goes on)

With t records this takes O(t) per symbol. Records far below the heaviest can be dropped (`prune`): after a change the
old ones go within a few dozen symbols, and what is left is scaled to sum to 1. So the time per symbol is that of the
newest long segments, however long the sequence is. Within one long segment weights fall only like powers of the
distance to its ends, and hardly anything is dropped at first; `limit` bounds time and memory there, too.

Differences from the reference code: counts are 64-bit (its 8-bit ones wrap after 255 equal symbols), weights float64;
any alphabet; pruning.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import safety
from holdfast.systems.nonstationary_meta.compiled import compiled
from holdfast.systems.nonstationary_meta.stream import Steps, Stream, check_state
from holdfast.validation import check_integer, check_number

PRUNE_EVERY = 8  # symbols between two prunings; the kernels do the same
LIMIT_EVERY = 1024  # symbols between two looks at the number of starts


def log_sum(log_weight: np.ndarray) -> float:
    """log of the sum of weights (R,), R >= 1, some of them above 0; a tenth of the time of scipy's for short arrays."""
    highest = log_weight.max()
    return float(highest + np.log(np.exp(log_weight - highest).sum()))


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
        self._counts = np.zeros((1, self.alphabet), np.int64)
        self._length = np.zeros(1, np.int64)
        self._log_weight = np.zeros(1)
        self._change = float("nan")

    @property
    def records(self) -> int:
        return len(self._length)

    def starts(self) -> tuple[np.ndarray, np.ndarray]:
        """(start, probability): 0-based positions where the segment of the *next* symbol may have begun."""
        return self.t - self._length, np.exp(self._log_weight)

    def prob(self) -> np.ndarray:
        each = np.exp(self._log_weight) / (self._length + 0.5 * self.alphabet)
        return each @ (self._counts + 0.5)

    def change_prob(self) -> float:
        """Probability that the newest symbol started a segment, given all symbols seen; NaN before the first."""
        return self._change

    def _take(self, symbol: int) -> float:
        weight = self._log_weight + np.log((self._counts[:, symbol] + 0.5) / (self._length + 0.5 * self.alphabet))
        total = log_sum(weight)
        self._counts[:, symbol] += 1
        self._length += 1
        weight -= total
        self._change = float(np.exp(weight[-1]))  # the newest record began with this symbol
        hazard = 0.5 / self._length
        ended = log_sum(weight + np.log(hazard))
        weight += np.log1p(-hazard)
        counts, length = self._counts, self._length
        if self.prune is not None and (self.t + 1) % PRUNE_EVERY == 0:
            keep = weight >= weight.max() - self.prune
            weight, counts, length = weight[keep], counts[keep], length[keep]
            kept = np.logaddexp(log_sum(weight), ended)
            weight, ended = weight - kept, ended - kept
        self._log_weight = np.append(weight, ended)
        self._counts = np.concatenate([counts, np.zeros((1, self.alphabet), np.int64)])
        self._length = np.append(length, 0)
        self._keep_heaviest(self.t + 1)
        return float(np.exp(total))

    def _keep_heaviest(self, seen: int) -> None:
        """Drop what is beyond the limit; the newest start, of the segment to come, stays."""
        if self.limit is None or seen % LIMIT_EVERY or self.records <= self.limit:
            return
        lightest = np.argpartition(self._log_weight[:-1], self.records - self.limit)[: self.records - self.limit]
        self.dropped += float(np.exp(self._log_weight[lightest]).sum())
        self._length, self._counts = np.delete(self._length, lightest), np.delete(self._counts, lightest, axis=0)
        weight = np.delete(self._log_weight, lightest)
        self._log_weight = weight - log_sum(weight)

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
        room, live = len(x), self.records
        counts = np.empty((self.alphabet, live + room))
        counts[:, :live] = self._counts.T
        length = np.concatenate([self._length.astype(np.float64), np.empty(room)])
        weight = np.concatenate([np.exp(self._log_weight), np.empty(room)])
        live = kernel(x, start, live, ratio, counts, length, weight, *steps)  # type: ignore[operator]
        self._counts = np.ascontiguousarray(counts[:, :live].T).astype(np.int64)
        self._length = length[:live].astype(np.int64)
        with np.errstate(divide="ignore"):  # exact LIN: a weight may be too small for a float, and irrelevant
            self._log_weight = np.log(weight[:live])
        self._change = float(steps.change[-1])

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "counts": self._counts.copy(),
            "length": self._length.copy(),
            "log_weight": self._log_weight.copy(),
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
        self._counts, self._length, self._log_weight = counts, length, weight
        self._change, self.dropped = float(arrays["change"]), float(arrays["dropped"])


__all__ = ["LIMIT_EVERY", "LIN", "PRUNE_EVERY", "log_sum"]
