"""What verbs are given as images: folders, one file, arrays; labels by name; pieces of a set."""

import numpy as np
import pytest

from holdfast.data.readers.image_inputs import open_images, open_labelled
from holdfast.errors import InputError


def test_class_folders_have_labels_by_name(tmp_path, make_images):
    images = open_images(make_images(tmp_path, {"b": 2, "a": 3}), "--source", labelled=True)
    assert images.labels.tolist() == ["a"] * 3 + ["b"] * 2
    assert len(images) == len(images.rows()) == 5
    assert images.is_colour()
    whole = images.read(4, 3)
    assert whole.shape == (5, 3, 4, 4)
    np.testing.assert_array_equal(images.read(4, 3, slice(1, 3)), whole[1:3])


def test_arrays_are_taken_as_they_are_and_grey_ones_meet_colour(tmp_path):
    x = np.random.default_rng(0).random((3, 4, 4)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=[1, 0, 1])
    images = open_images(tmp_path / "a.npz", "images", labelled=True)
    assert not images.is_colour()
    assert images.rows() == ["0", "1", "2"]
    np.testing.assert_array_equal(images.read(9, 1)[:, 0], x)
    np.testing.assert_array_equal(images.read(9, 3)[:, 2], x)


def test_labels_become_places_among_the_known_classes(tmp_path, make_images):
    folder = make_images(tmp_path, {"dog": 1, "cat": 2})
    _, known = open_labelled(folder, "images", np.array(["bird", "cat", "dog"]))
    assert known.tolist() == [1, 1, 2]
    with pytest.raises(InputError, match=r"only known classes \(bird, dog\).*also \['cat'\]"):
        open_labelled(folder, "images", np.array(["bird", "dog"]))


@pytest.mark.parametrize(
    ("path", "words"), [("flat", "class folders"), ("one.npy", "must have labels"), ("none", "must be a folder")]
)
def test_labels_are_asked_for_where_they_are_needed(tmp_path, make_images, path, words):
    make_images(tmp_path / "flat", {"": 2})
    np.save(tmp_path / "one.npy", np.zeros((2, 4, 4)))
    with pytest.raises(InputError, match=words):
        open_images(tmp_path / path, "images", labelled=True)
    if path != "none":
        assert open_images(tmp_path / path, "images", labelled=False).labels is None
