"""The code a trial depends on: a module and everything of the same package it imports, read statically."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from holdfast.errors import InputError

# What a trial is given, with the streams and stages behind it.
MACHINERY = ("holdfast.experiment.run", "holdfast.trials.streams", "holdfast.trials.stages")
DECIDED_LATER = "holdfast.experiment.claims"  # read records, and change none
VERSIONED = ("numpy", "scipy", "scikit-learn", "torch")


@functools.cache
def closure_hash(module: str) -> str:
    """SHA-256 (first 16 hex digits) over the code of the module's static import closure and of `Run`'s.

    Comments, docstrings and blank lines are no code: they are cut out of the text before it is hashed. Claims are left
    out as well: they are decided on records, whatever the code that left them.

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
        total.update(name.encode() + b"\0" + code_of(sources[name].read_bytes()).encode() + b"\0")
    return total.hexdigest()[:16]


@functools.lru_cache(maxsize=4096)  # the same files are in the closures of most systems
def code_of(source: bytes) -> str:
    r"""The text of a module without comments, docstrings, blank lines and spaces at the ends of lines.

    The text and not its syntax tree, whose printed form differs between versions of Python. Where the source cannot be
    read as Python, it is taken as it is.

    Example:
        >>> code_of(b"'''What it is.'''\nx = 1  # one\n\n\ndef f():\n    'Says.'\n    return x\n")
        'x = 1\ndef f():\n    return x'
    """
    try:
        tree = ast.parse(source)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        lines = io.TextIOWrapper(io.BytesIO(source), encoding, newline=None).read().split("\n")
        comments = [t.start for t in tokenize.tokenize(io.BytesIO(source).readline) if t.type == tokenize.COMMENT]
    except (SyntaxError, ValueError, tokenize.TokenError):
        return source.decode("utf-8", "replace")
    for row, column in comments:
        lines[row - 1] = lines[row - 1][:column]
    docstrings = [found for node in ast.walk(tree) if (found := _docstring(node)) is not None]
    spoken = {id(statement.value) for statement in docstrings}
    inside: set[int] = set()  # lines that end inside a text, of which spaces and blank lines are part
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in spoken:
            inside.update(range(node.lineno - 1, (node.end_lineno or node.lineno) - 1))
    for statement in docstrings:
        _cut(lines, statement)
    kept = [line if i in inside else line.rstrip() for i, line in enumerate(lines)]
    return "\n".join(line for i, line in enumerate(kept) if line or i in inside)


def _docstring(node: ast.AST) -> ast.Expr | None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            return first
    return None


def _cut(lines: list[str], node: ast.stmt) -> None:
    """Cut a statement out of the lines; columns of the tree count bytes."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode()
    for row in range(first, last + 1):
        lines[row] = ""
    lines[first] = before + after.removeprefix(";")


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
        if name in whole or name.startswith(DECIDED_LATER):
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
