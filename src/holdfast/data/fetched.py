"""Problems made of files that a user has to fetch: where they are, whether they are there, whether they changed."""

from __future__ import annotations

import functools
import hashlib
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from holdfast.data.location import data_folder
from holdfast.errors import InputError
from holdfast.experiment import DataSource, Problem

WHOLE = 64 * 2**20  # bytes up to which a file's content is read for its fingerprint


class FileProblem(Problem):
    """A problem of files under HOLDFAST_DATA, or of the user's own. Subclasses are frozen dataclasses that say `paths`.

    Example:
        >>> from dataclasses import dataclass
        >>> from holdfast.data.location import data_folder
        >>> @dataclass(frozen=True)
        ... class Comments(FileProblem):
        ...     how_to_get = "comments.json from the authors' page"
        ...     @property
        ...     def paths(self):
        ...         return (data_folder("trolls/comments.json"),)
        ...     def describe(self):
        ...         return "comments, two thirds of them labelled by trolls"
        >>> Comments().available(), Comments().fingerprint()
        (False, '')
    """

    source: ClassVar[DataSource] = "file"

    @property
    @abstractmethod
    def paths(self) -> tuple[Path, ...]:
        """All files and folders that it is made of."""

    def available(self) -> bool:
        """Whether all of them are there."""
        return all(path.exists() for path in self.paths)

    def fingerprint(self) -> str:
        """Changes with the content of a file (of one beyond 64 MB: its size and date) and with a folder's entries."""
        if not self.available():
            return ""
        total = hashlib.sha256()
        for path in self.paths:
            total.update(f"{path.name}\0{_state(path)}\0".encode())
        return total.hexdigest()[:16]

    def found(self) -> tuple[Path, ...]:
        """`paths`, all of which are there.

        Raises:
            InputError: one of them is not; says how to get it.
        """
        missing = next((path for path in self.paths if not path.exists()), None)
        if missing is not None:
            folder = data_folder("")
            name = missing.relative_to(folder) if missing.is_relative_to(folder) else missing.name
            raise InputError("HOLDFAST_DATA", f"must hold {name}: {self.how_to_get}", str(missing))
        return self.paths


def _state(path: Path) -> str:
    if path.is_dir():
        inside = sorted(path.iterdir())
        return "|".join(f"{p.name} {p.stat().st_size if p.is_file() else ''}" for p in inside)
    found = path.stat()
    if found.st_size > WHOLE:
        return f"{found.st_size} {found.st_mtime_ns}"
    return _content(path, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _content(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__all__ = ["FileProblem"]
