"""PTW of one sequence as a stream: the recursion of `method.ptw`, in compiled loops where numba is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.method.ptw import GROWING, PTWNodes
from holdfast.systems.nonstationary_meta.tool import safety
from holdfast.systems.nonstationary_meta.tool.compiled import compiled
from holdfast.systems.nonstationary_meta.tool.stream import Steps, Stream, check_state
from holdfast.validation import check_integer

DEEPEST = 62
_ANY, _NOT_WANTED = np.zeros(1, np.int64), np.empty(0)


def check_depth(depth: Any) -> int:
    """The depth as a number; "auto" is `GROWING`."""
    return GROWING if isinstance(depth, str) and depth == "auto" else check_integer(depth, "depth", low=0, high=DEEPEST)


def check_horizon(depth: int, length: int, otherwise: str = ", or 'auto'") -> None:
    """Refuse sequences of more than 2^depth symbols, saying the depth they need, and what else would do."""
    if depth != GROWING and length > 1 << depth:
        rule = f"must be at least {(length - 1).bit_length()} for {length} symbols{otherwise}"
        raise InputError("depth", rule, depth)


class PTW(Stream):
    """PTW of one sequence: O(log t) time and memory per symbol.

    Args:
        depth: the horizon is 2^depth symbols. The prior depends on it: each level above those that the sequence needs
            makes one segment likelier and costs up to one bit at the first change. "auto" has no horizon: whenever the
            tree is full it becomes the left half of one twice as deep. What it predicts is what PTW of the smallest
            sufficient depth predicts at that moment, and `log_marginal` the sum of these predictions' logarithms.
        alphabet: number of symbols A.

    Raises:
        InputError: depth is no whole number in 0 .. 62; later, a symbol beyond the horizon (names the depth needed).

    Example:
        >>> from holdfast.systems.nonstationary_meta import PTW
        >>> ptw = PTW(depth=6)
        >>> for bit in [0] * 20 + [1] * 10:
        ...     ptw.update(bit)
        >>> ptw.prob().round(3).tolist()
        [0.129, 0.871]
        >>> round(-ptw.log_marginal / 0.6931471805599453, 2)  # code length in bits
        15.28
    """

    def __init__(self, depth: int | str = "auto", alphabet: int = 2) -> None:
        super().__init__(alphabet)
        self.depth = depth
        self._nodes = PTWNodes(check_depth(depth), self.alphabet)

    def check_room(self, symbols: int) -> None:
        """Raise InputError, with the depth needed, if so many more symbols do not fit the horizon."""
        check_horizon(self._nodes.depth, self.t + symbols)

    def prob(self) -> np.ndarray:
        self.check_room(1)
        kernels = compiled()
        if kernels is None:
            return self._nodes.predict()
        out = np.empty((1, self.alphabet))
        kernels.ptw_steps(_ANY, self.t, self._nodes.depth, *self._room(1, copy=True), out, _NOT_WANTED)
        return out[0]

    def change_prob(self) -> float:
        """Probability that the newest symbol started a segment, given all symbols seen; NaN before the first."""
        return self._nodes.change_prob()

    def _take(self, symbol: int) -> float:
        if compiled() is None:
            return self._nodes.take(symbol)
        out = np.empty((1, 1))
        self._steps(np.array([symbol]), out, _NOT_WANTED)
        return float(out[0, 0])

    def _run(self, x: np.ndarray) -> Steps:
        if compiled() is None:
            return super()._run(x)
        steps = Steps(np.empty((len(x), self.alphabet)), np.empty(len(x)))
        self._steps(x, *steps)
        np.log(steps.log_probs, out=steps.log_probs)
        return steps

    def _steps(self, x: np.ndarray, out: np.ndarray, change: np.ndarray) -> None:
        nodes, kernels = self._nodes, compiled()
        assert kernels is not None
        logs, nodes.counts, nodes.log_odds = self._room(len(x))
        kernels.ptw_steps(x, nodes.t, nodes.depth, logs, nodes.counts, nodes.log_odds, out, change)
        nodes.t += len(x)

    def _room(self, symbols: int, copy: bool = False) -> tuple[bool, np.ndarray, np.ndarray]:
        """Whether to use logarithms, and counts and odds with rows for the nodes that so many more symbols need."""
        levels, nodes = (self._nodes.t + symbols - 1).bit_length() + 1, self._nodes
        logs, missing = not safety.tree_is_safe(levels - 1, self.alphabet), levels - len(nodes.log_odds)
        if missing:
            counts = np.concatenate([nodes.counts, np.zeros((missing, self.alphabet), np.int64)])
            return logs, counts, np.concatenate([nodes.log_odds, np.zeros(missing)])
        return (logs, nodes.counts.copy(), nodes.log_odds.copy()) if copy else (logs, nodes.counts, nodes.log_odds)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"counts": self._nodes.counts.copy(), "log_odds": self._nodes.log_odds.copy()}

    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        check_horizon(self._nodes.depth, t)
        levels = max(t - 1, 0).bit_length() + 1
        counts = check_state(arrays, "counts", (levels, self.alphabet), "i")
        log_odds = check_state(arrays, "log_odds", (levels,), "f")
        seen = [((t - 1) & ((1 << h) - 1)) + 1 if t else 0 for h in range(levels)]
        if (counts < 0).any() or counts.sum(1).tolist() != seen:
            raise InputError("state['counts']", f"must be counts of the nodes at symbol {t}", counts.tolist())
        self._nodes.counts, self._nodes.log_odds, self._nodes.t = counts, log_odds, t


__all__ = ["DEEPEST", "PTW", "check_depth", "check_horizon"]
