"""From SQL as models write it to SQL as an engine reads it, token by token.

Programs put texts into double quotes (SQLite reads a name that no column has as a text; DuckDB and sqlglot do not) and
names into back-ticks (DuckDB does not know them). Here a double-quoted token that is no name becomes a text, every
quoted name gets double quotes, a comment or any space becomes a blank (engines differ in where a comment ends and what
is a space), and all else stays as it was written.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

from holdfast.sql.table import NAME, ROW_ID
from holdfast.sql.tokens import Token, tokenize


def to_engine(sql: str, names: Collection[str], dialect: str) -> str:
    """SQL for an engine.

    Args:
        sql: without calls.
        names: columns, the generated ones too.
        dialect: "sqlite" or "duckdb"; DuckDB's LIKE minds case and SQLite's does not, so it becomes ILIKE there.

    Example:
        >>> from holdfast.sql.dialect import to_engine
        >>> to_engine('SELECT `a b` FROM w WHERE "A b" = "x\\'y" AND c LIKE \\'z%\\'', ["a b", "c"], "duckdb")
        'SELECT "a b" FROM w WHERE "A b" = \\'x\\'\\'y\\' AND c ILIKE \\'z%\\''
    """
    tokens = tokenize(sql)
    known = {name.casefold() for name in (*names, NAME, ROW_ID)} | {name.casefold() for name in own_names(tokens)}
    pieces = []
    for i, token in enumerate(tokens):
        if token.idle:
            pieces.append(" ")
        elif token.kind == "name":
            pieces.append(identifier(token.value))
        elif token.kind == "double":
            is_name = token.value.casefold() in known or _next_to_dot(tokens, i)
            pieces.append(identifier(token.value) if is_name else text_literal(token.value))
        elif dialect == "duckdb" and token.is_word("LIKE"):
            pieces.append("ILIKE")
        else:
            pieces.append(token.text)
    return "".join(pieces)


def own_names(tokens: list[Token]) -> set[str]:
    """Names that a query gives to its columns, tables and queries with AS."""
    tokens = [t for t in tokens if not t.idle]
    found = set()
    for token, following in itertools.pairwise(tokens):
        if token.is_word("AS") and following.kind in ("double", "name", "word"):
            found.add(following.value)
        if following.is_word("AS") and token.kind in ("double", "name"):
            found.add(token.value)
    return found


def _next_to_dot(tokens: list[Token], i: int) -> bool:
    return (i > 0 and tokens[i - 1].text == ".") or (i + 1 < len(tokens) and tokens[i + 1].text == ".")


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text in single quotes; whatever is in it stays text."""
    return "'" + text.replace("'", "''") + "'"


__all__ = ["identifier", "own_names", "text_literal", "to_engine"]
