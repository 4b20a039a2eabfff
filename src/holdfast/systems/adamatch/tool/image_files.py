"""AdaMatch on images of files: the arguments of a fit, and the classes of what need not fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.augment import Compose, Mirror, Shift
from holdfast.data.readers.image_inputs import ImageInput, check_known, open_images
from holdfast.data.readers.images import image_sizes
from holdfast.errors import InputError

if TYPE_CHECKING:
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier
    from holdfast.verbs.bars import ShowEach


def training_data(
    source: Path, target: Path, labels: Path | None, size: int, show: ShowEach, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The arguments of the classifier's fit: all images in grey if all of them are, else all in colour.

    Args:
        source: labelled images.
        target: others.
        labels: a few labelled ones of the target's kind, if there are.
        size: side in pixels that images of files are brought to.
        show: called with (what, done, total) while they are read.
        tell: called with a sentence if their sizes are changed.

    Raises:
        InputError: names `--source`, `--target` or `--labels`.
    """
    known = open_images(source, "--source", labelled=True)
    new = open_images(target, "--target", labelled=False)
    few = None if labels is None else open_images(labels, "--labels", labelled=True)
    if few is not None and known.labels is not None:
        check_known(few, sorted(set(known.labels.tolist())))
    every = [images for images in (known, new, few) if images is not None]
    channels = 3 if any(images.is_colour() for images in every) else 1
    if sentence := _resizing(every, size):
        tell(sentence)

    def read(images: ImageInput) -> np.ndarray:
        return images.read(size, channels, progress=partial(show, f"Reading {images.name}"))

    data: dict[str, Any] = {"Xs": read(known), "ys": known.labels, "Xt": read(new)}
    return data if few is None else {**data, "Xt_labeled": read(few), "yt_labeled": few.labels}


def _resizing(given: Iterable[ImageInput], size: int) -> str | None:
    """What happens to images of files whose sides are not `size`, as a sentence; None if there are none."""
    sizes = sorted(image_sizes(file for images in given for file in images.files), key=math.prod)
    if not sizes or sizes == [(size, size)]:
        return None
    found = " to ".join("x".join(map(str, sizes[i])) for i in ((0, -1) if len(sizes) > 1 else (0,)))
    cut = "" if all(width == height for width, height in sizes) else "cut to their middle square and "
    return f"Images of {found} pixels are {cut}brought to {size}x{size} (--size)."


def weak_augmentation(size: int, mirror: bool) -> Compose | None:
    """The classifier's `weak` for images of that side; mirrored, too, if a mirrored image is of the same class."""
    return Compose((Shift(max(1, size // 16)), Mirror())) if mirror else None


def probabilities(
    classifier: AdaMatchClassifier, images: ImageInput, progress: Callable[[int, int], None]
) -> np.ndarray:
    """Class probabilities (N, K), with a piece of the images in memory at a time.

    Raises:
        InputError: files, which are read as squares, where the classifier was trained on others.
    """
    channels, height, width = classifier.image_shape_
    if images.array is None and height != width:
        rule = f"must be an npz or npy file with images of {height}x{width}, as the model was trained on"
        raise InputError(images.name, rule, "image files, which are read as squares")
    parts: list[np.ndarray] = []
    for rows in images.chunks():
        parts.append(classifier.predict_proba(images.read(height, channels, rows)))
        progress(sum(map(len, parts)), len(images))
    return np.concatenate(parts)


__all__ = ["probabilities", "training_data", "weak_augmentation"]
