"""Styles of machines and cameras, by loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.data.shifts import Blur
from holdfast.data.styles import ColumnNoise, Gamma, Palette, Vignette, device_style
from holdfast.errors import InputError

X = torch.from_numpy(np.random.default_rng(0).random((4, 3, 5, 7))).float()
Y = torch.arange(4)
STYLES = [Gamma(0.5), Palette(3), ColumnNoise(0.1, 0.2), Vignette(0.7), device_style(np.random.default_rng(3))]


def styled(shift, seed=1, x=X):
    out, labels = shift(x, Y[: len(x)], np.random.default_rng(seed))
    assert labels.tolist() == Y[: len(x)].tolist()
    return out


@pytest.mark.parametrize("shift", STYLES, ids=lambda s: type(s).__name__)
def test_contract(shift):
    before = X.clone()
    out = styled(shift)
    assert torch.equal(X, before)
    assert (out.shape, out.dtype) == (X.shape, X.dtype)
    assert 0 <= float(out.min()) <= float(out.max()) <= 1
    assert torch.equal(out, styled(shift))
    assert not torch.equal(out, X)


def test_gamma_by_loops():
    out = styled(Gamma(1.7))
    assert float(out[2, 1, 3, 4]) == pytest.approx(float(X[2, 1, 3, 4]) ** 1.7)
    assert styled(Gamma(1)) is X


def test_a_palette_has_equally_wide_shades():
    x = torch.linspace(0, 1, 9).view(1, 1, 3, 3)
    assert styled(Palette(4), x=x).flatten().tolist() == pytest.approx([min(int(4 * i / 8), 3) / 3 for i in range(9)])
    assert sorted(set(styled(Palette(2)).flatten().tolist())) == [0, 1]


def test_stripes_are_the_sensors_and_the_same_in_all_images():
    out = styled(ColumnNoise(0.1, 0.2), seed=5)
    gain, offset = np.random.default_rng(5).standard_normal((2, 7))
    for i, c, r, k in np.ndindex(*X.shape):
        wanted = min(max(float(X[i, c, r, k]) * (1 + 0.1 * gain[k]) + 0.2 * offset[k], 0), 1)
        assert float(out[i, c, r, k]) == pytest.approx(wanted, abs=1e-6)


def test_corners_lose_the_strength_and_the_centre_nothing():
    out = styled(Vignette(0.4), x=torch.ones(1, 1, 5, 7))[0, 0]
    for r, c in np.ndindex(5, 7):
        share = ((r - 2) ** 2 + (c - 3) ** 2) / 13
        assert float(out[r, c]) == pytest.approx(1 - 0.4 * share)
    assert styled(Vignette(0.4), x=torch.ones(1, 1, 1, 1)).item() == 1


@pytest.mark.parametrize("shift", [Gamma(1), ColumnNoise(), Vignette(0)])
def test_identities_draw_nothing(shift):
    rng = np.random.default_rng(0)
    assert shift(X, Y, rng)[0] is X
    assert rng.random() == np.random.default_rng(0).random()


def test_devices_differ_and_a_perfect_one_keeps_256_shades():
    first, second = (device_style(np.random.default_rng(k)) for k in (0, 1))
    assert first != second
    perfect = device_style(np.random.default_rng(0), 0.0).shifts
    assert perfect == (Gamma(1.0), Blur(0.0), Vignette(0.0), ColumnNoise(0.0, 0.0), Palette(256))
    shades = [device_style(np.random.default_rng(k)).shifts[-1].levels for k in range(200)]
    assert 8 <= min(shades) < 10
    assert 58 < max(shades) <= 64


@pytest.mark.parametrize(
    "make", [lambda: Gamma(0), lambda: Gamma(-1), lambda: Palette(1), lambda: ColumnNoise(-0.1), lambda: Vignette(1.1)]
)
def test_bad_parameters_are_refused(make):
    with pytest.raises(InputError):
        make()
