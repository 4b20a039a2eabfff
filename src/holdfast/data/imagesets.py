"""Sets of labelled images as objects: where they come from, how they are prepared, what their classes are.

An image set is a frozen dataclass; its fields say completely what `load()` returns, so that it can be a setting of an
experiment. All sets give images of one size, float32 in [0, 1], and labels as indices into `classes`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from holdfast.data.image_arrays import images_from_array
from holdfast.data.readers.listings import Listing, list_folder, read_list
from holdfast.errors import InputError
from holdfast.experiment import DataSource
from holdfast.validation import check_choice, check_integer, check_labels

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.data.readers.images import Mode

Progress = Callable[[int, int], None]


class ImageSet(ABC):
    """Labelled images.

    Attributes:
        source: where they come from: an installed package, a seed, or files of the user's.
        how_to_get: what to do where `available()` is False.
    """

    source: ClassVar[DataSource]
    how_to_get: ClassVar[str] = ""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; label k means `classes[k]`."""

    @abstractmethod
    def load(self, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
        """(images (N, C, H, W) float32 in [0, 1], labels (N,) int64). The tensors are the caller's own.

        Args:
            progress: called with (done, total) while files are read.
        """

    def labels(self) -> Tensor:
        """The labels alone, (N,) int64; sets of files decode no image for it."""
        return self.load()[1]

    @abstractmethod
    def describe(self) -> str:
        """One line for tables and pages."""

    def available(self) -> bool:
        """Whether it can be loaded on this machine now."""
        return True

    def cases(self) -> str:
        """Sets with the same text hold the same cases in the same order, however prepared (cropped, resized)."""
        return repr(self)

    def fingerprint(self) -> str:
        """Changes when the data behind the fields changes; "" where it cannot."""
        return ""


@dataclass(frozen=True)
class Folder(ImageSet):
    """Class folders of images of any size: `<path>/<class>/**/<image>`.

    Args:
        path: the folder.
        size: side in pixels after cropping to the central square and resizing.
        mode: "L" or "RGB"; None = "L" if every file is grey, else "RGB".

    Raises:
        InputError: on loading: see `holdfast.data.readers.list_folder`; also a flat folder, fewer than 2 classes.
    """

    path: str
    size: int = 32
    mode: Mode | None = None

    source: ClassVar[DataSource] = "file"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))  # a text, so that settings can be written down
        _check_form(self.size, self.mode)

    def listing(self) -> Listing:
        """The files and their labels, without opening them."""
        found = list_folder(self.path)
        if found.labels is None:
            raise InputError("path", "must hold class folders", f"{self.path} with {len(found)} images and no folders")
        if len(found.classes) < 2:
            raise InputError("path", "must hold at least 2 class folders", f"{self.path} with {list(found.classes)}")
        return found

    @property
    def classes(self) -> tuple[str, ...]:
        return self.listing().classes

    def load(self, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
        return _read(self.listing(), self.size, self.mode, progress)

    def labels(self) -> Tensor:
        return torch.tensor(self.listing().labels)

    def describe(self) -> str:
        if not self.available():
            return f"{self.path} (not found)"
        return _describe(self.listing(), self.path, self.size)

    def available(self) -> bool:
        return os.path.isdir(self.path)

    def cases(self) -> str:
        return str(Path(self.path).resolve())

    def fingerprint(self) -> str:
        return self.listing().fingerprint()


@dataclass(frozen=True)
class ListFile(ImageSet):
    """Images named by a list file of lines `path label`, as DomainNet publishes them.

    Args:
        root: folder the paths are relative to.
        list: the list file (or several, one after the other), absolute or relative to `root`.
        size, mode: as in `Folder`.

    Raises:
        InputError: on loading: see `holdfast.data.readers.read_list`.
    """

    root: str
    list: str | tuple[str, ...]
    size: int = 64
    mode: Mode | None = "RGB"

    source: ClassVar[DataSource] = "file"

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", str(self.root))
        object.__setattr__(self, "list", tuple(map(str, self.list)) if isinstance(self.list, tuple) else str(self.list))
        _check_form(self.size, self.mode)

    def listing(self) -> Listing:
        """The files and their labels, without opening them."""
        return read_list(self.root, self.list)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.listing().classes

    def load(self, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
        return _read(self.listing(), self.size, self.mode, progress)

    def labels(self) -> Tensor:
        return torch.tensor(self.listing().labels)

    def describe(self) -> str:
        if not self.available():
            return f"{self.list} in {self.root} (not found)"
        return _describe(self.listing(), f"{self.list} in {self.root}", self.size)

    def available(self) -> bool:
        several = self.list if isinstance(self.list, tuple) else (self.list,)
        return all(os.path.isfile(Path(self.root) / one) for one in several)

    def cases(self) -> str:
        return f"{Path(self.root).resolve()} {self.list}"

    def fingerprint(self) -> str:
        return self.listing().fingerprint()


@dataclass(frozen=True)
class ArrayFile(ImageSet):
    """Images and labels of an npz file.

    Images are (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3; whole numbers are read as 0 .. 255, others as
    0 .. 1. Labels are whole numbers from 0; the classes are called by their numbers.

    Args:
        path: the npz file.
        x, y: names of the arrays; None = `x` and `y`, else the first two.

    Raises:
        InputError: on loading: see `holdfast.data.readers.read_npz`; no labels, values outside the range, no images.
    """

    path: str
    x: str | None = None
    y: str | None = None

    source: ClassVar[DataSource] = "file"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(k) for k in range(int(self._arrays()[1].max()) + 1))

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        from holdfast.data.readers.arrays import read_npz

        x, y = read_npz(self.path, x=self.x, y=self.y)
        if y is None:
            raise InputError(self.path, "must hold labels beside the images", "one array")
        y = check_labels(y, int(y.max()) + 1 if int(y.max()) > 0 else 2, name=f"{self.path} (labels)")
        if int(y.max()) == 0:
            raise InputError(self.path, "must have at least 2 classes", "all labels 0")
        return images_from_array(x, self.path), y

    def load(self, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
        x, y = self._arrays()
        return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y)

    def labels(self) -> Tensor:
        return torch.from_numpy(self._arrays()[1])

    def describe(self) -> str:
        return f"images of {self.path}"

    def available(self) -> bool:
        return os.path.isfile(self.path)

    def cases(self) -> str:
        return str(Path(self.path).resolve())

    def fingerprint(self) -> str:
        file = Path(self.path)
        return Listing(file.parent, (file,), None, ()).fingerprint()


def _check_form(size: int, mode: str | None) -> None:
    check_integer(size, "size", low=1)
    check_choice(mode, (None, "L", "RGB"), "mode")


def _read(listing: Listing, size: int, mode: Mode | None, progress: Progress | None) -> tuple[Tensor, Tensor]:
    from holdfast.data.readers.images import ImageFiles

    files = ImageFiles.of(listing, size, mode)
    assert files.labels is not None
    return files.read(progress=progress), files.labels


def _describe(listing: Listing, where: str, size: int) -> str:
    ignored = f", {listing.ignored} other files ignored" if listing.ignored else ""
    return f"{where}: {len(listing)} images of {len(listing.classes)} classes as {size}x{size}{ignored}"


__all__ = ["ArrayFile", "Folder", "ImageSet", "ListFile"]
