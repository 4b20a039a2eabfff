"""Span corruption: what goes in comes back, counts are exact, and lengths are T5's."""

import numpy as np
import pytest

from holdfast.data.span_corruption import SpanCorruption, noise_counts, span_corruption_lengths
from holdfast.errors import InputError


def put_back(inputs, targets, start):
    """Spans in the places of their marks."""
    spans, current = {}, None
    for token in targets[:-1]:
        if token > start - 1000:
            current = int(token)
            spans[current] = []
        else:
            spans[current].append(int(token))
    out = []
    for token in inputs[:-1]:
        out += spans[int(token)] if int(token) in spans else [int(token)]
    return out


@pytest.mark.parametrize("length", [2, 3, 7, 40, 568])
@pytest.mark.parametrize(("density", "mean_span"), [(0.15, 3.0), (0.5, 2.0), (0.9, 5.0)])
def test_what_goes_in_comes_back(length, density, mean_span):
    corrupt = SpanCorruption(density, mean_span, sentinel_start=10_000, eos=1)
    for seed in range(8):
        ids = np.random.default_rng(seed).integers(2, 900, length)
        inputs, targets = corrupt(ids, np.random.default_rng(seed))
        noise, spans = noise_counts(length, density, mean_span)
        assert put_back(inputs, targets, 10_000) == ids.tolist()
        assert inputs[-1] == targets[-1] == 1
        assert inputs[0] < 5_000, "begins with what is kept"
        assert len(inputs) == length - noise + spans + 1
        assert len(targets) == noise + spans + 1
        marks = [int(t) for t in targets if t > 5_000]
        assert marks == list(range(10_000, 10_000 - spans, -1))


def test_lengths_are_t5s():
    assert span_corruption_lengths(512) == (568, 114)
    for wanted in (4, 20, 100, 256):
        raw, target = span_corruption_lengths(wanted)
        noise, spans = noise_counts(raw, 0.15, 3.0)
        assert raw - noise + spans + 1 <= wanted
        assert target == noise + spans + 1
        more_noise, more_spans = noise_counts(raw + 1, 0.15, 3.0)
        assert raw + 1 - more_noise + more_spans + 1 > wanted


def test_spans_are_anywhere():
    corrupt = SpanCorruption(0.3, 2.0, sentinel_start=99, eos=1)
    seen = {tuple(corrupt(np.arange(10, 20), np.random.default_rng(seed))[0]) for seed in range(60)}
    assert len(seen) == 2 * 6, "every way to cut 3 of 10 in 2 spans"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SpanCorruption(0.0), "noise_density: must"),
        (lambda: SpanCorruption(1.0), "noise_density: must"),
        (lambda: SpanCorruption(0.15, -1.0), "mean_span: must"),
        (lambda: SpanCorruption()([1], np.random.default_rng(0)), "ids: must hold at least 2"),
        (lambda: SpanCorruption()([[1, 2]], np.random.default_rng(0)), "ids: must have shape"),
        (lambda: span_corruption_lengths(3), "inputs_length: must"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(InputError, match=words):
        make()
