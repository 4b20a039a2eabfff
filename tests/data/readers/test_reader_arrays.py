import numpy as np
import pytest

from holdfast.data.readers.arrays import read_named, read_npy, read_npz
from holdfast.data.readers.features import read_arrays
from holdfast.data.readers.names import suggest
from holdfast.errors import InputError

X, Y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 1, 0])


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("arrays", "ask", "has_labels"),
    [
        ({"x": X, "y": Y}, {}, True),
        ({"y": Y, "x": X}, {}, True),
        ({"images": X, "digits": Y}, {}, True),
        ({"y": Y, "images": X}, {}, True),
        ({"noise": Y, "images": X, "digits": Y}, {"x": "images", "y": "digits"}, True),
        ({"digits": Y, "images": X}, {"y": "digits"}, True),
        ({"x": X}, {}, False),
        ({"first": X}, {}, False),
    ],
)
def test_npz_arrays_are_found_by_name_or_place(tmp_path, arrays, ask, has_labels):
    x, y = read_arrays(npz(tmp_path, **arrays), **ask)
    np.testing.assert_array_equal(x, X)
    if has_labels:
        np.testing.assert_array_equal(y, Y)
        assert y.dtype == np.int64
    else:
        assert y is None


def test_types_are_kept_and_whole_floats_are_labels(tmp_path):
    x, y = read_npz(npz(tmp_path, x=X.astype(np.float16), y=Y.astype(np.float32)))
    assert x.dtype == np.float16
    assert y.dtype == np.int64
    assert read_npz(npz(tmp_path, x=X > 2))[0].dtype == np.uint8


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", X)
    x, y = read_arrays(tmp_path / "a.npy")
    np.testing.assert_array_equal(x, X)
    assert y is None
    with pytest.raises(InputError, match="without a name"):
        read_arrays(tmp_path / "a.npy", y="y")


def objects(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("arrays", "ask", "words"),
    [
        ({"x": np.where(X == 5, np.nan, X), "y": Y}, {}, r"array 'x'.*1 NaN.*\(1, 2\)"),
        ({"x": X, "y": Y + 0.5}, {}, "labels.*whole numbers"),
        ({"x": X, "y": np.array(["a", "b", "a", "b"])}, {}, "labels"),
        ({"x": X, "y": Y[:3]}, {}, "as many rows"),
        ({"x": X, "y": Y[:, None]}, {}, "shape"),
        ({"x": X[:0], "y": Y[:0]}, {}, "empty"),
        ({"x": np.float64(3)}, {}, "axis"),
        ({"x": X + 1j}, {}, "numbers"),
        ({"x": objects([1, 2], [3])}, {}, "Python objects"),
        ({"x": X, "y": objects("a", 1, None, 2)}, {}, "Python objects"),
        ({"images": X}, {"x": "image"}, "did you mean 'images'"),
        ({"x": X}, {"y": "labels"}, "array 'labels'"),
        ({"x": X}, {"x": ["x"]}, "one array"),
        ({}, {}, "at least one array"),
    ],
)
def test_bad_npz_contents_name_the_file(tmp_path, arrays, ask, words):
    file = npz(tmp_path, **arrays)
    with pytest.raises(InputError, match=words) as caught:
        read_arrays(file, **ask)
    assert "a.npz" in str(caught.value) or caught.value.argument == "x"


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken", b"\x93NUMPY broken", b"\x80\x04."])
def test_damaged_files(tmp_path, suffix, content):
    file = tmp_path / f"a{suffix}"
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"a{suffix}"):
        read_arrays(file)


def test_truncated_files(tmp_path):
    np.save(tmp_path / "a.npy", X)
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-8])
    with pytest.raises(InputError, match=r"a\.npy"):
        read_npy(tmp_path / "a.npy")
    file = npz(tmp_path, x=X, y=Y)
    data = bytearray(file.read_bytes())
    data[130] ^= 255  # inside the first array: the checksum no longer fits
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.npz"):
        read_npz(file)


def test_pickles_are_never_run(tmp_path):
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    np.save(tmp_path / "evil.npy", objects(Evil()), allow_pickle=True)
    with pytest.raises(InputError, match="Python objects"):
        read_arrays(tmp_path / "evil.npy")
    assert not ran.exists()


def test_swapped_suffixes_missing_files_and_unknown_suffixes(tmp_path):
    file = npz(tmp_path, x=X)
    file.rename(tmp_path / "b.npy")
    with pytest.raises(InputError, match="archive"):
        read_arrays(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", X)
    (tmp_path / "c.npy").rename(tmp_path / "c.npz")
    with pytest.raises(InputError, match="single npy"):
        read_arrays(tmp_path / "c.npz")
    with pytest.raises(InputError, match="nothing there"):
        read_arrays(tmp_path / "lost.npz")
    with pytest.raises(InputError, match="folder"):
        read_npy(tmp_path)
    with pytest.raises(InputError, match="must end in"):
        read_arrays(tmp_path / "a.dat")


def test_suggestions():
    assert suggest("Lable", ["age", "label"]) == " (did you mean 'label'?)"
    assert suggest("LABEL", ["Label"]) == " (did you mean 'Label'?)"
    assert suggest("zzz", ["label"]) == ""
    assert suggest("x", []) == ""


def test_arrays_by_name(tmp_path):
    file = npz(tmp_path, a=X, b=np.zeros((2, 2, 2)), c=Y)
    found = read_named(file, ["b", "a"])
    assert list(found) == ["b", "a"]
    assert np.array_equal(found["a"], X)
    with pytest.raises(InputError, match="'d'"):
        read_named(file, ["a", "d"])
    with pytest.raises(InputError, match="finite"):
        read_named(npz(tmp_path, a=np.array([np.nan])), ["a"])
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(InputError, match="npz archive"):
        read_named(tmp_path / "x.npy", ["a"])
