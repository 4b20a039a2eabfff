"""All mutants of a module: each is one small mistake, at one place of its text."""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mutants.operators import KINDS
from mutants.scope import places
from mutants.text import Edit, Text


@dataclass(frozen=True)
class Mutation:
    """One mistake.

    Attributes:
        module: the file, relative to the folder of the system.
        kind: of the mistake, a key of `KINDS`.
        function: that it is in.
        line: from 1.
        edit: what makes it.
        old, new: the line (or lines, joined) without and with it.
    """

    module: Path
    kind: str
    function: str
    line: int
    edit: Edit
    old: str
    new: str


def mutations(source: str, module: Path) -> list[Mutation]:
    """Every mutant of a source, in the order of the text.

    Those that say the same with other characters, and those that are no Python, are left out.

    Raises:
        SyntaxError: the source is no Python.
    """
    tree = ast.parse(source)
    text, unchanged = Text(source), ast.dump(tree)
    found: dict[Edit, Mutation] = {}
    for place in places(tree):
        for kind, operator in KINDS.items():
            for edit in operator(place, text):
                if edit not in found and _meaning(edit.of(source)) not in (None, unchanged):
                    found[edit] = _described(text, Mutation(module, kind, place.function, 0, edit, "", ""))
    return sorted(found.values(), key=lambda m: (m.edit.start, m.edit.end, m.edit.new))


def drawn(every: Iterable[Mutation], seed: int) -> Iterator[Mutation]:
    """The mutants in a random order that visits all functions and kinds of mistakes before any of them a second time.

    Args:
        every: mutants, of one or several modules.
        seed: the same seed gives the same order.
    """
    left = list(every)
    random.Random(seed).shuffle(left)
    used: Counter[object] = Counter()
    while left:
        # Places first: another mistake in the same spot asks the tests nearly the same question.
        chosen = min(left, key=lambda m: (used[_spot(m)], used[_function(m)], used[m.kind]))
        left.remove(chosen)
        used.update([_spot(chosen), _function(chosen), chosen.kind])
        yield chosen


def _spot(m: Mutation) -> object:
    return m.module, m.edit.start


def _function(m: Mutation) -> object:
    return m.module, m.function


def _meaning(source: str) -> str | None:
    """The syntax tree as text; None where there is none."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return None


def _described(text: Text, m: Mutation) -> Mutation:
    """With the line and what it says before and after."""
    source, edit = text.source, m.edit
    low = source.rfind("\n", 0, edit.start) + 1
    high = source.find("\n", edit.end)
    high = len(source) if high < 0 else high
    new = Edit(edit.start - low, edit.end - low, edit.new).of(source[low:high])
    old, new = (" ".join(lines.split()) for lines in (source[low:high], new))
    return Mutation(m.module, m.kind, m.function, text.line(edit.start), edit, old, new)


__all__ = ["Mutation", "drawn", "mutations"]
