"""Pickles of plain data read without unpickling: a file is looked at, never obeyed.

A pickle is a program, and the usual unpickler runs it. Here its instructions are listed with `pickletools` and only
those that build numbers, strings, lists, tuples, dicts and arrays of bytes are carried out, by this module itself.
Nothing is imported and no object of a class is made; an instruction to do so is an error that names it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import InputError

LARGEST = 2**30  # bytes
MARK = object()
# What numpy's arrays are pickled with. The names stand for what is done here, they are not looked up.
RECONSTRUCT = {"numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"}
EMPTY = {"__builtin__ bytes", "builtins bytes"}  # how protocols 0 to 2 write b""
NAMED = {*RECONSTRUCT, *EMPTY, "numpy ndarray", "numpy dtype", "_codecs encode"}


class _Name(str):
    """A global that the pickle names."""


class _Dtype:
    """The type of an array, as far as it is allowed."""

    def __init__(self, code: Any) -> None:
        if code not in ("u1", b"u1", "uint8", b"uint8"):
            raise InputError("pickle", "must hold arrays of uint8 only", repr(code))


class _Array:
    """An array that still lacks its content."""

    value: np.ndarray | None = None


def read_plain_pickle(path: str | Path) -> Any:
    """The plain data in a pickle: None, booleans, numbers, str, bytes, list, tuple, dict, uint8 arrays.

    Args:
        path: written by any protocol, by Python 2 or 3. Python 2's strings come back as bytes.

    Raises:
        InputError: no such file, too large or damaged, or it holds anything else. Nothing has been run by then.

    Example:
        >>> import pickle, tempfile
        >>> file = Path(tempfile.mkdtemp()) / "labels"
        >>> _ = file.write_bytes(pickle.dumps({"fine_labels": [3, 1], "data": np.zeros((2, 3), np.uint8)}))
        >>> read_plain_pickle(file)["data"].shape
        (2, 3)
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(str(path), "must be a file", "a folder" if file.is_dir() else "nothing there")
    if file.stat().st_size > LARGEST:
        raise InputError(str(path), f"must have at most {LARGEST} bytes", file.stat().st_size)
    try:
        return _Reader().run(file.read_bytes())
    except InputError as error:
        raise InputError(f"{path}: {error.argument}", error.rule, error.received) from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(str(path), "must be a pickle of plain data", f"{type(error).__name__}: {error}") from None


class _Reader:
    """A stack machine for the allowed instructions."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        for code, argument, _ in pickletools.genops(content):
            if code.name == "STOP":
                (value,) = self.stack
                return _finished(value, {})
            if code.name in PLAIN:
                self.stack.append(argument)
            elif code.name in ACTIONS:
                ACTIONS[code.name](self, argument)
            elif code.name not in ("PROTO", "FRAME"):
                raise InputError("pickle", "must hold plain data only", f"the instruction {code.name}")
        raise ValueError("it ends too early")

    def since_mark(self) -> list[Any]:
        """What was pushed after the last mark; both leave the stack."""
        place = max(i for i, value in enumerate(self.stack) if value is MARK)
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise IndexError("its stack is empty")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def remember(self, place: Any) -> None:
        self.memo[len(self.memo) if place is None else int(place)] = self.stack[-1]

    def name(self, text: str) -> None:
        if text not in NAMED:
            raise InputError("pickle", "must hold plain data only", f"the name {text}")
        self.stack.append(_Name(text))

    def reduce(self, _: Any) -> None:
        function, arguments = self.pop(2)
        if not isinstance(function, _Name):
            raise TypeError("it calls what is no name")
        if function in RECONSTRUCT:
            self.stack.append(_Array())
        elif function == "numpy dtype":
            self.stack.append(_Dtype(arguments[0]))
        elif function == "_codecs encode" and arguments[1] in ("latin1", "latin-1"):
            self.stack.append(arguments[0].encode("latin-1"))
        elif function in EMPTY and arguments == ():
            self.stack.append(b"")
        else:
            raise InputError("pickle", "must hold plain data only", f"a call of {function}")

    def build(self, _: Any) -> None:
        target, state = self.pop(2)
        if isinstance(target, _Array):
            _, shape, kind, fortran, content = state
            whole = all(type(n) is int and n >= 0 for n in shape)
            if not isinstance(kind, _Dtype) or not isinstance(content, bytes) or not whole:
                raise TypeError("it holds an array of another kind")
            flat = np.frombuffer(content, np.uint8)  # a view of what is there: no size is believed
            target.value = flat.reshape(tuple(shape), order="F" if fortran else "C")
        elif not isinstance(target, _Dtype):
            raise InputError("pickle", "must hold plain data only", "an object with a state")
        self.stack.append(target)

    def extend(self, count: int | None) -> None:
        values = self.since_mark() if count is None else self.pop(count)
        if type(self.stack[-1]) is not list:
            raise TypeError("it appends to what is no list")
        self.stack[-1].extend(values)

    def put(self, count: int | None) -> None:
        values = self.since_mark() if count is None else self.pop(count)
        if type(self.stack[-1]) is not dict:
            raise TypeError("it sets an item of what is no dict")
        self.stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def tuple_of(self, count: int | None) -> None:
        self.stack.append(tuple(self.since_mark() if count is None else self.pop(count)))


def _finished(value: Any, done: dict[int, Any]) -> Any:
    """With arrays in the place of what they were collected in; nothing else may be left of the machine's own.

    What occurs in several places is finished once: a small file can name one list exponentially often.
    """
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _Name | _Dtype) or value is MARK:
        raise InputError("pickle", "must hold plain data only", f"a bare {value if isinstance(value, str) else 'type'}")
    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("an array has no content")
        return value.value
    if type(value) is dict:
        found: Any = {_finished(k, done): _finished(v, done) for k, v in value.items()}
    elif type(value) in (list, tuple):
        found = type(value)(_finished(v, done) for v in value)
    else:
        return value
    done[id(value)] = found
    return found


PLAIN = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}


def _bytes(text: Any) -> bytes:
    """A string of Python 2, which `pickletools` gives as latin-1 text."""
    return text if isinstance(text, bytes) else str(text).encode("latin-1")


ACTIONS: dict[str, Callable[[_Reader, Any], None]] = {
    "STRING": lambda r, a: r.stack.append(_bytes(a)),
    "BINSTRING": lambda r, a: r.stack.append(_bytes(a)),
    "SHORT_BINSTRING": lambda r, a: r.stack.append(_bytes(a)),
    "NONE": lambda r, a: r.stack.append(None),
    "NEWTRUE": lambda r, a: r.stack.append(True),
    "NEWFALSE": lambda r, a: r.stack.append(False),
    "EMPTY_LIST": lambda r, a: r.stack.append([]),
    "EMPTY_DICT": lambda r, a: r.stack.append({}),
    "EMPTY_TUPLE": lambda r, a: r.stack.append(()),
    "MARK": lambda r, a: r.stack.append(MARK),
    "LIST": lambda r, a: r.stack.append(r.since_mark()),
    "DICT": lambda r, a: r.stack.append(_dict(r.since_mark())),
    "TUPLE": lambda r, a: r.tuple_of(None),
    "TUPLE1": lambda r, a: r.tuple_of(1),
    "TUPLE2": lambda r, a: r.tuple_of(2),
    "TUPLE3": lambda r, a: r.tuple_of(3),
    "APPEND": lambda r, a: r.extend(1),
    "APPENDS": lambda r, a: r.extend(None),
    "SETITEM": lambda r, a: r.put(2),
    "SETITEMS": lambda r, a: r.put(None),
    "PUT": lambda r, a: r.remember(a),
    "BINPUT": lambda r, a: r.remember(a),
    "LONG_BINPUT": lambda r, a: r.remember(a),
    "MEMOIZE": lambda r, a: r.remember(None),
    "GET": lambda r, a: r.stack.append(r.memo[int(a)]),
    "BINGET": lambda r, a: r.stack.append(r.memo[a]),
    "LONG_BINGET": lambda r, a: r.stack.append(r.memo[a]),
    "GLOBAL": lambda r, a: r.name(a),
    "STACK_GLOBAL": lambda r, a: r.name(" ".join(map(str, r.pop(2)))),
    "REDUCE": _Reader.reduce,
    "BUILD": _Reader.build,
}


def _dict(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


__all__ = ["read_plain_pickle"]
