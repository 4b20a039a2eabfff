"""Where a finished sequence changed: the posterior over segmentations under the priors of PTW and LIN.

Both are exact (LIN where nothing is dropped). PTW's takes O(T) time, see `method.ptw_posterior`; LIN's O(T R) with R
starts kept, see `method.lin_posterior`. The most probable segmentation comes from the same recursions with the maximum
in place of the sum.

PTW's prior knows dyadic segments alone: a segment of any other shape is made of several, so that some of its cuts
change nothing. To find changes prefer LIN, whose cuts may lie anywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from holdfast.data.series.segments import Joined, join_segments
from holdfast.data.symbols import check_alphabet, check_symbols
from holdfast.systems.nonstationary_meta.method.lin_posterior import (
    Keep,
    lin_best_starts,
    lin_change_prob,
    lin_start_probs,
)
from holdfast.systems.nonstationary_meta.method.ptw_posterior import Tree
from holdfast.systems.nonstationary_meta.tool.ptw_stream import DEEPEST, check_horizon
from holdfast.validation import check_integer, check_number, is_tensor


class Segment(NamedTuple):
    """One segment of a segmentation.

    Attributes:
        start, end: 0-based position of its first symbol, and of the one after its last.
        counts: (A,) int64, how often each symbol occurs in it.
        probs: (A,) float64, posterior mean of the symbols' probabilities: (counts + 1/2) / (n + A/2).
        start_prob: probability that some segment starts exactly here, given the whole sequence.
        change_prob: probability that there is a change between this segment and the one before, wherever exactly, if
            these two are all that there is between their outer ends (`lin_change_prob`); 1 for the first.
    """

    start: int
    end: int
    counts: np.ndarray
    probs: np.ndarray
    start_prob: float
    change_prob: float


@dataclass(frozen=True, eq=False)
class SegmentPosterior:
    """What is known about the segmentation of a sequence once all of it has been seen.

    Attributes:
        x: (T,) int64, the sequence.
        alphabet: number of symbols A.
        start_probs: (T,) float64, probability that each symbol starts a segment; 1 for the first.
        log_marginal: log-probability of the sequence under the mixture.
        best: (K,) int64, first symbols of the segments of the most probable segmentation; fewer after `joined`.
        shortest: symbols on both sides of a change that counts for `Segment.change_prob`, at least.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import SegmentPosterior
        >>> posterior = SegmentPosterior.lin(np.repeat([0, 1], [30, 20]))
        >>> posterior.best.tolist(), int(posterior.start_probs[1:].argmax()) + 1
        ([0, 30], 30)
    """

    x: np.ndarray
    alphabet: int
    start_probs: np.ndarray
    log_marginal: float
    best: np.ndarray
    shortest: int = 1

    @classmethod
    def ptw(cls, x: Any, depth: int | None = None, *, alphabet: int = 2) -> SegmentPosterior:
        """Under the prior of PTW.

        Args:
            x: (T,) whole numbers in 0 .. A - 1; array, tensor or list.
            depth: horizon of 2^depth >= T symbols; None = the smallest one.
            alphabet: number of symbols A.

        Raises:
            SymbolTypeError, InputError: as `ptw_log_probs`.
        """
        symbols, alphabet = _sequence(x, alphabet), check_alphabet(alphabet)
        needed = max(len(symbols) - 1, 0).bit_length()
        depth = needed if depth is None else check_integer(depth, "depth", low=0, high=DEEPEST)
        check_horizon(depth, len(symbols), "")
        if not len(symbols):
            return cls._empty(symbols, alphabet)
        tree = Tree.of(symbols, alphabet, depth)
        return cls(symbols, alphabet, tree.start_probs(), tree.log_marginal, tree.best_starts())

    @classmethod
    def lin(
        cls,
        x: Any,
        *,
        prune: float | None = 30.0,
        limit: int | None = None,
        alphabet: int = 2,
        progress: Callable[[int, int], None] | None = None,
    ) -> SegmentPosterior:
        """Under the prior of LIN.

        Args:
            x: (T,) whole numbers in 0 .. A - 1; array, tensor or list.
            prune: starts and ends below e^-prune of the heaviest are dropped; None keeps all: exact, O(T^2).
            limit: starts and ends kept at most, as for the stream `LIN`; None = no limit.
            alphabet: number of symbols A.
            progress: called with (steps done, steps); there are three per symbol.

        Raises:
            SymbolTypeError, InputError: as `lin_log_probs`.
        """
        symbols, alphabet = _sequence(x, alphabet), check_alphabet(alphabet)
        if not len(symbols):
            return cls._empty(symbols, alphabet)
        keep = Keep(
            np.inf if prune is None else check_number(prune, "prune", low=0),
            None if limit is None else check_integer(limit, "limit", low=2),
        )
        done = itertools.count(1)

        def on_step() -> None:
            if progress is not None:
                progress(next(done), 3 * len(symbols))

        start_probs, log_marginal = lin_start_probs(symbols, alphabet, keep, on_step)
        return cls(symbols, alphabet, start_probs, log_marginal, lin_best_starts(symbols, alphabet, keep, on_step))

    @classmethod
    def _empty(cls, x: np.ndarray, alphabet: int) -> SegmentPosterior:
        return cls(x, alphabet, np.empty(0), 0.0, np.empty(0, np.int64))

    @property
    def segments(self) -> list[Segment]:
        """The segments that start at `best`, in order."""
        edges = [*self.best.tolist(), len(self.x)]
        found = []
        for i, (start, end) in enumerate(itertools.pairwise(edges)):
            counts = np.bincount(self.x[start:end], minlength=self.alphabet)
            probs = (counts + 0.5) / (end - start + 0.5 * self.alphabet)
            change = self._change_prob(edges[i - 1], start, end) if i else 1.0
            found.append(Segment(start, end, counts, probs, float(self.start_probs[start]), change))
        return found

    def joined(self, min_length: int = 5, min_mass: float = 0.5) -> tuple[SegmentPosterior, list[Joined]]:
        """With segments of `best` that are too short or too doubtful joined to a neighbour; and those segments.

        Args:
            min_length: symbols that a segment has at least, unless it is the only one; 1 = keep all.
            min_mass: smallest `change_prob`; 0 = keep all.

        Raises:
            InputError: an argument out of range.

        Example:
            >>> x = (np.arange(400) % 50 == 0).astype(int)
            >>> found = SegmentPosterior.lin(x, alphabet=3)
            >>> found.best.tolist(), found.joined()[0].best.tolist()
            ([0, 1], [0])
        """
        mass, found = check_number(min_mass, "min_mass", low=0, high=1), self.best.tolist()
        kept = replace(self, shortest=check_integer(min_length, "min_length", low=1))
        starts, _, gone = join_segments(found, len(self.x), kept._change_prob, min_length=kept.shortest, min_mass=mass)
        return replace(kept, best=np.array(starts, np.int64)), gone

    def _change_prob(self, start: int, middle: int, end: int) -> float:
        shortest = min(self.shortest, middle - start, end - middle)
        return lin_change_prob(self.x[start:end], self.alphabet, shortest, end == len(self.x))


def _sequence(x: Any, alphabet: int) -> np.ndarray:
    symbols = check_symbols(x, check_alphabet(alphabet), axes=1)
    return np.asarray(symbols.cpu() if is_tensor(symbols) else symbols)


__all__ = ["Segment", "SegmentPosterior"]
