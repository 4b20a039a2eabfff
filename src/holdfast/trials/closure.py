"""The code a trial depends on: a module and everything of the same package it imports, read statically."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from holdfast.errors import InputError

# What a trial is given, with the streams and stages behind it.
MACHINERY = ("holdfast.experiment.run", "holdfast.trials.streams", "holdfast.trials.stages")
VERSIONED = ("numpy", "scipy", "scikit-learn", "torch")


@functools.cache
def closure_hash(module: str) -> str:
    """SHA-256 (first 16 hex digits) over the sources of the module's static import closure and of `Run`'s.

    The closure holds the module, the `__init__` files above it, and whatever they import from holdfast or from the
    module's own top-level package, inside functions too. Not in it: imports for type checkers, which do not run, and
    other libraries, which enter the store's key by their version.

    Raises:
        InputError: the module has no source file.

    Example:
        >>> closure_hash("holdfast.errors") == closure_hash("holdfast.errors")
        True
    """
    sources = _closure(module) | _machinery()
    total = hashlib.sha256()
    for name in sorted(sources):
        total.update(name.encode() + b"\0" + sources[name].read_bytes() + b"\0")
    return total.hexdigest()[:16]


@functools.cache
def libraries(module: str) -> frozenset[str]:
    """Top-level names of everything that the module's static import closure imports, `Run`'s own left out.

    `Run` mentions libraries that a trial need not use.

    Example:
        >>> "torch" in libraries("holdfast.training"), "torch" in libraries("holdfast.experiment")
        (True, False)
    """
    own = _closure(module).items() - _machinery().items()
    return frozenset(found.partition(".")[0] for name, path in own for found in _names(name, path))


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and the numerical libraries, without importing them."""
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def _machinery() -> dict[str, Path]:
    return {name: path for module in MACHINERY for name, path in _closure(module).items()}


def _closure(module: str) -> dict[str, Path]:
    """Name -> source file."""
    tops = {module.partition(".")[0], "holdfast"}
    todo, whole = [module], dict[str, Path | None]()
    passed: dict[
        str, Path | None
    ] = {}  # packages on the way: importing a module runs them, but none of their functions
    while todo:
        name = todo.pop()
        if name in whole:
            continue
        path = whole[name] = _source(name)
        imported = list(_names(name, path)) if path is not None else []
        for above in _above(name):
            if above not in passed:
                passed[above] = init = _source(above)
                imported.extend(_names(above, init, inner=False) if init is not None else ())
        todo.extend(n for n in imported if n.partition(".")[0] in tops)
    if whole[module] is None:
        raise InputError("module", "must have a source file that can be imported by its name", module)
    return {name: path for name, path in (passed | whole).items() if path is not None}


def _above(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _source(name: str) -> Path | None:
    # Only the top-level package is looked up through the import system: that imports nothing.
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # __main__ of a script or notebook
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        candidates = [] if rest or spec.origin is None else [Path(spec.origin)]
    else:
        inner = [Path(folder, *rest) for folder in spec.submodule_search_locations]
        candidates = [file for path in inner for file in (path / "__init__.py", path.with_name(f"{path.name}.py"))]
    return next((file for file in candidates if file.suffix == ".py" and file.is_file()), None)


@functools.cache
def _names(name: str, path: Path, *, inner: bool = True) -> tuple[str, ...]:
    """Absolute names of the modules that a module imports, or takes something from."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: list[str] = []
    for node in _running(ast.parse(path.read_bytes()).body, inner=inner):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            inside = [f"{base}.{alias.name}" for alias in node.names]
            found.extend(dict.fromkeys(name if _source(name) else base for name in inside))
    return tuple(found)


def _running(nodes: Iterable[ast.AST], *, inner: bool) -> Iterator[ast.AST]:
    """All nodes but those for type checkers and, unless `inner`, those inside functions."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from _running(node.orelse, inner=inner)
        elif inner or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _running(ast.iter_child_nodes(node), inner=inner)
