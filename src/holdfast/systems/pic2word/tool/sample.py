"""A sample to try the verbs on: drawn photos, a gallery, a query, and a tiny CLIP that knows what is drawn.

The CLIP in `sample_clip` (Hugging Face's layout, half precision, below 300 kB) was made by

    python -m holdfast.systems.pic2word.tool.sample FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import Batches
from holdfast.data.synthetic.captioned import KINDS, draw, drawn_kinds, kind_words, training_images
from holdfast.data.synthetic.captions import WORDS
from holdfast.data.synthetic.shapes import BACKGROUNDS, STYLES
from holdfast.encoders.clip import ClipLearner, TinyCLIP, VisionTower
from holdfast.encoders.clip_folder import write_clip
from holdfast.randomness import seeded
from holdfast.training import fit
from holdfast.training.optim import warm_cosine

CLIP = Path(__file__).parent / "sample_clip"
STEPS, IMAGES, BATCH = 4000, 12000, 192
ENLARGED = 6  # so that people can see the 16 x 16 pixels


def make_clip(folder: str | Path, steps: int = STEPS, images: int = IMAGES) -> None:
    """Train the tiny CLIP on drawings of single objects and write it: minutes of one core."""
    drawn = training_images(images, np.random.default_rng(0))
    single = torch.nonzero(drawn.single).squeeze(1)
    with seeded(0):
        clip = TinyCLIP([*WORDS, "*"], VisionTower(depth=2))
    tokens = clip.tokens([drawn.captions[int(i)] for i in single])
    data = Batches({"pixels": drawn.image[single], "tokens": tokens}, min(BATCH, len(single)), 0)
    fit(ClipLearner(clip, lr=1e-3), data, steps=steps, schedule=lambda done: warm_cosine(done, 0.1))
    write_clip(clip.eval(), folder)


def write_sample(folder: str | Path, photos: int = 200) -> None:
    """Write photos/ (to learn from), gallery/ (all kinds in all styles), query.png and clip/.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp())
        >>> write_sample(place, photos=2)
        >>> sorted(path.name for path in place.iterdir())
        ['clip', 'gallery', 'photos', 'query.png']
    """
    place, rng = Path(folder), np.random.default_rng(1)
    for name in ("photos", "gallery"):
        (place / name).mkdir(parents=True, exist_ok=True)
    shutil.copytree(CLIP, place / "clip", dirs_exist_ok=True)
    kinds = torch.from_numpy(rng.integers(0, KINDS, photos))
    for i, image in enumerate(_drawn(kinds, torch.zeros_like(kinds), rng)):
        _save(image, place / "photos" / f"{i:03}.png")
    kind, style = (v.flatten() for v in torch.meshgrid(torch.arange(KINDS), torch.arange(len(STYLES)), indexing="ij"))
    for image, k, s in zip(_drawn(kind, style, rng), kind.tolist(), style.tolist(), strict=True):
        _save(image, place / "gallery" / f"{STYLES[s]} of a {kind_words(k)}.png")
    _save(_drawn(torch.tensor([7]), torch.tensor([0]), rng)[0], place / "query.png")


def _drawn(kind: Tensor, style: Tensor, rng: np.random.Generator) -> Tensor:
    behind = torch.from_numpy(rng.integers(0, len(BACKGROUNDS), len(kind)))
    return draw(drawn_kinds(kind, rng, style), behind, rng)


def _save(image: Tensor, path: Path) -> None:
    from PIL import Image

    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels.repeat(ENLARGED, 0).repeat(ENLARGED, 1)).save(path)


if __name__ == "__main__":
    make_clip(sys.argv[1] if len(sys.argv) > 1 else CLIP)

__all__ = ["CLIP", "make_clip", "write_sample"]
