"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from holdfast.errors import InputError
from holdfast.files import (
    begin,
    check_regular,
    put_back,
    read_json,
    release,
    replacing,
    replacing_folder,
    write_json,
    write_text,
)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".txt"
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_text("ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="permissions are those of POSIX")
def test_permissions_are_those_of_an_ordinary_write(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("")
    write_text(tmp_path / "ours", "")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "ours")]
    assert modes[0] == modes[1]


def test_json_is_strict_and_keeps_what_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, None, "é"], "a": 0.1})
    assert list(read_json(path)) == ["b", "a"]
    assert "é" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert read_json(path) == {"b": [1, None, "é"], "a": 0.1}


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe\x00"])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: must be"):
        read_json(path)


# ------------------------------------------------------------------------------------------------ what a kill leaves
unlocked = pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked")


@unlocked
def test_what_a_killed_process_left_is_removed_and_what_is_being_written_stays(tmp_path: Path) -> None:
    left, lock = begin(tmp_path, "file.")
    (left / "a.txt").write_text("half")
    release(lock)  # as the system does when its holder is killed
    written, lock = begin(tmp_path, "file.")
    write_text(tmp_path / "a.txt", "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [written.name, "a.txt"]
    release(lock)


@unlocked
def test_a_folder_that_was_being_replaced_is_put_back(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    work, lock = begin(tmp_path, "folder.model.")
    (work / "new").mkdir()
    (work / "old").mkdir()
    (work / "old" / "a.txt").write_text("old")
    put_back(folder)
    assert not folder.exists()  # somebody is still at it
    release(lock)
    put_back(folder)
    assert (folder / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for text in ("old", "new"):
        with replacing_folder(folder) as new:
            (new / "a.txt").write_text(text)
    with pytest.raises(NotADirectoryError), replacing_folder(folder) as new:
        (new / "a.txt" / "below a file").write_text("x" if (new / "a.txt").write_text("newer") else "")
    assert (folder / "a.txt").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("told", [None, "temporary"])
def test_errors_name_the_file_that_was_asked_for(tmp_path: Path, told: str | None) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as caught, replacing(path) as temporary:
        raise OSError(errno.ENOSPC, "No space left on device", told and str(temporary))
    assert caught.value.filename == str(path)
    (tmp_path / "c.txt").write_text("a file")
    with pytest.raises((FileExistsError, NotADirectoryError)) as caught:
        write_text(tmp_path / "c.txt" / "b.txt", "below a file")
    assert str(caught.value.filename).startswith(str(tmp_path / "c.txt"))
    with pytest.raises(FileNotFoundError) as other, replacing(path):
        (tmp_path / "missing").read_text()
    assert other.value.filename == str(tmp_path / "missing")


def test_only_what_can_be_read_to_its_end_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    check_regular(tmp_path / "a.txt")
    check_regular(tmp_path / "link")
    for name, what in (("pipe", "a pipe"), ("zero", "a device"), (".", "a folder"), ("lost", "nothing there")):
        with pytest.raises(InputError, match=f"must be a file; received {what}"):
            check_regular(tmp_path / name)
    with pytest.raises(InputError, match="nothing there"):
        check_regular(tmp_path / "a.txt" / "below a file")
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(InputError, match="must be a file that can be read"):
            check_regular(tmp_path / name)
