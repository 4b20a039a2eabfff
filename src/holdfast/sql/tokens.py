"""A tokenizer for SQL with calls: it knows what is inside a string, a quoted name or a comment, and what is not.

A call such as `QA("map@is (a) \\"win\\"?"; `score (a)`)` is found by its tokens; parentheses, semicolons, quotes and
the letters QA( inside of strings, names and comments are only text. Offsets are into the program as given, so that a
span can be replaced without touching any other text that looks the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from holdfast.errors import InputError

Kind = Literal["space", "comment", "string", "double", "name", "number", "word", "(", ")", ";", ",", "other"]

MAX_CHARACTERS = 20_000
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a program.

    Attributes:
        kind: "string" is in single quotes, "double" in double quotes (a name or a string: only the table tells), "name"
            in back-ticks or square brackets, "word" a keyword or bare name, "comment" and "space" mean nothing.
        start, end: offsets in the program.
        text: the characters between them.
    """

    kind: Kind
    start: int
    end: int
    text: str

    @property
    def value(self) -> str:
        """What a quoted token stands for: without its quotes, doubled quotes single. Others as they are."""
        if self.kind not in ("string", "double", "name"):
            return self.text
        quote = self.text[-1]
        return self.text[1:-1] if quote == "]" else self.text[1:-1].replace(quote * 2, quote)

    @property
    def idle(self) -> bool:
        """Whether it is a comment or space."""
        return self.kind in ("space", "comment")

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "word" and self.text.upper() in words


class ParseError(InputError):
    """A program that does not follow the grammar, and where.

    Attributes:
        position: offset of the first character that is wrong, from 0.
    """

    def __init__(self, rule: str, program: str, position: int) -> None:
        self.program, self.position = program, position
        before, after = program[max(0, position - 30) : position], program[position : position + 30]
        line = program.count("\n", 0, position) + 1
        column = position - (program.rfind("\n", 0, position) + 1) + 1
        super().__init__(f"program, line {line}, column {column}", rule, f"{before}⟨here⟩{after}")
        self.rule = rule

    def __reduce__(self) -> tuple[type[ParseError], tuple[str, str, int]]:
        return type(self), (self.rule, self.program, self.position)


_CLOSERS: dict[str, tuple[str, Kind]] = {
    "'": ("'", "string"),
    '"': ('"', "double"),
    "`": ("`", "name"),
    "[": ("]", "name"),
}
_SINGLE: dict[str, Kind] = {"(": "(", ")": ")", ";": ";", ",": ","}


def tokenize(program: str) -> list[Token]:
    """All tokens of a program; joined together they are the program.

    Raises:
        ParseError: a quote or comment that is never closed, a NUL character, more than 20,000 characters.

    Example:
        >>> from holdfast.sql.tokens import tokenize
        >>> [t.text for t in tokenize("x = 'a;)' -- ;") if not t.idle]
        ['x', '=', "'a;)'"]
    """
    if len(program) > MAX_CHARACTERS:
        raise ParseError(f"must have at most {MAX_CHARACTERS:,} characters ({len(program):,})", program, MAX_CHARACTERS)
    if "\0" in program:
        raise ParseError("must not have a NUL character", program, program.index("\0"))
    return list(_tokens(program))


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        kind, end = _next(text, at)
        yield Token(kind, at, end, text[at:end])
        at = end


def _next(text: str, at: int) -> tuple[Kind, int]:
    c = text[at]
    if c in _CLOSERS:
        return _CLOSERS[c][1], _quoted_end(text, at, _CLOSERS[c][0])
    if text.startswith("--", at):
        newline = text.find("\n", at)
        return "comment", len(text) if newline < 0 else newline
    if text.startswith("/*", at):
        close = text.find("*/", at + 2)
        if close < 0:
            raise ParseError("a comment is never closed", text, at)
        return "comment", close + 2
    if c in _SINGLE:
        return _SINGLE[c], at + 1
    end = at + 1
    if c.isspace():
        while end < len(text) and text[end].isspace():
            end += 1
        return "space", end
    if c.isalnum() or c in "_$" or (c == "." and end < len(text) and text[end].isdigit()):
        number = c.isdigit() or c == "."
        while end < len(text) and (text[end].isalnum() or text[end] in "_$" or (number and text[end] == ".")):
            end += 1
        return ("number" if number else "word"), end
    return "other", end


def _quoted_end(text: str, at: int, close: str) -> int:
    end = at + 1
    while True:
        end = text.find(close, end)
        if end < 0:
            raise ParseError(f"a quote {text[at]} is never closed", text, at)
        if close != "]" and text.startswith(close, end + 1):  # doubled: a quote inside
            end += 2
            continue
        return end + 1


def match_parentheses(program: str, tokens: list[Token]) -> dict[int, int]:
    """Index of the closing parenthesis for the index of every opening one.

    Raises:
        ParseError: a parenthesis without its partner, or more than 50 inside each other.
    """
    partner: dict[int, int] = {}
    stack: list[int] = []
    for i, token in enumerate(tokens):
        if token.kind == "(":
            stack.append(i)
            if len(stack) > MAX_DEPTH:
                raise ParseError(f"must have at most {MAX_DEPTH} parentheses inside each other", program, token.start)
        elif token.kind == ")":
            if not stack:
                raise ParseError("a ')' has no '(' before it", program, token.start)
            partner[stack.pop()] = i
    if stack:
        raise ParseError("a '(' is never closed", program, tokens[stack[-1]].start)
    return partner


def unwrap(program: str, tokens: list[Token]) -> list[Token]:
    """Tokens that mean something, without parentheses around all of them and semicolons at the end.

    Example:
        >>> from holdfast.sql.tokens import tokenize, unwrap
        >>> [t.text for t in unwrap("((a) + b);", tokenize("((a) + b);"))]
        ['(', 'a', ')', '+', 'b']
    """
    tokens = [token for token in tokens if not token.idle]
    while tokens and tokens[-1].kind == ";":
        tokens.pop()
    while tokens and tokens[0].kind == "(" and match_parentheses(program, tokens)[0] == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "ParseError", "Token", "match_parentheses", "tokenize", "unwrap"]
