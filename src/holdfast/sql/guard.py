"""What a program may contain: one SELECT over the table `w`, known functions, nothing else.

Programs come from a language model, so they are read three times before anything runs: by our tokenizer (names of
functions), by sqlglot (structure: every node must be on the list below), and by the engine itself, which is told to
refuse everything but reading `w` (see `sqlite` and `duck`). What is not known is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError
from holdfast.sql.allowed import FUNCTIONS, KEYWORDS, NODES, TYPES
from holdfast.sql.table import NAME
from holdfast.sql.tokens import ParseError, Token, match_parentheses, tokenize

if TYPE_CHECKING:
    from sqlglot import exp

MAX_TABLES = 12
MAX_TYPES = 5  # names of types with parentheses inside each other: the parser's time doubles with each


class UnsafeProgram(InputError):
    """A program that does more than a program may."""

    def __init__(self, rule: str, received: str = "") -> None:
        super().__init__("program", rule, received)
        self.rule, self.received = rule, received

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.rule, self.received)


@functools.cache
def _sqlglot() -> Any:
    import sqlglot

    return sqlglot


def examine(sql: str, dialect: str) -> int:
    """Refuse whatever is not one SELECT over `w` made of known parts. Called in a process of its own, by `reading`.

    Args:
        sql: a program or argument in which calls have been replaced by names or values.
        dialect: "sqlite" or "duckdb".

    Returns:
        How many of the columns that it selects are written `*`.

    Raises:
        UnsafeProgram: more than one statement, another statement than SELECT, an unknown function, ...
        ParseError: it is no SQL.
        InputError: it means something else on DuckDB.
    """
    _check_words(sql, _types(dialect))
    tree = _parse(sql, dialect)
    tree_exp = _sqlglot().exp
    while isinstance(tree, tree_exp.Paren | tree_exp.Subquery) and tree.this is not None:
        tree = tree.this
    if not isinstance(tree, tree_exp.Select | tree_exp.SetOperation):
        raise UnsafeProgram("must be one SELECT", _shown(sql))
    _check_nodes(tree)
    if dialect == "duckdb":
        _check_meaning(tree)
    return sum(1 for part in tree.expressions if part.is_star)


@functools.cache
def _types(dialect: str) -> frozenset[str]:
    """Words that the parser may take for types, in lower case: "union" is one of them."""
    known = _sqlglot().Dialect.get_or_raise(dialect)
    words = known.tokenizer_class.KEYWORDS.items()
    return TYPES | {word.lower() for word, kind in words if kind in known.parser_class.TYPE_TOKENS}


def _check_words(sql: str, types: frozenset[str]) -> None:
    tokens = [t for t in tokenize(sql) if not t.idle]
    while tokens and tokens[-1].kind == ";":
        tokens.pop()
    partner = match_parentheses(sql, tokens)
    for token in tokens:
        if token.kind == ";":
            raise UnsafeProgram("must be one statement", _shown(sql[token.start :]))
    around: list[int] = []  # where the types that are open end
    for opening in sorted(partner):
        around = [end for end in around if end > opening]
        if opening and tokens[opening - 1].value.lower() in types:
            around.append(partner[opening])
        if len(around) > MAX_TYPES:
            raise UnsafeProgram("must not be nested that deeply", _shown(sql[tokens[opening - 1].start :]))
    for opening, closing in partner.items():
        name = _function(tokens[opening - 1]) if opening else None
        if name is None or name in FUNCTIONS:
            continue
        after = tokens[closing + 1 : closing + 3]
        if [t.text.upper() for t in after] != ["AS", "("]:  # else a query's own name and columns: WITH t(a, b) AS (
            raise UnsafeProgram("must not use functions other than the known ones", name)


def _function(token: Token) -> str | None:
    """The name that a parenthesis after the token makes a function of, None if it is a keyword or no name."""
    if token.kind in ("double", "name"):  # quoted, it may be a function all the same
        return token.value.lower()
    return token.text.lower() if token.kind == "word" and token.text.lower() not in KEYWORDS - FUNCTIONS else None


def _parse(sql: str, dialect: str) -> exp.Expression:
    sqlglot = _sqlglot()
    try:
        statements = [s for s in sqlglot.parse(sql, dialect=dialect) if s is not None]
    except sqlglot.errors.SqlglotError as error:
        first = (getattr(error, "errors", None) or [{}])[0]
        reason = str(first.get("description") or "it cannot be read").splitlines()[0].rstrip(".")
        at = sql.find(str(first.get("highlight") or "\0"))
        raise ParseError(f"must be SQL: {reason}", sql, max(at, 0)) from None
    except RecursionError:
        raise UnsafeProgram("must not be nested that deeply", _shown(sql)) from None
    if len(statements) != 1:
        raise UnsafeProgram("must be one statement", f"{len(statements)} statements")
    tree: exp.Expression = statements[0]
    return tree


def _check_nodes(tree: exp.Expression) -> None:
    exp = _sqlglot().exp
    own = _own_queries(tree)
    tables = 0
    for node in tree.walk():
        kind = type(node).__name__
        if isinstance(node, exp.With) and node.args.get("recursive"):
            raise UnsafeProgram("must not be recursive", "WITH RECURSIVE")
        if isinstance(node, exp.Anonymous) and node.name.lower() not in FUNCTIONS:
            raise UnsafeProgram("must not use functions other than the known ones", node.name)
        if isinstance(node, exp.Table):
            tables += 1
            _check_table(node, own)
        if kind not in NODES and not (isinstance(node, exp.Func) and not isinstance(node, exp.UDTF)):
            raise UnsafeProgram("must be a SELECT made of known parts only", kind.lower())
        if isinstance(node, exp.In) and node.args.get("field") is not None:
            # DuckDB looks for a text inside of a text, SQLite for a table of that name.
            raise InputError("program", "must give IN a list in brackets, or a SELECT", _shown(node.sql()))
        if isinstance(node, exp.Select):
            for what in ("into", "locks", "sample"):
                if node.args.get(what):
                    raise UnsafeProgram("must not write, lock or sample", what.removesuffix("s"))
    if tables > MAX_TABLES:
        raise UnsafeProgram(f"must name at most {MAX_TABLES} tables", f"{tables}")


def _check_meaning(tree: exp.Expression) -> None:
    """Refuse what DuckDB would run, as something else than what SQLite, for which programs are written, makes of it."""
    exp = _sqlglot().exp
    for node in tree.find_all(exp.Max, exp.Min):
        if node.args.get("count") or node.args.get(
            "expressions"
        ):  # the largest of several values in SQLite, the several largest in DuckDB
            raise InputError(
                "program", "must give MAX and MIN one value on DuckDB; engine='sqlite' takes several", "more"
            )


def _own_queries(tree: exp.Expression) -> dict[str, list[int]]:
    """Names that WITH gives to queries, and the statements (by identity) in which each may be read."""
    exp = _sqlglot().exp
    own: dict[str, list[int]] = {}
    for cte in tree.find_all(exp.CTE):
        name = cte.alias_or_name.lower()
        if name == NAME:
            raise UnsafeProgram(f"must not give the name {NAME} to a query of its own", f"WITH {NAME}")
        if any(table.name.lower() == name for table in cte.this.find_all(exp.Table)):
            raise UnsafeProgram("must not be recursive", f"WITH {name}")
        own.setdefault(name, []).append(id(cte.parent.parent))
    return own


def _check_table(node: exp.Expression, own: Mapping[str, Collection[int]]) -> None:
    exp = _sqlglot().exp
    name = node.name.lower()
    plain = isinstance(node.this, exp.Identifier) and not node.args.get("db") and not node.args.get("catalog")
    around, known = node.parent, name == NAME
    while around is not None and not known:  # a name holds inside of the statement that gives it, and nowhere else
        known = id(around) in own.get(name, ())
        around = around.parent
    if not plain or not known:
        raise UnsafeProgram(f"must read no other table than {NAME}", _shown(node.name or type(node.this).__name__))


def _shown(sql: str) -> str:
    return sql if len(sql) <= 120 else sql[:117] + "..."


__all__ = ["UnsafeProgram", "examine"]
