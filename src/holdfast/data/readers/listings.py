"""Which images there are and what they are labelled: class folders, flat folders, and list files.

Listing opens no image; `holdfast.data.readers.images` decodes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.canonical import digest
from holdfast.errors import InputError
from holdfast.files import check_regular

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm"})


@dataclass(frozen=True)
class Listing:
    """Images on disk.

    Attributes:
        root: the folder they were found in.
        paths: the files, in a fixed order.
        labels: index into `classes` of each file; None for a flat folder.
        classes: names of the classes; () for a flat folder.
        ignored: files that are no images (by suffix) and were left out; hidden files are not counted.
    """

    root: Path
    paths: tuple[Path, ...]
    labels: tuple[int, ...] | None
    classes: tuple[str, ...]
    ignored: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def fingerprint(self) -> str:
        """A short text that changes when a file is added, removed, renamed or written to."""
        stats = [(str(p.relative_to(self.root)), (s := p.stat()).st_size, s.st_mtime_ns) for p in self.paths]
        return digest(stats)[:16]


def list_folder(path: str | Path, name: str = "path") -> Listing:
    """The images of a folder: `<class>/**/<image>` (class folders) or `<image>` directly inside (flat, no labels).

    Classes are the names of the class folders, sorted; images are sorted by path. Hidden files and folders are passed
    over, other files counted in `ignored`. Links to folders are followed for class folders only.

    Args:
        path: the folder.
        name: what the user calls it; errors start with it.

    Raises:
        InputError: no such folder, no images, a class folder without images, or images beside class folders.

    Example:
        >>> import tempfile; from pathlib import Path; from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> for kind in ("dog", "cat"):
        ...     (root / kind).mkdir(); Image.new("L", (4, 4)).save(root / kind / "1.png")
        >>> found = list_folder(root)
        >>> found.classes, found.labels
        (('cat', 'dog'), (0, 1))
    """
    root = Path(path)
    if not os.path.isdir(root):  # False, unlike Path.is_dir, for names that no file can have
        raise InputError(
            name, "must be a folder of images", f"{root} ({'a file' if os.path.exists(root) else 'not found'})"
        )
    visible = sorted(p for p in root.iterdir() if not p.name.startswith(".") and p.name != "__MACOSX")
    folders = [p for p in visible if p.is_dir()]
    loose = [p for p in visible if not p.is_dir()]
    flat = [p for p in loose if p.suffix.lower() in SUFFIXES]
    if flat and folders:
        raise InputError(
            name,
            "must hold either class folders or images, not both",
            f"{root} with {len(folders)} folders and {len(flat)} images",
        )
    if flat:
        return Listing(root, tuple(flat), None, (), len(loose) - len(flat))
    paths: list[Path] = []
    labels: list[int] = []
    ignored = len(loose)
    for label, folder in enumerate(folders):
        files = sorted(_walk(folder))
        images = [p for p in files if p.suffix.lower() in SUFFIXES]
        if not images:
            raise InputError(name, "must have images in every class folder", f"{folder} with {len(files)} other files")
        paths += images
        labels += [label] * len(images)
        ignored += len(files) - len(images)
    if not paths:
        raise InputError(
            name, f"must hold images ({' '.join(sorted(SUFFIXES))})", f"{root} with {len(loose)} other files"
        )
    return Listing(root, tuple(paths), tuple(labels), tuple(p.name for p in folders), ignored)


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [d for d in folders if not d.startswith(".")]
        yield from (Path(here, f) for f in files if not f.startswith("."))


def read_list(root: str | Path, lists: str | Path | Sequence[str | Path], name: str = "list") -> Listing:
    """The images named by list files in the form DomainNet publishes: one `path label` per line.

    Paths are relative to `root` and may hold spaces; labels are whole numbers from 0. Empty lines are passed over.
    A class is called by the folder its images lie in where folders and labels correspond one to one, else by its
    number. Classes are 0 .. largest label, so that several lists of one label space agree if they are read together.

    Args:
        root: folder the paths are relative to.
        lists: one list file or several, read one after the other; relative ones are looked for in `root`.
        name: what the user calls it; errors start with it.

    Raises:
        InputError: a missing or empty list, a line without label, a label that is no whole number, a missing image;
            the error names the file and the number of the line.
    """
    base = Path(root)
    several = [lists] if isinstance(lists, str | Path) else list(lists)
    rows = [row for one in several for row in _rows(base, base / one, name)]
    labels = tuple(label for _, label in rows)
    return Listing(base, tuple(path for path, _ in rows), labels, class_names(rows))


def _rows(root: Path, file: Path, name: str) -> list[tuple[Path, int]]:
    try:
        check_regular(file)
        lines = file.read_text(encoding="utf-8").splitlines()
    except InputError as error:
        raise InputError(name, "must be a readable text file", f"{file} ({error.received})") from None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a name that no file can have
        raise InputError(name, "must be a readable text file", f"{file} ({error})") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        path, _, label = line.strip().rpartition(" ")
        if not path:
            raise InputError(f"{name} {file}, line {number}", 'must read "path label"', repr(line))
        if not (label.isascii() and label.isdigit()):
            raise InputError(f"{name} {file}, line {number}", "must end in a whole number from 0", repr(label))
        image = root / path.strip()
        if not image.is_file():
            raise InputError(f"{name} {file}, line {number}", "must name an existing image", str(image))
        rows.append((image, int(label)))
    if not rows:
        raise InputError(name, "must have at least one line", f"{file} (empty)")
    return rows


def class_names(files: Iterable[tuple[Path, int]]) -> tuple[str, ...]:
    """Names of the classes 0 .. largest label: the images' folders where folders and labels correspond, else numbers.

    Example:
        >>> class_names([(Path("real/cat/1.jpg"), 0), (Path("real/dog/1.jpg"), 2)])
        ('cat', '1', 'dog')
        >>> class_names([(Path("real/cat/1.jpg"), 0), (Path("real/cat/2.jpg"), 1)])
        ('0', '1')
    """
    pairs = {(label, path.parent.name) for path, label in files}
    labels, names = {label for label, _ in pairs}, {folder for _, folder in pairs}
    numbers = range(max(labels) + 1)
    if not len(pairs) == len(labels) == len(names):
        return tuple(map(str, numbers))
    by_label = dict(pairs)
    return tuple(by_label.get(k, str(k)) for k in numbers)


__all__ = ["SUFFIXES", "Listing", "class_names", "list_folder", "read_list"]
