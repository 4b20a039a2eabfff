"""Pickles are read as data: what the usual unpickler gives for plain data, and nothing else, ever."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data.readers.plainpickle import read_plain_pickle
from holdfast.errors import InputError

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=plain, protocol=st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_plain_data_comes_back_whatever_the_protocol(tmp_path_factory, value, protocol):
    file = tmp_path_factory.mktemp("p") / "x"
    file.write_bytes(pickle.dumps(value, protocol))
    assert repr(read_plain_pickle(file)) == repr(value)


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_bytes_come_back(tmp_path, protocol, order):
    array = np.asarray(np.arange(24, dtype=np.uint8).reshape(4, 6), order=order)
    (tmp_path / "x").write_bytes(pickle.dumps({"data": array, "again": array}, protocol))
    found = read_plain_pickle(tmp_path / "x")
    assert np.array_equal(found["data"], array)
    assert found["data"].dtype == np.uint8
    assert np.array_equal(found["again"], array)


def test_the_form_in_which_cifar_was_written(tmp_path):
    """By Python 2, protocol 2: strings of bytes, numpy under its old name."""
    data = (
        b"\x80\x02}q\x01(U\x0bfine_labelsq\x02]q\x03(K\x13K\x1deU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\n"
        b"q\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01"
        b"\x87Rq\x09(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06\x01\x02\x03\x04\x05\xfftbu."
    )
    (tmp_path / "train").write_bytes(data)
    found = read_plain_pickle(tmp_path / "train")
    assert found[b"fine_labels"] == [19, 29]
    assert found[b"data"].tolist() == [[1, 2, 3], [4, 5, 255]]
    theirs = pickle.loads(data, encoding="bytes")
    assert np.array_equal(theirs[b"data"], found[b"data"])


class Bomb:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_a_bomb_does_not_go_off(tmp_path, protocol):
    trace = tmp_path / "trace"
    for call in ((os.system, (f"touch {trace}",)), (eval, (f"open({str(trace)!r}, 'w')",)), (os.mkdir, (str(trace),))):
        for content in (Bomb(call), {"data": Bomb(call)}, [Bomb(call)]):
            (tmp_path / "x").write_bytes(pickle.dumps(content, protocol))
            with pytest.raises(InputError, match="plain data"):
                read_plain_pickle(tmp_path / "x")
            assert not trace.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3),
        np.array([object()], dtype=object),
        np.float64(1.5),
        {1, 2},
        complex(1, 2),
        bytearray(b"x"),
        len,
        InputError("a", "b"),
        np.dtype("u1"),
        np.ndarray,
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_but_plain_data_is_refused(tmp_path, value):
    for protocol in range(5):
        (tmp_path / "x").write_bytes(pickle.dumps({"data": value}, protocol))
        with pytest.raises(InputError):
            read_plain_pickle(tmp_path / "x")


def test_an_array_is_not_believed_about_its_size(tmp_path):
    content = pickle.dumps(np.zeros((4, 6), np.uint8), 2)
    assert content.count(b"K\x04K\x06\x86") == 1
    (tmp_path / "x").write_bytes(content.replace(b"K\x04K\x06\x86", b"K\xffK\xff\x86"))
    with pytest.raises(InputError, match="plain data"):
        read_plain_pickle(tmp_path / "x")


def test_one_list_named_exponentially_often_is_read_once(tmp_path):
    value = ["x"]
    for _ in range(200):
        value = [value, value]
    (tmp_path / "x").write_bytes(pickle.dumps(value, 4))
    found = read_plain_pickle(tmp_path / "x")
    assert found[0] is found[1]


def test_a_list_that_holds_itself_is_refused(tmp_path):
    value = []
    value.append(value)
    (tmp_path / "x").write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match="RecursionError"):
        read_plain_pickle(tmp_path / "x")


@given(cut=st.integers(0, 300), place=st.integers(0, 300), byte=st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_refused_in_words(tmp_path_factory, cut, place, byte):
    """Or read as other plain data, where the damage makes it that."""
    content = bytearray(pickle.dumps({"fine_labels": [1, 2, 3], "data": np.zeros((2, 5), np.uint8), "n": ["a"] * 9}, 3))
    content = content[: max(0, len(content) - cut)] if cut % 2 else content
    if place < len(content):
        content[place] = byte
    file = tmp_path_factory.mktemp("p") / "x"
    file.write_bytes(bytes(content))
    try:
        found = read_plain_pickle(file)
    except InputError as error:
        found = str(error)
    assert not isinstance(found, str) or str(file) in found


def test_missing_and_large_files_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="nothing there"):
        read_plain_pickle(tmp_path / "no")
    with pytest.raises(InputError, match="a folder"):
        read_plain_pickle(tmp_path)
    (tmp_path / "x").write_bytes(pickle.dumps([1] * 100))
    monkeypatch.setattr("holdfast.data.readers.plainpickle.LARGEST", 50)
    with pytest.raises(InputError, match="at most 50 bytes"):
        read_plain_pickle(tmp_path / "x")
