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

from holdfast.systems.nonstationary_meta.method.lin import LIMIT_EVERY, PRUNE_EVERY, LINRecords, log_sum

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

    def apply(self, records: LINRecords, step: int) -> None:
        """Every few steps, forget records that are not worth keeping."""
        log_weight = records.log_weight
        if self.limit is not None and step % LIMIT_EVERY == 0 and len(records) > self.limit:
            records.keep(np.sort(np.argpartition(log_weight, -self.limit)[-self.limit :]))
        elif np.isfinite(self.prune) and step % PRUNE_EVERY == 0:
            records.keep(log_weight >= log_weight.max() - self.prune)


def lin_start_probs(x: np.ndarray, alphabet: int, keep: Keep, on_step: OnStep) -> tuple[np.ndarray, float]:
    """Probability that each symbol of x (T,), T >= 1, starts a segment, and log P(x).

    Returns:
        ((T,) float64, float).
    """
    total = len(x)
    log_end = np.zeros(total)  # [t]: log P(x_0 .. x_{t-1}, a segment starts at t)
    records = LINRecords(alphabet)
    for t, symbol in enumerate(x.tolist()):
        records.begin(log_end[t])
        records.take(symbol)
        if t + 1 < total:
            log_end[t + 1] = log_sum(records.end_or_go_on())
            keep.apply(records, t + 1)
        on_step()
    log_marginal = log_sum(records.log_weight)
    log_rest = np.fromiter(_backwards(x, alphabet, keep, on_step), np.float64, total)[::-1]
    probs = np.exp(log_end + log_rest - log_rest[0])
    return np.clip(probs, 0.0, 1.0), log_marginal


def _backwards(x: np.ndarray, alphabet: int, keep: Keep, on_step: OnStep) -> Iterator[float]:
    """log P(x_s .. x_{T-1} | a segment starts at s), for s = T - 1 down to 0."""
    total = len(x)
    records = LINRecords(alphabet)
    log_rest = 0.0
    for s in range(total - 1, -1, -1):
        # The segment that is still open at T has survived all its symbols but the last, where nothing is known.
        records.begin(log_rest if s == total - 1 else log_rest + np.log(0.5))
        grown = records.length > 0
        n = records.length[grown]
        is_open = n == total - 1 - s
        step = np.log1p(-0.5 / n) + np.where(is_open, 0.0, np.log(n / (n + 1.0)))
        records.log_weight[grown] += step
        records.take(int(x[s]))
        log_rest = log_sum(records.log_weight)
        keep.apply(records, total - s)
        on_step()
        yield log_rest


def lin_best_starts(x: np.ndarray, alphabet: int, keep: Keep, on_step: OnStep) -> np.ndarray:
    """First symbols of the segments of the most probable segmentation of x (T,), T >= 1; ties for fewer segments."""
    total = len(x)
    records = LINRecords(alphabet)
    best, last = 0.0, np.zeros(total, np.int64)  # last[t]: where the segment before a start at t starts
    for t, symbol in enumerate(x.tolist()):
        records.begin(best)
        records.take(symbol)
        if t + 1 < total:
            ended = records.end_or_go_on()
            winner = int(ended.argmax())
            best, last[t + 1] = float(ended[winner]), t + 1 - records.length[winner]
            keep.apply(records, t + 1)
        on_step()
    starts = [total - int(records.length[int(records.log_weight.argmax())])]
    while starts[-1]:
        starts.append(int(last[starts[-1]]))
    return np.array(starts[::-1], np.int64)


def lin_change_prob(x: np.ndarray, alphabet: int, shortest: int, is_last: bool) -> float:
    """Probability that x (T,) is two segments and not one, wherever the second starts; LIN's prior, no third segment.

    Args:
        x: whole numbers.
        alphabet: number of symbols.
        shortest: symbols that each of the two has at least, from 1 to T / 2.
        is_last: whether the sequence ends with x; else a segment is known to start after it.
    """
    total = len(x)
    first = np.arange(shortest, total - shortest + 1)
    second = total - first
    log_two = _log_lasts(first) - np.log(2.0 * first) + _log_lasts(second) + _log_kt(x, alphabet)[first]
    log_two += _log_kt(x[::-1], alphabet)[second]
    log_one = _log_lasts(np.array([total])) + _log_kt(x, alphabet)[[total]]
    if not is_last:
        log_two, log_one = log_two - np.log(2.0 * second), log_one - np.log(2.0 * total)
    return float(1 / (1 + np.exp(min(log_sum(log_one) - log_sum(log_two), 700.0))))


def _log_lasts(n: np.ndarray) -> np.ndarray:
    """log P(a segment does not end before its n-th symbol): the sum of log(1 - 1/(2k)) over k < n."""
    return np.concatenate([[0.0], np.cumsum(np.log1p(-0.5 / np.arange(1, n.max())))])[n - 1]


def _log_kt(x: np.ndarray, alphabet: int) -> np.ndarray:
    """log KT of the first 0, 1, ..., T symbols of x: (T + 1,)."""
    order = np.argsort(x, kind="stable")
    begins = np.concatenate([[0], np.cumsum(np.bincount(x, minlength=alphabet))])
    seen = np.empty(len(x))
    seen[order] = np.arange(len(x)) - begins[x[order]]  # how often each symbol has come before
    return np.concatenate([[0.0], np.cumsum(np.log((seen + 0.5) / (np.arange(len(x)) + 0.5 * alphabet)))])


__all__ = ["Keep", "lin_best_starts", "lin_change_prob", "lin_start_probs"]
