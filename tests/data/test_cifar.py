"""CIFAR-100's files, on tiny ones of the same form."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from holdfast.data.cifar import read_cifar
from holdfast.errors import InputError
from toy_cifar import write_cifar


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
