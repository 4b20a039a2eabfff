from __future__ import annotations

import os

import pytest

from holdfast.errors import InputError
from holdfast.experiment import Record
from holdfast.report import artifacts

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


def with_artifact(run_results, folder, file, kind, caption="", replicate=0):
    artifact = {"name": "one", "file": file, "kind": kind, "caption": caption}
    record = Record("k", "AdaMatch", "p", {}, replicate, "ok", {"accuracy": 1.0}, artifacts=[artifact])
    return run_results(folder, records=[record])


@pytest.mark.parametrize(
    "file",
    ["../secret.txt", "a/../../secret.txt", "/etc/passwd", "link.txt", "linked/secret.txt", "loop", "C:\\x", "..\\x",
     "", "missing.png", "folder", "a\0b", "pipe"],
)  # fmt: skip
def test_paths_that_are_no_plain_file_inside_the_folder_are_refused(file, tmp_path, run_results):
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "run"
    (folder / "folder").mkdir(parents=True)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    with pytest.raises(InputError, match="artifact"):
        artifacts.locate(folder, file)
    (shown,) = artifacts.shown(with_artifact(run_results, folder, file, "text"), folder)
    assert shown.how == "refused"
    assert "secret" not in shown.content.replace("secret.txt", "")
    assert shown.href == ""


def test_images_are_embedded_up_to_the_cap_and_only_if_they_are_images(tmp_path, run_results, monkeypatch):
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "fake.png").write_bytes(b"<script>alert(1)</script>")
    (tmp_path / "a.html").write_bytes(PNG)
    (shown,) = artifacts.shown(with_artifact(run_results, tmp_path, "a.png", "image"), tmp_path)
    assert (shown.how, shown.content[:22]) == ("image", "data:image/png;base64,")
    for other in ("fake.png", "a.html"):
        (shown,) = artifacts.shown(with_artifact(run_results, tmp_path, other, "image"), tmp_path)
        assert (shown.how, shown.content) == ("link", "")
    monkeypatch.setattr(artifacts, "IMAGE_CAP", len(PNG) - 1)
    (shown,) = artifacts.shown(with_artifact(run_results, tmp_path, "a.png", "image"), tmp_path)
    assert shown.how == "link"


def test_the_cap_on_the_page_keeps_the_first_replicates(tmp_path, run_results, monkeypatch):
    (tmp_path / "a.png").write_bytes(PNG)
    one = {"name": "one", "file": "a.png", "kind": "image", "caption": ""}
    records = [Record(str(i), "AdaMatch", "p", {}, i, "ok", {}, artifacts=[one]) for i in (2, 0, 1)]
    monkeypatch.setattr(artifacts, "PAGE_CAP", 300)
    found = artifacts.shown(run_results(tmp_path, records=records), tmp_path)
    assert [shown.how for shown in found] == ["image", "image", "link"]
    assert [shown.where.split()[-1] for shown in found] == ["0", "1", "2"]


def test_texts_are_cut_and_links_are_quoted_and_relative_to_the_page(tmp_path, run_results):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "long #1.txt").write_text("x" * (artifacts.TEXT_CAP + 1))
    results = with_artifact(run_results, folder, "long #1.txt", "text")
    (shown,) = artifacts.shown(results, tmp_path / "pages")
    assert (shown.how, len(shown.content), shown.cut) == ("text", artifacts.TEXT_CAP, True)
    assert shown.href == "../run/long%20%231.txt"
