"""Drawings of shapes against loops over pixels, and what must not change them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from holdfast.data.synthetic.captions import FORMS, WORDS, caption, drawn_forms
from holdfast.data.synthetic.shapes import (
    BACKGROUNDS,
    COLOURS,
    LINE,
    SHAPES,
    STYLES,
    Objects,
    beside,
    boxes_of,
    one_object,
    render,
)
from holdfast.errors import InputError


def distance(shape, u, v):
    """From the words of the card, y upwards there."""
    a, b, radius, up = abs(u), abs(v), math.hypot(u, v), -v
    return {
        "circle": radius - 0.6,
        "square": max(a, b) - 0.52,
        "triangle": max(0.866 * a + 0.5 * up, -up) - 0.35,
        "cross": min(max(a - 0.62, b - 0.2), max(a - 0.2, b - 0.62)),
        "ring": abs(radius - 0.45) - 0.18,
        "bar": max(a - 0.65, b - 0.25),
    }[shape]


def random_objects(n, k, seed=0):
    rng = np.random.default_rng(seed)

    def whole(high):
        return torch.from_numpy(rng.integers(0, high, (n, k)))

    def real(low, high):
        return torch.from_numpy(rng.uniform(low, high, (n, k))).float()

    present = torch.from_numpy(rng.random((n, k)) < 0.8)
    return Objects(
        whole(len(SHAPES)), whole(len(COLOURS)), whole(len(STYLES)), real(-0.3, 0.3), real(-0.3, 0.3), real(0.5, 1.2),
        real(-3, 3), present,
    )  # fmt: skip


def test_pixels_are_what_loops_paint():
    pixels, objects = 9, random_objects(30, 3)
    background = torch.arange(30) % len(BACKGROUNDS)
    drawing = render(objects, background, pixels)
    assert {*objects.shape.flatten().tolist()} == set(range(len(SHAPES)))
    for n in range(30):
        for row in range(pixels):
            for column in range(pixels):
                colour = np.array(list(BACKGROUNDS.values())[background[n]])
                alphas = []
                for k in range(3):
                    shape, style = SHAPES[objects.shape[n, k]], STYLES[objects.style[n, k]]
                    size, angle = float(objects.size[n, k]), float(objects.angle[n, k])
                    dx = (2 * column + 1) / pixels - 1 - float(objects.x[n, k])
                    dy = (2 * row + 1) / pixels - 1 - float(objects.y[n, k])
                    u = (math.cos(angle) * dx + math.sin(angle) * dy) / size
                    v = (math.cos(angle) * dy - math.sin(angle) * dx) / size
                    d = distance(shape, u, v)
                    d = abs(d) - LINE if style == "sketch" else d
                    alpha = min(max(0.5 - d * size * pixels / 2, 0), 1)
                    if style == "mosaic" and (row % 3 == 2 or column % 3 == 2):
                        alpha = 0
                    if style == "print" and (row // 2) % 2 == 1:
                        alpha = 0
                    alphas.append(alpha * bool(objects.present[n, k]))
                    colour = colour + alphas[-1] * (np.array(list(COLOURS.values())[objects.colour[n, k]]) - colour)
                assert np.allclose(drawing.image[n, :, row, column], colour, atol=1e-5)
                for k in range(3):
                    seen = alphas[k] * math.prod(1 - a for a in alphas[k + 1 :])
                    if abs(seen - 0.5) > 1e-4:
                        assert bool(drawing.mask[n, k, row, column]) == (seen > 0.5)


def test_boxes_are_the_bounds_of_masks():
    mask = torch.rand(50, 6, 7, generator=torch.Generator().manual_seed(0)) < 0.1
    for found, one in zip(boxes_of(mask).tolist(), mask, strict=True):
        rows, columns = one.nonzero(as_tuple=True)
        wanted = (
            [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1] if len(rows) else [0] * 4
        )
        assert found == wanted


def test_a_drawing_does_not_depend_on_its_neighbours_and_noise_comes_from_the_generator():
    objects, background = random_objects(5, 2), torch.arange(5) % 4
    whole = render(objects, background, 12)
    assert torch.equal(render(objects[2:3], background[2:3], 12).image[0], whole.image[2])
    first, second = (
        render(objects, background, 12, noise=0.05, generator=torch.Generator().manual_seed(s)).image for s in (3, 3)
    )
    assert torch.equal(first, second)
    assert 0.01 < float((first - whole.image).abs().mean()) < 0.06
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1


def test_beside_puts_one_object_into_each_half():
    kinds = torch.arange(6)
    drawing = render(beside(one_object(kinds, kinds), one_object(kinds.flip(0), kinds)), kinds % 4, 16)
    assert (drawing.boxes[:, 0, 2] <= 8).all()
    assert (drawing.boxes[:, 1, 0] >= 8).all()
    assert drawing.mask.flatten(2).any(2).all()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"shape": torch.full((5, 2), 6)}, "objects.shape"),
        ({"colour": torch.full((5, 2), -1)}, "objects.colour"),
        ({"x": torch.zeros(5, 1)}, "objects.x"),
        ({"size": torch.zeros(5, 2)}, "objects.size"),
    ],
)
def test_factors_that_do_not_exist_are_refused(change, named):
    objects = random_objects(5, 2)
    parts = {name: change.get(name, getattr(objects, name)) for name in objects.__dataclass_fields__}
    with pytest.raises(InputError, match=named):
        render(Objects(**parts), torch.zeros(5, dtype=torch.int64), 8)


def test_backgrounds_fit_the_objects():
    for background in (torch.zeros(4, dtype=torch.int64), torch.full((5,), 4)):
        with pytest.raises(InputError, match="background"):
            render(random_objects(5, 2), background, 8)


def test_captions_say_what_is_there():
    left, right = (
        one_object(torch.tensor([0]), torch.tensor([0]), torch.tensor([1])),
        one_object(torch.tensor([5]), torch.tensor([2])),
    )
    said = [caption(left, [3], [form])[0] for form in FORMS]
    assert said == [
        "a sketch of a circle",
        "a sketch of a red circle",
        "a red circle on pink",
        "a sketch of a red circle on pink",
    ]
    assert caption(beside(left, right), [0], ["shape"]) == ["a sketch of a red circle and a blue bar"]
    assert caption(beside(left, right), [0], ["all"]) == ["a sketch of a red circle and a blue bar on white"]
    absent = beside(left, right)
    absent.present[:, 1] = False
    assert caption(absent, [0], ["shape"]) == ["a sketch of a circle"]


def test_every_caption_is_made_of_the_words():
    objects = random_objects(400, 1)
    texts = caption(objects, [i % 4 for i in range(400)], drawn_forms(400, np.random.default_rng(0)))
    said = {word for text in texts for word in text.split()}
    assert said <= set(WORDS)
    assert said >= {*COLOURS, *SHAPES, *STYLES, *BACKGROUNDS}
