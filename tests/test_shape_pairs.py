"""The pictures that adaptation is measured on: their labels are true, and their styles say nothing of the class."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SOURCE = Path(__file__).parents[1] / "benchmarks" / "shape_pairs.py"


@pytest.fixture(scope="module")
def shapes():
    spec = importlib.util.spec_from_file_location("shape_pairs", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_labels_are_those_that_the_silhouettes_measures_give(shapes) -> None:
    kinds = np.arange(120) % 6
    drawn = shapes.silhouettes(kinds, np.random.default_rng(0))
    assert [shapes.kind_of(one) for one in drawn] == kinds.tolist()


def test_pairs_are_balanced_seeded_and_differ_in_style(shapes) -> None:
    for name in shapes.PAIRS:
        pair, again, other = (shapes.make_pair(name, seed, n=24, test=12) for seed in (0, 0, 1))
        for (x, y), (same, labels), n in zip(
            (pair.source, pair.target, pair.test), (again.source, again.target, again.test), (24, 24, 12), strict=True
        ):
            assert x.dtype == np.uint8
            assert x.shape[0] == n
            assert x.shape[2:] == (48, 48)
            assert np.bincount(y).tolist() == [n // 6] * 6
            assert np.array_equal(x, same)
            assert np.array_equal(y, labels)
        assert not np.array_equal(pair.source[0], other.source[0])
        assert pair.source[0].shape[1] == pair.target[0].shape[1]


def test_a_written_pair_is_read_as_it_was(shapes, tmp_path: Path) -> None:
    from holdfast.data.readers.image_inputs import open_images

    pair = shapes.make_pair("flat-photo", 0, n=12, test=6)
    shapes.write(tmp_path, pair)
    given = open_images(tmp_path / "target", "target", labelled=False)
    assert np.array_equal((given.read(48, 3) * 255).round().astype("uint8"), pair.target[0])
    test = open_images(tmp_path / "test", "test", labelled=True)
    assert sorted(test.labels.tolist()) == sorted(shapes.SHAPES[k] for k in pair.test[1])
