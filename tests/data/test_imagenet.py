"""The list of ImageNet's 1 %, as it is published, and image files as rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.imagenet import ImageNet, listed_images
from holdfast.data.location import data_folder
from holdfast.data.readers.image_rows import ImageRows
from holdfast.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for wnid in ("n01440764", "n02099712"):
        (tmp_path / "train" / wnid).mkdir(parents=True)
        for i in (3, 18):
            image = np.full((30, 20, 3), 10 * i, dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / "train" / wnid / f"{wnid}_{i}.JPEG")
    (tmp_path / "list.txt").write_text("n02099712_18.JPEG\n\nn01440764_3.JPEG\n")
    return tmp_path


def test_images_of_the_list_and_all(folder):
    problem = ImageNet(folder / "train", folder / "list.txt")
    assert problem.available()
    everything, known = problem.images()
    assert [path.name for path in known] == ["n02099712_18.JPEG", "n01440764_3.JPEG"]
    assert len(everything) == 4
    assert set(known) < set(everything)
    assert not ImageNet(folder / "none", folder / "list.txt").available()


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "at least one"), ("n01440764_3.JPEG\nimage.JPEG\n", "line 2"), ("n01440764_4.JPEG", "line 1"),
     ("../n01_3.JPEG", "line 1")],
)  # fmt: skip
def test_lists_that_name_no_image(folder, text, said):
    (folder / "list.txt").write_text(text)
    with pytest.raises(InputError, match=said):
        listed_images(folder / "list.txt", folder / "train")


def test_the_published_list_has_the_format():
    path = data_folder("hcsc/1percent.txt")
    if not path.is_file():
        pytest.skip("not there")
    lines = path.read_text().split()
    assert len(lines) == 12_811
    assert all(line.startswith("n") and line.endswith(".JPEG") and line.count("_") == 1 for line in lines)


def test_files_as_rows(folder):
    rows = ImageRows(sorted((folder / "train").glob("*/*")), 16)
    assert len(rows) == 4
    assert rows[0]["x"].shape == (3, 16, 16)
    levels = torch.stack([rows[i]["x"].mean() for i in range(4)]) * 255
    torch.testing.assert_close(levels.sort().values, torch.tensor([30.0, 30.0, 180.0, 180.0]), atol=2, rtol=0)
