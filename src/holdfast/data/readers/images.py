"""Image files as tensors: decoded, turned upright, cropped to the central square and resized, in several threads.

The image library releases the interpreter while it decodes, so threads help even though this is one process.
"""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from holdfast.data.readers.listings import Listing
from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.validation import check_choice, check_integer

Mode = Literal["L", "RGB"]
Progress = Callable[[int, int], None]
# Nothing else is tried: the image library starts Ghostscript for PostScript, whatever the file is called.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
GREY = frozenset({"1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N"})
# What the decoders of the various formats raise on damaged files; OSError covers missing, unknown and truncated ones.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An image of a known format, from a file that has an end."""
    check_regular(Path(path))
    with Image.open(path, formats=FORMATS) as image:
        yield image


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep to itself what decoders remark about images that they read well (odd metadata, a large size).

    Filters belong to the whole process, so this is for the thread that starts others, not for them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        yield


def _headers(paths: Iterable[Path]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Mode and (width, height) of every image; nothing is decoded."""
    for path in paths:
        try:
            with _without_remarks(), _opened(path) as image:
                mode, size = image.mode, image.size
        except InputError:
            raise
        except DAMAGED as error:
            raise InputError("image", "must be a readable image", f"{path} ({error})") from None
        yield mode, size


def colour_mode(paths: Iterable[Path]) -> Mode:
    """ "L" if every image is stored in shades of grey, else "RGB". Reads headers only, up to the first colour image.

    Raises:
        InputError: an image whose header cannot be read; names the file.
    """
    return "L" if all(mode in GREY for mode, _ in _headers(paths)) else "RGB"


def image_sizes(paths: Iterable[Path]) -> set[tuple[int, int]]:
    """Every (width, height) that occurs, as stored. Reads headers only.

    Raises:
        InputError: an image whose header cannot be read; names the file.
    """
    return {size for _, size in _headers(paths)}


def decode_image(path: str | Path, size: int, mode: Mode) -> np.ndarray:
    """One image as bytes.

    Turned upright by its EXIF orientation, transparency laid over white, 16-bit greys scaled to 8 bits, cropped to the
    central square, resized with an antialiased bilinear filter. Of animations the first frame is taken.

    Args:
        path: the file.
        size: side of the result in pixels.
        mode: "L" (one channel, ITU-R 601 luma of colour images) or "RGB".

    Returns:
        (C, size, size) uint8, C = 1 or 3.

    Raises:
        InputError: the file is damaged or no image; names the file.
    """
    try:
        with _opened(path) as opened:
            # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, much faster; twice the wanted side keeps it sharp.
            opened.draft(None, (2 * size, 2 * size))
            ImageOps.exif_transpose(opened, in_place=True)
            image = _plain(opened, mode)
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.crop((left, top, left + side, top + side))
            pixels = np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError("image", "must be a readable image", f"{path} ({error})") from None
    return pixels[None] if mode == "L" else pixels.transpose(2, 0, 1)


def _plain(image: Image.Image, mode: Mode) -> Image.Image:
    """The image in 8-bit grey or RGB."""
    if image.mode == "F":
        raise InputError("image", "must have whole-number pixels", f"{getattr(image, 'filename', '')} (32-bit float)")
    if image.mode.startswith("I"):  # 16-bit greys; a plain conversion would cut values above 255 off
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


class ImageFiles(Dataset[Any]):
    """Images decoded when asked for: a map-style dataset for sets that do not fit in memory.

    Item i is `(image, label)`, or the image alone where there are no labels: image (C, size, size) float32 in [0, 1],
    label int64 of shape (). A `DataLoader` fetches whole batches through `__getitems__`, decoded in several threads.

    Args:
        paths: the files.
        labels: class index of each, or None.
        size: side in pixels.
        mode: "L" or "RGB"; None = "L" if all files are grey, else "RGB" (reads headers).
        threads: decoding threads; None = number of cores, at most 8. Changes no number.

    Raises:
        InputError: no paths, labels of another length, bad size or mode; on access, a damaged file (named).

    Example:
        >>> import tempfile; from pathlib import Path; from PIL import Image
        >>> file = Path(tempfile.mkdtemp()) / "white.png"
        >>> Image.new("L", (30, 20), 255).save(file)
        >>> image, label = ImageFiles([file], [3], size=8)[0]
        >>> tuple(image.shape), float(image.min()), int(label)
        ((1, 8, 8), 1.0, 3)
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        labels: Sequence[int] | None = None,
        size: int = 32,
        mode: Mode | None = None,
        threads: int | None = None,
    ) -> None:
        self.paths = [Path(p) for p in paths]
        if not self.paths:
            raise InputError("paths", "must name at least one image", "none")
        if labels is not None and len(labels) != len(self.paths):
            raise InputError("labels", f"must have one label per path ({len(self.paths)})", f"{len(labels)} labels")
        self.labels = None if labels is None else torch.as_tensor(labels, dtype=torch.int64)
        self.size = check_integer(size, "size", low=1)
        self.mode: Mode = colour_mode(self.paths) if mode is None else check_choice(mode, ("L", "RGB"), "mode")
        self.threads = check_integer(min(8, os.cpu_count() or 1) if threads is None else threads, "threads", low=1)

    @classmethod
    def of(cls, listing: Listing, size: int = 32, mode: Mode | None = None) -> ImageFiles:
        """The images of a listing."""
        return cls(listing.paths, listing.labels, size, mode)

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 1 if self.mode == "L" else 3

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        with _without_remarks():
            pixels = decode_image(self.paths[index], self.size, self.mode)
        image = torch.from_numpy(pixels.astype(np.float32) / 255)
        return image if self.labels is None else (image, self.labels[index])

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        images = self.read(indices)
        return list(images if self.labels is None else zip(images, self.labels[list(indices)], strict=True))

    def subset(self, indices: Sequence[int] | Tensor) -> ImageFiles:
        """The same kind of set with only these images, in this order."""
        chosen = [int(i) for i in indices]
        labels = None if self.labels is None else self.labels[chosen].tolist()
        return ImageFiles([self.paths[i] for i in chosen], labels, self.size, self.mode, self.threads)

    def read(self, indices: Sequence[int] | None = None, progress: Progress | None = None) -> Tensor:
        """Decode many images at once.

        Args:
            indices: which; None = all.
            progress: called with (done, total) after each image.

        Returns:
            (N, C, size, size) float32 in [0, 1].
        """
        paths = self.paths if indices is None else [self.paths[int(i)] for i in indices]
        pixels = np.empty((len(paths), self.channels, self.size, self.size), np.uint8)

        def fill(row: int) -> None:
            pixels[row] = decode_image(paths[row], self.size, self.mode)

        with _without_remarks():
            self._fill(fill, len(paths), progress)
        return torch.from_numpy(pixels).to(torch.float32).div_(255)

    def _fill(self, fill: Callable[[int], None], count: int, progress: Progress | None) -> None:
        if self.threads == 1 or count < 2 * self.threads:
            self._follow(map(fill, range(count)), count, progress)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                try:
                    self._follow(pool.map(fill, range(count)), count, progress)
                except BaseException:
                    pool.shutdown(cancel_futures=True)  # or the first damaged file would wait for all the others
                    raise

    @staticmethod
    def _follow(steps: Iterable[None], total: int, progress: Progress | None) -> None:
        for done, _ in enumerate(steps, 1):
            if progress is not None:
                progress(done, total)


__all__ = ["ImageFiles", "Mode", "Progress", "colour_mode", "decode_image", "image_sizes"]
