"""The mistakes that mutants make: of a place in a module, the edits that put one in."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from mutants.scope import Place, called, name_of
from mutants.text import Edit, Text

Operator = Callable[[Place, Text], Iterator[Edit]]

OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_PAIRS = (
    ("sum", "mean"),
    ("max", "min"),
    ("amax", "amin"),
    ("argmax", "argmin"),
    ("maximum", "minimum"),
    ("clamp_max", "clamp_min"),
    ("any", "all"),
    ("std", "var"),
    ("sin", "cos"),
    ("floor", "ceil"),
)
FUNCTIONS = {old: new for pair in _PAIRS for old, new in (pair, pair[::-1])} | {"square": "abs"}
BUILTIN = {"max", "min", "any", "all"}  # of these functions; the others are methods, or lie in a library
REDUCTIONS = {"sum": "mean", "mean": "sum", "none": "mean"}
EVEN = {"abs", "absolute", "square", "cos"}  # functions to which a sign makes no difference
ARRAYS_OUT = {"cpu", "numpy", "item", "tolist"}  # after these no gradient is left to stop
LARGEST_STEP = 10  # a larger number is a size or a setting, and one more of it makes no mistake


# ------------------------------------------------------------------------------------------------- signs and operators
def sign(place: Place, text: Text) -> Iterator[Edit]:
    """A minus is lost: `-x` becomes `x`."""
    node = place.node
    if not isinstance(node, ast.UnaryOp) or not isinstance(node.op, ast.USub) or _is_argument(place):
        return
    # Where the sign is made even again, nothing changes; and -1 as an argument is nearly always the last dimension.
    power = isinstance(place.parent, ast.BinOp) and isinstance(place.parent.op, ast.Pow) and place.parent.left is node
    if power or called(place.parent) in EVEN or name_of(place.parent) in EVEN:
        return
    yield text.replaced("-", "", text.start(node), text.start(node.operand))


def arithmetic(place: Place, text: Text) -> Iterator[Edit]:
    """`+` for `-`, `/` for `*` and so on."""
    node = place.node
    if isinstance(node, ast.BinOp):
        left, right, low = node.left, node.right, text.end(node.left)
    elif isinstance(node, ast.AugAssign):
        left, right, low = node.target, node.value, text.end(node.target)
    else:
        return
    if (
        type(node.op) not in OPERATORS
        or _is_container(left)
        or _is_container(right)
        or _is_neutral(node.op, left, right)
    ):
        return
    old, new = OPERATORS[type(node.op)]
    if isinstance(node.op, ast.Mult) and (_whole(left) or _whole(right)):
        new = "+"  # a size times a fraction is seen by whatever uses it; a sum is not
    tail = "=" if isinstance(node, ast.AugAssign) else ""
    yield text.replaced(old + tail, new + tail, low, text.start(right))


def comparison(place: Place, text: Text) -> Iterator[Edit]:
    """A bound that is in or out, and a comparison the other way round."""
    node = place.node
    if not isinstance(node, ast.Compare):
        return
    operands = [node.left, *node.comparators]
    for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
        old, others = COMPARISONS[type(op)]
        for new in others:
            yield text.replaced(old, new, text.end(left), text.start(right))


def logic(place: Place, text: Text) -> Iterator[Edit]:
    """`or` for `and`, a lost `not`."""
    node = place.node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield text.replaced("not", "", text.start(node), text.start(node.operand))
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield text.replaced(old, new, text.end(left), text.start(right))


# ------------------------------------------------------------------------------------------------ gradients, reductions
def gradient(place: Place, text: Text) -> Iterator[Edit]:
    """A gradient that is no longer stopped."""
    node = place.node
    if name_of(node) in ("no_grad", "inference_mode") and isinstance(node, ast.Name | ast.Attribute):
        yield text.replaced(name_of(node), "enable_grad", text.start(node), text.end(node))
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or _is_without_gradient(place):
        return
    if called(node) == "detach" and name_of(place.parent) not in ARRAYS_OUT:
        yield Edit(text.end(node.func.value), text.end(node), "")


def reduction(place: Place, text: Text) -> Iterator[Edit]:
    """A mean for a sum, the least for the largest, and so on."""
    node = place.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and called(node) in FUNCTIONS:
        yield text.replaced(called(node), FUNCTIONS[called(node)], text.end(node.func.value), text.end(node.func))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and called(node) in BUILTIN:
        yield Edit(text.start(node.func), text.end(node.func), FUNCTIONS[called(node)])
    if isinstance(node, ast.Constant) and isinstance(place.parent, ast.Call) and node.value in REDUCTIONS:
        names = [k.arg for k in place.parent.keywords if k.value is node]
        if names == ["reduction"]:
            yield Edit(text.start(node), text.end(node), f'"{REDUCTIONS[str(node.value)]}"')


# --------------------------------------------------------------------------------------------------------- off by one
def off_by_one(place: Place, text: Text) -> Iterator[Edit]:
    """A small whole number, the bound of a slice or of a range is one too large or too small."""
    node = place.node
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value <= LARGEST_STEP:
        # In an argument or an index, 1 is mostly a dimension: the other one runs, where 2 would end in an error.
        dimension = node.value == 1 and isinstance(place.parent, ast.Call | ast.Subscript)
        yield Edit(text.start(node), text.end(node), "0" if dimension else str(node.value + 1))
    if isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper):
            if isinstance(bound, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
                yield Edit(text.end(bound), text.end(bound), " + 1")
    if called(node) in ("range", "arange") and isinstance(node, ast.Call) and node.args:
        stop = node.args[min(1, len(node.args) - 1)]
        if isinstance(stop, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
            yield Edit(text.end(stop), text.end(stop), " - 1")


KINDS: dict[str, Operator] = {
    "sign": sign,
    "operator": arithmetic,
    "comparison": comparison,
    "logic": logic,
    "gradient": gradient,
    "reduction": reduction,
    "off by one": off_by_one,
}


# -------------------------------------------------------------------------------------------- what would change nothing
def _is_argument(place: Place) -> bool:
    """Whether a negative number is written as an argument."""
    parent, node = place.parent, place.node
    literal = isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    return literal and isinstance(parent, ast.Call) and node is not parent.func


def _is_container(node: ast.AST) -> bool:
    """Whether it is written as text, list, tuple, set or dict, which `+`, `*`, `|` join; or as a type."""
    if isinstance(node, ast.BinOp):
        return _is_container(node.left) or _is_container(node.right)
    if isinstance(node, ast.Constant):
        return node.value is None or isinstance(node.value, str | bytes)
    written = ast.JoinedStr | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.ListComp | ast.SetComp | ast.DictComp
    return isinstance(node, written) or called(node) in ("list", "tuple", "str", "dict", "set", "sorted", "join")


def _is_neutral(op: ast.operator, left: ast.AST, right: ast.AST) -> bool:
    """Whether an operand makes the operation and its mutant the same: `x * 1`, `x - 0`, `x / y.sign()`."""
    if isinstance(op, ast.Add | ast.Sub):
        return _value(right) == 0
    if isinstance(op, ast.Mult | ast.Div) and called(right) == "sign":
        return True
    if isinstance(op, ast.Mult):
        return abs(_value(right)) == 1 or abs(_value(left)) == 1
    return isinstance(op, ast.Div | ast.FloorDiv | ast.Pow) and abs(_value(right)) == 1


def _value(node: ast.AST) -> float:
    """The number that is written there; NaN for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return float(node.value) if number else float("nan")  # type: ignore[attr-defined]


def _whole(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _is_without_gradient(place: Place) -> bool:
    """Whether the whole function keeps no gradient anyway."""
    functions = [node for node in place.above if isinstance(node, ast.FunctionDef)]
    return any(called(d) in ("no_grad", "inference_mode") for f in functions for d in f.decorator_list)


__all__ = ["KINDS", "Operator"]
