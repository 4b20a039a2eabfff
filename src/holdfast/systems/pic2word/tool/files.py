"""What the verbs read and write: features of images, a gallery with names, hits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.readers.arrays import read_npy
from holdfast.data.readers.image_inputs import open_images
from holdfast.data.readers.records import Role, read_records
from holdfast.data.readers.vectors import read_vectors
from holdfast.encoders.clip_images import features_of
from holdfast.errors import InputError
from holdfast.systems.pic2word.estimator import Pic2Word, check_placeholders
from holdfast.systems.pic2word.method import PLACEHOLDER, average_query, text_query

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

UNIT = 1e-3  # how far from 1 lengths may be in an index of unit vectors
Progress = Callable[[int, int], None]


def read_features(model: Pic2Word, path: Path, progress: Progress | None = None) -> tuple[Tensor, list[str]]:
    """Features (N, d) of a folder of images, one image, or a .npy of features or images; and what each is called."""
    if path.suffix.lower() == ".npy" and read_npy(path).ndim == 2:
        rows = read_vectors(path)
        return model.image_features(rows), [str(i) for i in range(len(rows))]
    images = open_images(path, str(path), labelled=False)
    if images.array is not None:
        return model.image_features(images.read(0, 3)), images.rows()
    return features_of(model.encoder(), images.files, progress=progress), images.rows()


def read_gallery(path: Path) -> tuple[np.ndarray, list[str], list[str]]:
    """Features (G, d) of an index, names from the table beside it (else numbers of rows), and notes for the user.

    Raises:
        InputError: no rows of numbers; a table beside it with another number of rows.
    """
    gallery, beside = read_vectors(path), path.with_suffix(".csv")
    notes, names = [], [str(i) for i in range(len(gallery))]
    if beside != path and beside.is_file():
        records = read_records(beside, [Role("image", also=("file", "name", "id"))])
        names = [str(name) for name in records["image"]]
        if len(names) != len(gallery):
            rule = f"must name each of the {len(gallery)} rows of {path.name}"
            raise InputError(str(beside), rule, f"{len(names)} names")
    else:
        notes.append(f"no {beside.name} with names beside {path.name}: hits are numbers of rows, from 0")
    lengths = np.linalg.norm(gallery, axis=1)
    if (lengths == 0).any():
        raise InputError(str(path), "must have no row of zeros", f"row {int((lengths == 0).argmax())}")
    if np.abs(lengths - 1).max() > UNIT:
        notes.append(f"{path.name}: rows are scaled to length 1 for the search")
    return gallery, names, notes


def hits(
    model: Pic2Word, features: Tensor, pictures: list[str], text: str, gallery: np.ndarray, names: list[str], k: int
) -> pd.DataFrame:
    """A row per picture and rank: what Pic2Word finds and how near, and what the mean of image and text finds.

    The mean's text is the query's without the picture: "a cartoon of *" becomes "a cartoon".
    """
    import pandas as pd

    check_placeholders([text], PLACEHOLDER, "text")
    if gallery.shape[1] != features.shape[1]:
        raise InputError(
            "--index", f"must have features of {model.clip_name_}, {features.shape[1]} numbers", gallery.shape
        )
    k = min(k, len(gallery))
    rows, cosines = model.search(model.compose(features, [text] * len(features)), gallery, k)
    plain = text_alone(text)
    with torch.no_grad():
        mean = average_query(features, text_query(model.encoder(), [plain]).cpu().expand(len(features), -1))
    others, _ = model.search(mean, gallery, k)
    return pd.DataFrame(
        {
            "picture": np.repeat(pictures, k),
            "rank": np.tile(np.arange(1, k + 1), len(pictures)),
            "image": [names[i] for i in rows.ravel()],
            "cosine": cosines.ravel(),
            "by mean of image and text": [names[i] for i in others.ravel()],
        }
    )


def text_alone(text: str) -> str:
    """A query's text without its picture, and without the words that then stand alone.

    Example:
        >>> text_alone("a cartoon of *"), text_alone("a photo of * and a dog"), text_alone("*")
        ('a cartoon', 'a photo of a dog', 'a photo')
    """
    words = text.split()
    at = words.index(PLACEHOLDER)
    before, after = words[:at], words[at + 1 :]
    while after and after[0] in {"and", "with", ",", "that", "is"}:
        after = after[1:]
    while before and not after and before[-1] in {"of", "a", "an", "the", "and", "with", ","}:
        before = before[:-1]
    return " ".join(before + after) or "a photo"


def loss_figure(history: Mapping[str, Any]) -> Figure:
    """The loss along the steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(*history["loss"], color="#0b5d7a")
    axes.set_xlabel("step")
    axes.set_ylabel("contrastive loss, nats")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


__all__ = ["hits", "loss_figure", "read_features", "read_gallery", "text_alone"]
