import os

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from holdfast.data.readers.images import ImageFiles, colour_mode, decode_image
from holdfast.data.readers.listings import list_folder
from holdfast.errors import InputError


def save(path, pixels, **kw):
    Image.fromarray(pixels).save(path, **kw)
    return path


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)


def test_an_image_of_the_wanted_size_is_not_changed(tmp_path, noise):
    file = save(tmp_path / "a.png", noise)
    np.testing.assert_array_equal(decode_image(file, 20, "RGB"), noise.transpose(2, 0, 1))
    luma = noise @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode_image(file, 20, "L")[0] - luma).max() <= 1


@pytest.mark.parametrize("shape", [(20, 30), (30, 20)])
def test_the_central_square_is_kept(tmp_path, shape):
    pixels = np.full((*shape, 3), 255, np.uint8)
    top, left = (shape[0] - 20) // 2, (shape[1] - 20) // 2
    pixels[top : top + 20, left : left + 20] = 7
    file = save(tmp_path / "a.png", pixels)
    assert decode_image(file, 20, "RGB").max() == 7
    assert decode_image(file, 5, "RGB").max() == 7  # the filter does not reach over the edge of the square


def test_shrinking_averages(tmp_path):
    board = np.indices((32, 32)).sum(0) % 2 * 255
    small = decode_image(save(tmp_path / "a.png", board.astype(np.uint8)), 8, "L")
    assert np.abs(small[:, 1:-1, 1:-1].astype(int) - 127).max() <= 2


@pytest.mark.parametrize(("top", "expected"), [(0, 0), (65535, 255), (32896, 128), (1000, 4)])
def test_sixteen_bit_greys_are_scaled_not_cut(tmp_path, top, expected):
    file = save(tmp_path / "deep.png", np.full((4, 4), top, np.uint16))
    assert set(decode_image(file, 4, "L").flat) == {expected}
    assert colour_mode([file]) == "L"


def test_transparency_lies_over_white(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255  # the upper half opaque black
    image = decode_image(save(tmp_path / "a.png", pixels), 4, "RGB")
    assert image[:, :2].max() == 0
    assert image[:, 2:].min() == 255
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30])
    palette.save(tmp_path / "p.png", transparency=0)
    assert decode_image(tmp_path / "p.png", 4, "RGB").min() == 255


def test_photographs_are_turned_upright(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: the upper row is the right side
    file = tmp_path / "phone.jpg"
    Image.fromarray(pixels).save(file, exif=exif, quality=100)
    upright = decode_image(file, 8, "L")[0]
    assert upright[:, 4:].min() > 190
    assert upright[:, :4].max() < 10


def test_large_photographs_stay_faithful(tmp_path):
    ramp = np.linspace(0, 255, 640)[None, :, None] * np.ones((480, 1, 3))
    file = tmp_path / "a.jpg"
    Image.fromarray(ramp.astype(np.uint8)).save(file, quality=95)
    small = decode_image(file, 16, "RGB").astype(float)
    expected = ramp[0, 80:560, 0].reshape(16, 30).mean(1)
    assert np.abs(small[0] - expected).max() < 3


@pytest.mark.parametrize(("mode", "found"), [("L", "L"), ("1", "L"), ("LA", "L"), ("P", "RGB"), ("RGBA", "RGB")])
def test_colour_mode_by_file(tmp_path, mode, found):
    Image.new(mode, (3, 3)).save(tmp_path / "a.png")
    assert colour_mode([tmp_path / "a.png"]) == found
    Image.new("L", (3, 3)).save(tmp_path / "b.png")
    assert colour_mode([tmp_path / "b.png", tmp_path / "a.png"]) == found
    assert decode_image(tmp_path / "a.png", 2, "L").shape == (1, 2, 2)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_damaged_files_are_named(tmp_path, noise, suffix, damage):
    file = save(tmp_path / f"bad{suffix}", noise)
    data = file.read_bytes()
    file.write_bytes({"cut": data[: len(data) // 2], "text": b"no image at all", "empty": b""}[damage])
    with pytest.raises(InputError, match=f"bad{suffix}"):
        decode_image(file, 8, "RGB")


def test_missing_files_and_float_pixels_are_named(tmp_path):
    for call in (lambda f: decode_image(f, 8, "L"), lambda f: colour_mode([f])):
        with pytest.raises(InputError, match=r"lost\.png"):
            call(tmp_path / "lost.png")
    with pytest.raises(InputError, match="float"):
        decode_image(save(tmp_path / "a.tif", np.zeros((4, 4), np.float32)), 4, "L")


@pytest.mark.parametrize("threads", [1, 3])
def test_a_set_read_at_once_equals_its_items(tmp_path, make_images, threads):
    found = list_folder(make_images(tmp_path, {"a": 7, "b": 5}))
    files = ImageFiles(found.paths, found.labels, size=6, threads=threads)
    whole = files.read()
    assert whole.shape == (12, 3, 6, 6)
    assert whole.dtype == torch.float32
    assert len(files) == 12
    for i in range(12):
        image, label = files[i]
        assert torch.equal(image, whole[i])
        assert int(label) == found.labels[i]
        np.testing.assert_array_equal((image * 255).round().numpy(), decode_image(found.paths[i], 6, "RGB"))
    assert torch.equal(files.read([3, 1]), whole[[3, 1]])


def test_sets_work_with_loaders(tmp_path, make_images):
    found = list_folder(make_images(tmp_path, {"a": 7, "b": 5}, mode="L"))
    files = ImageFiles.of(found, size=6)
    batches = list(DataLoader(files, batch_size=5))
    assert torch.equal(torch.cat([x for x, _ in batches]), files.read())
    assert torch.equal(torch.cat([y for _, y in batches]), files.labels)
    unlabelled = ImageFiles(found.paths, size=6)
    assert torch.equal(torch.cat(list(DataLoader(unlabelled, batch_size=5))), files.read())
    assert unlabelled[0].shape == (1, 6, 6)


def test_subsets_keep_order_and_labels(tmp_path, make_images):
    files = ImageFiles.of(list_folder(make_images(tmp_path, {"a": 4, "b": 4})), size=6)
    part = files.subset(torch.tensor([6, 0]))
    assert torch.equal(part.read(), files.read()[[6, 0]])
    assert part.labels.tolist() == [1, 0]
    assert ImageFiles(files.paths, size=6).subset([2]).labels is None


def test_progress_and_first_error(tmp_path, make_images):
    found = list_folder(make_images(tmp_path, {"a": 30}))
    calls = []
    files = ImageFiles(found.paths, size=6, threads=2)
    files.read(progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i, 30) for i in range(1, 31)]
    found.paths[4].write_bytes(b"")
    with pytest.raises(InputError, match="004"):
        files.read()


def test_bad_settings(tmp_path, make_images):
    paths = list_folder(make_images(tmp_path, {"a": 2})).paths
    for make in (
        lambda: ImageFiles([]),
        lambda: ImageFiles(paths, [1]),
        lambda: ImageFiles(paths, size=0),
        lambda: ImageFiles(paths, mode="CMYK"),
        lambda: ImageFiles(paths, threads=0),
    ):
        with pytest.raises(InputError):
            make()


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n0 0 32 32 rectfill\nshowpage\n%%EOF\n"


def test_an_image_that_is_postscript_starts_no_program(tmp_path, monkeypatch):
    """Whatever it is called: the image library hands it to Ghostscript, which is a programming language."""
    from PIL import EpsImagePlugin

    def started(*args, **kwargs):
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    for name in ("a.png", "a.jpg", "a.gif", "a.tif"):
        (tmp_path / name).write_bytes(POSTSCRIPT)
        for read in (lambda p: decode_image(p, 8, "RGB"), lambda p: colour_mode([p]), lambda p: ImageFiles([p]).read()):
            with pytest.raises(InputError, match="must be a readable image"):
                read(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_called_an_image_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    for read in (
        lambda p: decode_image(p, 8, "RGB"),
        lambda p: colour_mode([p]),
        lambda p: ImageFiles([p], mode="L").read(),
    ):
        with pytest.raises(InputError, match=r"x\.png: must be a file; received a pipe"):
            read(tmp_path / "x.png")


@pytest.mark.parametrize("count", [1, 40])
def test_a_large_photo_is_read_without_a_remark(tmp_path, monkeypatch, recwarn, count):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # a warning from here on, an error at twice as many
    Image.new("L", (40, 30), 9).save(tmp_path / "x.png")
    files = ImageFiles([tmp_path / "x.png"] * count, size=8, threads=4)
    assert files.read().shape == (count, 1, 8, 8)
    assert files[0].shape == (1, 8, 8)
    assert not recwarn.list
