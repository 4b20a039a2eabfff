"""Fitted scikit-learn models on disk through skops: no pickle, and only types on an explicit list are made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from holdfast.errors import InputError, MissingExtra
from holdfast.files import replacing
from holdfast.unpacking import check_archive


def save_sklearn(model: Any, path: str | Path, trusted: Iterable[str] | None = None) -> None:
    """Write a scikit-learn model to a skops file, whole or not at all.

    Args:
        model: fitted or not.
        path: the file.
        trusted: types that reading it will allow; None = not known here.

    Raises:
        MissingExtra: skops is not installed.
        InputError: the model holds something that skops cannot write, or types that could not be read again.
    """
    io = _skops()
    with replacing(Path(path)) as temporary:
        try:
            io.dump(model, temporary)
        except (TypeError, ValueError, AttributeError, NotImplementedError) as e:
            raise InputError("model", f"must be writable by skops ({e})", type(model).__name__) from e
        unknown = [] if trusted is None else sorted(set(io.get_untrusted_types(file=temporary)) - set(trusted))
        if unknown:
            rule = f"{type(model).__name__} must be made of trusted types only to be saved, or nobody could load it"
            raise InputError("model", rule, ", ".join(unknown))


def load_sklearn(path: str | Path, trusted: Iterable[str] = ()) -> Any:
    """Read a scikit-learn model written by `save_sklearn`.

    Args:
        path: the skops file.
        trusted: full names of types that the file may contain besides those of numpy, scipy and scikit-learn that
            skops trusts; naming a type means that its code may run.

    Raises:
        MissingExtra: skops is not installed.
        InputError: the file is missing, damaged or holds a type that is not trusted (all of them are listed).
    """
    io, path, trusted = _skops(), Path(path), list(trusted)
    if not path.is_file():
        raise InputError(str(path), "must be a file written by save_sklearn", "no such file")
    check_archive(path, "must be a readable skops file")
    try:
        unknown = sorted(set(io.get_untrusted_types(file=path)) - set(trusted))
    except Exception as e:  # a damaged archive fails in many ways inside skops, zipfile and json
        raise InputError(str(path), "must be a readable skops file", f"{type(e).__name__}: {e}") from e
    if unknown:
        raise InputError(str(path), "must hold trusted types only; name them in trusted= if they are yours", unknown)
    try:
        return io.load(path, trusted=trusted)
    except Exception as e:  # types that are trusted, put together as nobody ever would
        raise InputError(str(path), "must be a readable skops file", f"{type(e).__name__}: {e}") from e


def check_available() -> None:
    """Raise MissingExtra where skops is not installed: before a model is fitted that is to be saved."""
    _skops()


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as e:
        raise MissingExtra("skops", "sklearn") from e
    return skops.io


__all__ = ["check_available", "load_sklearn", "save_sklearn"]
