"""A source text by positions, so that one token can be replaced and all others stay where they are."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass

BLANK = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Edit:
    """Characters `start` to `end` of a source become `new`."""

    start: int
    end: int
    new: str

    def of(self, source: str) -> str:
        """The source with it."""
        return source[: self.start] + self.new + source[self.end :]


class Text:
    """A source, its tokens, and where the nodes of its syntax tree lie in it.

    Args:
        source: a module, with lines that end in "\\n".
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        self.tokens = [
            (self._starts[t.start[0] - 1] + t.start[1], self._starts[t.end[0] - 1] + t.end[1], t.string)
            for t in tokens
            if t.type not in BLANK
        ]

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Where a node begins, in characters."""
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Where a node ends, in characters."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.end_lineno, node.end_col_offset)

    def replaced(self, old: str, new: str, low: int, high: int) -> Edit:
        """The change of the only token (or two: "not in", "is not") `old` between two positions to `new`;
        with nothing for it, the blanks behind it go, too."""
        words = old.split()
        inside = [t for t in self.tokens if low <= t[0] and t[1] <= high]
        for first in range(len(inside) - len(words) + 1):
            chosen = inside[first : first + len(words)]
            if [string for _, _, string in chosen] == words:
                after = self.source[chosen[-1][1] :]
                blanks = 0 if new else len(after) - len(after.lstrip(" "))
                return Edit(chosen[0][0], chosen[-1][1] + blanks, new)
        raise ValueError(f"no {old!r} between {low} and {high}")

    def line(self, position: int) -> int:
        """Number of the line, from 1, that a position lies in."""
        return self.source.count("\n", 0, position) + 1

    def _offset(self, line: int, octets: int) -> int:
        # The syntax tree counts bytes, where everything else counts characters.
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:octets].decode())


__all__ = ["Edit", "Text"]
