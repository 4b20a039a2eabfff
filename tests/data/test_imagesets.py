import numpy as np
import pytest
import torch

from holdfast.data.imagesets import ArrayFile, Folder, ListFile
from holdfast.errors import InputError


def test_folder(tmp_path, make_images):
    make_images(tmp_path / "set", {"b": 2, "a": 3})
    (tmp_path / "set" / "a" / "notes.txt").write_text("x")
    images = Folder(tmp_path / "set", size=5)
    x, y = images.load()
    assert x.shape == (5, 3, 5, 5)
    assert y.tolist() == images.labels().tolist() == [0, 0, 0, 1, 1]
    assert images.classes == ("a", "b")
    assert images.available()
    assert images.source == "file"
    assert "5 images of 2 classes as 5x5, 1 other files ignored" in images.describe()
    assert Folder(tmp_path / "set", size=5, mode="L").load()[0].shape[1] == 1
    assert images.cases() == Folder(f"{tmp_path}/./set", size=9).cases()


@pytest.mark.parametrize(("layout", "words"), [({"": 3}, "class folders"), ({"only": 3}, "at least 2")])
def test_folder_needs_two_classes(tmp_path, make_images, layout, words):
    with pytest.raises(InputError, match=words):
        Folder(make_images(tmp_path, layout)).load()


def test_missing_folder_and_list_are_unavailable(tmp_path):
    for images in (Folder(tmp_path / "x"), ListFile(tmp_path, "x.txt"), ArrayFile(tmp_path / "x.npz")):
        assert not images.available()
        with pytest.raises(InputError):
            images.load()
    assert "not found" in Folder(tmp_path / "x").describe()
    assert "not found" in ListFile(tmp_path, "x.txt").describe()


def test_list_file(tmp_path, make_images):
    make_images(tmp_path, {"real/cat": 2, "real/dog": 1})
    (tmp_path / "a.txt").write_text("real/dog/000.png 1\nreal/cat/001.png 0\n")
    images = ListFile(tmp_path, "a.txt", size=4)
    x, y = images.load()
    assert x.shape == (2, 3, 4, 4)
    assert y.tolist() == images.labels().tolist() == [1, 0]
    assert images.classes == ("cat", "dog")
    assert "2 images of 2 classes" in images.describe()
    assert images.fingerprint() != ""
    assert len(ListFile(tmp_path, ("a.txt", "a.txt")).labels()) == 4
    for wrong in ({"size": 0}, {"mode": "HSV"}):
        with pytest.raises(InputError):
            ListFile(tmp_path, "a.txt", **wrong)


def test_array_file(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.full((4, 3, 3), 51, np.uint8), y=[0, 1, 2, 0])
    images = ArrayFile(tmp_path / "a.npz")
    x, y = images.load()
    assert x.shape == (4, 1, 3, 3)
    assert x.dtype == torch.float32
    assert torch.allclose(x, torch.tensor(0.2))
    assert y.tolist() == images.labels().tolist() == [0, 1, 2, 0]
    assert images.classes == ("0", "1", "2")
    assert images.fingerprint() == ArrayFile(tmp_path / "a.npz").fingerprint()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((2, 3, 3))}, "labels"),
        ({"x": np.zeros((2, 3, 3)), "y": [0, 0]}, "2 classes"),
        ({"x": np.zeros((2, 3, 3)), "y": [0, -1]}, "2 classes|lie in"),
        ({"x": np.zeros((2, 3)), "y": [0, 1]}, "shape"),
        ({"x": np.full((2, 3, 3), 2.0), "y": [0, 1]}, "0, 1"),
        ({"x": np.full((2, 3, 3), 256), "y": [0, 1]}, "255"),
    ],
)
def test_unsuitable_array_files(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=words):
        ArrayFile(tmp_path / "a.npz").load()
