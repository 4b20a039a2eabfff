"""Formulas as text: arithmetic that is computed, and nothing else that the text may say."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from holdfast.errors import InputError

OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


def compute(formula: str, values: Mapping[str, Any]) -> Any:
    """The value of a formula made of numbers, names, + - * / and parentheses.

    Args:
        formula: as text.
        values: of the names: numbers, arrays, symbols, whatever has arithmetic.

    Raises:
        InputError: the text is no such formula.

    Example:
        >>> compute("m - 2 * r", {"m": 1.0, "r": 3.0})
        -5.0
    """

    def of(node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        if isinstance(node, ast.Name) and node.id in values:
            return values[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](of(node.operand))
        raise InputError("formula", f"must be made of numbers, {', '.join(values)} and + - * /", formula)

    try:
        return of(ast.parse(formula, mode="eval").body)
    except InputError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError("formula", "must be an arithmetic expression", formula) from None


__all__ = ["compute"]
