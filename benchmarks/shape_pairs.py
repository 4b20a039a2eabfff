"""Pictures of six shapes in pairs of styles: labelled ones in one style, others in the second. Drawn, seeded, small.

A shape is a boundary radius as a function of the angle; size, angle and place are drawn per picture, the style never
looks at the class. `kind_of` finds the class again from a silhouette by its measures, not by what drew it.

    python benchmarks/shape_pairs.py [--pairs dark-light ...] [--seeds 0 1 ...]     accuracies and seconds, a line each
    python benchmarks/shape_pairs.py --write FOLDER --pairs flat-photo              FOLDER/source, target and test
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter

SIDE, FINE = 48, 3  # pixels; how many times finer the silhouettes are drawn
SHAPES = ("cross", "disc", "ellipse", "square", "star", "triangle")
_STAR, _CROSS, _ELLIPSE = 0.38, 0.25, 0.55  # inner radius; half the width of an arm; shorter half axis


# ---------------------------------------------------------------------------------------------------------- silhouettes
def _fold(angle: np.ndarray, corners: int) -> np.ndarray:
    """Angle to the nearest of the corners, one of which lies at 0; in [0, pi / corners]."""
    sector = 2 * math.pi / corners
    return np.abs((angle + sector / 2) % sector - sector / 2)


def _polygon(angle: np.ndarray, corners: int) -> np.ndarray:
    return math.cos(math.pi / corners) / np.cos(math.pi / corners - _fold(angle, corners))


def _star(angle: np.ndarray) -> np.ndarray:
    t, a = _fold(angle, 5), math.pi / 5
    return _STAR * math.sin(a) / (_STAR * math.sin(a) * np.cos(t) + (1 - _STAR * math.cos(a)) * np.sin(t))


def _cross(angle: np.ndarray) -> np.ndarray:
    t = _fold(angle, 4)
    return np.where(np.tan(t) < _CROSS, 1 / np.cos(t), _CROSS / np.maximum(np.sin(t), 1e-9))


RADII: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cross": _cross,
    "disc": np.ones_like,
    "ellipse": lambda angle: _ELLIPSE / np.hypot(_ELLIPSE * np.cos(angle), np.sin(angle)),
    "square": lambda angle: _polygon(angle, 4),
    "star": _star,
    "triangle": lambda angle: _polygon(angle, 3),
}


def silhouettes(kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 144, 144) booleans: shapes of the classes (N,), of half diameter 13 to 20 of 48 pixels, anywhere inside."""
    n, side = len(kinds), SIDE * FINE
    size = rng.uniform(13, 20, n) * FINE
    turn = rng.uniform(-math.pi, math.pi, n)
    centre = side / 2 + rng.uniform(-1, 1, (2, n)) * (side / 2 - size)
    place = np.arange(side) + 0.5
    y, x = place[None, :, None] - centre[0][:, None, None], place[None, None, :] - centre[1][:, None, None]
    angle, distance = np.arctan2(y, x) - turn[:, None, None], np.hypot(x, y) / size[:, None, None]
    inside = np.zeros((n, side, side), bool)
    for k, name in enumerate(SHAPES):
        inside[kinds == k] = distance[kinds == k] < RADII[name](angle[kinds == k])
    return inside


def kind_of(silhouette: np.ndarray) -> int:
    """The class of a silhouette (H, W), from its area and its least radius, both relative to its largest radius.

    The expected values are the textbook's areas and radii of the six shapes, not those of `RADII`.
    """
    y, x = np.nonzero(silhouette)
    centre = y.mean(), x.mean()
    largest = np.hypot(y - centre[0], x - centre[1]).max()
    edge_y, edge_x = np.nonzero(silhouette & ~binary_erosion(silhouette))
    least = np.hypot(edge_y - centre[0], edge_x - centre[1]).min()
    found = np.array([len(y) / (math.pi * largest**2), least / largest])
    arm = math.hypot(1, _CROSS)
    expected = {
        "cross": ((8 * _CROSS - 4 * _CROSS**2) / (math.pi * arm**2), math.sqrt(2) * _CROSS / arm),
        "disc": (1.0, 1.0),
        "ellipse": (_ELLIPSE, _ELLIPSE),
        "square": (2 / math.pi, math.sqrt(0.5)),
        "star": (5 * _STAR * math.sin(math.pi / 5) / math.pi, _STAR),
        "triangle": (3 * math.sqrt(3) / (4 * math.pi), 0.5),
    }
    return int(np.linalg.norm([np.subtract(found, expected[name]) for name in SHAPES], axis=1).argmin())


# --------------------------------------------------------------------------------------------------------------- styles
def _soft(fine: np.ndarray) -> np.ndarray:
    """(N, 144, 144) to the mean of every 3 x 3: (N, 1, 48, 48) in [0, 1]."""
    return fine.reshape(len(fine), SIDE, FINE, SIDE, FINE).mean((2, 4))[:, None].astype("float32")


def _outlines(fine: np.ndarray, pixels: float) -> np.ndarray:
    """The inner edge of silhouettes, of that width."""
    return fine & ~np.stack([binary_erosion(one, iterations=round(pixels * FINE)) for one in fine])


def _painted(cover: np.ndarray, shape: np.ndarray, ground: np.ndarray) -> np.ndarray:
    return ground + cover * (shape - ground)


def _tones(rng: np.random.Generator, n: int, low: float, high: float, channels: int = 1) -> np.ndarray:
    return rng.uniform(low, high, (n, channels, 1, 1)).astype("float32")


def _texture(rng: np.random.Generator, n: int, blur: float) -> np.ndarray:
    """Random fields (N, 1, 48, 48) of mean 0 and deviation 1."""
    field = gaussian_filter(rng.standard_normal((n, 1, SIDE, SIDE)), (0, 0, blur, blur), mode="wrap")
    return (field / field.std((2, 3), keepdims=True)).astype("float32")


def filled(fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light on dark, grey."""
    n = len(fine)
    return _painted(_soft(fine), _tones(rng, n, 0.7, 1), _tones(rng, n, 0, 0.2))


def outline(fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light lines of 2 pixels on a dark ground, grey."""
    n = len(fine)
    return _painted(_soft(_outlines(fine, 2)), _tones(rng, n, 0.7, 1), _tones(rng, n, 0, 0.2))


def noisy(fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light on dark under grain and blots, grey."""
    n = len(fine)
    plain = _painted(_soft(fine), _tones(rng, n, 0.55, 0.75), _tones(rng, n, 0.25, 0.45))
    return plain + 0.08 * _texture(rng, n, 0) + 0.08 * _texture(rng, n, 2)


def on_dark(fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bright colours on a dark ground."""
    n = len(fine)
    return _painted(_soft(fine), _tones(rng, n, 0.5, 1, 3), _tones(rng, n, 0, 0.25, 3))


def on_light(fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark colours on a light ground."""
    n = len(fine)
    return _painted(_soft(fine), _tones(rng, n, 0, 0.5, 3), _tones(rng, n, 0.75, 1, 3))


def photo(fine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours that change over shape and ground, a soft edge, a shadow's blot and grain."""
    n = len(fine)
    place = np.linspace(-1, 1, SIDE, dtype="float32")
    y, x = place[:, None], place[None, :]

    def slope() -> np.ndarray:
        angle = _tones(rng, n, -math.pi, math.pi)
        return np.cos(angle) * x + np.sin(angle) * y

    ground = _tones(rng, n, 0.2, 0.6, 3) + 0.15 * slope() + 0.06 * _texture(rng, n, 3)
    shape = ground.mean((2, 3), keepdims=True) + _tones(rng, n, 0.2, 0.4, 3) + 0.12 * slope()
    cover = gaussian_filter(_soft(fine), (0, 0, 0.7, 0.7))
    return _painted(cover, shape, ground) + 0.03 * _texture(rng, n, 0)


Style = Callable[[np.ndarray, np.random.Generator], np.ndarray]
PAIRS: dict[str, tuple[Style, Style]] = {
    "filled-outline": (filled, outline),
    "dark-light": (on_dark, on_light),
    "filled-noisy": (filled, noisy),
    "flat-photo": (on_dark, photo),
}


@dataclass(frozen=True)
class Pair:
    """Images (N, C, 48, 48) uint8 and classes (N,): of the source, of the target, and of other target images."""

    source: tuple[np.ndarray, np.ndarray]
    target: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def draw(style: Style, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n pictures of a style, equally many of every class, in random order."""
    kinds = rng.permutation(np.arange(n) % len(SHAPES))
    parts = [style(silhouettes(part, rng), rng) for part in np.array_split(kinds, -(-n // 120))]
    return (np.concatenate(parts).clip(0, 1) * 255).round().astype("uint8"), kinds


def make_pair(name: str, seed: int, n: int = 360, test: int = 600) -> Pair:
    """One replicate of a pair: n labelled and n unlabelled pictures, and others of the target to test on."""
    rng = np.random.default_rng([seed, list(PAIRS).index(name)])
    source, target = PAIRS[name]
    return Pair(draw(source, n, rng), draw(target, n, rng), draw(target, test, rng))


def write(folder: Path, pair: Pair) -> None:
    """As class folders of png files: source and test; target as a flat folder."""
    from PIL import Image

    for part, (images, kinds) in {"source": pair.source, "target": pair.target, "test": pair.test}.items():
        for i, (image, kind) in enumerate(zip(images, kinds, strict=True)):
            where = folder / part / ("" if part == "target" else SHAPES[kind])
            where.mkdir(parents=True, exist_ok=True)
            pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
            Image.fromarray(pixels).save(where / f"{i:04}.png")


# ------------------------------------------------------------------------------------------------------------ measuring
def brought_to(images: np.ndarray, side: int) -> np.ndarray:
    """(N, C, side, side) uint8, as `holdfast adamatch fit --size` reads image files."""
    from PIL import Image

    found = np.empty((*images.shape[:2], side, side), "uint8")
    for i, image in enumerate(images):
        for c, channel in enumerate(image):
            found[i, c] = np.asarray(Image.fromarray(channel).resize((side, side), Image.Resampling.BILINEAR))
    return found


def measure(name: str, seed: int, side: int, **settings: Any) -> dict[str, Any]:
    """Accuracy in % on 600 other target images of AdaMatch, source only and AdaBN; seconds of AdaMatch's fit."""
    import torch

    from holdfast.baselines.adabn import adabn
    from holdfast.systems.adamatch import AdaMatchClassifier

    torch.set_num_threads(1)
    pair = make_pair(name, seed)
    (Xs, ys), (Xt, _), (X, y) = ((brought_to(x, side), kinds) for x, kinds in (pair.source, pair.target, pair.test))
    cpu, wall = time.process_time(), time.perf_counter()
    model = AdaMatchClassifier(device="cpu", seed=seed, **settings).fit(Xs, ys, Xt)
    seconds = {"cpu s": round(time.process_time() - cpu), "wall s": round(time.perf_counter() - wall)}
    models = {"AdaMatch": model, **model.baselines(Xs, ys, Xt)}
    # What AdaMatch's own labels are made with in training: statistics of both kinds of images, one to three.
    mixed = models["AdaMatch, statistics of both"] = copy.copy(model)
    both = torch.from_numpy(np.concatenate([Xs[:: model.uratio], Xt])).float() / 255
    mixed.network_ = adabn(model.network_, both[torch.randperm(len(both), generator=torch.Generator().manual_seed(0))])
    right = {kind: round(100 * one.score(X, y), 1) for kind, one in models.items()}
    return {"pair": name, "seed": seed, **right, "on source": round(100 * model.score(Xs, ys), 1), **seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=["flat-photo"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, help="Default: the classifier's.")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="Write one pair's files there; measure nothing.")
    given = parser.parse_args()
    if given.write is not None:
        write(given.write, make_pair(given.pairs[0], given.seeds[0]))
        return
    settings = {} if given.steps is None else {"steps": given.steps}
    for name in given.pairs:
        for seed in given.seeds:
            print(json.dumps(measure(name, seed, given.size, **settings)), flush=True)


if __name__ == "__main__":
    main()
