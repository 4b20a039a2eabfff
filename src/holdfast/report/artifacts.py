"""Files that trials left behind, read for a page: embedded, quoted or linked, never from outside the run's folder."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal
from urllib.parse import quote

from holdfast.errors import InputError
from holdfast.experiment import Record
from holdfast.report.wording import clean, point
from holdfast.trials.results import Results

IMAGE_CAP, TEXT_CAP, PAGE_CAP = 400_000, 20_000, 4_000_000  # bytes embedded per image, per text, and in all
_IMAGES = {  # suffix -> media type and how such a file starts; the content decides, not the name alone
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    ".gif": ("image/gif", b"GIF8"),
    ".webp": ("image/webp", b"RIFF"),
    ".svg": ("image/svg+xml", b"<"),
}


@dataclass(frozen=True)
class Shown:
    """An artifact as the page shows it.

    Attributes:
        where: arm, problem, point and replicate in words.
        how: "image" and "text" are embedded as `content` (data URI, text), "link" points to `href`, "refused" says why
            in `content`.
        href: relative to the page; empty where refused.
        cut: the text was longer than what is quoted.
    """

    name: str
    caption: str
    where: str
    how: Literal["image", "text", "link", "refused"]
    content: str = ""
    href: str = ""
    cut: bool = False


def locate(folder: Path, file: str) -> Path:
    """The real path of an artifact.

    Raises:
        InputError: the path is absolute, climbs with `..`, leaves the folder through a link, or is no plain file.
    """
    for flavour in (PurePosixPath(file), PureWindowsPath(file)):
        if flavour.is_absolute() or flavour.drive or ".." in flavour.parts:
            raise InputError("artifact", "must be a path inside the run's folder", file)
    try:
        root, path = folder.resolve(), (folder / file).resolve()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # a loop of links (RuntimeError before 3.13), a NUL in the name
        raise InputError("artifact", "must be a path inside the run's folder", clean(file)) from error
    if root not in path.parents:
        raise InputError("artifact", "must be a path inside the run's folder", file)
    if not path.is_file():
        raise InputError("artifact", "must be an existing file", file)
    return path


def shown(results: Results, beside: Path) -> list[Shown]:
    """Every artifact of the finished trials, first replicates first, so that the cap on the page hits the last ones.

    Args:
        beside: folder that the page will lie in; links are relative to it.
    """
    left, out = PAGE_CAP, []
    for record, artifact in _ordered(results.finished):
        one = _show(results.folder, beside, record, artifact, left)
        left -= len(one.content) if one.how == "image" else 0
        out.append(one)
    return out


def _ordered(records: Iterable[Record]) -> list[tuple[Record, dict[str, str]]]:
    pairs = [(record, dict(artifact)) for record in records for artifact in record.artifacts]
    return sorted(pairs, key=lambda pair: -1 if pair[0].replicate is None else pair[0].replicate)


def _show(folder: Path, beside: Path, record: Record, artifact: dict[str, str], left: int) -> Shown:
    name, caption = artifact.get("name", ""), artifact.get("caption", "")
    replicate = "" if record.replicate is None else f"replicate {record.replicate}"
    where = " · ".join(part for part in (record.arm, record.problem, point(record.point), replicate) if part)
    try:
        path = locate(folder, artifact.get("file", ""))
        size = path.stat().st_size
        kind = artifact.get("kind")
        href = quote(Path(os.path.relpath(path, beside.resolve())).as_posix())
        if kind == "image" and size <= min(IMAGE_CAP, left * 3 // 4):
            content = _data_uri(path)
            if content:
                return Shown(name, caption, where, "image", content, href)
        if kind == "text":
            with path.open("rb") as file:
                text = file.read(TEXT_CAP).decode("utf-8", errors="replace")
            return Shown(name, caption, where, "text", clean(text), href, cut=size > TEXT_CAP)
    except InputError as error:
        return Shown(name, caption, where, "refused", str(error))
    except OSError as error:
        return Shown(name, caption, where, "refused", f"could not be read: {error.strerror or error}")
    return Shown(name, caption, where, "link", "", href)


def _data_uri(path: Path) -> str:
    """The image as a data URI; empty if the content is not what the name says. Scripts in an `<img>` never run."""
    media, start = _IMAGES.get(path.suffix.lower(), ("", b""))
    data = path.read_bytes()
    if not media or not data.lstrip().startswith(start.lstrip()):
        return ""
    return f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"
