"""Checks of symbol sequences: whole numbers in 0 .. alphabet - 1, as numpy arrays, torch tensors or lists."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import as_array, check_integer, is_tensor


class SymbolTypeError(InputError, TypeError):
    """Symbols that are no whole numbers: floats (NaN among them), text, objects."""


def check_alphabet(alphabet: Any) -> int:
    """The number of symbols, at least 2 and at most 65,536."""
    return check_integer(alphabet, "alphabet", low=2, high=1 << 16)


def check_symbol(symbol: Any, alphabet: int, index: int) -> int:
    """One symbol of a stream as an int.

    Args:
        symbol: whole number, bool, numpy integer or tensor with one element.
        alphabet: number of symbols.
        index: 0-based position in the stream, for the message.

    Raises:
        SymbolTypeError: not a whole number.
        InputError: outside 0 .. alphabet - 1; names value and index.

    Example:
        >>> check_symbol(3, 2, index=7)
        Traceback (most recent call last):
        holdfast.errors.InputError: symbol: must lie in 0 .. 1 (alphabet 2); received 3 at index 7
    """
    try:
        value = int(symbol) if isinstance(symbol, np.bool_) else operator.index(symbol)
    except TypeError:
        raise SymbolTypeError("symbol", "must be a whole number", f"{symbol!r} at index {index}") from None
    if not 0 <= value < alphabet:
        raise InputError(
            "symbol", f"must lie in 0 .. {alphabet - 1} (alphabet {alphabet})", f"{value} at index {index}"
        )
    return value


def check_symbols(x: Any, alphabet: int, *, axes: int = 2, name: str = "x") -> Any:
    """Sequences of symbols as int64, a tensor if x is one (on its device), else a numpy array.

    Args:
        x: (B, T), or (T,) with `axes=1`; whole numbers or booleans. Empty input of any type is an empty sequence.
        alphabet: number of symbols.
        axes: number of axes.
        name: what the user calls it.

    Raises:
        SymbolTypeError: floats, text, objects.
        InputError: another number of axes; a symbol outside 0 .. alphabet - 1 (names the first one and its index).

    Example:
        >>> check_symbols([[0, 1], [1, 2]], 2)
        Traceback (most recent call last):
        holdfast.errors.InputError: x: must lie in 0 .. 1 (alphabet 2); received 2 at index (1, 1)
    """
    array = as_array(x, name)
    if array.ndim != axes:
        wanted = "(B, T)" if axes == 2 else "(T,)"
        raise InputError(name, f"must have shape {wanted}", f"shape {tuple(array.shape)}")
    if is_tensor(array):
        import torch

        if (array.is_floating_point() or array.is_complex()) and array.numel():
            raise SymbolTypeError(name, "must hold whole numbers", f"dtype {array.dtype}".replace("torch.", ""))
        symbols = array.to(torch.int64)
    else:
        if array.dtype.kind not in "iub" and array.size:
            raise SymbolTypeError(name, "must hold whole numbers", f"dtype {array.dtype}")
        symbols = array.astype(np.int64, copy=False)
    if 0 not in symbols.shape and (int(symbols.min()) < 0 or int(symbols.max()) >= alphabet):
        _raise_first(symbols, alphabet, name)
    return symbols


def _raise_first(symbols: Any, alphabet: int, name: str) -> None:
    values = symbols.cpu().numpy() if is_tensor(symbols) else symbols
    wrong = (values < 0) | (values >= alphabet)
    index = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), values.shape))
    shown = index[0] if len(index) == 1 else index
    raise InputError(
        name, f"must lie in 0 .. {alphabet - 1} (alphabet {alphabet})", f"{int(values[index])} at index {shown}"
    )


def series_symbols(series: Any) -> tuple[np.ndarray, Any]:
    """Values and index of a series; missing values are refused, symbols are left to `check_symbols`.

    Args:
        series: (T,) pandas Series, array or list.

    Returns:
        (T,) values, int64 where they are whole numbers or booleans; and the pandas index.

    Raises:
        SymbolTypeError: missing values, categories.
        InputError: several axes.

    Example:
        >>> series_symbols([True, False])[0].tolist()
        [1, 0]
    """
    import pandas as pd

    array = None if isinstance(series, pd.Series) else np.asarray(series)
    if array is not None and array.ndim != 1:
        raise InputError("series", "must have one axis", f"shape {array.shape}")
    values = series if array is None else pd.Series(array)
    if values.isna().any():
        first = int(values.isna().to_numpy().argmax())
        raise SymbolTypeError(
            "series", "must have no missing values", f"{int(values.isna().sum())}, first at index {first}"
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        raise SymbolTypeError(
            "series", "must hold whole numbers; number the categories first: series.cat.codes", "text"
        )
    whole = pd.api.types.is_integer_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype) or values.empty
    return values.to_numpy(np.int64 if whole else None), values.index


__all__ = ["SymbolTypeError", "check_alphabet", "check_symbol", "check_symbols", "series_symbols"]
