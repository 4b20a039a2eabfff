"""Sending and fetching model folders: with a folder as the hub, with the client stood in for, and when it fails."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.errors import HoldfastError, InputError
from holdfast.estimator import Estimator, Example
from holdfast.estimator.hub import pull, push


class Centre(Estimator):
    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X):
        self.mean_ = np.asarray(X).mean(0) * self.scale
        return self

    @classmethod
    def example(cls, rng):
        return Example({"X": rng.random((3, 2))}, rng.random((2, 2)))


@pytest.fixture
def fitted():
    return Centre(2.0).fit([[1.0, 2.0], [2.0, 3.0]])


def test_a_folder_plays_the_hub(tmp_path, fitted):
    folder = fitted.save(tmp_path / "m")
    (folder / "training.pkl").write_bytes(b"never sent")
    assert push(folder, "me/net", hub=tmp_path / "hub") == str(tmp_path / "hub" / "me" / "net")
    assert sorted(p.name for p in (tmp_path / "hub/me/net").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    back = Centre.load(pull("me/net", tmp_path / "there", hub=tmp_path / "hub"))
    assert np.array_equal(back.mean_, fitted.mean_)
    with pytest.raises(InputError, match="repo_id"):
        push(folder, "../net", hub=tmp_path / "hub")
    with pytest.raises(InputError, match="saved model"):
        pull("me/other", tmp_path / "there", hub=tmp_path / "hub")


class _Recorder:
    """Stands in for the Hub's client."""

    calls: list

    def __init__(self):
        _Recorder.calls = []

    def create_repo(self, repo_id, **options):
        self.calls.append(("create_repo", repo_id, options))

    def upload_folder(self, **options):
        self.calls.append(("upload_folder", options))


def test_the_real_hub_is_asked_for_model_files_only(tmp_path, fitted, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    folder = fitted.save(tmp_path / "m")
    monkeypatch.setattr(huggingface_hub, "HfApi", _Recorder)
    assert push(folder, "me/net", message="first") == "https://huggingface.co/me/net"
    (_, made, how), (_, sent) = _Recorder.calls
    assert (made, how["private"]) == ("me/net", True)
    assert set(sent["allow_patterns"]) == {"config.json", "model.safetensors", "README.md", "*.skops"}
    assert sent["commit_message"] == "first"

    def snapshot(repo_id, *, local_dir, allow_patterns, revision):
        for file in folder.iterdir():
            (Path(local_dir) / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    back = Centre.load(pull("me/net", tmp_path / "pulled", revision="main"))
    assert np.array_equal(back.mean_, fitted.mean_)


def test_hub_failures_are_one_line(tmp_path, fitted, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def offline(*_, **__):
        raise huggingface_hub.errors.OfflineModeIsEnabled("offline")

    def unreachable(*_, **__):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(HoldfastError, match="HF_HUB_OFFLINE is set"):
        pull("me/net", tmp_path / "p")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(HoldfastError, match="cannot fetch me/net: no route to host"):
        pull("me/net", tmp_path / "p")
    assert not (tmp_path / "p").exists()
