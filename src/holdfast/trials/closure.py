"""The hash of the code a trial depends on: a module and everything of the same package it imports, read statically."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path


@functools.cache
def closure_hash(module: str) -> str:
    """SHA-256 (first 16 hex digits) over the sources of the module's static import closure.

    The closure holds the module, the `__init__` files above it, and whatever they import from holdfast or from the
    module's own top-level package, inside functions too. Other libraries enter the store's key by their version.

    Example:
        >>> closure_hash("holdfast.errors") == closure_hash("holdfast.errors")
        True
    """
    tops = {module.split(".")[0], "holdfast"}
    todo, seen = [module], {}
    while todo:
        name = todo.pop()
        path = None if name in seen else _source(name)
        if name in seen:
            continue
        seen[name] = path
        if "." in name:
            todo.append(name.rpartition(".")[0])
        if path is not None:
            todo.extend(n for n in _imports(name, path) if n.split(".")[0] in tops)
    total = hashlib.sha256()
    for name in sorted(n for n, p in seen.items() if p is not None):
        total.update(name.encode() + b"\0" + seen[name].read_bytes() + b"\0")  # type: ignore[union-attr]
    return total.hexdigest()[:16]


def _source(name: str) -> Path | None:
    # Only the top-level package is looked up through the import system: that imports nothing.
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    base = Path(spec.origin)
    if rest and base.name == "__init__.py":
        inner = base.parent.joinpath(*rest)
        base = inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")
    elif rest:
        return None
    return base if base.suffix == ".py" and base.is_file() else None


def _imports(name: str, path: Path) -> list[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            found.append(base)
            found.extend(f"{base}.{alias.name}" for alias in node.names)
    return found
