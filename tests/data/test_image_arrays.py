"""Images in memory, in the layouts and types that users have."""

import numpy as np
import pytest
import torch

from holdfast.data.image_arrays import as_images, images_from_array
from holdfast.errors import InputError


@pytest.mark.parametrize(
    ("shape", "result"),
    [
        ((2, 5, 6), (2, 1, 5, 6)),
        ((2, 3, 5, 6), (2, 3, 5, 6)),
        ((2, 5, 6, 3), (2, 3, 5, 6)),
        ((2, 5, 6, 1), (2, 1, 5, 6)),
    ],
)
def test_layouts(shape, result):
    x = np.random.default_rng(0).random(shape)
    out = images_from_array(x, "x")
    assert out.shape == result
    if shape[-1] in (1, 3):
        np.testing.assert_array_equal(out, x.transpose(0, 3, 1, 2).astype(np.float32))
    with pytest.raises(InputError, match="shape"):
        images_from_array(np.zeros((2, 5, 6, 2)), "x")


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_bytes_grey_and_read_only_memory_become_floats(kind):
    x = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    for given in (x, x.copy().transpose(0, 2, 1).transpose(0, 2, 1)):
        sizes: dict[str, int] = {}
        out = as_images(kind(given), "X", sizes)
        assert out.dtype == torch.float32
        np.testing.assert_allclose(out.numpy(), x[:, None] / 255, rtol=1e-6)
        assert sizes == {"C": 1, "H": 4, "W": 5}
    x.setflags(write=False)
    assert as_images(x, "X", {}).add_(1).min() >= 1  # memory of its own


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((2, 8, 8, 3)), "channels first"),
        (np.full((2, 8, 8), 1.5), "all values in"),
        (np.full((2, 8, 8), np.nan), "NaN"),
        (np.zeros((2, 8, 9)), "W=8"),
        (np.zeros((2, 8, 8), dtype=np.int64), "float"),
        (np.zeros((0, 8, 8)), "empty|at least|N=0"),
    ],
)
def test_other_arrays_are_refused_by_name(x, words):
    with pytest.raises(InputError, match=words) as e:
        as_images(x, "Xt", {"C": 1, "H": 8, "W": 8})
    assert e.value.argument == "Xt"
