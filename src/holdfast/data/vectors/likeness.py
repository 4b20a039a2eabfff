"""Are the vectors of a store like those that something was learned from? A compact profile of known ones, compared.

What counts is how large a difference is, and not how sure one can be that there is one: a store of millions differs
from any sample. A difference is told if it is larger than a limit *and* than five standard errors. Rows of a store are
often sorted, and its sample comes in runs; so standard errors are those of blocks of rows where these are larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from holdfast.errors import InputError

FEWEST = 20  # vectors on either side that something can be said from
DIRECTIONS = 16
POINTS = 1000
BLOCKS = 20
SURE = 5.0  # standard errors
LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
TOLERATED = 1.2  # factor by which a length may be another
FACTOR = 1.25  # of the typical length
SHARE = 0.25  # of the vectors that are of other lengths, or elsewhere
SHIFT = 0.5  # of the mean, in standard deviations
SPREAD = 1.4  # factor of the spread along the main directions
FARTHEST = 5.0  # standard deviations that any single number counts as


@dataclass(frozen=True)
class Profile:
    """What tells vectors apart from those of another scale, place, basis or kind.

    Attributes:
        count: vectors that the numbers below come from: half of all. The directions come from the other half, so that
            they fit neither these nor new ones better.
        lengths: quantiles of the Euclidean lengths at `LEVELS`.
        log_length: mean and standard deviation of log(length / median), cut at 3.
        directions: main directions of the vectors, (K, D): principal components once distant vectors have been drawn
            in to the median distance from the middle; at most 16.
        centre, scale: median, and median distance from it, along each direction, (K,).
        place: mean and standard deviation of the standardised coordinates, (2, K).
        spread: the same of their absolute values.
        points: standardised coordinates of at most 1,000 vectors, (M, K).
    """

    count: np.ndarray
    lengths: np.ndarray
    log_length: np.ndarray
    directions: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    place: np.ndarray
    spread: np.ndarray
    points: np.ndarray

    def __post_init__(self) -> None:
        along, dim = np.shape(self.directions) if np.ndim(self.directions) == 2 else (-1, -1)
        wanted: dict[str, tuple[int, ...]] = {"count": (), "lengths": LEVELS.shape, "log_length": (2,)}
        wanted |= {"directions": (along, dim), "centre": (along,), "scale": (along,)}
        wanted |= {"place": (2, along), "spread": (2, along), "points": (len(np.atleast_1d(self.points)), along)}
        for name, shape in wanted.items():
            if np.shape(getattr(self, name)) != shape:
                raise InputError(f"profile: {name}", f"must have shape {shape}", np.shape(getattr(self, name)))

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return int(self.directions.shape[1])

    @classmethod
    def of(cls, x: np.ndarray, seed: int = 0) -> Self | None:
        """The profile of vectors (N, D); None where they are too few to say anything.

        Example:
            >>> rng = np.random.default_rng(0)
            >>> profile = Profile.of(rng.normal(size=(1000, 8)))
            >>> profile.differences(rng.normal(size=(500, 8)))
            ()
            >>> print(profile.differences(3 * rng.normal(size=(500, 8)))[0])
            the store's vectors have length 8.08 [4.85, 11.8], the known ones' 2.73 [1.69, 3.91]
        """
        order = np.random.default_rng(seed).permutation(len(x))
        fitted, told = (np.asarray(x[np.sort(rows)], np.float64) for rows in np.array_split(order, 2))
        if len(told) < FEWEST:
            return None
        inner = fitted - np.median(fitted, 0)
        norms = np.linalg.norm(inner, axis=1, keepdims=True)
        inner /= np.maximum(norms, np.median(norms)) + 1e-300  # or a few distant ones would make the directions
        _, singular, right = np.linalg.svd(inner - inner.mean(0), full_matrices=False)
        directions = right[: max(1, min(DIRECTIONS, len(fitted) // 4, int((singular > 1e-5 * singular[0]).sum())))]
        along = told @ directions.T
        centre = np.median(along, 0)
        scale = np.maximum(np.median(np.abs(along - centre), 0), 1e-6 * np.abs(along).max(0) + 1e-30)
        t = _cut((along - centre) / scale)
        size = np.linalg.norm(told, axis=1)
        logs = _logs(size, float(np.median(size)))
        return cls(
            count=np.array(len(told)),
            lengths=np.quantile(size, LEVELS),
            log_length=np.array([logs.mean(), logs.std()]),
            directions=directions.astype(np.float32),
            centre=centre,
            scale=scale,
            place=np.array([t.mean(0), t.std(0)]),
            spread=np.array([np.abs(t).mean(0), np.abs(t).std(0)]),
            points=t[:POINTS].astype(np.float32),
        )

    def differences(self, x: np.ndarray, known: str = "the known ones") -> tuple[str, ...]:
        """What differs in vectors of a store, a phrase each; () = nothing, as always with fewer than 20 vectors.

        Args:
            x: finite vectors in the order of the store, (n, D).
            known: what the profile's vectors are called, in the plural.

        Raises:
            InputError: vectors of another size.
        """
        if np.ndim(x) != 2 or np.shape(x)[1] != self.dim:
            raise InputError("x", f"must have shape (n, {self.dim})", np.shape(x))
        if len(x) < FEWEST:
            return ()
        rows = np.asarray(x, np.float64)
        t = _cut((rows @ self.directions.T.astype(np.float64) - self.centre) / self.scale)
        found = (self._lengths(np.linalg.norm(rows, axis=1)), self._place(t), self._spread(t), *self._nearness(t))
        return tuple(words.format(known=known) for words in found if words)

    def _lengths(self, size: np.ndarray) -> str:
        logs, middle = _logs(size, self.lengths[5]), self.lengths[:, None]
        mean, error = _mean(logs[:, None])
        error = np.hypot(error, self.log_length[1] / self.count**0.5)
        typical = abs(mean[0] - self.log_length[0]) > max(np.log(FACTOR), SURE * error[0])
        shorter, their_error = _mean((size < middle / TOLERATED).T)
        longer, another = _mean((size > middle * TOLERATED).T)
        surplus = np.maximum(shorter - LEVELS, longer - (1 - LEVELS))
        noise = SURE * np.hypot(np.maximum(their_error, another), _own_error(self.count))
        if not typical and not (surplus > np.maximum(SHARE, noise)).any():
            return ""
        low, median, high = (f"{value:.3g}" for value in np.quantile(size, [0.05, 0.5, 0.95]))
        theirs = [f"{value:.3g}" for value in self.lengths[[0, 5, 10]]]
        return (
            f"the store's vectors have length {median} [{low}, {high}], {{known}}' "
            f"{theirs[1]} [{theirs[0]}, {theirs[2]}]"
        )

    def _place(self, t: np.ndarray) -> str:
        mean, error = _mean(t)
        unit = np.maximum(self.place[1], 1e-9)
        shift = _beyond((mean - self.place[0]) / unit, np.hypot(error / unit, self.count**-0.5))
        return f"the store's mean is {shift:.1f} standard deviations from that of {{known}}" if shift > SHIFT else ""

    def _spread(self, t: np.ndarray) -> str:
        mean, error = _mean(np.abs(t))
        ratio = np.log(np.maximum(mean, 1e-9) / np.maximum(self.spread[0], 1e-9))
        noise = np.hypot(
            error / np.maximum(mean, 1e-9), self.spread[1] / np.maximum(self.spread[0], 1e-9) / self.count**0.5
        )
        factor = np.exp(_beyond(ratio, noise) / len(ratio) ** 0.5)
        if factor < SPREAD:
            return ""
        return (
            f"the store's vectors vary along other directions than {{known}} (spread there: a factor of {factor:.2g})"
        )

    def _nearness(self, t: np.ndarray) -> tuple[str, str]:
        """In both directions: rows far from all pairs, pairs far from all rows; each among equally many."""
        half = min(len(self.points) // 2, len(t))
        if half < FEWEST:
            return "", ""
        rows = t[np.linspace(0, len(t) - 1, half).round().astype(int)]
        some, others = self.points[:half], self.points[half : 2 * half]
        usual = 1.05 * np.quantile(_nearest(some, others), LEVELS) + 0.05  # equal numbers are so up to rounding
        far = []
        for distances in (_nearest(rows, others), _nearest(others, rows)):
            share, error = _mean((distances > usual[:, None]).T)
            noise = SURE * np.hypot(error, _own_error(half))
            beyond = share - (1 - LEVELS)
            far.append(bool((beyond > np.maximum(SHARE, noise)).any()))
        return (
            "many of the store's vectors are farther from {known} than these from each other" if far[0] else "",
            "many of {known} are farther from the store's vectors than from each other" if far[1] else "",
        )


def _cut(t: np.ndarray) -> np.ndarray:
    return np.clip(t, -FARTHEST, FARTHEST)


def _logs(size: np.ndarray, middle: float) -> np.ndarray:
    middle = max(middle, 1e-30)
    return np.clip(np.log(np.maximum(size, 1e-30) / middle), -3, 3)


def _mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over rows (n, F), and their standard errors: by blocks of rows where these differ more than rows would."""
    values = np.asarray(values, np.float64)
    blocks = np.array([block.mean(0) for block in np.array_split(values, min(BLOCKS, len(values)))])
    single = values.std(0) / len(values) ** 0.5
    return values.mean(0), np.maximum(blocks.std(0, ddof=1) / len(blocks) ** 0.5, single)


def _own_error(count: Any) -> np.ndarray:
    return np.sqrt(LEVELS * (1 - LEVELS) / count)


def _beyond(effects: np.ndarray, errors: np.ndarray) -> float:
    """The length of a vector of effects; 0 where chance explains it."""
    square, expected = float(np.square(effects).sum()), float(np.square(errors).sum())
    # Errors of directions go together where single rows are far out; 2 ** .5 * expected is the most they can vary by.
    return square**0.5 if square > expected * (1 + SURE * 2**0.5) else 0.0


def _nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distance of each row of a from the nearest of b."""
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares.min(1), 0))


__all__ = ["Profile"]
