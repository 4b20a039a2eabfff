"""Programs of the paper: SQL in which `QA("map@..."; ...)` stands for a column and `QA("ans@..."; ...)` for values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from holdfast.sql.tokens import ParseError, Token, match_parentheses, tokenize

CALL = "QA"
Place = Literal["value", "list", "alone", "element"]
KINDS: tuple[Literal["map", "ans"], ...] = ("map", "ans")


@dataclass(frozen=True)
class Call:
    """A question to a language model inside of a program.

    Attributes:
        kind: "map" gives a column with one value per row, "ans" gives one or more values.
        question: in plain words, without "map@" or "ans@".
        args: texts of the arguments: each a column, a SELECT or a literal. They may have calls inside.
        span: offsets of the first character and after the last in the program.
        text: the call as written.
        arg_spans: offsets of the arguments.
        place: "list" right after IN; "alone" or "element" in brackets after IN, without or with others beside it;
            "value" everywhere else.
    """

    kind: Literal["map", "ans"]
    question: str
    args: tuple[str, ...]
    span: tuple[int, int]
    text: str
    arg_spans: tuple[tuple[int, int], ...] = field(repr=False)
    place: Place = field(default="value", repr=False)

    @property
    def listed(self) -> bool:
        """Whether a list of values stands for it."""
        return self.kind == "ans" and self.place == "list"


@dataclass(frozen=True)
class BinderProgram:
    """A parsed program.

    Attributes:
        text: the program as given; spans are offsets in it.
        occurrences: every call, inner ones before the one that they are in, else from left to right.

    Example:
        >>> from holdfast.systems.binder.method.program import BinderProgram
        >>> program = BinderProgram.parse('SELECT COUNT(*) FROM w WHERE QA("map@is it a loss?"; `result/score`) = 1')
        >>> program.calls[0].kind, program.calls[0].question, program.calls[0].args
        ('map', 'is it a loss?', ('`result/score`',))
        >>> program.skeleton
        'SELECT COUNT(*) FROM w WHERE call_1 = 1'
        >>> BinderProgram.parse("SELECT (SELECT a FROM w)) = 1")
        Traceback (most recent call last):
        holdfast.sql.tokens.ParseError: program, line 1, column 25: a ')' has no '(' before it; received ...
    """

    text: str
    occurrences: tuple[Call, ...] = field(repr=False)

    @classmethod
    def parse(cls, program: str) -> BinderProgram:
        """Find the calls of a program. What surrounds them is not checked here.

        Raises:
            ParseError: quotes or parentheses that do not match, a call without a question or argument; with position.
        """
        if not program.strip():
            raise ParseError("must not be empty", program, 0)
        tokens = tokenize(program)
        return cls(program, tuple(_calls(program, tokens, match_parentheses(program, tokens))))

    @property
    def calls(self) -> tuple[Call, ...]:
        """Different calls in the order of execution; of calls with the same text the first."""
        return tuple({call.text: call for call in reversed(self.occurrences)}[text] for text in self._texts())

    def _texts(self) -> list[str]:
        return list(dict.fromkeys(call.text for call in self.occurrences))

    @property
    def is_call(self) -> bool:
        """Whether the whole program is one call."""
        return any(call.text == self.text.strip() for call in self.occurrences)

    @property
    def steps(self) -> list[str]:
        """Texts of the calls in the order of execution, then the whole program."""
        return [*self._texts(), *([] if self.is_call else [self.text])]

    @property
    def skeleton(self) -> str:
        """The SQL around the outermost calls, which appear as names call_1, call_2, ..."""
        names = {text: f"call_{i}" for i, text in enumerate(self._texts(), 1)}
        return self.replace(lambda call: f"({names[call.text]})" if call.listed else names[call.text])

    def replace(self, value: Callable[[Call], str | None], start: int = 0, end: int | None = None) -> str:
        """The text between two offsets, every outermost call replaced by its value; None leaves a call (not its inner
        ones) as it is."""
        end = len(self.text) if end is None else end
        pieces, at = [], start
        for call in sorted(self.occurrences, key=lambda c: c.span[0]):
            left, right = call.span
            if left < at or right > end or (new := value(call)) is None:
                continue
            pieces += [self.text[at:left], new]
            at = right
        return "".join([*pieces, self.text[at:end]])


def _calls(text: str, tokens: list[Token], partner: dict[int, int]) -> list[Call]:
    """Calls in post-order: a call is complete at its closing parenthesis."""
    opened: dict[int, int] = {}  # closing parenthesis -> index of the word QA
    for i, token in enumerate(tokens):
        if token.is_word(CALL) and (paren := _after(tokens, i)) in partner:
            opened[partner[paren]] = i
    found = []
    for close in sorted(opened):
        call = _call(text, tokens, opened[close], close, partner)
        found.append(replace(call, place=_place(tokens, opened[close], close, partner)))
    return found


def _place(tokens: list[Token], first: int, close: int, partner: dict[int, int]) -> Place:
    """Where a call stands that goes from one token to another."""
    before = _before(tokens, first)
    if before >= 0 and tokens[before].is_word("IN"):
        return "list"
    around = max((opening for opening, end in partner.items() if opening < first and end > close), default=-1)
    word = _before(tokens, around) if around >= 0 else -1
    if word < 0 or not tokens[word].is_word("IN") or tokens[_after(tokens, around)].is_word("SELECT", "WITH"):
        return "value"
    return "alone" if before == around and _after(tokens, close) == partner[around] else "element"


def _before(tokens: list[Token], i: int) -> int:
    """Index of the token before that means something; -1 if there is none."""
    i -= 1
    while i >= 0 and tokens[i].idle:
        i -= 1
    return i


def _after(tokens: list[Token], i: int) -> int:
    """Index of the next token that means something."""
    i += 1
    while i < len(tokens) and tokens[i].idle:
        i += 1
    return i


def _call(text: str, tokens: list[Token], first: int, close: int, partner: dict[int, int]) -> Call:
    paren = _after(tokens, first)
    parts, inside = [[]], paren + 1  # type: list[list[Token]], int
    while inside < close:
        token = tokens[inside]
        if token.kind == ";":
            parts.append([])
        elif token.kind == "(":
            parts[-1] += tokens[inside : partner[inside]]
            inside = partner[inside]
            parts[-1].append(tokens[inside])
        else:
            parts[-1].append(token)
        inside += 1
    head, *rest = [[t for t in part if not t.idle] for part in parts]
    if len(head) != 1 or head[0].kind not in ("double", "string"):
        raise ParseError(
            'a call must begin with its question in quotes: QA("map@..."; ...)', text, tokens[paren].end - 1
        )
    kind, at, question = head[0].value.partition("@")
    if not at or kind.strip().lower() not in KINDS:
        raise ParseError("a question must begin with map@ or ans@", text, head[0].start)
    if not question.strip():
        raise ParseError("a question must not be empty", text, head[0].start)
    if not rest or not all(rest):
        raise ParseError("a call must have columns, a SELECT or literals after its question", text, tokens[close].start)
    spans = tuple((part[0].start, part[-1].end) for part in rest)
    return Call(
        kind="map" if kind.strip().lower() == "map" else "ans",
        question=question.strip(),
        args=tuple(text[a:b] for a, b in spans),
        span=(tokens[first].start, tokens[close].end),
        text=text[tokens[first].start : tokens[close].end],
        arg_spans=spans,
    )


__all__ = ["BinderProgram", "Call", "Place"]
