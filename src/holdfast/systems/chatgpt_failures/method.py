"""The statistics of the probe suite: how often a model fails, and whether another version fails more.

The paper (arXiv 2302.03494) is a catalogue in eleven categories (ten in its first version); it scores nothing and has
no formulas. What stands here is ours, from textbooks: Wilson's interval (1927), McNemar's exact test (1947), Holm's
procedure (1979), Newcombe's intervals for differences (1998), and the power of the test, summed exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Verdict = Literal["regressed", "improved", "no evidence", "too few"]
FEWEST = 20  # pairs in a category, for a verdict about it


def wilson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval for a probability, from k of n.

    Example:
        >>> [round(x, 4) for x in (*wilson(0, 40), *wilson(5, 10))]
        [0.0, 0.0876, 0.2366, 0.7634]
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p, z2 = k / n, z * z / n
    centre, half = (p + z2 / 2) / (1 + z2), math.sqrt(z2 * (p * (1 - p) + z2 / 4)) / (1 + z2)
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def square_and_add(counts: Sequence[tuple[int, int]], level: float = 0.95) -> tuple[float, float, float]:
    """The mean of probabilities of groups (k of n each), and its interval from theirs (Newcombe's method).

    Unlike a bootstrap it does not shrink to a point where no case of any group failed.
    """
    rates = [k / n for k, n in counts]
    ends = [wilson(k, n, level) for k, n in counts]
    size, mean = len(counts), math.fsum(rates) / len(counts)
    low = math.sqrt(math.fsum((p - lo) ** 2 for p, (lo, _) in zip(rates, ends, strict=True))) / size
    high = math.sqrt(math.fsum((hi - p) ** 2 for p, (_, hi) in zip(rates, ends, strict=True))) / size
    return mean, max(0.0, mean - low), min(1.0, mean + high)


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided p of b pairs against c that changed one way and the other: Binomial(b + c, 1/2).

    Example:
        >>> mcnemar_exact(9, 0)
        0.00390625
    """
    n = b + c
    tail = sum(math.comb(n, i) for i in range(min(b, c) + 1))
    return min(1.0, 2 * tail / 2**n)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, (len(p) - rank) * p[i])
        adjusted[i] = min(1.0, largest)
    return adjusted


def newcombe_paired(both: int, b: int, c: int, neither: int, level: float = 0.95) -> tuple[float, float]:
    """Interval for the difference of two proportions of the same cases (Newcombe 1998, method 10, hybrid score).

    Args:
        both, neither: cases that passed, or failed, both times.
        b: passed the first time alone; c: passed the second time alone. The difference is (b - c) / n.

    Example:
        >>> [round(x, 4) for x in newcombe_paired(36, 12, 2, 0)]
        [0.0569, 0.3404]
    """
    n = both + b + c + neither
    first, second = both + b, both + c
    (l1, u1), (l2, u2) = wilson(first, n, level), wilson(second, n, level)
    p1, p2 = first / n, second / n
    spread = first * second * (n - first) * (n - second)
    product: float = both * neither - b * c
    product = max(product - n / 2, 0.0) if product > 0 else product  # continuity, where they go together
    phi = product / math.sqrt(spread) if spread else 0.0

    def distance(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))

    return p1 - p2 - distance(p1 - l1, u2 - p2), p1 - p2 + distance(u1 - p1, p2 - l2)


def power(n: int, discordant: float, drop: float, alpha: float = 0.05) -> float:
    """Probability that McNemar's exact test finds a change.

    Args:
        n: pairs.
        discordant: probability that a pair changes, either way.
        drop: probability of passing lost: passes that become failures minus the reverse.
        alpha: level of the test; 0.05 / 11 for the first step of Holm over eleven categories.

    Example:
        >>> round(power(200, 0.1, 0.1, 0.05 / 11), 4)
        0.9986
    """
    share, found = (discordant + drop) / 2 / discordant if discordant else 0.5, 0.0
    for m in range(n + 1):
        among = math.comb(n, m) * discordant**m * (1 - discordant) ** (n - m)
        if among > 1e-15:
            hits = [b for b in range(m + 1) if mcnemar_exact(b, m - b) <= alpha]
            found += among * math.fsum(math.comb(m, b) * share**b * (1 - share) ** (m - b) for b in hits)
    return found


def memorisation_index(canonical: tuple[int, int], fresh: tuple[int, int]) -> tuple[float, float, float]:
    """Passed on the fixed items minus passed on fresh ones of the same kind, and an interval (unpaired, method 10).

    Args:
        canonical, fresh: how many passed, of how many.
    """
    (k1, n1), (k2, n2) = canonical, fresh
    (l1, u1), (l2, u2) = wilson(k1, n1), wilson(k2, n2)
    p1, p2 = k1 / n1, k2 / n2
    return p1 - p2, p1 - p2 - math.hypot(p1 - l1, u2 - p2), p1 - p2 + math.hypot(u1 - p1, p2 - l2)


@dataclass(frozen=True)
class Change:
    """A category in two runs over the same cases.

    Attributes:
        pairs: cases answered in both.
        broken, mended: passed before and not after; the reverse.
        difference: of the pass rates, after minus before, with its interval.
        p: McNemar's; adjusted: Holm's over the categories with enough pairs (1 for the others).
    """

    category: str
    pairs: int
    broken: int
    mended: int
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    verdict: Verdict


def changes(tables: dict[str, tuple[int, int, int, int]], alpha: float = 0.05) -> list[Change]:
    """Verdicts about categories.

    Args:
        tables: category -> cases that passed (in both, before alone, after alone, in neither).
        alpha: probability of any verdict where nothing has changed.
    """
    enough = [name for name, counts in tables.items() if sum(counts) >= FEWEST]
    p = {name: mcnemar_exact(counts[1], counts[2]) for name, counts in tables.items()}
    adjusted = dict(zip(enough, holm([p[name] for name in enough]), strict=True))
    found = []
    for name, (both, broken, mended, neither) in tables.items():
        n = both + broken + mended + neither
        low, high = newcombe_paired(both, mended, broken, neither) if n else (-1.0, 1.0)
        verdict: Verdict = "too few"
        if name in adjusted:
            sure = adjusted[name] <= alpha
            verdict = "no evidence" if not sure else "regressed" if broken > mended else "improved"
        difference = (mended - broken) / n if n else 0.0
        found.append(Change(name, n, broken, mended, difference, low, high, p[name], adjusted.get(name, 1.0), verdict))
    return found


__all__ = [
    "FEWEST", "Change", "Verdict", "changes", "holm", "mcnemar_exact", "memorisation_index", "newcombe_paired", "power",
    "square_and_add", "wilson",
]  # fmt: skip
