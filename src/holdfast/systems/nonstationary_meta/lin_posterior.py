"""The posterior over LIN's segmentations of a whole sequence: forwards over starts, backwards over ends.

Forwards, LIN's own recursion gives P(x_1 .. x_t, a segment ends after t). KT does not depend on the order of symbols,
so backwards the same recursion with one record per possible *end* of the segment gives P(x_s .. x_T | a segment starts
at s). Their product is the posterior probability of a start. O(T R) time with R records kept, O(T) memory.

Which records are kept is said by a `Keep`; the functions call `on_step` after every symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from holdfast.systems.nonstationary_meta.lin import LIMIT_EVERY, PRUNE_EVERY, log_sum

OnStep = Callable[[], object]


@dataclass(frozen=True)
class Keep:
    """Which records are worth keeping.

    Attributes:
        prune: those below e^-prune of the heaviest one go; may be inf.
        limit: the heaviest so many stay at most, looked at now and then; None = no limit.
    """

    prune: float = 30.0
    limit: int | None = None

    def mask(self, log_weight: np.ndarray, step: int) -> np.ndarray | None:
        """(R,) bool, which records of these weights stay after so many steps; None = all."""
        if self.limit is not None and step % LIMIT_EVERY == 0 and len(log_weight) > self.limit:
            stay = np.zeros(len(log_weight), bool)
            stay[np.argpartition(log_weight, -self.limit)[-self.limit :]] = True
            return stay
        if np.isfinite(self.prune) and step % PRUNE_EVERY == 0:
            return np.asarray(log_weight >= log_weight.max() - self.prune)
        return None


class Records:
    """Segments that grow by the same symbols, each from its own first one.

    Attributes:
        log_weight: (R,) log-probability of what each stands for.
        length: (R,) its symbols so far.
        born: (R,) the position it was added at.
    """

    def __init__(self, alphabet: int, length: int, keep: Keep) -> None:
        self._log_count = np.log(np.arange(length + 1) + 0.5)
        self._log_total = np.log(np.arange(length + 1) + 0.5 * alphabet)
        self._keep, self._alphabet = keep, alphabet
        self.counts = np.empty((alphabet, 0), np.int64)
        self.length = self.born = np.empty(0, np.int64)
        self.log_weight = np.empty(0)

    def add(self, log_weight: float, position: int) -> None:
        """A new, empty segment."""
        self.counts = np.concatenate([self.counts, np.zeros((self._alphabet, 1), np.int64)], axis=1)
        self.length, self.born = np.append(self.length, 0), np.append(self.born, position)
        self.log_weight = np.append(self.log_weight, log_weight)

    def take(self, symbol: int) -> None:
        """The next symbol of all segments: weights are multiplied with its KT estimates."""
        self.log_weight = self.log_weight + self._log_count[self.counts[symbol]] - self._log_total[self.length]
        self.counts[symbol] += 1
        self.length = self.length + 1

    def drop_light(self, step: int) -> None:
        """Every few steps, forget segments that are not worth keeping."""
        keep = self._keep.mask(self.log_weight, step)
        if keep is not None:
            self.counts, self.length, self.born = self.counts[:, keep], self.length[keep], self.born[keep]
            self.log_weight = self.log_weight[keep]


def lin_start_probs(x: np.ndarray, alphabet: int, keep: Keep, on_step: OnStep) -> tuple[np.ndarray, float]:
    """Probability that each symbol of x (T,), T >= 1, starts a segment, and log P(x).

    Returns:
        ((T,) float64, float).
    """
    total = len(x)
    log_end = np.zeros(total)  # [t]: log P(x_0 .. x_{t-1}, a segment starts at t)
    records = Records(alphabet, total, keep)
    for t, symbol in enumerate(x.tolist()):
        records.add(log_end[t], t)
        records.take(symbol)
        if t + 1 < total:
            hazard = 0.5 / records.length
            log_end[t + 1] = log_sum(records.log_weight + np.log(hazard))
            records.log_weight = records.log_weight + np.log1p(-hazard)
            records.drop_light(t + 1)
        on_step()
    log_marginal = log_sum(records.log_weight)
    log_rest = np.fromiter(_backwards(x, alphabet, keep, on_step), np.float64, total)[::-1]
    probs = np.exp(log_end + log_rest - log_rest[0])
    return np.clip(probs, 0.0, 1.0), log_marginal


def _backwards(x: np.ndarray, alphabet: int, keep: Keep, on_step: OnStep) -> Iterator[float]:
    """log P(x_s .. x_{T-1} | a segment starts at s), for s = T - 1 down to 0."""
    total = len(x)
    records = Records(alphabet, total, keep)
    log_rest = 0.0
    for s in range(total - 1, -1, -1):
        # The segment that is still open at T has survived all its symbols but the last, where nothing is known.
        records.add(log_rest if s == total - 1 else log_rest + np.log(0.5), s)
        grown = records.length > 0
        n = records.length[grown]
        is_open = records.born[grown] == total - 1
        step = np.log1p(-0.5 / n) + np.where(is_open, 0.0, np.log(n / (n + 1.0)))
        records.log_weight[grown] += step
        records.take(int(x[s]))
        log_rest = log_sum(records.log_weight)
        records.drop_light(total - s)
        on_step()
        yield log_rest


def lin_best_starts(x: np.ndarray, alphabet: int, keep: Keep, on_step: OnStep) -> np.ndarray:
    """First symbols of the segments of the most probable segmentation of x (T,), T >= 1; ties for fewer segments."""
    total = len(x)
    records = Records(alphabet, total, keep)
    best, last = 0.0, np.zeros(total, np.int64)  # last[t]: where the segment before a start at t starts
    for t, symbol in enumerate(x.tolist()):
        records.add(best, t)
        records.take(symbol)
        if t + 1 < total:
            hazard = 0.5 / records.length
            ended = records.log_weight + np.log(hazard)
            winner = int(ended.argmax())
            best, last[t + 1] = float(ended[winner]), records.born[winner]
            records.log_weight = records.log_weight + np.log1p(-hazard)
            records.drop_light(t + 1)
        on_step()
    starts = [int(records.born[int(records.log_weight.argmax())])]
    while starts[-1]:
        starts.append(int(last[starts[-1]]))
    return np.array(starts[::-1], np.int64)


__all__ = ["Keep", "Records", "lin_best_starts", "lin_start_probs"]
