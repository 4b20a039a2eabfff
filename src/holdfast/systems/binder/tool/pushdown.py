"""Which rows a map@ call has to be asked about: those that the rest of its WHERE leaves.

A row that a call-free condition removes anyway needs no answer. This holds for the conditions that AND joins at the top
of the WHERE of the SELECT that a call is in, if that SELECT reads w alone; it does not for OR. Conditions with calls
that were answered before count as call-free, so of two calls the second is asked about fewer rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.sql.table import NAME
from holdfast.sql.tokens import Token, tokenize

CLAUSES = ("FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET")
SETS = ("UNION", "EXCEPT", "INTERSECT")


@dataclass(frozen=True)
class Scope:
    """The conditions of the SELECT around a call.

    Attributes:
        alias: what the SELECT calls w ("" if nothing else).
        conditions: offsets of conditions in the program that AND joins.
    """

    alias: str
    conditions: tuple[tuple[int, int], ...]


def scope_of(program: str, statement: tuple[int, int], span: tuple[int, int]) -> Scope | None:
    """The scope of a call.

    Args:
        program: the whole text, calls in it.
        statement: offsets of the statement that the call is in: the program, or an argument of another call.
        span: offsets of the call.

    Returns:
        None where every row is needed: no WHERE, a join, an OR at the top.

    Example:
        >>> from holdfast.systems.binder.tool.pushdown import scope_of
        >>> sql = "SELECT a FROM w AS t WHERE b BETWEEN 1 AND 2 AND (c = 3 OR d = 4) AND CALL = 'yes' ORDER BY a"
        >>> at = sql.index("CALL")
        >>> scope = scope_of(sql, (0, len(sql)), (at, at + 4))
        >>> scope.alias, [sql[a:b] for a, b in scope.conditions]
        ('t', ['b BETWEEN 1 AND 2', '(c = 3 OR d = 4)', "CALL = 'yes'"])
    """
    tokens = [t for t in tokenize(program) if not t.idle and statement[0] <= t.start < statement[1]]
    select = _select_around(tokens, span[0])
    clauses = _clauses(select)
    if clauses is None or "WHERE" not in clauses:
        return None
    source = [t.value for t in clauses.get("FROM", []) if not t.is_word("AS")]
    if not 1 <= len(source) <= 2 or source[0].lower() != NAME or any(t.kind in "()," for t in clauses["FROM"]):
        return None
    conditions = _conjuncts(clauses["WHERE"])
    if not conditions:
        return None
    spans = tuple((part[0].start, part[-1].end) for part in conditions)
    return Scope(source[1] if len(source) == 2 else "", spans)


def _select_around(tokens: list[Token], at: int) -> list[Token]:
    """Tokens of the innermost SELECT, up to the parentheses around it."""
    opened: list[int] = []
    low = 0
    for i, token in enumerate(tokens):
        if token.start >= at:
            break
        if token.kind == "(":
            opened.append(i)
        elif token.kind == ")":
            opened.pop()
    for i in reversed(opened):
        if i + 1 < len(tokens) and tokens[i + 1].is_word("SELECT", "WITH"):
            low = i + 1
            break
    depth, high = 0, len(tokens)
    for i in range(low, len(tokens)):
        depth += (tokens[i].kind == "(") - (tokens[i].kind == ")")
        if depth < 0:
            high = i
            break
    return _arm(tokens[low:high], at)


def _arm(tokens: list[Token], at: int) -> list[Token]:
    """Of SELECT ... UNION SELECT ..., the one that the offset is in."""
    depth, start = 0, 0
    for i, token in enumerate(tokens):
        depth += (token.kind == "(") - (token.kind == ")")
        if depth == 0 and token.is_word(*SETS):
            if token.start > at:
                return tokens[start:i]
            start = i + 1
    return tokens[start:]


def _clauses(tokens: list[Token]) -> dict[str, list[Token]] | None:
    """Tokens of each clause; None if one comes twice, which is nothing we know."""
    found: dict[str, list[Token]] = {}
    depth, current = 0, ""
    for token in tokens:
        depth += (token.kind == "(") - (token.kind == ")")
        if depth == 0 and token.is_word(*CLAUSES):
            current = token.text.upper()
            if current in found:
                return None
            found[current] = []
        elif current:
            found[current].append(token)
    return found


def _conjuncts(tokens: list[Token]) -> list[list[Token]]:
    """The conditions between the ANDs at the top; none if there is an OR or what looks broken."""
    parts: list[list[Token]] = [[]]
    depth = cases = betweens = 0
    for token in tokens:
        depth += (token.kind == "(") - (token.kind == ")")
        cases += token.is_word("CASE") - token.is_word("END")
        top = depth == 0 and cases == 0
        if top and token.is_word("OR"):
            return []
        betweens += top and token.is_word("BETWEEN")
        if top and token.is_word("AND"):
            if betweens:
                betweens -= 1
            else:
                parts.append([])
                continue
        parts[-1].append(token)
    return parts if all(parts) and not cases else []


__all__ = ["Scope", "scope_of"]
