"""The predictors' recursions as compiled loops (numba), one call for many sequences or many symbols.

Importing this module needs numba; `batched` and the streams do so only if it is there. The loops hold no lock of the
interpreter, so threads run them side by side on parts of a batch. They write probabilities; callers take logarithms,
which numpy does with vector instructions.

Weights are scaled: each node of the tree keeps the posterior probabilities of "no cut here" and "cut here", which stay
in [0, 1] however long the sequence is. No logarithm is needed, and the prediction is a short sum of positive terms
instead of the difference of two large log-marginals. `FLOOR` keeps weights out of the denormal range; `safety` says
when that is harmless.

Arrays are set and computed element by element: slices and array expressions make the compiler work several times as
long, for loops that are no faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from holdfast.systems.nonstationary_meta.method.lin import PRUNE_EVERY

FLOOR = 1e-290
LANES = 32  # sequences that go through the tree together, so that the inner loops are vector instructions


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compiled on first use, kept on disk where there is a place for it."""
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to write to
        return numba.njit(**options)(function)


def _inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of other loops, copied into them: only there is it known that arrays do not overlap."""
    return numba.njit(inline="always", error_model="numpy")(function)


def _vectorised(function: Callable[..., Any]) -> Callable[..., Any]:
    """`_compiled`, and sums may be taken in any order: a different last digit for several terms at a time."""
    return _compiled(function, fastmath={"reassoc", "contract", "nnan", "nsz"})


# ------------------------------------------------------------------------------------- PTW, many bits at a time
@_inlined
def _begin_lanes(t: int, top: int, ones: np.ndarray, stay: np.ndarray, cut: np.ndarray) -> int:
    """Prepare the nodes (levels, LANES) for symbol t > 0 and return the level of the root."""
    if t == 1 << top:  # the tree is full: it becomes the left child of a new root
        for i in range(LANES):
            ones[top + 1, i] = ones[top, i]
            cut[top + 1, i] = 1.0 / (2.0 * stay[top, i] + 1.0)
            stay[top + 1, i] = 2.0 * stay[top, i] * cut[top + 1, i]
        top += 1
    h = 0
    while h <= top and (t & ((1 << h) - 1)) == 0:  # these nodes begin here
        for i in range(LANES):
            ones[h, i] = 0.0
            stay[h, i] = 0.5
            cut[h, i] = 0.5
        h += 1
    return top


@_inlined
def _level_lanes(
    seen: float,
    share: float,
    symbol: np.ndarray,
    ones: np.ndarray,
    stay: np.ndarray,
    cut: np.ndarray,
    p: np.ndarray,
    other: np.ndarray,
) -> None:
    """Predict and update one node per lane: p (of the symbol) and other come from below and go up.

    share > 0: the nodes are roots, and this is the prior probability that all levels above them are cut.
    """
    scale = 1.0 / (seen + 1.0)
    for i in range(LANES):
        s = symbol[i]
        same = s * ones[i] + (1.0 - s) * (seen - ones[i])
        kt, unlike = (same + 0.5) * scale, (seen - same + 0.5) * scale
        whole, split = stay[i], cut[i]
        a, b = whole * kt, split * p[i]
        q, not_q = a + b, whole * unlike + split * other[i]
        r = 1.0 / q
        stay[i] = max(a * r, FLOOR)
        cut[i] = b * r
        ones[i] += s
        if share > 0.0:
            odds = share / (1.0 - share) / (2.0 * whole)
            q, not_q = (kt + odds * q) / (1.0 + odds), (unlike + odds * not_q) / (1.0 + odds)
        p[i] = q
        other[i] = not_q


@_compiled
def ptw_binary(x: np.ndarray, depth: int, out: np.ndarray) -> None:
    """Fresh binary PTW: x (B, T) in {0, 1}; depth >= 0, or -1 to grow.

    out (B, T, 2), or (B, T, 1) for the symbols of x alone.
    """
    rows, length = x.shape
    levels = 1
    while (1 << levels) < length:
        levels += 1
    levels += 1  # the leaf's
    stay, cut, ones = np.empty((levels, LANES)), np.empty((levels, LANES)), np.empty((levels, LANES))
    p, other, symbol = np.empty(LANES), np.empty(LANES), np.zeros(LANES)  # of x_t, of the other symbol
    for block in range(0, rows, LANES):
        width = min(LANES, rows - block)
        top = 0
        for i in range(LANES):
            ones[0, i] = 0.0
            stay[0, i] = 0.5
            cut[0, i] = 0.5
        for t in range(length):
            for i in range(width):
                symbol[i] = x[block + i, t]
            if t > 0:
                top = _begin_lanes(t, top, ones, stay, cut)
            for i in range(LANES):
                p[i] = 0.5
                other[i] = 0.5
            share = 2.0 ** (top - depth) if depth > top else 0.0
            for h in range(1, top + 1):
                above = share if h == top else 0.0
                _level_lanes(float(t & ((1 << h) - 1)), above, symbol, ones[h], stay[h], cut[h], p, other)
            for i in range(LANES):
                ones[0, i] = symbol[i]
            for i in range(width):
                if out.shape[2] > 1:
                    out[block + i, t, x[block + i, t]] = p[i]
                    out[block + i, t, 1 - x[block + i, t]] = other[i]
                else:
                    out[block + i, t, 0] = p[i]


# ----------------------------------------------------------------------------------- PTW, any alphabet and state
@_compiled
def _begin(t: int, top: int, counts: np.ndarray, stay: np.ndarray, cut: np.ndarray, log_odds: np.ndarray) -> int:
    """Prepare the nodes (levels,) for symbol t > 0 and return the level of the root."""
    if t == 1 << top:  # the tree is full: it becomes the left child of a new root
        for s in range(counts.shape[1]):
            counts[top + 1, s] = counts[top, s]
        cut[top + 1] = 1.0 / (2.0 * stay[top] + 1.0)
        stay[top + 1] = 2.0 * stay[top] * cut[top + 1]
        log_odds[top + 1] = np.logaddexp(log_odds[top], 0.0) - np.log(2.0)
        top += 1
    h = 0
    while h <= top and (t & ((1 << h) - 1)) == 0:  # these nodes begin here
        for s in range(counts.shape[1]):
            counts[h, s] = 0
        stay[h] = 0.5
        cut[h] = 0.5
        log_odds[h] = 0.0
        h += 1
    return top


@_compiled
def ptw_steps(
    x: np.ndarray,
    start: int,
    depth: int,
    logs: bool,
    counts: np.ndarray,
    log_odds: np.ndarray,
    out: np.ndarray,
    change: np.ndarray,
) -> None:
    """PTW on one sequence of any alphabet, from any state; every symbol's probability and that of a new segment.

    x (T,); start symbols were seen before; logs: keep weights as log odds, which never underflow. counts (levels, A)
    int64 and log_odds (levels,) are the state, with room for the levels that start + T symbols need, and are updated.
    out (T, A), or (T, 1) for the symbols of x alone; change (T,), or (0,) where it is not wanted.
    """
    full, alphabet, top = out.shape[1] > 1, counts.shape[1], 0
    while (1 << top) < start:
        top += 1
    stay, cut = np.empty(len(log_odds)), np.empty(len(log_odds))
    for h in range(len(log_odds)):
        stay[h], cut[h] = 1.0 / (1.0 + np.exp(log_odds[h])), 1.0 / (1.0 + np.exp(-log_odds[h]))
    p, kt = np.empty(alphabet), np.empty(alphabet)
    for s in range(alphabet):
        kt[s] = 1.0 / alphabet
    for step in range(len(x)):
        t, symbol = start + step, x[step]
        first, last = (0, alphabet) if full else (symbol, symbol + 1)
        if t > 0:
            top = _begin(t, top, counts, stay, cut, log_odds)
        share = 2.0 ** (top - depth) if depth > top else 0.0
        odds = share / (1.0 - share) / (2.0 * stay[top])
        for s in range(alphabet):
            p[s] = 1.0 / alphabet
        moved = 1.0  # probability that this symbol starts a segment
        for h in range(1, top + 1):
            seen = t & ((1 << h) - 1)
            scale, whole, split, below = 1.0 / (seen + 0.5 * alphabet), stay[h], cut[h], p[symbol]
            for s in range(first, last):
                kt[s] = (counts[h, s] + 0.5) * scale
                p[s] = whole * kt[s] + split * p[s]
            if logs:
                log_odds[h] += np.log(below) - np.log(kt[symbol])
                stay[h] = max(1.0 / (1.0 + np.exp(log_odds[h])), FLOOR)
                cut[h] = 1.0 / (1.0 + np.exp(-log_odds[h]))
            else:
                stay[h], cut[h] = max(whole * kt[symbol] / p[symbol], FLOOR), split * below / p[symbol]
            counts[h, symbol] += 1
            if seen > 0:
                moved *= cut[h]
        if share > 0.0 and t > 0:
            for s in range(first, last):
                p[s] = (kt[s] + odds * p[s]) / (1.0 + odds)
            odds = share / (1.0 - share) / (2.0 * stay[top])
            moved *= odds / (1.0 + odds)
        for s in range(alphabet):
            counts[0, s] = 0
        counts[0, symbol] = 1
        if len(change) > 0:
            change[step] = moved
        for s in range(first, last):
            out[step, s if full else 0] = p[s]
    if not logs:
        for h in range(top + 1):
            log_odds[h] = np.log(cut[h]) - np.log(stay[h])


def ptw_rows(x: np.ndarray, depth: int, alphabet: int, logs: bool, out: np.ndarray) -> None:
    """`ptw_steps` for fresh sequences x (B, T); out (B, T, A), or (B, T, 1) for the symbols of x alone.

    The loop over sequences is not compiled: that would save a microsecond each.
    """
    levels = max(x.shape[1] - 1, 1).bit_length() + 1
    counts, log_odds, nothing = np.empty((levels, alphabet), np.int64), np.empty(levels), np.empty(0)
    for row, result in zip(x, out, strict=True):
        counts[:] = 0
        log_odds[:] = 0.0
        ptw_steps(row, 0, depth, logs, counts, log_odds, result, nothing)


# --------------------------------------------------------------------------------------------------------- LIN
@_compiled
def _drop_light(
    live: int, lowest: float, ended: float, counts: np.ndarray, length: np.ndarray, weight: np.ndarray
) -> tuple[int, float]:
    """Move the records that weigh at least `lowest` to the front; their number, and what they and `ended` weigh."""
    kept, mass = 0, ended
    for r in range(live):
        if weight[r] >= lowest:
            mass += weight[r]
            if kept < r:
                weight[kept], length[kept] = weight[r], length[r]
                for s in range(len(counts)):
                    counts[s, kept] = counts[s, r]
            kept += 1
    return kept, mass


@_vectorised
def lin_steps(
    x: np.ndarray,
    start: int,
    live: int,
    ratio: float,
    counts: np.ndarray,
    length: np.ndarray,
    weight: np.ndarray,
    out: np.ndarray,
    change: np.ndarray,
) -> int:
    """LIN on one sequence from any state: every symbol's probability and that of a new segment; the records left.

    The first `live` columns of counts (A, R), and elements of length (R,) (of the segment so far) and weight (R,)
    (posterior of the start of the segment that the next symbol belongs to) are the state, all float64, with room for T
    more. Every `PRUNE_EVERY` symbols records below `ratio` times the heaviest are dropped. out and change as in
    `ptw_steps`.
    """
    full, alphabet = out.shape[1] > 1, counts.shape[0]
    half = 0.5 * alphabet
    for step in range(len(x)):
        symbol = x[step]
        for s in range(alphabet if full else 0):
            if s != symbol:
                probability = 0.0
                for r in range(live):
                    probability += weight[r] * (counts[s, r] + 0.5) / (length[r] + half)
                out[step, s] = probability
        total = 0.0
        for r in range(live):
            weight[r] *= (counts[symbol, r] + 0.5) / (length[r] + half)
            counts[symbol, r] += 1.0
            length[r] += 1.0
            total += weight[r]
        out[step, symbol if full else 0] = total
        if len(change) > 0:
            change[step] = weight[live - 1] / total
        inverse, ended, heaviest = 1.0 / total, 0.0, 0.0
        for r in range(live):
            mass = weight[r] * inverse
            ends = mass * 0.5 / length[r]
            weight[r] = mass - ends
            ended += ends
            heaviest = max(heaviest, weight[r])
        if ratio > 0.0 and (start + step + 1) % PRUNE_EVERY == 0:
            live, mass = _drop_light(live, ratio * heaviest, ended, counts, length, weight)
            ended /= mass
            for r in range(live):
                weight[r] /= mass
        for s in range(alphabet):
            counts[s, live] = 0.0
        length[live] = 0.0
        weight[live] = ended
        live += 1
    return live


def lin_rows(x: np.ndarray, alphabet: int, ratio: float, out: np.ndarray) -> None:
    """`lin_steps` for fresh sequences x (B, T); out (B, T, A), or (B, T, 1) for the symbols of x alone."""
    room = x.shape[1] + 1
    counts, length, weight, nothing = np.empty((alphabet, room)), np.empty(room), np.empty(room), np.empty(0)
    for row, result in zip(x, out, strict=True):
        counts[:, 0] = length[0] = 0.0
        weight[0] = 1.0
        lin_steps(row, 0, 1, ratio, counts, length, weight, result, nothing)


__all__ = ["lin_rows", "lin_steps", "ptw_binary", "ptw_rows", "ptw_steps"]
