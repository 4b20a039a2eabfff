"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holdfast.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


UNFINISHED = ".holdfast-"  # how the names of folders begin in which something is being written


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new path to write to; moved over `path` when the block ends well, removed when it does not.

    What a process that was killed had left half written beside `path` is removed, too.

    Raises:
        InputError: `path` is a folder or a device.
        OSError: names `path`, and not the temporary file that nobody has heard of.

    Example:
        >>> import tempfile, pathlib
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
        >>> with replacing(target) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    with named(path):
        if path.exists() and not path.is_file():  # /dev/null would be replaced by a file
            raise InputError(str(path), "must be a file or a new name", "a folder" if path.is_dir() else "a device")
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_up(path.parent)
        work, lock = begin(path.parent, "file.")
    temporary = work / path.name
    try:
        with named(path, work):
            yield temporary
            with temporary.open("r+b") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        release(lock)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder; it takes the place of `folder` when the block ends well, and is removed when it does not.

    Two moves are needed for that; a process that is killed between them leaves the earlier folder aside, where
    `put_back` finds it.

    Raises:
        OSError: names `folder`, which is as it was.
    """
    folder = Path(folder).absolute()  # absolute, so that "." has a name and a parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    put_back(folder)
    work, lock = begin(folder.parent, f"folder.{folder.name}.")
    new, old = work / "new", work / "old"
    try:
        with named(folder, work):
            new.mkdir()
            yield new
            if folder.exists():
                os.replace(folder, old)
            try:
                os.replace(new, folder)
            except OSError:
                if old.exists():
                    os.replace(old, folder)
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
        release(lock)


def put_back(folder: Path) -> None:
    """Undo what a process that was killed in `replacing_folder` had begun."""
    folder = Path(folder).absolute()
    if not folder.parent.is_dir():
        return
    for work in unfinished(folder.parent, f"folder.{folder.name}."):
        if (work / "old").is_dir() and not folder.exists():
            os.replace(work / "old", folder)
        shutil.rmtree(work, ignore_errors=True)


def clear_up(folder: Path) -> None:
    """Remove what processes that were killed had left half written in a folder."""
    for abandoned in unfinished(folder, "file."):
        shutil.rmtree(abandoned, ignore_errors=True)


@contextmanager
def named(path: Path, *hidden: Path) -> Iterator[None]:
    """Let errors of the file system in the block name `path`, where they name nothing, or `hidden` or what is in it."""
    try:
        yield
    except OSError as error:
        inside = error.filename is None or any(Path(os.fsdecode(error.filename)).is_relative_to(h) for h in hidden)
        if inside and error.errno is not None:
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise


# --------------------------------------------------------------------------------------------- what is being written
def begin(folder: Path, name: str) -> tuple[Path, int | None]:
    """A new folder inside `folder` to write in, and the lock on it that says so.

    Args:
        name: of the kind of writer; ends with a dot.

    Raises:
        OSError: names `folder`.
    """
    while True:
        work = folder / f"{UNFINISHED}{name}{uuid.uuid4().hex}"
        with named(folder, work):
            work.mkdir()
        lock = _hold(work)
        if lock is None or work.exists():
            return work, lock
        release(lock)  # somebody took it for abandoned in the moment between the two


def unfinished(folder: Path, name: str) -> Iterator[Path]:
    """The folders of `begin` whose writers are gone.

    The system gives a lock back when its holder dies, however it dies. Where folders cannot be locked (Windows, some
    network disks), nothing is found.
    """
    for path in sorted(p for p in folder.iterdir() if p.name.startswith(f"{UNFINISHED}{name}")):
        if (lock := _hold(path)) is not None:
            yield path
            release(lock)


def release(lock: int | None) -> None:
    """Give a lock back."""
    if lock is not None:
        os.close(lock)


def _hold(path: Path) -> int | None:
    """Lock a folder; None if somebody else has it, or if that cannot be known."""
    if fcntl is None:
        return None
    try:
        lock = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all (UTF-8)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN), indented, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, sort_keys=False, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: the file cannot be read or is not JSON; names the file.
    """
    try:
        if path.exists():
            check_regular(path)
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(str(path), "must be a readable file", error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), "must be valid JSON; restore it or delete it", str(error)) from error


def beside(path: Path, ending: str) -> Path:
    """The path with something added to its name: where a file or folder keeps what belongs to it.

    Raises:
        InputError: a path that ends in no name, as ".", "/" and the empty text.

    Example:
        >>> beside(Path("a/store.npy"), ".lock").as_posix()
        'a/store.npy.lock'
    """
    if not path.name:
        raise InputError(str(path), "must end in a name", f"{str(path)!r}")
    return path.with_name(path.name + ending)


def check_regular(path: Path) -> None:
    """Refuse what cannot be read to its end: a pipe or a device would keep its reader waiting for good.

    Raises:
        InputError: nothing there, a folder, a pipe, a device, a socket.

    Example:
        >>> import tempfile, pathlib
        >>> check_regular(pathlib.Path(tempfile.gettempdir()) / "nosuch.csv")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        holdfast.errors.InputError: ...nosuch.csv: must be a file; received nothing there
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(str(path), "must be a file", "nothing there") from None
    except (OSError, ValueError) as error:  # too long a name, a name with a zero byte, a folder that may not be read
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(str(path), "must be a file that can be read", reason) from None
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise InputError(str(path), "must be a file", kinds.get(stat.S_IFMT(mode), "a device"))


def open_standard_streams() -> None:
    """Put the null device in place of each standard stream that is closed, as those of daemons are.

    The next file or pipe would get the stream's number, and a child process takes what has that number for its stdin.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, mode), True)  # gets the lowest number that is free: this one
