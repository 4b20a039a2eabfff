"""Segments of a sequence that are too short, or whose beginning is too doubtful, joined to a neighbour."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Joined(NamedTuple):
    """A segment that was joined to a neighbour.

    Attributes:
        start, end: position of its first element, and of the one after its last, as it was when it was joined.
        mass: of its beginning, which was too little; None = it was too short.
    """

    start: int
    end: int
    mass: float | None


def join_segments(
    starts: Sequence[int],
    total: int,
    mass: Callable[[int, int, int], float],
    *,
    min_length: int,
    min_mass: float,
) -> tuple[list[int], list[float], list[Joined]]:
    """Segments that are long enough, and each as sure to begin where it does as is asked for.

    The shortest segment that is too short goes first, to the neighbour from which less divides it; then the segment
    whose beginning has the least mass goes to the one before it, until all have enough.

    Args:
        starts: positions of the segments' first elements, from 0, rising.
        total: length of the sequence.
        mass: (start, middle, end) -> how sure it is that the middle is a border, if the two beside it are.
        min_length: elements that a segment has at least, unless it is the only one.
        min_mass: of the border before each segment but the first, at least.

    Returns:
        The starts that are left; the mass of each, 1 for the first; the segments that were joined to others, in order.

    Example:
        >>> sure = lambda start, middle, end: 0.9
        >>> starts, _, joined = join_segments([0, 50, 51, 80], 100, sure, min_length=5, min_mass=0.5)
        >>> starts, [tuple(one) for one in joined]
        ([0, 51, 80], [(50, 51, None)])
    """
    edges = [*starts, total]
    masses = [1.0, *(mass(*edges[i - 1 : i + 2]) for i in range(1, len(edges) - 1))] if total else []
    joined: list[Joined] = []
    while len(masses) > 1:
        lengths = [end - start for start, end in itertools.pairwise(edges)]
        shortest = min(range(len(lengths)), key=lengths.__getitem__)
        if lengths[shortest] < min_length:
            sides = [i for i in (shortest, shortest + 1) if 0 < i < len(masses)]
            border = min(sides, key=masses.__getitem__)
            joined.append(Joined(edges[shortest], edges[shortest + 1], None))
        else:
            border = min(range(1, len(masses)), key=masses.__getitem__)
            if masses[border] >= min_mass:
                break
            joined.append(Joined(edges[border], edges[border + 1], masses[border]))
        del edges[border], masses[border]
        for i in (border - 1, border):
            if 0 < i < len(masses):
                masses[i] = mass(*edges[i - 1 : i + 2])
    return edges[:-1], masses, sorted(joined, key=lambda one: one[:2])


__all__ = ["Joined", "join_segments"]
