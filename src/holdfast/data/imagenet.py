"""ImageNet as it is on disk, and the lists of images whose labels semi-supervised papers use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.listings import list_folder
from holdfast.errors import InputError


@dataclass(frozen=True)
class ImageNet(FileProblem):
    """ImageNet's training images, and the 1 % of them that a list names.

    Attributes:
        folder: that holds `<wnid>/*.JPEG`; None = `imagenet/train` under HOLDFAST_DATA.
        names: the list of the 1 %; None = `hcsc/1percent.txt` there.
        side: of an image in pixels.
    """

    folder: Path | None = None
    names: Path | None = None
    side: int = 224
    how_to_get: ClassVar[str] = (
        "<wnid>/*.JPEG of ILSVRC 2012 (image-net.org, non-commercial) in imagenet/train under HOLDFAST_DATA, and "
        "1percent.txt of github.com/gyfastas/HCSC (MIT) in hcsc"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.folder or data_folder("imagenet/train"), self.names or data_folder("hcsc/1percent.txt")

    def images(self) -> tuple[list[Path], list[Path]]:
        """All training images, and those of the list."""
        folder, names = self.found()
        return list(list_folder(folder, "train").paths), listed_images(names, folder)

    def describe(self) -> str:
        return "ImageNet, 1.28 million photographs in 1,000 classes"


def listed_images(names: Path, folder: Path) -> list[Path]:
    """The images that a list names: one `<wnid>_<number>.JPEG` a line, in `folder/<wnid>/`.

    Raises:
        InputError: a line that is no such name, or names an image that is not there; no line at all.
    """
    found = []
    for number, line in enumerate(names.read_text(encoding="utf-8").splitlines(), start=1):
        if not (name := line.strip()):
            continue
        wnid, _, rest = name.partition("_")
        if not rest or Path(name).name != name:
            raise InputError(f"{names}, line {number}", "must be a file name such as n01440764_18.JPEG", name)
        if not (path := folder / wnid / name).is_file():
            raise InputError(f"{names}, line {number}", f"must name an image in {folder / wnid}", name)
        found.append(path)
    if not found:
        raise InputError(str(names), "must name at least one image", "none")
    return found


__all__ = ["ImageNet", "listed_images"]
