"""A domain-adaptation problem made of the user's own files: what `holdfast run <system> --on SOURCE TARGET` uses."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from holdfast.data.domains import DomainPair, DomainProblem, Pool
from holdfast.data.imagesets import ArrayFile, Folder, ImageSet, Progress
from holdfast.data.readers.listings import list_folder
from holdfast.data.splits import DomainSplit
from holdfast.errors import InputError
from holdfast.experiment import DataSource
from holdfast.validation import check_integer


@dataclass(frozen=True)
class OwnDomains(DomainProblem):
    """Two folders of class folders (or two npz files): the first is the source, the second the target.

    The target's labels are used to test, to tune on the validation part, and for nothing else. Files are looked at on
    construction (not decoded), so that a mistake is reported before any work is done.

    Args:
        source_path: class folders of images, or an npz file with `x`, `y`.
        target_path: likewise; its classes must be among the source's.
        size: side in pixels that the images of folders are brought to (npz files are taken as they are).
        validation, test: shares, as in `DomainPair`.

    Attributes:
        files: changes when a file changes, so that results of other data are never taken for this one's.

    Raises:
        InputError: missing path, flat folder, empty class, unknown class in the target, fewer than 2 classes; on
            `load` also a damaged image, different image sizes.
    """

    source_path: str
    target_path: str
    size: int = 32
    validation: float = 0.2
    test: float = 0.25
    files: str = field(init=False, default="")

    source: ClassVar[DataSource] = "file"
    how_to_get: ClassVar[str] = "give two folders of class folders, or two npz files with x and y"

    def __post_init__(self) -> None:
        object.__setattr__(self, "source_path", str(self.source_path))
        object.__setattr__(self, "target_path", str(self.target_path))
        check_integer(self.size, "size", low=1)
        pair = self._pair()
        if pair.source_set.cases() == pair.target_set.cases():
            raise InputError("target", "must be other data than the source", self.target_path)
        known = pair.source_set.classes
        unknown = [name for name in pair.target_set.classes if name not in known]
        if unknown:
            raise InputError("target", f"must have only classes of the source ({', '.join(known)})", f"also {unknown}")
        object.__setattr__(self, "files", pair.fingerprint())

    @classmethod
    def of(cls, paths: Sequence[Path]) -> OwnDomains:
        """The problem of `--on SOURCE TARGET`.

        Raises:
            InputError: not exactly two paths.
        """
        if len(paths) != 2:
            raise InputError("--on", "must be given two paths, the source and the target", " ".join(map(str, paths)))
        return cls(str(paths[0]), str(paths[1]))

    def _pair(self) -> DomainPair:
        target = Path(self.target_path)
        if target.is_dir() and list_folder(target, "target").labels is None:
            rule = (
                "must have class folders to be scored; to label images without classes, use `fit --target` on them "
                "and then `predict`"
            )
            raise InputError("target", rule, f"{target}, a flat folder of images")
        sets = _images(self.source_path, "source", self.size), _images(self.target_path, "target", self.size)
        return DomainPair(*sets, validation=self.validation, test=self.test)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._pair().classes

    @property
    def resplit(self) -> tuple[int, int]:
        return self._pair().resplit

    def available(self) -> bool:
        return os.path.exists(self.source_path) and os.path.exists(self.target_path)

    def describe(self) -> str:
        return self._pair().describe()

    def fingerprint(self) -> str:
        return self._pair().fingerprint()

    def pool(self, progress: Progress | None = None) -> Pool:
        return self._pair().pool(progress)

    def split(self, pool: Pool, rng: np.random.Generator) -> DomainSplit:
        return self._pair().split(pool, rng)


def _images(path: str, name: str, size: int) -> ImageSet:
    where = Path(path)
    if not where.exists():
        raise InputError(name, "must be a folder of class folders or an npz file", f"{path} (not found)")
    if where.is_file():
        if where.suffix.lower() != ".npz":
            raise InputError(name, "must be a folder of class folders or an npz file", path)
        return ArrayFile(path)
    list_folder(path, name)  # an error then names the argument the user gave
    return Folder(path, size)


__all__ = ["OwnDomains"]
