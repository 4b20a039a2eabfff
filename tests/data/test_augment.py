import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.canonical import canonical
from holdfast.data.augment import (
    DIGITS_STRONG,
    DIGITS_WEAK,
    Brightness,
    Compose,
    Cutout,
    Identity,
    Invert,
    Mirror,
    Noise,
    RandomAffine,
    Shift,
    TwoViews,
)
from holdfast.errors import InputError

TRANSFORMS = [
    Identity(),
    Shift(2),
    Mirror(),
    Invert(),
    RandomAffine(),
    Brightness(),
    Cutout(3),
    DIGITS_WEAK,
    DIGITS_STRONG,
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_type_range_input_and_randomness(transform, dtype):
    x = torch.rand(5, 2, 9, 12, generator=generator(1), dtype=dtype)
    before = x.clone()
    y = transform(x, generator(0))
    assert y.shape == x.shape
    assert y.dtype == dtype
    assert float(y.min()) >= 0
    assert float(y.max()) <= 1
    assert torch.equal(x, before)
    assert torch.equal(y, transform(x, generator(0)))
    assert isinstance(transform, Identity) or not torch.equal(y, transform(x, generator(7)))
    canonical(transform)  # experiments declare transforms, so their settings must be plain


def test_invert_turns_whole_images_and_about_as_many_as_asked():
    x = torch.rand(2000, 3, 2, 2, generator=generator())
    turned = (Invert(0.25)(x, generator(1)) == 1 - x).flatten(1)
    assert torch.equal(turned.all(1), turned.any(1))
    assert torch.equal(Invert(0.25)(x, generator(1))[~turned.all(1)], x[~turned.all(1)])
    assert 0.2 < float(turned.all(1).float().mean()) < 0.3


def test_shift_moves_each_image_by_whole_pixels_with_mirrored_edges():
    x = torch.rand(64, 2, 5, 7, generator=generator())
    y = Shift(2)(x, generator(3))
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    found = []
    for i in range(64):
        crops = {(u, v): padded[i, :, u : u + 5, v : v + 7] for u in range(5) for v in range(5)}
        match = [move for move, crop in crops.items() if np.array_equal(crop, y[i].numpy())]
        assert len(match) == 1
        found += match
    assert {u for u, _ in found} == {v for _, v in found} == set(range(5))


@pytest.mark.parametrize("pixels", [-1, 4, 9])
def test_shift_refuses_moves_larger_than_the_image(pixels):
    with pytest.raises(InputError, match="pixels: must be at least 0 and less than"):
        Shift(pixels)(torch.zeros(1, 1, 4, 6))


def test_mirror_flips_about_half_of_the_images():
    x = torch.rand(400, 1, 2, 5, generator=generator())
    flipped = (Mirror()(x, generator()) == x.flip(3)).all(dim=(1, 2, 3))
    assert 150 < int(flipped.sum()) < 250
    assert torch.equal(Mirror(1.0)(x), x.flip(3))
    assert torch.equal(Mirror(0.0)(x), x)


def bilinear(image, r, c):
    """Value of a 2-d array at a real position (pixel centres at whole numbers), 0 outside."""
    total = 0.0
    for i in (math.floor(r), math.floor(r) + 1):
        for j in (math.floor(c), math.floor(c) + 1):
            if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                total += image[i, j] * (1 - abs(r - i)) * (1 - abs(c - j))
    return total


@pytest.mark.parametrize("size", [(8, 8), (6, 10)])
def test_random_affine_against_a_loop_over_pixels(size):
    """`A (u - t)` with A = R(angle) Shear / scale, u in pixels from the centre."""
    h, w = size
    x = torch.rand(3, 1, h, w, generator=generator(), dtype=torch.float64)
    transform = RandomAffine(30, (0.5, 1.5), 0.4, 0.25)
    y = transform(x, generator(5))
    draw = torch.rand(5, 3, generator=generator(5), dtype=torch.float64).numpy()
    for n in range(3):
        angle = (2 * draw[0, n] - 1) * math.radians(30)
        scale = 0.5 + draw[1, n]
        shear = (2 * draw[2, n] - 1) * 0.4
        t = np.array([(2 * draw[3, n] - 1) * 0.25 * w, (2 * draw[4, n] - 1) * 0.25 * h])
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        matrix = rotation @ np.array([[1, shear], [0, 1]]) / scale
        expected = np.zeros((h, w))
        for i in range(h):
            for j in range(w):
                u, v = matrix @ (np.array([j - (w - 1) / 2, i - (h - 1) / 2]) - t)
                expected[i, j] = bilinear(x[n, 0].numpy(), v + (h - 1) / 2, u + (w - 1) / 2)
        np.testing.assert_allclose(y[n, 0].numpy(), expected, atol=1e-10)


def test_affine_of_no_extent_is_the_identity():
    x = torch.rand(4, 3, 7, 9, generator=generator())
    torch.testing.assert_close(RandomAffine(0, (1, 1), 0, 0)(x, generator()), x, atol=1e-6, rtol=0)


def test_brightness_scales_each_image_by_one_factor_in_range():
    x = torch.full((200, 1, 2, 2), 0.5)
    factor = Brightness(0.6, 1.4)(x, generator())[:, 0] * 2
    assert bool((factor == factor[:, :1, :1]).all())
    assert 0.6 <= float(factor.min()) < 0.65
    assert 1.35 < float(factor.max()) <= 1.4


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(2, 9), st.integers(2, 9), st.integers(0, 99))
def test_cutout_paints_one_whole_square(size, h, w, seed):
    y = Cutout(size, 0.5)(torch.zeros(6, 2, h, w), generator(seed))
    painted = y == 0.5
    assert bool((painted.sum((2, 3)) == min(size, h) * min(size, w)).all())
    assert torch.equal(painted[:, 0], painted[:, 1])
    for image in painted[:, 0]:
        rows, columns = image.any(1), image.any(0)
        assert torch.equal(image, rows[:, None] & columns)  # a rectangle, of which the sides ...
        assert int(rows.sum()) == min(size, h)
        where = rows.nonzero()
        assert int(where[-1] - where[0]) + 1 == int(rows.sum())  # ... are in one piece


def test_cutout_reaches_every_place():
    y = Cutout(2, 1.0)(torch.zeros(500, 1, 4, 4), generator())
    assert len({tuple(image.flatten().tolist()) for image in y}) == 9


def test_compose_applies_in_order_from_one_generator():
    x = torch.rand(3, 1, 6, 6, generator=generator())
    g = generator(4)
    expected = Cutout(2)(Brightness()(x, g), g)
    assert torch.equal(Compose((Brightness(), Cutout(2)))(x, generator(4)), expected)


def test_two_views_draws_them_independently_and_without_gradient():
    x = torch.rand(32, 1, 8, 8, generator=generator()).requires_grad_()
    weak, strong = TwoViews(Shift(2), Identity())(x, generator(1))
    assert not weak.requires_grad
    assert not torch.equal(weak, strong)
    g = generator(1)
    assert torch.equal(weak, Shift(2)(x, g))
    assert torch.equal(strong, Shift(2)(x, g))


def test_two_views_lets_a_learning_transform_learn_in_evaluation_mode():
    seen = {}

    class Learning(nn.Module):
        def forward(self, images, generator=None):
            return images

        def propose(self, images, generator=None):
            return images + 1, torch.arange(len(images))

        def learn(self, choices, probabilities, labels):
            seen.update(choices=choices, probabilities=probabilities, labels=labels)

    class Settings:
        def build(self):
            return Learning()

    class Net(nn.Module):
        def forward(self, x):
            assert not self.training
            assert not torch.is_grad_enabled()
            return x.flatten(1)[:, :2]

    views, net, labels = TwoViews(Identity(), Settings()), Net(), torch.tensor([0, 1, 1])
    views.learn(net, torch.zeros(3, 1, 2, 2), labels, generator())
    assert net.training
    assert seen["choices"].tolist() == [0, 1, 2]
    torch.testing.assert_close(seen["probabilities"], torch.full((3, 2), 0.5))
    assert seen["labels"] is labels


def test_two_views_draws_nothing_where_nothing_learns():
    g = generator()
    before = g.get_state()
    TwoViews(Shift(1), Cutout(2)).learn(nn.Identity(), torch.zeros(2, 1, 4, 4), torch.zeros(2).long(), g)
    assert torch.equal(g.get_state(), before)


def test_noise_is_added_as_it_is_drawn():
    x = torch.rand(4, 1, 12, 12)
    noisy = Noise(0.5)(x, torch.Generator().manual_seed(0))
    assert torch.equal(noisy, x + 0.5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))
