from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.data import fetched
from holdfast.data.fetched import FileProblem
from holdfast.errors import InputError


@dataclass(frozen=True)
class Comments(FileProblem):
    folder: Path = Path()
    how_to_get = "from the authors' page"

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.folder / "comments.json", self.folder / "images"

    def describe(self) -> str:
        return "comments"


def test_it_is_there_when_all_files_are(tmp_path: Path) -> None:
    problem = Comments(tmp_path)
    (tmp_path / "comments.json").write_text("[]")
    assert (problem.available(), problem.fingerprint()) == (False, "")
    with pytest.raises(InputError, match="must hold images: from the authors' page"):
        problem.found()
    (tmp_path / "images").mkdir()
    assert problem.available()
    assert problem.found() == problem.paths


def test_the_fingerprint_follows_content_and_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, file = Comments(tmp_path), tmp_path / "comments.json"
    (tmp_path / "images").mkdir()
    file.write_text("[1]")
    seen = [problem.fingerprint()]
    file.write_text("[2]")
    os.utime(file, ns=(1, 1))
    seen.append(problem.fingerprint())
    (tmp_path / "images" / "a.png").write_text("x")
    seen.append(problem.fingerprint())
    assert len(set(seen)) == 3
    os.utime(file, ns=(5, 5))
    assert problem.fingerprint() == seen[-1], "the date of a file that was read whole says nothing"
    monkeypatch.setattr(fetched, "WHOLE", 1)
    before = problem.fingerprint()
    os.utime(file, ns=(7, 7))
    assert problem.fingerprint() != before, "of a large file it is all there is to go by"
