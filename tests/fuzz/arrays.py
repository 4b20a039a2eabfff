"""Anything at all where an array, a number or labels are expected."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st
from scipy import sparse

from fuzz.hunt import Attempt, Fuzz, Outcome, obey
from fuzz.words import NASTY, SIZES, json_values, scalars
from holdfast import validation
from holdfast.estimator.labels import encode_labels

DTYPES = [
    "float16",
    "float32",
    "float64",
    "longdouble",
    "int8",
    "int16",
    "int64",
    "uint8",
    "uint64",
    "bool",
    "complex64",
    "complex128",
    "U3",
    "S3",
    "O",
    "M8[s]",
    "m8[ns]",
    ">f4",
    ">i2",
    "i4,f8",
    "V4",
]


class Refuses:
    """An object that wants to be no array."""

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("no")

    def __repr__(self) -> str:
        return "Refuses\n\x1b[31m"


class HasShape:
    """Looks like an array, and is none."""

    shape = (3, 2)
    dtype = "float32"

    def __len__(self) -> int:
        return 3


def array(seed: int) -> Any:
    """Some array-like thing; the same for the same seed."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(0, 5, rng.integers(0, 6)))
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-30, 38)
    dtype = DTYPES[rng.integers(len(DTYPES))]
    with np.errstate(all="ignore"):
        try:
            x: Any = np.asarray(values).astype(dtype)
        except (ValueError, TypeError):
            x = np.asarray(values)
    if x.dtype.kind == "f" and x.size and rng.random() < 0.4:
        x.flat[rng.integers(x.size)] = [np.nan, np.inf, -np.inf][rng.integers(3)]
    if x.dtype.kind == "O" and x.size:
        x.flat[0] = [None, "a", {}, [1], Refuses(), 10**40][rng.integers(6)]
    return _dressed(x, int(rng.integers(10)))


def _dressed(x: np.ndarray, how: int) -> Any:
    if how == 0:
        return x.tolist()
    if how == 1 and x.dtype.kind in "fiub" and x.dtype.isnative and x.dtype.itemsize <= 8:
        return torch.from_numpy(np.array(x)) if x.dtype not in (np.uint64,) else x
    if how == 2 and x.ndim == 2:
        return pd.DataFrame(x if x.dtype.names is None and x.dtype.kind != "V" else np.zeros((2, 2)))
    if how == 3 and x.ndim == 1 and x.dtype.names is None and x.dtype.kind != "V":
        return pd.Series(list(x))
    if how == 4 and x.ndim == 2 and x.dtype.kind in "fiu" and x.dtype.isnative and x.dtype.itemsize in (4, 8):
        return sparse.csr_array(np.nan_to_num(x))
    if how == 5:
        return np.ma.masked_array(np.zeros(x.shape), np.ones(x.shape, bool))
    if how == 6 and x.ndim:
        return x[::-1]
    if how == 7:
        return np.asfortranarray(x)
    return x


ODD = (
    [[1.0], [1.0, 2.0]],
    [[], [1]],
    [[[]]],
    {1, 2},
    {"a": [1]},
    range(3),
    (n for n in ()),
    b"bytes",
    object(),
    type,
    len,
    Refuses(),
    [Refuses()],
    HasShape(),
    np.datetime64("NaT"),
    np.matrix([[1, 2]]),
    np.broadcast_to(np.float32(1), (2**20, 2**20)),
    pd.Categorical(["a", "b"]),
    pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    pd.Series([1, None], dtype="Int64"),
    pd.DataFrame(),
    torch.zeros(0),
    torch.zeros(2, 2, dtype=torch.complex64),
    torch.zeros(2, 2, dtype=torch.bfloat16),
    torch.zeros(2, 2).to_sparse(),
    torch.zeros(2, 2, device="meta"),
    torch.zeros(2, 2, requires_grad=True),
    sparse.eye_array(3),
    np.zeros((3, 0)),
    np.zeros(()),
    np.float64("nan"),
    *NASTY[:20],
    *SIZES,
)
things: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 2**32).map(array),
    st.integers(0, 2**32).map(array),
    st.sampled_from(range(len(ODD))).map(lambda i: ODD[i]),
    json_values(),
    scalars,
)
shapes = st.sampled_from(("N", "N C", "N C H W", "... _", "N 3", "2 2", "_ _", "...", "", "N N"))
kinds = st.sampled_from(("real", "floating", "integer", "bool", "float32", "float64", "int64", "uint8"))
bounds = st.one_of(st.none(), st.floats(allow_nan=False), st.integers(-5, 5))


def _checks(drawn: tuple[int, Any, str, str, Any, Any, bool]) -> Callable[[], object]:
    which, x, shape, kind, low, high, flag = drawn
    v = validation
    return (
        lambda: v.check_array(x, shape, name="X", dtype=kind, low=low, high=high, finite=flag, empty=not flag),
        lambda: v.check_labels(x, 3),
        lambda: encode_labels(x, at_least=1),
        lambda: encode_labels(x, classes=np.array([0, 1, 2]) if flag else np.array(["a", "b"])),
        lambda: v.check_integer(x, "n", low=0 if flag else None),
        lambda: v.check_number(x, "x", low=low, high=high),
        lambda: v.check_positive(x, "x"),
        lambda: v.check_fraction(x, "x", zero=flag),
        lambda: v.check_choice(x, ["a", 1, None], "x"),
    )[which % 9]


@contextlib.contextmanager
def _prepare(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    drawn = st.tuples(st.integers(0, 8), things, shapes, kinds, bounds, bounds, st.booleans())

    def attempt(case: Any) -> Outcome:
        return obey(_checks(case))

    yield drawn, attempt


FUZZES = (
    Fuzz(
        "values",
        "Anything where an array, labels or a number belong",
        "every check of `holdfast.validation` and of labels: 21 dtypes, objects, NaN, ragged, masked, sparse, frames,"
        " tensors, huge, text",
        1500,
        _prepare,
    ),
)
