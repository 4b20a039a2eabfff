"""Texts, numbers and names that have broken programs before."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NASTY = (
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "a\nb",
    "\r",
    "\t",
    "\x1b[31m",
    "\x1b]8;;https://example.org\x07x\x1b]8;;\x07",
    "\x9b31m",
    "\ud800",
    "\udcff",
    "\u202egnp.exe",
    "\ufeff",
    "\U0001f41a",
    "ﬃ",
    "ı",
    "e\u0301",
    "玩具",
    "-",
    "--",
    "-1",
    "--help",
    "-h",
    "--version",
    "..",
    "../x",
    "../../../../etc/passwd",
    "/etc/passwd",
    "/",
    ".",
    "~",
    "~root/x",
    "C:\\x",
    "\\\\host\\share",
    "con",
    "NUL",
    "file:///etc/passwd",
    "javascript:alert(7)",
    "[/]",
    "[bold]x[/bold]",
    "[red",
    "{{7*7}}",
    "{x}",
    "{0.__class__}",
    "%s%n",
    "$HOME",
    "`id`",
    "$(id)",
    "; DROP TABLE trials; --",
    "' OR 1=1 --",
    "<script>alert(7)</script>",
    "]]>",
    "&amp;",
    "nan",
    "inf",
    "1e400",
    "9" * 40,
    "0x10",
    "1_000",
    "True",
    "None",
    "null",
    "__class__",
    "__init__",
    "a" * 300,
    "x/" * 200,
)
SIZES = (0, 1, -1, 2, 3, 7, 100, 2**31, 2**63, -(2**63), 10**40, 10**400)

nasty = st.sampled_from(NASTY)
texts = st.one_of(nasty, st.text(max_size=30), st.text(st.characters(), max_size=10), nasty.map(lambda t: t * 2))
numbers: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(SIZES), st.integers(), st.floats(), st.sampled_from([0.0, -0.0, 1e-320, 1e308, float("nan")])
)
scalars: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), numbers, texts)


def json_values(leaves: st.SearchStrategy[Any] = scalars, size: int = 8) -> st.SearchStrategy[Any]:
    """Anything JSON can hold, nested."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
        max_leaves=size,
    )


deep = st.integers(5, 40).map(lambda n: _nested(2**n if n < 18 else 200_000))


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth
