"""Piecewise-stationary Bernoulli sources: the data that predictors are tested, and networks trained, on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.method.partitions import Partition
from holdfast.systems.nonstationary_meta.tool.partitions import partition
from holdfast.validation import check_integer, check_positive, is_tensor


class Sample(NamedTuple):
    """Sequences and what made them.

    Attributes:
        x: int64 `(B, T)`, symbols 0 and 1.
        theta: float64 `(B, T)`, probability of a 1 at every position.
        starts: bool `(B, T)`, True at the first symbol of every segment.
    """

    x: np.ndarray
    theta: np.ndarray
    starts: np.ndarray


class PiecewiseBernoulli:
    """Sequences of 0 and 1 in segments, each with a probability of its own (arXiv 2302.03067, section 4).

    Args:
        kind: "ptw" (the PTW prior, an independent partition per row), "ptw_shared" (one partition per batch), "lin",
            "regular" (a change every 20 symbols), "random" (after uniformly many of 1 to 40) or "static". Or a
            `Partition`, such as `RegularShift(period=50)`.
        T: length of the sequences.
        beta: parameters (a, b) of the Beta distribution that P(1) is drawn from in every segment. (1/2, 1/2) is the
            prior that the KT estimator is the Bayes predictor of.
        generator: numpy or torch generator, a seed, or None for a new sequence of draws. Every call of `sample` goes
            on where the last one ended. Of a torch generator one seed is taken, now.

    Raises:
        InputError: an unknown kind, T below 1, a parameter of Beta that is not positive.

    Example:
        >>> from holdfast.systems.nonstationary_meta import PiecewiseBernoulli
        >>> x, theta = PiecewiseBernoulli("ptw", T=8, generator=0).sample(3)
        >>> x.shape, x.dtype.name, theta.shape, bool(((theta >= 0) & (theta <= 1)).all())
        ((3, 8), 'int64', (3, 8), True)
    """

    def __init__(
        self,
        kind: str | Partition = "ptw",
        T: int = 256,
        beta: tuple[float, float] = (0.5, 0.5),
        generator: Any = None,
    ) -> None:
        self.partition = partition(kind)
        self.T = check_integer(T, "T", low=1)
        self.beta = _parameters(beta)
        self._rng = _generator(generator)

    def __repr__(self) -> str:
        return f"PiecewiseBernoulli({self.partition!r}, T={self.T}, beta={self.beta})"

    def sample(self, B: int) -> tuple[np.ndarray, np.ndarray]:
        """x int64 `(B, T)` and theta float64 `(B, T)`, the probability of a 1 at every position."""
        drawn = self.sample_segments(B)
        return drawn.x, drawn.theta

    def sample_segments(self, B: int) -> Sample:
        """As `sample`, together with where the segments start. B may be 0."""
        rows = check_integer(B, "B", low=0)
        starts = self.partition.starts(rows, self.T, self._rng)
        values = self._rng.beta(*self.beta, size=int(starts.sum()))
        # The first symbol of every row starts a segment, so segments can be counted through all rows at once.
        theta = values[np.cumsum(starts) - 1].reshape(rows, self.T)
        x = (self._rng.random((rows, self.T)) < theta).astype(np.int64)
        return Sample(x, theta, starts)


def _parameters(beta: Any) -> tuple[float, float]:
    try:
        a, b = beta
    except (TypeError, ValueError):
        raise InputError("beta", "must be two numbers (a, b)", beta) from None
    return check_positive(a, "beta"), check_positive(b, "beta")


def _generator(generator: Any) -> np.random.Generator:
    if generator is None or isinstance(generator, np.random.Generator):
        return generator or np.random.default_rng()
    if hasattr(generator, "initial_seed"):  # a torch generator
        import torch

        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        return np.random.default_rng(int(seed.item()))
    if is_tensor(generator):
        raise InputError("generator", "must be a generator, a seed or None", "a tensor")
    return np.random.default_rng(check_integer(generator, "generator", low=0))


__all__ = ["PiecewiseBernoulli", "Sample"]
