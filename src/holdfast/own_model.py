"""A model of the user's own: the function of theirs that makes it, from a module or a file, and what it makes.

The user's code runs with the user's rights: a reference is followed only where the user has named it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from holdfast.errors import HoldfastError, InputError

if TYPE_CHECKING:
    from torch import nn


def own_function(reference: str, folder: str | Path = "", argument: str = "builder") -> Callable[..., Any]:
    """The function that "module:function" or "file.py:function" names.

    Args:
        reference: the function may lie deeper: "module:Class.method".
        folder: where modules are looked for first, and what a file's path is relative to; "" = only where Python
            looks, and the working folder.
        argument: what the user calls it; errors start with it.

    Raises:
        InputError: it names none, or the module fails while it is imported.

    Example:
        >>> own_function("math:sqrt")(9)
        3.0
    """
    where, colon, attribute = reference.rpartition(":")
    if not colon or not where or not attribute:
        raise InputError(argument, "must be module:function or file.py:function", reference)
    try:
        found: Any = _of_file(Path(folder) / where) if where.endswith(".py") else _of_module(where, str(folder))
    except FileNotFoundError as error:
        raise InputError(argument, "must name a file that is there", reference) from error
    except (Exception, SystemExit) as error:  # whatever the user's module does while it is imported
        rule = f"must name a module that can be imported ({type(error).__name__}: {error})"
        raise InputError(argument, rule, reference) from error
    try:
        for name in attribute.split("."):
            found = getattr(found, name)
    except AttributeError as error:
        raise InputError(argument, f"must name a function of {where}", reference) from error
    if not callable(found):
        raise InputError(argument, "must name a function", f"{reference}, which is {type(found).__name__}")
    return found


def _of_file(path: Path) -> ModuleType:
    """The module in a file, imported once; its neighbours can be imported by it."""
    path = path.resolve()
    name = f"{path.stem}_{zlib.crc32(str(path).encode()):08x}"  # a file called random.py must not become `random`
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise FileNotFoundError(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    _look_in(str(path.parent))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_module(name: str, folder: str) -> ModuleType:
    """The module of this name, first looked for in the folder."""
    if not folder:
        return importlib.import_module(name)
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)
        _look_in(folder)


def _look_in(folder: str) -> None:
    """Find neighbours of the user's modules, also in processes started later, and after everything else: a file of the
    user's called random.py or types.py must not stand in for Python's own."""
    if folder not in sys.path:
        sys.path.append(folder)


def called(function: Callable[..., Any], *arguments: Any, argument: str = "builder") -> Any:
    """What a function of the user's gives; where it fails, one line says which function, where and why.

    Raises:
        InputError: the function raised something; that is its cause.
    """
    try:
        return function(*arguments)
    except (HoldfastError, MemoryError):
        raise
    except Exception as error:
        name = getattr(function, "__qualname__", type(function).__qualname__).rpartition("<locals>.")[2]
        given = ", ".join(map(repr, arguments))
        failed = " ".join(f"{type(error).__name__}: {error}".split())  # torch's messages have many lines
        raise InputError(argument, "must not fail", f"{name}({given}), which raised {failed}{_place(error)}") from error


def _place(error: Exception) -> str:
    """Where in the user's code it happened: the last line that is in no installed package."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without the call itself
    own = [f for f in frames if "site-packages" not in f.filename and Path(f.filename).is_file()]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def built(build: Callable[..., nn.Module], *arguments: Any, argument: str = "build") -> nn.Module:
    """The model that a function of the user's makes.

    Args:
        build: the function, or a subclass of torch.nn.Module; arguments: what it is called with, such as a width.
        argument: what the user calls the function.

    Raises:
        InputError: it fails, or what it gives is no torch.nn.Module.
    """
    from torch import nn

    model = called(build, *arguments, argument=argument)
    if not isinstance(model, nn.Module):
        raise InputError(argument, "must return a torch.nn.Module", type(model).__name__)
    return model


def without_arguments(function: Callable[..., Any], reference: str, argument: str) -> Callable[[], Any]:
    """The function, if it can be called without arguments.

    Raises:
        InputError: it cannot.
    """
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise InputError(argument, f"must be a function without arguments ({error})", reference) from error
    except ValueError:  # nothing is known of what it takes, as of some functions written in C
        return function
    return function


__all__ = ["built", "called", "own_function", "without_arguments"]
