"""Checks of shapes and values with uniform messages. Every failure is an `InputError` naming argument, rule and value.

Arrays may be numpy arrays, torch tensors, or anything `numpy.asarray` understands (lists, pandas objects). Tensors stay
tensors on their device, everything else becomes a numpy array. Importing this module does not import torch.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from holdfast.errors import InputError

if TYPE_CHECKING:
    import torch

    Array = np.ndarray | torch.Tensor

T = TypeVar("T")
KINDS = {"real": "iuf", "floating": "f", "integer": "iu", "bool": "b"}  # these keep the dtype; others are converted to


def is_tensor(x: Any) -> bool:
    """Whether x is a torch tensor, without importing torch (if nobody imported it, x cannot be one)."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


# ------------------------------------------------------------------------------------------------------------- arrays
def check_array(
    x: Any,
    shape: str,
    *,
    name: str,
    dtype: str = "real",
    finite: bool = True,
    low: float | None = None,
    high: float | None = None,
    empty: bool = False,
    sizes: dict[str, int] | None = None,
) -> Any:
    """The array x, once it is known to have the shape, type and values it should.

    Args:
        x: torch tensor, numpy array or anything numpy can make an array of.
        shape: one token per axis: a name binds the axis' size ("N C H W"), a number fixes it ("N 1 H W"), `_` takes
            any size; a leading `...` takes any number of axes. The same name twice means the same size.
        name: what the user calls it; messages start with it.
        dtype: "real", "floating", "integer" or "bool" keep the type and refuse others; "float32", "float64", "int64",
            "uint8" convert numbers where no value is damaged (whole numbers for integers, no overflow).
        finite: refuse NaN and infinite values, saying how many there are and where the first one is.
        low, high: smallest and largest allowed value, inclusive.
        empty: whether an axis of size 0 is allowed.
        sizes: sizes bound so far. Axes named there must match, the others are added: pass one dict through the checks
            of several arrays and they must agree.

    Returns:
        x as a tensor (if it was one) or numpy array; never a copy if nothing needed converting.

    Raises:
        InputError: naming the argument, the rule and what was received.

    Example:
        >>> from holdfast.validation import check_array
        >>> sizes = {}
        >>> x = check_array([[1, 2], [3, 4]], "N C", name="X", dtype="float32", sizes=sizes)
        >>> x.dtype.name, sizes
        ('float32', {'N': 2, 'C': 2})
        >>> check_array([[1.0, float("nan")]], "N C", name="X")
        Traceback (most recent call last):
        holdfast.errors.InputError: X: must be finite; received 1 NaN, 0 infinite of 2 values, first at index (0, 1)
    """
    array = as_array(x, name)
    _check_shape(array, shape, name, {} if sizes is None else sizes)
    if not empty and 0 in array.shape:
        raise InputError(name, "must not be empty", f"shape {tuple(array.shape)}")
    kind = _kind(array)
    wanted = KINDS.get(dtype, "iuf")
    if kind not in wanted:
        raise InputError(name, f"must hold {_words(dtype)}", f"dtype {_dtype_name(array)}")
    if finite and kind == "f":
        _check_finite(array, name)
    if 0 not in array.shape:
        _check_range(array, name, low, high)
    return array if dtype in KINDS else _convert(array, dtype, name)


def as_array(x: Any, name: str) -> Any:
    """x as it is if it is a tensor, else as a numpy array; ragged, masked and sparse input is refused."""
    if is_tensor(x):
        if str(x.layout) != "torch.strided":
            raise InputError(name, "must be dense", f"a tensor of layout {x.layout}")
        return x
    if np.ma.is_masked(x):
        raise InputError(name, "must have no masked values", f"{np.ma.count_masked(x)} masked")
    try:
        array = np.asarray(x)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    except (ValueError, TypeError) as e:  # ragged lists; objects that refuse to be arrays
        raise InputError(name, "must be a rectangular array", f"{type(x).__name__} ({e})") from None


def _check_shape(array: Any, pattern: str, name: str, sizes: dict[str, int]) -> None:
    tokens, shape = pattern.split(), tuple(array.shape)
    axes = shape
    if tokens and tokens[0] == "...":
        tokens, axes = tokens[1:], shape[max(len(shape) - len(tokens) + 1, 0) :]
    bound = dict(sizes)
    fits = len(axes) == len(tokens)
    for token, size in zip(tokens, axes, strict=False):
        if token.isdigit():
            fits &= int(token) == size
        elif token != "_":
            fits &= bound.setdefault(token, size) == size
    if not fits:
        wanted = ", ".join(f"{t}={sizes[t]}" if t in sizes else t for t in pattern.split())
        raise InputError(name, f"must have shape ({wanted})", f"shape {shape}")
    sizes.update(bound)


def _kind(array: Any) -> str:
    """numpy's one-letter kind: b, i, u, f, c, O, U, ..."""
    if not is_tensor(array):
        return str(array.dtype.kind)
    if array.is_complex():
        return "c"
    if array.is_floating_point():
        return "f"
    return "b" if str(array.dtype) == "torch.bool" else "i"


def _dtype_name(array: Any) -> str:
    return str(array.dtype).removeprefix("torch.")


def _words(dtype: str) -> str:
    return {"floating": "floating-point numbers", "integer": "whole numbers", "bool": "booleans"}.get(dtype, "numbers")


def _check_finite(array: Any, name: str, note: str = "") -> None:
    if is_tensor(array):
        import torch

        if bool(torch.isfinite(array).all()):
            return
        array = array.detach().float().cpu().numpy() if array.dtype.itemsize < 8 else array.detach().cpu().numpy()
    wrong = ~np.isfinite(array)
    if not wrong.any():
        return
    nan = int(np.isnan(array).sum())
    first = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), array.shape))
    counts = f"{nan} NaN, {int(wrong.sum()) - nan} infinite of {array.size} values, first at index {first}"
    raise InputError(name, f"must be finite{note}", counts)


def _check_range(array: Any, name: str, low: float | None, high: float | None) -> None:
    if low is None and high is None:
        return
    smallest, largest = array.min().item(), array.max().item()
    if (low is not None and smallest < low) or (high is not None and largest > high):
        rule = f"at least {low}" if high is None else f"at most {high}" if low is None else f"in [{low}, {high}]"
        raise InputError(name, f"must have all values {rule}", f"values from {smallest} to {largest}")


def _convert(array: Any, dtype: str, name: str) -> Any:
    """The array as `dtype`, refusing conversions that would change what the values mean."""
    if _dtype_name(array) == dtype:
        return array
    if is_tensor(array):
        import torch

        target: Any = getattr(torch, dtype)
        with_type = array.to(target)
    else:
        target = np.dtype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            with_type = array.astype(target)
    if dtype.startswith("float"):
        if with_type.dtype.itemsize < array.dtype.itemsize:
            lost = ~_isfinite(with_type) & _isfinite(array)
            if bool(lost.any()):
                raise InputError(name, f"must fit into {dtype}", f"values up to {abs(array).max().item()}")
    elif not bool((with_type == array).all()):
        if _kind(array) == "f" and bool((array != array.round()).any()):
            raise InputError(name, "must hold whole numbers", f"dtype {_dtype_name(array)} with fractions")
        raise InputError(name, f"must fit into {dtype}", f"values from {array.min().item()} to {array.max().item()}")
    return with_type


def _isfinite(array: Any) -> Any:
    if is_tensor(array):
        import torch

        return torch.isfinite(array)
    return np.isfinite(array)


def check_same_length(**arrays: Any) -> int:
    """The common length of the arrays, given by name; None values are passed over.

    Example:
        >>> from holdfast.validation import check_same_length
        >>> check_same_length(X=[1, 2], y=[0, 1])
        2
        >>> check_same_length(X=[1, 2], y=[0])
        Traceback (most recent call last):
        holdfast.errors.InputError: y: must have as many rows as X (2); received 1
    """
    given = []
    for name, array in arrays.items():
        if array is not None:
            try:
                given.append((name, len(array)))
            except TypeError:  # a number, or an array without axes
                raise InputError(name, "must have rows", array) from None
    first, length = given[0]
    for name, n in given[1:]:
        if n != length:
            raise InputError(name, f"must have as many rows as {first} ({length})", n)
    return length


# ------------------------------------------------------------------------------------------------------------- labels
def check_present(values: Any, name: str) -> Any:
    """Labels, ids or groups as an array, each of them there: no NaN, None, NaT or NA, which would equal each other.

    Raises:
        InputError: some are missing; says how many and in which row the first.

    Example:
        >>> from holdfast.validation import check_present
        >>> check_present([0, 1, float("nan")], "labels")
        Traceback (most recent call last):
        holdfast.errors.InputError: labels: must have a value in every row; received 1 missing of 3, the first in row 2
    """
    array = as_array(values, name)
    kind = _kind(array)
    if kind in "fcmM":  # what is not a number, or not a time, differs from itself
        different = array != array
        missing = different.cpu().numpy() if is_tensor(array) else different
    elif kind in "OT":
        missing = np.asarray(np.frompyfunc(_is_missing, 1, 1)(array), bool)
    else:
        return array
    if missing.any():
        first = np.unravel_index(int(missing.argmax()), missing.shape)[0] if missing.ndim else 0
        received = f"{int(missing.sum())} missing of {missing.size}, the first in row {int(first)}"
        raise InputError(name, "must have a value in every row", received)
    return array


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    different = value != value
    return bool(different) if isinstance(different, bool | np.bool_) else type(value).__name__ == "NAType"


def check_labels(y: Any, num_classes: int, name: str = "y") -> Any:
    """Class indices of shape (N,) as int64, all in [0, num_classes).

    Example:
        >>> from holdfast.validation import check_labels
        >>> check_labels([0, 2, 1], 3).tolist()
        [0, 2, 1]
    """
    y = check_array(check_present(y, name), "N", name=name, dtype="int64")
    outside = (y < 0) | (y >= num_classes)
    if bool(outside.any()):
        first = int(np.asarray(outside.cpu() if is_tensor(outside) else outside).argmax())
        received = f"{int(y[first])} at index {first} ({int(outside.sum())} of {len(y)} labels are outside)"
        raise InputError(name, f"must lie in [0, {num_classes})", received)
    return y


# ------------------------------------------------------------------------------------------------------------- numbers
def check_integer(value: Any, name: str, *, low: int | None = None, high: int | None = None) -> int:
    """A whole number within [low, high]; booleans are refused.

    Example:
        >>> from holdfast.validation import check_integer
        >>> check_integer(3, "folds", low=2)
        3
    """
    rule = f"must be a whole number{_bounds(low, high)}"
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    number = int(value) if whole else 0
    if not whole or (low is not None and number < low) or (high is not None and number > high):
        raise InputError(name, rule, value)
    return number


def check_number(value: Any, name: str, *, low: float | None = None, high: float | None = None) -> float:
    """A finite number within [low, high]; booleans are refused."""
    rule = f"must be a finite number{_bounds(low, high)}"
    if not _is_number(value) or (low is not None and value < low) or (high is not None and value > high):
        raise InputError(name, rule, value)
    return float(value)


def _is_number(value: Any) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" in [{low}, {high}]"
    return f" of at least {low}" if low is not None else f" of at most {high}" if high is not None else ""


def check_positive(value: Any, name: str) -> float:
    """A finite number above 0.

    Example:
        >>> from holdfast.validation import check_positive
        >>> check_positive(0, "lr")
        Traceback (most recent call last):
        holdfast.errors.InputError: lr: must be a finite number above 0; received 0
    """
    if not _is_number(value) or value <= 0:
        raise InputError(name, "must be a finite number above 0", value)
    return float(value)


def check_fraction(value: Any, name: str, *, zero: bool = True, one: bool = True) -> float:
    """A number between 0 and 1; `zero` and `one` say whether the ends are allowed.

    Example:
        >>> from holdfast.validation import check_fraction
        >>> check_fraction(0.999, "decay", one=False)
        0.999
    """
    inside = _is_number(value) and 0 <= value <= 1
    if not inside or (value == 0 and not zero) or (value == 1 and not one):
        raise InputError(name, f"must be a number in {'[' if zero else '('}0, 1{']' if one else ')'}", value)
    return float(value)


def check_choice(value: T, choices: Collection[T] | Sequence[T], name: str) -> T:
    """One of the choices.

    Example:
        >>> from holdfast.validation import check_choice
        >>> check_choice("medium", ["small", "large"], "backbone")
        Traceback (most recent call last):
        holdfast.errors.InputError: backbone: must be one of 'small', 'large'; received 'medium'
    """
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise InputError(name, f"must be one of {', '.join(map(repr, choices))}", repr(value))
    return value


__all__ = [
    "check_array",
    "check_choice",
    "check_fraction",
    "check_integer",
    "check_labels",
    "check_number",
    "check_positive",
    "check_present",
    "check_same_length",
    "is_tensor",
]
