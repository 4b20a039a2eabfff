import pickle

import numpy as np
import pytest
import torch

from holdfast.data.own_domains import OwnDomains
from holdfast.errors import InputError


@pytest.fixture
def folders(tmp_path, make_images):
    source = make_images(tmp_path / "photos", {"cat": 8, "dog": 6, "eel": 5})
    target = make_images(tmp_path / "renders", {"dog": 10, "eel": 12}, size=(7, 20), suffix=".jpg", seed=1)
    return source, target


def rng(seed=0):
    return np.random.default_rng(seed)


def test_two_folders_become_a_split(folders):
    problem = OwnDomains(*folders, size=8)
    split = problem.load(rng())
    assert split.source_x.shape == (19, 3, 8, 8)
    assert torch.bincount(split.source_y).tolist() == [8, 6, 5]
    assert split.classes == ("cat", "dog", "eel")
    assert set(split.test_y.tolist()) <= {1, 2}
    assert problem.resplit == (len(split.test_x), len(split.unlabelled_x))
    assert len(split.test_x) + len(split.unlabelled_x) + len(split.validation_x) == 22
    assert problem.available()
    assert problem.source == "file"
    assert "19 images of 3 classes" in problem.describe()
    assert torch.equal(split.test_x, problem.load(rng()).test_x)


def test_grey_and_colour_folders_meet_in_colour(tmp_path, make_images):
    grey = make_images(tmp_path / "grey", {"a": 6, "b": 6}, mode="L")
    colour = make_images(tmp_path / "colour", {"a": 6, "b": 6})
    assert OwnDomains(grey, colour, size=4).load(rng()).source_x.shape[1] == 3
    also_grey = make_images(tmp_path / "grey2", {"a": 6, "b": 6}, mode="L", seed=2)
    assert OwnDomains(grey, also_grey, size=4).load(rng()).source_x.shape[1] == 1


def test_npz_files_work_too(tmp_path):
    draw = rng(1)
    for name, n in (("s", 30), ("t", 40)):
        np.savez(tmp_path / f"{name}.npz", x=draw.integers(0, 256, (n, 6, 6)), y=np.arange(n) % 3)
    split = OwnDomains(tmp_path / "s.npz", tmp_path / "t.npz").load(rng())
    assert split.source_x.shape == (30, 1, 6, 6)
    assert split.source_x.max() <= 1
    assert split.classes == ("0", "1", "2")


def test_progress_is_told_for_both_sides(folders):
    calls = []
    OwnDomains(*folders, size=5).load(rng(), progress=lambda done, total: calls.append((done, total)))
    assert calls[18] == (19, 19)
    assert calls[-1] == (22, 22)


def test_a_changed_file_makes_another_problem(folders, make_images):
    before = OwnDomains(*folders)
    assert before == OwnDomains(*folders) == pickle.loads(pickle.dumps(before))
    make_images(folders[1], {"dog": 11}, suffix=".jpg", seed=5)
    after = OwnDomains(*folders)
    assert after != before
    split = after.load(rng())
    assert len(split.test_x) + len(split.unlabelled_x) + len(split.validation_x) == 23


@pytest.mark.parametrize(
    ("layout", "named", "words"),
    [
        ({"": 4}, "target", "fit --target"),
        ({"dog": 3, "fox": 3}, "target", "fox"),
        ({"dog": 3}, "path", "at least 2"),
        ({}, "target", "must hold images"),
    ],
)
def test_unsuitable_targets_are_refused_before_any_work(folders, tmp_path, make_images, layout, named, words):
    target = tmp_path / "wrong"
    target.mkdir()
    make_images(target, layout)
    with pytest.raises(InputError, match=words) as caught:
        OwnDomains(folders[0], target)
    assert caught.value.argument == named


def test_other_mistakes(folders, tmp_path):
    with pytest.raises(InputError, match="source: must be a folder"):
        OwnDomains(tmp_path / "nowhere", folders[1])
    with pytest.raises(InputError, match="other data"):
        OwnDomains(folders[0], folders[0])
    with pytest.raises(InputError, match="--on"):
        OwnDomains.of([folders[0]])
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(InputError, match="npz file"):
        OwnDomains(folders[0], text)
    assert OwnDomains.of(list(folders)).source_path == str(folders[0])


def test_a_damaged_image_is_named(folders):
    bad = folders[1] / "eel" / "000.jpg"
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(InputError, match=r"000\.jpg"):
        OwnDomains(*folders).load(rng())
