"""Arguments of calls: a column, a SELECT or a literal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.errors import InputError
from holdfast.sql.columntypes import Cell, parse_int, parse_real
from holdfast.sql.dialect import identifier
from holdfast.sql.table import ROW_ID, SQLTable
from holdfast.sql.tokens import Token, tokenize, unwrap


@dataclass(frozen=True)
class ColumnArgument:
    """A column of w, perhaps with the name that the query around gives to w (`t.name`)."""

    name: str
    qualifier: str = ""


@dataclass(frozen=True)
class QueryArgument:
    """A complete SELECT."""

    sql: str


@dataclass(frozen=True)
class LiteralArgument:
    """A text or number, the same in every row."""

    value: Cell


Argument = ColumnArgument | QueryArgument | LiteralArgument


def read_argument(text: str, table: SQLTable, generated: Sequence[str] = ()) -> Argument:
    """What an argument is. Calls inside of it were replaced before.

    Args:
        text: the argument.
        table: its columns are known, without regard to case; so are row_id and the generated ones.
        generated: names of the generated columns.

    Raises:
        InputError: it is none of the three, or names a column that is not there; the nearest one is suggested.

    Example:
        >>> from holdfast.systems.binder.tool.arguments import read_argument
        >>> from holdfast.sql.table import SQLTable
        >>> table = SQLTable.from_dict({"home team": ["a"]})
        >>> read_argument("`Home Team`", table)
        ColumnArgument(name='home team', qualifier='')
        >>> read_argument("`hometeam`", table)
        Traceback (most recent call last):
        holdfast.errors.InputError: program: must name columns of the table; the nearest is 'home team'; ...
    """
    columns = {name.casefold(): name for name in (*table.columns, ROW_ID, *generated)}
    text = text.strip()
    if text.casefold() in columns:  # also a bare name of several words
        return ColumnArgument(columns[text.casefold()])
    tokens = [token for token in tokenize(text) if not token.idle]
    if (words := unwrap(text, tokens)) and words[0].is_word("SELECT", "WITH"):
        return QueryArgument(text[words[0].start : words[-1].end])
    if (literal := _literal(tokens)) is not None:
        return literal
    qualifier = ""
    if len(tokens) == 3 and tokens[1].text == "." and tokens[0].kind in ("word", "double", "name"):
        qualifier, tokens = tokens[0].text, tokens[2:]
    if len(tokens) != 1 or tokens[0].kind not in ("word", "double", "name", "number"):
        raise InputError(
            "program", "must have a column, a SELECT or a literal as argument of a call; split by ';'", text
        )
    name = tokens[0].value
    if name.casefold() in columns:
        return ColumnArgument(columns[name.casefold()], qualifier)
    if tokens[0].kind == "double" and not qualifier:
        return LiteralArgument(name)
    raise unknown_column(name, table)


def unknown_column(name: str, table: SQLTable) -> InputError:
    """The error for a column that is not there."""
    near = table.nearest(name)
    shown = ", ".join(table.columns[:8]) + (", ..." if len(table.columns) > 8 else "")
    hint = f"the nearest is {near!r}" if near else f"there are {shown}"
    return InputError("program", f"must name columns of the table; {hint}", name)


def _literal(tokens: list[Token]) -> LiteralArgument | None:
    if len(tokens) == 1 and tokens[0].kind == "string":
        return LiteralArgument(tokens[0].value)
    text = "".join(token.text for token in tokens)
    value: Cell = parse_int(text)
    if value is None:
        value = parse_real(text)
    return None if value is None else LiteralArgument(value)


def with_row_id(sql: str) -> str:
    """A SELECT that gives row_id before its own columns, as the rows of a map@ call need it.

    Raises:
        InputError: it does not start with SELECT, so where its columns are is not plain.

    Example:
        >>> from holdfast.systems.binder.tool.arguments import with_row_id
        >>> with_row_id("SELECT DISTINCT t.a FROM w AS t")
        'SELECT "t".row_id, t.a FROM w AS t'
        >>> with_row_id("SELECT row_id, a FROM w")
        'SELECT row_id, a FROM w'
    """
    tokens = [token for token in tokenize(sql) if not token.idle]
    if not tokens[0].is_word("SELECT"):
        raise InputError("program", "must begin the SELECT of a map@ call with the word SELECT", sql)
    depth, start = 0, 2 if len(tokens) > 1 and tokens[1].is_word("DISTINCT", "ALL") else 1
    source = len(tokens)
    for i, token in enumerate(tokens):
        depth += (token.kind == "(") - (token.kind == ")")
        if depth == 0 and token.is_word("FROM"):
            source = i
            break
    listed = tokens[start:source]
    if any(t.value.casefold() == ROW_ID for t in listed) or (listed and listed[0].text == "*"):
        return sql  # row_id is there; with * it is the first column
    alias = _alias(tokens[source + 1 :])
    prefix = f"{identifier(alias)}." if alias else ""
    return f"SELECT {prefix}{ROW_ID}, {sql[tokens[start].start :]}"


def _alias(tokens: list[Token]) -> str:
    """The name that a query gives to w, "" if none."""
    rest = tokens[1:] if tokens and tokens[0].value.lower() == "w" else []
    if rest and rest[0].is_word("AS"):
        rest = rest[1:]
    clauses = (
        "WHERE",
        "GROUP",
        "ORDER",
        "LIMIT",
        "HAVING",
        "JOIN",
        "LEFT",
        "INNER",
        "CROSS",
        "UNION",
        "EXCEPT",
        "INTERSECT",
    )
    named = rest and rest[0].kind in ("word", "double", "name") and not rest[0].is_word(*clauses)
    return rest[0].value if named else ""


__all__ = [
    "Argument",
    "ColumnArgument",
    "LiteralArgument",
    "QueryArgument",
    "read_argument",
    "unknown_column",
    "with_row_id",
]
