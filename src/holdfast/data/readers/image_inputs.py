"""Images as users have them on disk, for verbs: folders of images, single images, npz and npy files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.image_arrays import images_from_array
from holdfast.data.readers.features import read_arrays
from holdfast.data.readers.images import ImageFiles, colour_mode
from holdfast.data.readers.listings import SUFFIXES, Listing, list_folder
from holdfast.errors import InputError
from holdfast.estimator.labels import encode_labels

Progress = Callable[[int, int], None]
CHUNK = 2048  # images decoded at a time where they need not all be in memory


@dataclass(frozen=True)
class ImageInput:
    """Images that are there but, if they are files, not decoded yet.

    Attributes:
        name: what the user calls them; errors start with it.
        files: the image files; () for arrays.
        array: (N, C, H, W) float32 in [0, 1], or None for files.
        labels: (N,) names of class folders or whole numbers; None = unlabelled.
    """

    name: str
    files: tuple[Path, ...]
    array: np.ndarray | None
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.files) if self.array is None else len(self.array)

    def is_colour(self) -> bool:
        """Whether there is any colour image; reads headers only."""
        return self.array.shape[1] == 3 if self.array is not None else colour_mode(self.files) == "RGB"

    def rows(self) -> list[str]:
        """What each image is called in a table: its path, or the number of its row."""
        return [str(p) for p in self.files] if self.array is None else [str(i) for i in range(len(self.array))]

    def read(self, size: int, channels: int, rows: slice = slice(None), progress: Progress | None = None) -> np.ndarray:
        """(N, C, size, size) float32 in [0, 1]; arrays come as they are, grey ones repeated if channels is 3."""
        if self.array is None:
            files = ImageFiles(self.files[rows], size=size, mode="RGB" if channels == 3 else "L")
            return files.read(progress=progress).numpy()
        part = self.array[rows]
        return part.repeat(channels, axis=1) if part.shape[1] == 1 else part

    def chunks(self) -> Iterator[slice]:
        """The rows in pieces that fit in memory."""
        return (slice(i, i + CHUNK) for i in range(0, len(self), CHUNK))


def open_images(path: Path, name: str, *, labelled: bool) -> ImageInput:
    """Images at a path: a folder (of class folders, or flat), one image file, an npz file (x, y) or an npy file.

    Args:
        path: where.
        name: what the user calls it; errors start with it.
        labelled: whether labels are needed: class folders, or `y` in an npz file.

    Raises:
        InputError: missing, empty or unreadable; no labels where they are needed.
    """
    if path.suffix.lower() in (".npz", ".npy"):
        x, y = read_arrays(path)
        if labelled and y is None:
            raise InputError(name, "must have labels: an array y beside x in an npz file", str(path))
        return ImageInput(name, (), images_from_array(x, name), y)
    if path.is_file() and path.suffix.lower() in SUFFIXES and not labelled:
        return ImageInput(name, (path,), None, None)
    listing = list_folder(path, name)
    if labelled and listing.labels is None:
        raise InputError(name, "must hold class folders: one folder of images per class", f"{path}, a flat folder")
    return ImageInput(name, listing.paths, None, _labels(listing))


def _labels(listing: Listing) -> np.ndarray | None:
    return None if listing.labels is None else np.array(listing.classes)[list(listing.labels)]


def check_known(images: ImageInput, classes: Sequence[object]) -> None:
    """Every label of the images must be among the classes.

    Raises:
        InputError: naming the classes that are not.
    """
    found = [] if images.labels is None else np.unique(images.labels).tolist()
    if unknown := [c for c in found if c not in classes]:
        known = ", ".join(map(str, classes[:12])) + (", ..." if len(classes) > 12 else "")
        raise InputError(images.name, f"must have only known classes ({known})", f"also {unknown}")


def open_labelled(path: Path, name: str, classes: np.ndarray) -> tuple[ImageInput, np.ndarray]:
    """Labelled images of known classes, and the indices (N,) of these.

    Raises:
        InputError: as `open_images`; a class that is not known.
    """
    given = open_images(path, name, labelled=True)
    check_known(given, classes.tolist())
    return given, encode_labels(given.labels, name=name, classes=classes)[0]


__all__ = ["CHUNK", "ImageInput", "check_known", "open_images", "open_labelled"]
