"""What every streaming predictor does: hand out a prediction, take the symbol that came, keep the code length."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from holdfast.data.symbols import check_alphabet, check_symbol, check_symbols
from holdfast.errors import InputError


class Steps(NamedTuple):
    """What a stream said while it read some symbols.

    Attributes:
        log_probs: (n, A), log-probability of every symbol before each of the n symbols was seen.
        change: (n,), probability that the symbol starts a new segment, given it and all before it; NaN where the
            predictor has no segments.
    """

    log_probs: np.ndarray
    change: np.ndarray


class Stream(ABC):
    """Predicts the next symbol of one sequence, in constant or logarithmic memory.

    Args:
        alphabet: number of symbols A; symbols are 0 .. A - 1.

    Attributes:
        alphabet: A.
        t: number of symbols seen.
        log_marginal: log-probability of all symbols seen (natural logarithm); -log_marginal / log 2 is the code length
            in bits.
    """

    def __init__(self, alphabet: int = 2) -> None:
        self.alphabet = check_alphabet(alphabet)
        self.t = 0
        self.log_marginal = 0.0

    def log_prob(self) -> np.ndarray:
        """(A,) float64: log-probability of each symbol to come next. Changes nothing."""
        return np.log(self.prob())

    @abstractmethod
    def prob(self) -> np.ndarray:
        """(A,) float64: probability of each symbol to come next. Changes nothing."""

    def update(self, symbol: int) -> None:
        """Take the next symbol.

        Raises:
            SymbolTypeError: not a whole number.
            InputError: outside the alphabet, or beyond the predictor's horizon; nothing has changed then.
        """
        symbol = check_symbol(symbol, self.alphabet, self.t)
        self.check_room(1)
        self.log_marginal += math.log(self._take(symbol))
        self.t += 1

    @abstractmethod
    def _take(self, symbol: int) -> float:
        """Add the symbol to the state and return the probability it had before."""

    def change_prob(self) -> float:
        """Probability that the newest symbol started a segment, given all symbols seen; NaN without segments."""
        return float("nan")

    def check_room(self, symbols: int) -> None:  # noqa: B027  not abstract: most have no horizon
        """Raise InputError if so many more symbols do not fit the predictor's horizon; most have none."""

    def extend(self, x: Any) -> Steps:
        """Take several symbols: the same as `log_prob` and `update` for each of them.

        Args:
            x: (n,) whole numbers.

        Raises:
            SymbolTypeError, InputError: as `update`; nothing has changed then.
        """
        symbols = np.asarray(check_symbols(x, self.alphabet, axes=1))
        self.check_room(len(symbols))
        steps = self._run(writable(symbols)) if len(symbols) else self._none()
        if len(symbols):
            self.log_marginal += float(steps.log_probs[np.arange(len(symbols)), symbols].sum())
            self.t += len(symbols)
        return steps

    def _none(self) -> Steps:
        return Steps(np.empty((0, self.alphabet)), np.empty(0))

    def _run(self, x: np.ndarray) -> Steps:
        """Add all of x (n >= 1) to the state; `extend` keeps t and log_marginal."""
        start, marginal = self.t, self.log_marginal
        log_probs, change = np.empty((len(x), self.alphabet)), np.empty(len(x))
        for i, symbol in enumerate(x.tolist()):
            log_probs[i] = self.log_prob()
            self._take(symbol)
            self.t += 1
            change[i] = self.change_prob()
        self.t, self.log_marginal = start, marginal
        return Steps(log_probs, change)

    def copy(self) -> Self:
        """An independent predictor in the same state."""
        return copy.deepcopy(self)

    # --------------------------------------------------------------------------------------------------------- states
    def state_dict(self) -> dict[str, np.ndarray]:
        """The whole state as arrays, for `load_state_dict` of a predictor made with the same arguments."""
        return {"t": np.array(self.t), "log_marginal": np.array(self.log_marginal), **self._arrays()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state.

        Raises:
            InputError: names missing or superfluous, or arrays that do not fit this predictor; nothing has changed.
        """
        expected = set(self.state_dict())
        if set(state) != expected:
            raise InputError("state", f"must have exactly {sorted(expected)}", sorted(state))
        arrays = {name: np.asarray(value) for name, value in state.items()}
        t, log_marginal = int(check_state(arrays, "t", (), "i")), float(check_state(arrays, "log_marginal", (), "f"))
        if t < 0:
            raise InputError("state['t']", "must be a whole number of at least 0", t)
        self._load({k: v for k, v in arrays.items() if k not in ("t", "log_marginal")}, t)
        self.t, self.log_marginal = t, log_marginal

    @abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """The state beyond t and log_marginal."""

    @abstractmethod
    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        """Check the arrays of `_arrays` against t, then take copies of them."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.t} symbols, {-self.log_marginal / np.log(2):.6g} bits>"


def writable(x: np.ndarray) -> np.ndarray:
    """x in C order and writable: compiled loops are compiled anew for arrays that are not."""
    return np.require(x, requirements=["C", "W"])


def check_state(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """A copy of one array of a state, once its shape and kind ("i" or "f") are right.

    Raises:
        InputError: they are not, or it holds NaN.
    """
    value = arrays[name]
    if value.shape != shape or value.dtype.kind != kind or (kind == "f" and bool(np.isnan(value).any())):
        words = "whole numbers" if kind == "i" else "numbers"
        raise InputError(f"state[{name!r}]", f"must hold {words} of shape {shape}", f"{value.dtype} {value.shape}")
    return value.copy()


__all__ = ["Steps", "Stream", "check_state", "writable"]
