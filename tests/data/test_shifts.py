import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from holdfast.data.shifts import (
    Background,
    Blur,
    Colour,
    Compose,
    GaussianNoise,
    Invert,
    LabelNoise,
    LabelShift,
    Rotate,
)
from holdfast.errors import InputError

SHIFTS = [
    Rotate(30),
    Rotate(0, spread=45),
    Invert(),
    Colour(),
    Colour(saturation=0.5, correlation=0.7),
    Blur(1.2),
    GaussianNoise(0.3),
    Background(),
    Background(0.5, cells=7),
    LabelShift((0, 2), 0.3),
    LabelNoise(0.4),
    Compose((Rotate(0, 20), Colour(), Background(0.5), GaussianNoise(0.1), LabelShift((1,), 0.5))),
]
IDENTITIES = [Rotate(0), Rotate(360), Blur(0), GaussianNoise(0), Background(0), LabelShift((), 0), LabelShift((1,), 1)]
IDENTITIES += [LabelNoise(0), Compose(()), Compose((Rotate(0), Blur(0)))]


def rng(seed=0):
    return np.random.default_rng(seed)


def images(n=12, c=1, h=10, w=13, seed=0, dtype=torch.float32):
    return torch.from_numpy(rng(seed).random((n, c, h, w))).to(dtype)


def labels(n=12, k=4):
    return torch.arange(n) % k


# ---------------------------------------------------------------------------------------------------- all of them
@pytest.mark.parametrize("shift", SHIFTS, ids=repr)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contract_of_every_shift(shift, channels, dtype):
    x, y = images(c=channels, dtype=dtype), labels()
    kept = x.clone(), y.clone()
    out, out_y = shift(x, y, rng(7))
    again, again_y = shift(x, y, rng(7))
    assert torch.equal(out, again)
    assert torch.equal(out_y, again_y)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])
    assert out.dtype == dtype
    assert out_y.dtype == torch.int64
    assert out.shape[0] == len(out_y)
    assert out.shape[2:] == x.shape[2:]
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("shift", [s for s in SHIFTS if s not in (Rotate(30), Invert(), Blur(1.2))], ids=repr)
def test_another_seed_gives_another_result(shift):
    x, y = images(n=60), labels(60)
    first, second = shift(x, y, rng(1)), shift(x, y, rng(2))
    assert not torch.equal(first[0], second[0]) or not torch.equal(first[1], second[1])


@pytest.mark.parametrize("shift", IDENTITIES, ids=repr)
def test_identity_parameters_change_nothing_and_draw_nothing(shift):
    x, y = images(), labels()
    generator = rng()
    out, out_y = shift(x, y, generator)
    assert torch.equal(out, x)
    assert torch.equal(out_y, y)
    assert generator.random() == rng().random()


@pytest.mark.parametrize(
    ("x", "y", "named"),
    [
        (torch.rand(3, 4, 4), torch.zeros(3, dtype=torch.int64), "images"),
        (torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), "images"),
        (2 * torch.ones(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64), "images"),
        (torch.full((3, 1, 4, 4), float("nan")), torch.zeros(3, dtype=torch.int64), "images"),
        (torch.zeros(0, 1, 4, 4), torch.zeros(0, dtype=torch.int64), "images"),
        (torch.rand(3, 1, 4, 4), torch.zeros(2, dtype=torch.int64), "labels"),
        (torch.rand(3, 1, 4, 4), torch.zeros(3), "labels"),
    ],
)
def test_bad_input_is_named(x, y, named):
    with pytest.raises(InputError) as caught:
        Invert()(x, y, rng())
    assert caught.value.argument == named


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rotate(float("nan")),
        lambda: Rotate(0, -1),
        lambda: Colour(saturation=1.5),
        lambda: Blur(-1),
        lambda: GaussianNoise(-0.1),
        lambda: Background(2),
        lambda: Background(1, 0),
        lambda: LabelShift((0.5,), 0.5),
        lambda: LabelShift((0,), -0.1),
        lambda: LabelNoise(1.1),
        lambda: LabelNoise(0.5, classes=1),
        lambda: Compose((Invert, Blur(1))),
    ],
)
def test_bad_parameters_are_refused(make):
    with pytest.raises(InputError):
        make()


# ---------------------------------------------------------------------------------------------------- rotate
@pytest.mark.parametrize("degrees", [30, -77.5, 90, 200])
@pytest.mark.parametrize("shape", [(9, 9), (8, 13), (1, 5)])
def test_rotation_equals_scipy(degrees, shape):
    x = images(n=2, c=2, h=shape[0], w=shape[1], dtype=torch.float64)
    out, _ = Rotate(degrees)(x, labels(2), rng())
    expected = ndimage.rotate(
        x.numpy(), degrees, axes=(2, 3), reshape=False, order=1, mode="grid-constant", prefilter=False
    )
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-9)


def test_quarter_turns_move_pixels_counterclockwise():
    x = images(h=8, w=8)
    for quarters in (1, 2, 3):
        out, _ = Rotate(90 * quarters)(x, labels(), rng())
        torch.testing.assert_close(out, torch.rot90(x, quarters, (2, 3)), atol=1e-5, rtol=0)


def test_every_image_turns_by_its_own_angle_within_the_spread():
    # A bright pixel right of the centre shows its image's angle.
    x = torch.zeros(200, 1, 41, 41)
    x[:, :, 20, 38] = 1
    out, _ = Rotate(90, spread=30)(x, labels(200), rng(3))
    rows, cols = (torch.arange(41.0) - 20)[:, None], (torch.arange(41.0) - 20)[None, :]
    weight = out[:, 0] / out[:, 0].sum((1, 2), keepdim=True)
    angle = torch.rad2deg(torch.atan2(-(weight * rows).sum((1, 2)), (weight * cols).sum((1, 2)))).numpy()
    expected = 90 + 30 * rng(3).uniform(-1, 1, 200)
    np.testing.assert_allclose(angle, expected, atol=1.5)


# ---------------------------------------------------------------------------------------------------- pixels
def test_inversion_undoes_itself():
    x = images()
    once, _ = Invert()(x, labels(), rng())
    assert torch.equal(once, 1 - x)
    torch.testing.assert_close(Invert()(once, labels(), rng())[0], x)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_colour_by_loops(correlation):
    x, y = images(), labels()
    out, _ = Colour(saturation=0.8, correlation=correlation)(x, y, rng(5))
    draws = rng(5)
    free, chance = draws.random(12), draws.random(12)
    expected = torch.zeros(12, 3, 10, 13)
    for i in range(12):
        hue = int(y[i]) * ((5**0.5 - 1) / 2) % 1 if chance[i] < correlation else free[i]
        for channel, part in enumerate(colorsys.hsv_to_rgb(hue, 0.8, 1.0)):
            expected[i, channel] = x[i, 0] * part
    torch.testing.assert_close(out, expected)


def test_colour_of_an_rgb_image_starts_from_its_luma():
    x = images(c=3)
    luma = 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
    from_grey, _ = Colour()(luma[:, None], labels(), rng(1))
    torch.testing.assert_close(Colour()(x, labels(), rng(1))[0], from_grey)


def test_colour_without_saturation_repeats_the_grey():
    x = images()
    assert torch.equal(Colour(saturation=0)(x, labels(), rng())[0], x.expand(-1, 3, -1, -1))


def test_colour_refuses_other_channels():
    with pytest.raises(InputError, match="channels"):
        Colour()(images(c=2), labels(), rng())


def test_colour_says_nothing_about_the_class_unless_asked():
    y = torch.arange(4000) % 10
    x = torch.ones(4000, 1, 1, 1)

    def spread_of_class_means(correlation):
        rgb, _ = Colour(correlation=correlation)(x, y, rng())
        return torch.stack([rgb[y == c].mean((0, 2, 3)) for c in range(10)]).std(0).max()

    assert spread_of_class_means(0) < 0.05
    assert spread_of_class_means(1) > 0.3


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 6.0])
def test_blur_equals_scipy(sigma):
    x = images(n=2, c=3, dtype=torch.float64)
    out, _ = Blur(sigma)(x, labels(2), rng())
    expected = ndimage.gaussian_filter(x.numpy(), sigma, mode="nearest", truncate=4.0, axes=(2, 3))
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-9)


def test_noise_is_what_the_formula_says():
    x = images(c=3)
    out, _ = GaussianNoise(0.4)(x, labels(), rng(2))
    expected = np.clip(x.numpy() + 0.4 * rng(2).standard_normal(x.shape), 0, 1)
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-6)


def test_background_by_loops():
    x = images(n=2, c=2, h=6, w=9)
    out, _ = Background(0.7, cells=3)(x, labels(2), rng(4))
    coarse = rng(4).random((2, 2, 3, 3))
    for n, c, i, j in np.ndindex(2, 2, 6, 9):
        r, s = np.clip([(i + 0.5) * 3 / 6 - 0.5, (j + 0.5) * 3 / 9 - 0.5], 0, 2)
        r0, s0 = int(r), int(s)
        r1, s1, a, b = min(r0 + 1, 2), min(s0 + 1, 2), r - r0, s - s0
        grid = coarse[n, c]
        texture = (1 - a) * ((1 - b) * grid[r0, s0] + b * grid[r0, s1]) + a * (
            (1 - b) * grid[r1, s0] + b * grid[r1, s1]
        )
        assert out[n, c, i, j].item() == pytest.approx(abs(x[n, c, i, j].item() - 0.7 * texture), abs=1e-6)


# ---------------------------------------------------------------------------------------------------- labels
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0, 1), st.integers(0, 99))
def test_label_shift_keeps_exact_numbers_in_order(y, keep, seed):
    y = torch.tensor([5, *y])  # class 5 always stays, so that something does
    x = torch.linspace(0, 1, len(y))[:, None, None, None]
    out, out_y = LabelShift((0, 1, 2), keep)(x, y, rng(seed))
    for c in range(6):
        before = int((y == c).sum())
        assert int((out_y == c).sum()) == (int(keep * before + 0.5) if c < 3 else before)
    assert (out.flatten().diff() > 0).all()
    row = (out.flatten() * (len(y) - 1)).round().long()
    assert torch.equal(y[row], out_y)


def test_label_shift_may_not_leave_nothing():
    with pytest.raises(InputError, match="at least one image"):
        LabelShift((0, 1, 2, 3), 0)(images(), labels(), rng())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0, 1), st.integers(0, 99))
def test_label_noise_changes_an_exact_number_of_labels(y, rate, seed):
    y = torch.tensor(y)
    x = torch.zeros(len(y), 1, 1, 1)
    out, out_y = LabelNoise(rate, classes=5)(x, y, rng(seed))
    assert int((out_y != y).sum()) == int(rate * len(y) + 0.5)
    assert int(out_y.min()) >= 0
    assert int(out_y.max()) < 5
    assert torch.equal(out, x)


def test_label_noise_is_uniform_over_the_other_classes():
    y = torch.full((30_000,), 2)
    _, out = LabelNoise(1.0, classes=4)(torch.zeros(30_000, 1, 1, 1), y, rng())
    counts = torch.bincount(out, minlength=4)
    assert counts[2] == 0
    assert (counts[[0, 1, 3]] - 10_000).abs().max() < 400  # 5 standard deviations


def test_label_noise_needs_two_classes_and_known_labels():
    with pytest.raises(InputError, match="2 classes"):
        LabelNoise(0.5)(images(), torch.zeros(12, dtype=torch.int64), rng())
    with pytest.raises(InputError, match="labels"):
        LabelNoise(0.5, classes=2)(images(), labels(), rng())


# ---------------------------------------------------------------------------------------------------- composition
def test_composition_applies_shifts_in_order_with_one_generator():
    x, y = images(), labels()
    parts = (Rotate(0, 30), Invert(), GaussianNoise(0.2))
    together = Compose(parts)(x, y, rng(9))
    generator = rng(9)
    step = (x, y)
    for part in parts:
        step = part(*step, generator)
    assert torch.equal(together[0], step[0])
    turned_back = Compose(parts[::-1])(x, y, rng(9))[0]
    assert not torch.equal(together[0], turned_back)


def test_order_matters_where_it_should():
    x, y = torch.zeros(1, 1, 9, 9), torch.tensor([0])
    corner_of = lambda *s: Compose(s)(x, y, rng())[0][0, 0, 0, 0].item()  # noqa: E731
    assert corner_of(Invert(), Rotate(45)) == 0  # zeros come in from outside, after the inversion
    assert corner_of(Rotate(45), Invert()) == 1


def test_a_composition_knows_whether_labels_stay_true():
    assert not Compose((Invert(), LabelShift((0,), 0.5))).corrupts_labels
    assert Compose((Invert(), Compose((LabelNoise(0.1),)))).corrupts_labels
    assert hash(Compose((Invert(), Blur(1)))) == hash(Compose((Invert(), Blur(1))))
