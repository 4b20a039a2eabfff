"""CTAugment against Pillow (operations), loops (rates) and counting (policies)."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from holdfast.data.augment import Identity, TwoViews
from holdfast.data.ctaugment import BINS, FIRST, LEVELS, NAMES, CTAugment, CTAugmentSettings, HalfCutout
from holdfast.data.ctaugment_ops import OPERATIONS
from holdfast.errors import InputError

LEVEL = torch.tensor([0.0, 0.13, 0.37, 0.5, 0.73, 0.999])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images():
    """Smooth random colour images of whole grey levels, `(6, 3, 16, 20)`."""
    coarse = torch.rand(6, 3, 4, 5, generator=rng()) * 0.8 + 0.1
    fine = torch.nn.functional.interpolate(coarse, size=(16, 20), mode="bicubic", align_corners=False)
    return (fine.clamp(0, 1) * 255).round() / 255


def pillow(images, function):
    """`function(image, level)` on each image, back as a tensor."""
    out = []
    for x, level in zip(images, LEVEL.tolist(), strict=True):
        picture = Image.fromarray((x.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
        out.append(torch.from_numpy(np.asarray(function(picture, level)).copy()).permute(2, 0, 1) / 255)
    return torch.stack(out)


def enhance(kind):
    return lambda x, level: kind(x).enhance(0.1 + 1.9 * level)


def blend(operation):
    return lambda x, level: Image.blend(x, operation(x), level)


def affine(coefficients):
    return lambda x, level: x.transform(x.size, Image.Transform.AFFINE, coefficients((2 * level - 1) * 0.3, *x.size))


REFERENCE = {
    "autocontrast": blend(ImageOps.autocontrast),
    "blur": blend(lambda x: x.filter(ImageFilter.BLUR)),
    "brightness": enhance(ImageEnhance.Brightness),
    "color": enhance(ImageEnhance.Color),
    "contrast": enhance(ImageEnhance.Contrast),
    "equalize": blend(ImageOps.equalize),
    "identity": lambda x, level: x,
    "invert": blend(ImageOps.invert),
    "posterize": lambda x, level: ImageOps.posterize(x, 1 + int(level * 7.999)),
    "rotate": lambda x, level: x.rotate(int(np.round((2 * level - 1) * 45))),
    "sharpness": enhance(ImageEnhance.Sharpness),
    "shear_x": affine(lambda v, w, h: (1, v, 0, 0, 1, 0)),
    "shear_y": affine(lambda v, w, h: (1, 0, 0, v, 1, 0)),
    "smooth": blend(lambda x: x.filter(ImageFilter.SMOOTH)),
    "solarize": lambda x, level: ImageOps.solarize(x, int(level * 255.999)),
    "translate_x": affine(lambda v, w, h: (1, 0, v * w, 0, 1, 0)),
    "translate_y": affine(lambda v, w, h: (1, 0, 0, 0, 1, v * h)),
}
NEAREST = {"rotate", "shear_x", "shear_y", "translate_x", "translate_y"}  # a tie may round to the other neighbour
FILTERS = {"blur": 2, "smooth": 1, "sharpness": 1}  # width of the ring that Pillow leaves unfiltered


@pytest.mark.parametrize("name", REFERENCE)
def test_operations_against_pillow(images, name):
    operation = OPERATIONS[name]
    ours = operation.apply(images, *[LEVEL] * len(operation.bins))
    expected = pillow(images, REFERENCE[name])
    if name in FILTERS:
        margin = FILTERS[name]
        ours, expected = (v[..., margin:-margin, margin:-margin] for v in (ours, expected))
    # Pillow rounds to whole grey levels, up to three times on the way
    close = (ours - expected).abs() <= 2.6 / 255
    if name in NEAREST:
        assert float(close.float().mean()) > 0.97
    else:
        assert bool(close.all()), f"largest difference {float((ours - expected).abs().max()) * 255:.2f} grey levels"


def test_rescale_magnifies_the_centre(images):
    """Against Pillow's crop and resize; the six bins hold three kinds of resampling."""
    kinds = ("LANCZOS", "BICUBIC", "BILINEAR", "BOX", "HAMMING", "NEAREST")
    for i, kind in enumerate(kinds):
        method = torch.full((6,), (i + 0.5) / 6)
        ours = OPERATIONS["rescale"].apply(images, LEVEL, method)

        def crop(x, level, kind=kind):
            s = 0.25 * level
            box = (s * x.size[0], s * x.size[1], x.size[0] * (1 - s), x.size[1] * (1 - s))
            return x.resize(x.size, getattr(Image.Resampling, kind), box=box)

        difference = (ours - pillow(images, crop)).abs()[..., 1:-1, 1:-1]
        assert float(difference.mean()) < 0.012, kind


def test_rescale_kinds_differ_and_nearest_invents_no_value(images):
    half = torch.full((6,), 0.9)
    outs = [OPERATIONS["rescale"].apply(images, half, torch.full((6,), (i + 0.5) / 6)) for i in range(6)]
    assert torch.equal(outs[0], outs[1])
    assert torch.equal(outs[3], outs[5])
    assert torch.equal(outs[2], outs[4])
    assert not torch.allclose(outs[1], outs[2], atol=1e-3)
    assert all(bool(torch.isin(out, x).all()) for out, x in zip(outs[3], images, strict=True))


def test_cutout_against_a_loop():
    g = rng(2)
    level, row, column = torch.rand(3, 40, generator=g)
    ours = OPERATIONS["cutout"].apply(torch.zeros(40, 1, 9, 14), level, row, column)
    expected = torch.zeros(40, 1, 9, 14)
    for n in range(40):
        size = 1 + int(level[n] * 9 * 0.499)
        i, j = int(row[n] * 9), int(column[n] * 14)
        expected[n, :, max(0, i - size // 2) : i + size // 2, max(0, j - size // 2) : j + size // 2] = 127 / 255
    assert torch.equal(ours, expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_operations_keep_shape_type_range_and_input(name, channels):
    x = torch.rand(4, channels, 8, 8, generator=rng())
    before = x.clone()
    levels = torch.rand(len(OPERATIONS[name].bins), 4, generator=rng(1))
    y = OPERATIONS[name].apply(x, *levels)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert float(y.min()) >= 0
    assert float(y.max()) <= 1
    assert torch.equal(x, before)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_uniform_images_survive_stretching(name, value):
    x = torch.full((2, 1, 8, 8), value)
    torch.testing.assert_close(OPERATIONS[name].apply(x, torch.ones(2)), x)


# ---------------------------------------------------------------------------------------------------------- the policy
def test_every_image_gets_each_operation_equally_often(monkeypatch):
    """Operations replaced by writing their number: 1/19 each, for every position in the batch, also where 19 does not
    divide it, and two rounds are independent."""
    cta = CTAugment(last=Identity())
    marks = {
        name: type(op)(lambda x, *levels, i=i: x * 19 + i, op.bins) for i, (name, op) in enumerate(OPERATIONS.items())
    }
    monkeypatch.setattr("holdfast.data.ctaugment.OPERATIONS", marks)
    g, counts = rng(), np.zeros((5, 19, 19))
    for _ in range(1500):
        codes = cta(torch.zeros(5, 1, 1, 1), g).flatten().long().numpy()
        for image, code in enumerate(codes):
            counts[image, code // 19, code % 19] += 1
    total = counts.sum(0)
    assert counts.sum() == 7500
    expected = 7500 / 361
    chi2 = ((total - expected) ** 2 / expected).sum()
    assert 250 < chi2 < 480  # 360 degrees of freedom: mean 360, standard deviation 27
    per_image = counts.sum(2)
    chi2 = ((per_image - 1500 / 19) ** 2 / (1500 / 19)).sum(1)
    assert (chi2 < 50).all()  # 18 degrees of freedom each


def test_images_keep_their_places():
    x = torch.arange(7.0).view(7, 1, 1, 1) / 10
    cta = CTAugment(depth=3, last=Identity())
    plain = {name: type(op)(lambda x, *levels: x, op.bins) for name, op in OPERATIONS.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdfast.data.ctaugment.OPERATIONS", plain)
        assert torch.equal(cta(x, rng()), x)


def test_levels_of_an_operation_lie_together():
    for name, first in zip(NAMES, FIRST, strict=True):
        bins = OPERATIONS[name].bins
        assert BINS[first : first + len(bins)] == bins
    assert sum(len(operation.bins) for operation in OPERATIONS.values()) == len(BINS) == 21


def test_levels_come_from_usable_bins_only(monkeypatch):
    seen = []

    def record(x, level):
        seen.append(level.clone())
        return x

    cta = CTAugment(last=Identity())
    rotate = NAMES.index("rotate")
    cta.rates[FIRST[rotate]] = torch.tensor([1.0, 0.5, 0.85] + [0.1] * 14)
    marks = {**OPERATIONS, "rotate": type(OPERATIONS["rotate"])(record, (17,))}
    monkeypatch.setattr("holdfast.data.ctaugment.OPERATIONS", marks)
    for i in range(10):
        cta(torch.rand(380, 1, 4, 4, generator=rng(i)), rng(i))
    levels = torch.cat(seen)
    bins = (levels * 17).long()
    assert set(bins.tolist()) == {0, 2}
    share = float((bins == 0).float().mean())
    assert share == pytest.approx(1.01 / (1.01 + 0.86), abs=0.1)  # usable bins weigh in proportion to rate + 1 - decay
    inside = levels * 17 - bins
    assert float(inside.mean()) == pytest.approx(0.5, abs=0.06)


def test_usable_bins_by_the_published_rule():
    cta = CTAugment(threshold=0.8, decay=0.99)
    cta.rates.copy_(torch.rand(cta.rates.shape, generator=rng()) * cta.valid)
    for row, rate in enumerate(cta.rates.tolist()):
        p = [r + (1 - 0.99) for r in rate[: BINS[row]]]
        p = [v / max(p) for v in p]
        p = [v if v >= 0.8 else 0.0 for v in p] + [0.0] * (17 - BINS[row])
        np.testing.assert_allclose(cta.usable()[row], p, rtol=1e-5)


def test_rates_follow_the_published_rule_in_order_of_the_images():
    """Loop over images, rounds and levels; a bin that is hit several times is updated several times."""
    cta, g = CTAugment(depth=3, decay=0.9), rng(5)
    rates = cta.rates.clone().double().numpy()
    for _ in range(2):
        _, choices = cta.propose(torch.rand(40, 1, 6, 6, generator=g), g)
        probabilities = torch.randn(40, 4, generator=g).softmax(1)
        labels = torch.randint(0, 4, (40,), generator=g)
        cta.learn(choices, probabilities, labels)
        for image in range(40):
            y = np.eye(4)[labels[image]]
            w = 1 - 0.5 * np.abs(probabilities[image].numpy() - y).sum()
            for choice in choices[image]:
                operation = int(choice[0])
                levels = choice[1 : 1 + len(OPERATIONS[NAMES[operation]].bins)]
                assert bool((levels >= 0).all())
                for k, level in enumerate(levels):
                    row = FIRST[operation] + k
                    column = int(float(level) * BINS[row] * 0.999)
                    rates[row, column] = 0.9 * rates[row, column] + 0.1 * w
    np.testing.assert_allclose(cta.rates, rates, rtol=1e-5)
    assert bool((cta.rates < 1).any())
    assert bool((cta.rates[~cta.valid] == 0).all())


def test_proposals_use_the_whole_range_and_say_what_was_done(images):
    cta, g = CTAugment(depth=1), rng()
    cta.rates.mul_(0.0)
    cta.rates[:, 0] = 1.0  # only the first bin is usable, which must not matter
    levels = []
    for _ in range(10):
        probe, choices = cta.propose(images, g)
        assert choices.shape == (6, 1, 1 + LEVELS)
        for x, y, choice in zip(images, probe, choices[:, 0], strict=True):
            operation = OPERATIONS[NAMES[int(choice[0])]]
            own = choice[1 : 1 + len(operation.bins), None]
            assert bool((choice[1 + len(operation.bins) :] == -1).all())
            torch.testing.assert_close(operation.apply(x[None], *own)[0], y, atol=1e-6, rtol=0)
            levels += own.flatten().tolist()
    assert max(levels) > 0.8


def test_a_harmful_operation_is_learnt_to_be_avoided():
    """A network that answers by brightness is fooled by inverting: high levels of `invert` lose their place."""

    class ByBrightness(torch.nn.Module):
        def forward(self, x):
            return 20 * torch.stack([0.5 - x.mean((1, 2, 3)), x.mean((1, 2, 3)) - 0.5], 1)

    y = torch.arange(64) % 2
    x = 0.2 + 0.6 * y.view(-1, 1, 1, 1) + 0.05 * torch.rand(64, 1, 8, 8, generator=rng())
    views, g = TwoViews(Identity(), CTAugmentSettings(depth=1, decay=0.9)), rng(1)
    for _ in range(60):
        views.learn(ByBrightness(), x, y, g)
    usable = views.strong.usable()
    invert = usable[FIRST[NAMES.index("invert")]]
    assert bool((invert[-4:] == 0).all())
    assert bool((invert[:3] > 0).all())
    assert bool((usable[FIRST[NAMES.index("smooth")]] > 0).all())


def test_state_holds_the_rates_and_settings_build_the_module():
    cta = CTAugmentSettings(depth=1, threshold=0.5, decay=0.7).build()
    assert (cta.depth, cta.threshold, cta.decay) == (1, 0.5, 0.7)
    assert set(TwoViews(Identity(), CTAugmentSettings()).state_dict()) == {"strong.rates"}
    with pytest.raises(InputError, match="depth: must be at least 1; received 0"):
        CTAugment(depth=0)
    with pytest.raises(InputError, match=r"decay: must lie in \[0, 1\]"):
        CTAugment(decay=2)


def test_same_generator_same_images_and_one_image_is_enough():
    cta = CTAugment()
    x = torch.rand(1, 3, 8, 8, generator=rng())
    assert torch.equal(cta(x, rng(1)), cta(x, rng(1)))
    assert cta(x, rng(1)).shape == x.shape


def test_final_cutout_covers_a_quarter():
    y = HalfCutout()(torch.zeros(300, 1, 32, 32), rng())
    painted = (y > 0).sum((1, 2, 3))
    assert int(painted.max()) == 16 * 16
    assert int(painted.min()) >= 8 * 8
