"""T5's span corruption: spans are cut out of a text and asked for, each behind a mark of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_fraction, check_integer, check_positive


def noise_counts(length: int, density: float, mean_span: float) -> tuple[int, int]:
    """How many tokens are cut out of so many, and in how many spans.

    Example:
        >>> noise_counts(568, 0.15, 3.0)
        (85, 28)
    """
    noise = min(max(round(length * density), 1), length - 1)
    return noise, min(max(round(noise / mean_span), 1), length - noise)


def span_corruption_lengths(inputs_length: int, density: float = 0.15, mean_span: float = 3.0) -> tuple[int, int]:
    """Raw tokens that fill an input of this length, and the length of its target, ends of sequences included.

    Args:
        inputs_length: at least 4.
        density: share of tokens that are cut out, in (0, 1).
        mean_span: their mean length, positive.

    Raises:
        InputError: an argument breaks a rule.

    Example:
        >>> span_corruption_lengths(512)
        (568, 114)
    """
    check_integer(inputs_length, "inputs_length", low=4)

    def lengths(raw: int) -> tuple[int, int]:
        noise, spans = noise_counts(raw, density, mean_span)
        return raw - noise + spans + 1, noise + spans + 1

    raw = 2
    while lengths(raw + 1)[0] <= inputs_length:
        raw += 1
    return raw, lengths(raw)[1]


@dataclass(frozen=True)
class SpanCorruption:
    """Cuts spans out of token ids.

    Attributes:
        noise_density: share of tokens that are cut out.
        mean_span: their mean length.
        sentinel_start: id of the first mark; the next ones count down.
        eos: id of the end.

    Raises:
        InputError: a density outside (0, 1), a span that is not positive.

    Example:
        >>> corrupt = SpanCorruption(0.5, 2.0, sentinel_start=99, eos=1)
        >>> inputs, targets = corrupt([10, 11, 12, 13], np.random.default_rng(0))
        >>> inputs.tolist(), targets.tolist()
        ([10, 11, 99, 1], [99, 12, 13, 1])
    """

    noise_density: float = 0.15
    mean_span: float = 3.0
    sentinel_start: int = 32127
    eos: int = 1

    def __post_init__(self) -> None:
        check_fraction(self.noise_density, "noise_density", zero=False, one=False)
        check_positive(self.mean_span, "mean_span")

    def __call__(self, ids: Any, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Input and target, int64: non-noise and marks; marks and noise. Both end with `eos`.

        Args:
            ids: (N,) at least 2 token ids.
            generator: the only source of randomness.

        Raises:
            InputError: fewer than 2 ids, or not one axis.
        """
        given = np.asarray(check_array(ids, "N", name="ids", dtype="int64"))
        if len(given) < 2:
            raise InputError("ids", "must hold at least 2", len(given))
        noise, spans = noise_counts(len(given), self.noise_density, self.mean_span)
        cut, kept = (_composition(total, spans, generator) for total in (noise, len(given) - noise))
        lengths = np.stack([kept, cut], 1).ravel()  # kept, cut, kept, cut, ...
        part = np.repeat(np.arange(2 * spans), lengths)
        marks = self.sentinel_start - np.arange(spans)
        inputs, targets = given[part % 2 == 0], given[part % 2 == 1]
        inputs = np.insert(inputs, np.cumsum(kept), marks)
        targets = np.insert(targets, np.cumsum(cut) - cut, marks)
        return np.append(inputs, self.eos), np.append(targets, self.eos)


def _composition(total: int, parts: int, generator: np.random.Generator) -> np.ndarray:
    """Lengths of at least 1 that add up, every choice equally likely."""
    edges = np.sort(generator.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], edges, [total]]))


__all__ = ["SpanCorruption", "noise_counts", "span_corruption_lengths"]
