"""Coloured shapes on plain backgrounds, drawn from signed distances: images, masks, boxes, all at once as tensors.

An image is a square from -1 to 1 along x (to the right) and y (downwards). Objects are painted in the order of their
numbers, so that later ones hide earlier ones. Edges are smooth over one pixel; two equal factors give equal pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_array, check_integer, check_number

SHAPES = ("circle", "square", "triangle", "cross", "ring", "bar")
STYLES = ("photo", "sketch", "mosaic", "print")  # filled; its outline; dots of it; stripes of it
COLOURS = {
    "red": (0.85, 0.10, 0.10),
    "green": (0.10, 0.65, 0.15),
    "blue": (0.15, 0.25, 0.90),
    "yellow": (0.90, 0.80, 0.10),
    "purple": (0.60, 0.15, 0.70),
    "cyan": (0.10, 0.75, 0.80),
}
BACKGROUNDS = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "gray": (0.5, 0.5, 0.5),
    "pink": (1.0, 0.7, 0.8),
}
LINE = 0.1  # half the width of an outline, for an object of size 1


@dataclass(frozen=True, eq=False)
class Objects:
    """K objects in each of N images.

    Attributes:
        shape, colour, style: (N, K) int64, places in `SHAPES`, `COLOURS` and `STYLES`.
        x, y: (N, K) float32, the centres.
        size: (N, K) float32; 1 is about 60 % of the image.
        angle: (N, K) float32, radians, clockwise.
        present: (N, K) bool; an absent object is not drawn.
    """

    shape: Tensor
    colour: Tensor
    style: Tensor
    x: Tensor
    y: Tensor
    size: Tensor
    angle: Tensor
    present: Tensor

    def __len__(self) -> int:
        return len(self.shape)

    def __getitem__(self, rows: Tensor | slice) -> Objects:
        return Objects(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, eq=False)
class Drawing:
    """What was drawn.

    Attributes:
        image: (N, 3, S, S) float32 in [0, 1].
        mask: (N, K, S, S) bool, pixels of which more than half belongs to an object that nothing later hides.
        boxes: (N, K, 4) int64, first column and row of the mask, and those after its last; zeros for an empty mask.
    """

    image: Tensor
    mask: Tensor
    boxes: Tensor


def one_object(shape: Tensor, colour: Tensor, style: Tensor | None = None) -> Objects:
    """One upright object in the middle of each image, (N, 1).

    Args:
        shape, colour, style: (N,) int64; without a style all are "photo", filled.
    """
    flat = torch.zeros(len(shape))
    style = torch.zeros_like(shape) if style is None else style
    present = torch.ones(len(shape), dtype=torch.bool)
    return Objects(*(v[:, None] for v in (shape, colour, style, flat, flat, flat + 1, flat, present)))


def beside(left: Objects, right: Objects, size: float = 0.55) -> Objects:
    """Two objects for each image, one in each half, at a share of their sizes; their own places are scaled, too."""
    parts = []
    for objects, centre in ((left, -0.5), (right, 0.5)):
        at = {"x": objects.x * size + centre, "y": objects.y * size, "size": objects.size * size}
        parts.append(replace(objects, **at))
    return Objects(*(torch.cat([getattr(p, f.name) for p in parts], 1) for f in fields(Objects)))


def render(
    objects: Objects,
    background: Tensor,
    pixels: int,
    *,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Drawing:
    """Draw the objects.

    Args:
        objects: what to draw.
        background: (N,) int64, places in `BACKGROUNDS`.
        pixels: S, rows and columns of an image.
        noise: standard deviation of normal noise on the image (before it is cut to [0, 1]).
        generator: of the noise.

    Raises:
        InputError: a factor that does not exist, lengths that differ.

    Example:
        >>> drawing = render(one_object(torch.tensor([0]), torch.tensor([2])), torch.tensor([0]), 16)
        >>> drawing.image.shape, drawing.boxes.tolist()
        (torch.Size([1, 3, 16, 16]), [[[3, 3, 13, 13]]])
    """
    _check(objects, background)
    check_integer(pixels, "pixels", low=1)
    check_number(noise, "noise", low=0.0)
    device = objects.x.device
    colours, plain = (torch.tensor(list(v.values()), device=device) for v in (COLOURS, BACKGROUNDS))
    image = plain[background][:, :, None, None].expand(-1, -1, pixels, pixels)
    covers = coverage(objects, pixels)
    hidden = torch.zeros_like(covers[:, 0])
    visible = []
    for k in reversed(range(covers.shape[1])):  # from the front, for what is seen of each
        visible.append(covers[:, k] * (1 - hidden) > 0.5)
        hidden = hidden + covers[:, k] * (1 - hidden)
    for k in range(covers.shape[1]):  # from the back, for the paint
        paint = colours[objects.colour[:, k]][:, :, None, None]
        image = torch.lerp(image, paint, covers[:, k, None])
    if noise:
        image = image + noise * torch.randn(image.shape, generator=generator, device=device)
    mask = torch.stack(visible[::-1], 1)
    return Drawing(image.clamp(0, 1), mask, boxes_of(mask))


def coverage(objects: Objects, pixels: int) -> Tensor:
    """Share of each pixel that each object covers, alone: (N, K, S, S) float32 in [0, 1]."""
    device = objects.x.device
    centres = (torch.arange(pixels, device=device) + 0.5) * (2 / pixels) - 1
    away_x = centres[None, None, None, :] - objects.x[..., None, None]
    away_y = centres[None, None, :, None] - objects.y[..., None, None]
    cos, sin = (f(objects.angle)[..., None, None] for f in (torch.cos, torch.sin))
    size = objects.size[..., None, None]
    u, v = (cos * away_x + sin * away_y) / size, (cos * away_y - sin * away_x) / size
    distance = signed_distance(u, v, objects.shape[..., None, None])
    style = objects.style[..., None, None]
    distance = torch.where(style == STYLES.index("sketch"), distance.abs() - LINE, distance) * size
    covered = (0.5 - distance * (pixels / 2)).clamp(0, 1)
    rows = torch.arange(pixels, device=device)[:, None]
    columns = rows.T
    dots, stripes = (rows % 3 != 2) & (columns % 3 != 2), (rows // 2) % 2 == 0
    drawn = torch.where(style == STYLES.index("mosaic"), dots, torch.ones_like(dots))
    drawn = torch.where(style == STYLES.index("print"), stripes, drawn)
    return covered * drawn * objects.present[..., None, None]


def signed_distance(u: Tensor, v: Tensor, shape: Tensor) -> Tensor:
    """How far outside (positive) or inside (negative) a shape of size 1 around the origin points are.

    The largest of the distances to its straight edges, so that corners stay sharp in outlines, too.

    Args:
        u, v: coordinates, to the right and downwards, of one shape.
        shape: int64, broadcast to the coordinates; places in `SHAPES`.

    Example:
        >>> signed_distance(torch.tensor([0.0, 1.0]), torch.zeros(2), torch.tensor(0))
        tensor([-0.6000,  0.4000])
    """
    a, b, radius = u.abs(), v.abs(), (u.square() + v.square()).sqrt()
    distances = (
        radius - 0.6,
        torch.maximum(a, b) - 0.52,
        torch.maximum(0.866 * a - 0.5 * v, v) - 0.35,  # its tip is up
        torch.minimum(_box(a, b, 0.62, 0.2), _box(a, b, 0.2, 0.62)),
        (radius - 0.45).abs() - 0.18,
        _box(a, b, 0.65, 0.25),
    )
    found = distances[0].expand(torch.broadcast_shapes(u.shape, shape.shape))
    for number, distance in enumerate(distances[1:], 1):
        found = torch.where(shape == number, distance, found)
    return found


def _box(a: Tensor, b: Tensor, width: float, height: float) -> Tensor:
    return torch.maximum(a - width, b - height)


def boxes_of(mask: Tensor) -> Tensor:
    """(..., 4) int64 boxes of (..., H, W) masks: first column, first row, and those after the last; zeros if empty.

    Example:
        >>> boxes_of(torch.eye(4)[None, 1:3] > 0).tolist()
        [[1, 0, 3, 2]]
    """
    ends = []
    for axis in (-2, -1):  # columns, then rows
        line = mask.any(axis).long()
        length = line.shape[-1]
        ends.append((line.argmax(-1), (length - line.flip(-1).argmax(-1)) * line.any(-1)))
    (left, right), (top, bottom) = ends
    return torch.stack([left, top, right, bottom], -1)


def _check(objects: Objects, background: Tensor) -> None:
    shape = tuple(objects.shape.shape)
    if len(shape) != 2:
        raise InputError("objects", "must have factors of shape (N, K)", shape)
    for field in fields(Objects):
        value = getattr(objects, field.name)
        if tuple(value.shape) != shape:
            raise InputError(f"objects.{field.name}", f"must have shape {shape}", tuple(value.shape))
    sizes = {"N": shape[0]}
    check_array(background, "N", name="background", dtype="integer", sizes=sizes, low=0, high=len(BACKGROUNDS) - 1)
    for name, values in (("shape", SHAPES), ("colour", COLOURS), ("style", STYLES)):
        factor = getattr(objects, name)
        check_array(factor, "N K", name=f"objects.{name}", dtype="integer", low=0, high=len(values) - 1)
    check_array(objects.size, "N K", name="objects.size", low=1e-3)


__all__ = [
    "BACKGROUNDS", "COLOURS", "SHAPES", "STYLES", "Drawing", "Objects", "beside", "boxes_of", "coverage", "one_object",
    "render", "signed_distance",
]  # fmt: skip
