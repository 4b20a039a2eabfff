"""CIFAR-100, CIFAR-10, CIFAR-10-C and CINIC-10, on tiny files of the same form."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from PIL import Image

from holdfast.data.cifar import CIFAR10, list_cinic10, read_cifar, read_cifar10, read_cifar10c
from holdfast.errors import InputError
from toy_cifar import write_cifar, write_cifar10


def test_cifar_is_read_plane_by_plane(tmp_path):
    write_cifar(tmp_path / "c")
    images = read_cifar(tmp_path / "c" / "train")
    content = pickle.loads((tmp_path / "c" / "train").read_bytes())
    assert images.labels.tolist() == content["fine_labels"]
    for row, channel, y, x in ((0, 0, 0, 0), (3, 1, 31, 2), (39, 2, 5, 17)):
        wanted = content["data"][row][channel * 1024 + y * 32 + x] / 255
        assert float(images.read([row])[0, channel, y, x]) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fine_labels": [0] * 39}, "40 whole numbers from 0 to 99"),
        ({"fine_labels": [100] * 40}, "40 whole numbers from 0 to 99"),
        ({"fine_labels": ["cat"] * 40}, "40 whole numbers"),
        ({"data": np.zeros((40, 3071), np.uint8)}, r"shape \(N, 3072\)"),
        ({"data": [1, 2]}, r"shape \(N, 3072\)"),
    ],
)
def test_other_contents_are_refused(tmp_path, change, message):
    write_cifar(tmp_path / "c", **change)
    with pytest.raises(InputError, match=message):
        read_cifar(tmp_path / "c" / "train")


def test_a_bomb_in_a_data_file_runs_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trace"),)

    write_cifar(tmp_path / "c", data=Bomb())
    with pytest.raises(InputError, match="plain data"):
        read_cifar(tmp_path / "c" / "test")
    assert not (tmp_path / "trace").exists()


# -------------------------------------------------------------------------------------- CIFAR-10, CIFAR-10-C, CINIC-10
def test_cifar10_is_its_five_batches_in_order(tmp_path):
    write_cifar10(tmp_path / "c")
    train, test = read_cifar10(tmp_path / "c"), read_cifar10(tmp_path / "c", "test")
    stored = [pickle.loads((tmp_path / "c" / f"data_batch_{k}").read_bytes()) for k in range(1, 6)]
    assert train.labels.tolist() == [k for part in stored for k in part[b"labels"]]
    assert tuple(train.pixels.shape) == (15, 3, 32, 32)
    assert float(train.pixels[7, 2, 31, 5]) == pytest.approx(stored[2][b"data"][1][2 * 1024 + 31 * 32 + 5] / 255)
    assert len(test) == 3
    (tmp_path / "c" / "data_batch_4").unlink()
    with pytest.raises(InputError, match="no data_batch_4"):
        read_cifar10(tmp_path / "c")


def write_cifar10c(folder, images, labels):
    folder.mkdir()
    np.save(folder / "fog.npy", images)
    np.save(folder / "labels.npy", labels)


def test_severities_are_fifths_of_the_rows(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    labels = np.tile(np.array([3, 1, 4, 1]), 5)
    write_cifar10c(tmp_path / "c", images, labels)
    found = read_cifar10c(tmp_path / "c", "fog", 3)
    assert found.labels.tolist() == [3, 1, 4, 1]
    assert float(found.pixels[2, 1, 30, 9]) == pytest.approx(images[10, 30, 9, 1] / 255)
    with pytest.raises(InputError, match="severity"):
        read_cifar10c(tmp_path / "c", "fog", 6)
    with pytest.raises(InputError, match=r"rain\.npy"):
        read_cifar10c(tmp_path / "c", "rain", 1)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((9, 32, 32, 3), np.uint8), np.zeros(9, int), "5 N"),
        (np.zeros((5, 3, 32, 32), np.uint8), np.zeros(5, int), "5 N"),
        (np.zeros((5, 32, 32, 3)), np.zeros(5, int), "uint8"),
        (np.zeros((5, 32, 32, 3), np.uint8), np.full(5, 10), "0 to 9"),
        (np.zeros((5, 32, 32, 3), np.uint8), np.zeros(4, int), "5 whole numbers"),
    ],
)
def test_other_corruption_files_are_refused(tmp_path, images, labels, message):
    write_cifar10c(tmp_path / "c", images, labels)
    with pytest.raises(InputError, match=message):
        read_cifar10c(tmp_path / "c", "fog", 1)


def write_cinic10(folder, names, classes=CIFAR10):
    for kind in classes:
        (folder / "train" / kind).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (32, 32)).save(folder / "train" / kind / name)


def test_cinic10_without_the_images_of_cifar(tmp_path):
    write_cinic10(tmp_path, ["cifar10-train-1.png", "n01-2.png"])
    kept = list_cinic10(tmp_path, "train")
    assert {path.name for path in kept.paths} == {"n01-2.png"}
    assert kept.labels == tuple(range(10))
    assert len(list_cinic10(tmp_path, "train", without_cifar=False)) == 20


def test_other_folders_are_no_cinic10(tmp_path):
    write_cinic10(tmp_path / "a", ["x.png"], ("cat", "dog"))
    with pytest.raises(InputError, match="ten class folders"):
        list_cinic10(tmp_path / "a", "train")
    write_cinic10(tmp_path / "b", ["cifar10-1.png"])
    with pytest.raises(InputError, match="not CIFAR-10's"):
        list_cinic10(tmp_path / "b", "train")
