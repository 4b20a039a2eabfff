"""Which parts of a module are mathematics and may be mutated: not settings, messages, types and checks of inputs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MODULE = "the module itself"
CHECKS = ("check", "warn")  # functions with names that begin so refuse or warn, and compute nothing
TALK = {"InputError", "print", "cast"}
TEXTS = {"__repr__", "__str__", "describe"}
REPORTING = {
    "stacklevel",
    "log_every",
    "every",
    "on_step",
    "progress",
}  # arguments: what is told or kept, and how often
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Place:
    """A node of the syntax tree that may be mutated.

    Attributes:
        node: of the tree.
        above: its ancestors, the nearest first.
        function: name of the function or method it lies in, such as `Ridge.fit`.
    """

    node: ast.AST
    above: tuple[ast.AST, ...]
    function: str

    @property
    def parent(self) -> ast.AST:
        return self.above[0]


def places(tree: ast.Module) -> Iterator[Place]:
    """Every node that may be mutated, parents before children."""
    yield from _below(tree, (), ())


def called(node: ast.AST) -> str:
    """The last name of what a call calls: `sum` of `x.square().sum(1)` and of `sum(x)`; "" for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return name_of(node.func)


def name_of(node: ast.AST) -> str:
    """The last name of a dotted one; "" for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _below(node: ast.AST, above: tuple[ast.AST, ...], names: tuple[str, ...]) -> Iterator[Place]:
    if isinstance(node, Definition):
        names = (*names, node.name)
    for child in _within(node):
        yield Place(child, (node, *above), ".".join(names) or MODULE)
        yield from _below(child, (node, *above), names)


def _within(node: ast.AST) -> Sequence[ast.AST]:
    """The children that may be mutated."""
    match node:
        case ast.Raise() | ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return []
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            silent = node.name in TEXTS or node.name.strip("_").startswith(CHECKS)
            computes = [part for part in node.body if not _serves_checks(part, node)]
            return [] if silent else [*node.decorator_list, *computes]
        case ast.ClassDef():  # what is assigned there are settings and their defaults
            return [part for part in node.body if isinstance(part, Definition)]
        case ast.Lambda():
            return [node.body]
        case ast.AnnAssign():
            return [] if node.value is None else [node.value]
        case ast.If() if name_of(node.test) == "TYPE_CHECKING":
            return []
        case ast.If() if _refuses(node.body):
            return list(node.orelse)
        case ast.ExceptHandler() if _refuses(node.body):
            return []
        case ast.Call() if called(node) in TALK or called(node).strip("_").startswith(CHECKS):
            return []
        case ast.Call() if called(node) in ("isinstance", "issubclass"):
            return node.args[:1]
        case ast.Call():
            return [node.func, *node.args, *(k.value for k in node.keywords if k.arg not in REPORTING)]
    return list(ast.iter_child_nodes(node))


def _refuses(body: list[ast.stmt]) -> bool:
    """Whether a branch is taken for wrong inputs: it ends in `raise`, or does nothing but warn."""
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    return len(body) == 1 and isinstance(last, ast.Expr) and called(last.value).strip("_").startswith(CHECKS)


def _serves_checks(statement: ast.stmt, function: ast.AST) -> bool:
    """Whether it gives a value a name that only checks of inputs use: `whole = budget == round(budget)`."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    checks = [node for node in ast.walk(function) if isinstance(node, ast.If) and _refuses(node.body)]
    checked = {id(node) for check in checks for part in (check.test, *check.body) for node in ast.walk(part)}
    name = statement.targets[0].id
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    return bool(uses) and all(id(use) in checked for use in uses)


__all__ = ["MODULE", "Place", "called", "name_of", "places"]
