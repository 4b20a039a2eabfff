"""CIFAR-10, CIFAR-100 (Krizhevsky, 2009; python version), CIFAR-10-C, CIFAR-10H, CINIC-10. Pickles are read as data.

CIFAR-10-C: Hendrycks and Dietterich, 2019, arXiv 1903.12261. CINIC-10: Darlow, Crowley, Antoniou, Storkey, 2018, arXiv
1810.03505; its images named `cifar10-...` are CIFAR-10's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from holdfast.data.images import ImageArray
from holdfast.data.readers.arrays import read_npy
from holdfast.data.readers.listings import Listing, list_folder
from holdfast.data.readers.plainpickle import read_plain_pickle
from holdfast.errors import InputError
from holdfast.validation import check_choice, check_integer

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SEVERITIES = 5


def read_cifar(path: Path, classes: int = 100, labels: str = "fine_labels") -> ImageArray:
    """The images of one file of the python version.

    Args:
        path: a pickle of {"data": (N, 3072) uint8, red then green then blue, labels: N numbers}.
        classes: labels lie in [0, classes).
        labels: their entry: "fine_labels" or "coarse_labels" of CIFAR-100, "labels" of CIFAR-10.

    Raises:
        InputError: the file is none of that kind, or holds anything but plain data.
    """
    content = read_plain_pickle(path)
    if not isinstance(content, dict):
        raise InputError(str(path), "must hold a dict", type(content).__name__)
    found = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in content.items()}
    for name in ("data", labels):
        if name not in found:
            raise InputError(str(path), f"must have an entry {name!r}", sorted(map(str, found)))
    data, numbers = found["data"], found[labels]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        shown = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{path}: data", "must be uint8 of shape (N, 3072)", shown)
    right = isinstance(numbers, list) and all(type(k) is int and 0 <= k < classes for k in numbers)
    if not right or len(numbers) != len(data):
        raise InputError(f"{path}: {labels}", f"must be {len(data)} whole numbers from 0 to {classes - 1}")
    pixels = torch.from_numpy(data.reshape(-1, 3, 32, 32).astype(np.float32) / 255)
    return ImageArray(pixels, torch.tensor(numbers))


def read_cifar10(folder: Path, part: Literal["train", "test"] = "train") -> ImageArray:
    """CIFAR-10 from the folder that `cifar-10-python.tar.gz` unpacks to (cifar-10-batches-py).

    Args:
        folder: with data_batch_1 to data_batch_5 and test_batch.
        part: "train" (the five batches in their order) or "test".

    Raises:
        InputError: a file is missing or not of that form.
    """
    check_choice(part, ("train", "test"), "part")
    names = ["test_batch"] if part == "test" else [f"data_batch_{k}" for k in range(1, 6)]
    for name in names:
        if not (folder / name).is_file():
            raise InputError(str(folder), f"must hold {name}, as cifar-10-batches-py does", f"no {name}")
    parts = [read_cifar(folder / name, classes=10, labels="labels") for name in names]
    return ImageArray(torch.cat([p.pixels for p in parts]), torch.cat([p.labels for p in parts]))


def read_cifar10c(folder: Path, corruption: str, severity: int) -> ImageArray:
    """One corruption of CIFAR-10-C at one severity.

    Args:
        folder: with <corruption>.npy (5 N, 32, 32, 3) uint8 and labels.npy (5 N,): the test images five times over,
            rows (s - 1) N .. s N of severity s; N = 10,000 as published.
        corruption: the file's name without .npy, as "gaussian_noise".
        severity: 1 to 5.

    Raises:
        InputError: files missing or of another form, severity outside 1 to 5.
    """
    check_integer(severity, "severity", low=1, high=SEVERITIES)
    path = folder / f"{corruption}.npy"
    images, labels = read_npy(path), read_npy(folder / "labels.npy")
    if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3) or len(images) % SEVERITIES or not len(images):
        rule = f"must be uint8 of shape ({SEVERITIES} N, 32, 32, 3)"
        raise InputError(str(path), rule, f"{images.dtype} {images.shape}")
    whole = np.issubdtype(labels.dtype, np.integer) and labels.shape == images.shape[:1]
    if not whole or not ((labels >= 0) & (labels < len(CIFAR10))).all():
        rule = f"must be {len(images)} whole numbers from 0 to 9"
        raise InputError(str(folder / "labels.npy"), rule, f"{labels.dtype} {labels.shape}")
    size = len(images) // SEVERITIES
    rows = slice((severity - 1) * size, severity * size)
    pixels = torch.from_numpy(images[rows].transpose(0, 3, 1, 2).astype(np.float32) / 255)
    return ImageArray(pixels, torch.from_numpy(labels[rows].astype(np.int64)))


def read_cifar10h(folder: Path) -> tuple[ImageArray, np.ndarray]:
    """CIFAR-10's test images with what people called them (Peterson et al., ICCV 2019, arXiv 1908.07086).

    Args:
        folder: with cifar10h-probs.npy, (N, 10) floats whose rows sum to 1, and cifar-10-batches-py/test_batch.

    Returns:
        images, and shares of answers (N, 10) float64; their entropy is how ambiguous an image is.

    Raises:
        InputError: files missing or of another form, numbers of rows that differ.
    """
    path = folder / "cifar10h-probs.npy"
    shares = read_npy(path)
    if shares.ndim != 2 or shares.shape[1] != 10 or shares.dtype.kind != "f":
        raise InputError(str(path), "must be floats of shape (N, 10)", f"{shares.dtype} {shares.shape}")
    if not bool(((shares >= 0).all(1) & (np.abs(shares.sum(1) - 1) < 1e-6)).all()):
        raise InputError(str(path), "must have rows of shares that sum to 1", "others")
    images = read_cifar10(folder / "cifar-10-batches-py", "test")
    if len(images.labels) != len(shares):
        raise InputError(str(path), f"must have a row for each of {len(images.labels)} images", len(shares))
    return images, shares.astype(np.float64)


def list_cinic10(folder: Path, part: Literal["train", "valid", "test"], *, without_cifar: bool = True) -> Listing:
    """CINIC-10's images of one part: <folder>/<part>/<class>/<image>.png. `ImageFiles` decodes them.

    Args:
        folder: the unpacked archive.
        part: "train", "valid" or "test".
        without_cifar: leave out the images that are CIFAR-10's, so that its test set is new to a network.

    Raises:
        InputError: no such part, other classes than CIFAR-10's, nothing left.
    """
    check_choice(part, ("train", "valid", "test"), "part")
    listing = list_folder(folder / part, str(folder))
    if listing.labels is None or listing.classes != CIFAR10:
        raise InputError(str(folder / part), "must have the ten class folders of CIFAR-10", listing.classes)
    kept = [i for i, path in enumerate(listing.paths) if not (without_cifar and path.name.startswith("cifar10-"))]
    if not kept:
        raise InputError(str(folder / part), "must have images that are not CIFAR-10's", f"{len(listing)} of CIFAR-10")
    return Listing(
        listing.root,
        tuple(listing.paths[i] for i in kept),
        tuple(listing.labels[i] for i in kept),
        listing.classes,
        listing.ignored,
    )


__all__ = ["CIFAR10", "list_cinic10", "read_cifar", "read_cifar10", "read_cifar10c", "read_cifar10h"]
