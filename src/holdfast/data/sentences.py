"""Real sentences: those of a table, whole ones among phrases, and the documentation of installed packages."""

from __future__ import annotations

import ast
import csv
import functools
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from holdfast.errors import InputError


def read_sentences(path: Path) -> list[str]:
    """The column `sentence` of a tab-separated file.

    Raises:
        InputError: no such file, no such column, or no text in it.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            texts = [text for row in rows if (text := " ".join((row.get("sentence") or "").split()))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(str(path), "must be a readable table of sentences", str(error)) from error
    if not texts:
        raise InputError(str(path), "must have a column 'sentence' with text", "none")
    return texts


def whole_sentences(texts: Sequence[str], words: int = 8) -> list[str]:
    """Of phrases that were cut out of sentences those that end with a full stop and are not the end of a longer one.

    Example:
        >>> whole_sentences(["a film of wit and charm .", "wit and charm .", "a film"], words=3)
        ['a film of wit and charm .']
    """
    ends = sorted({text[::-1] for text in texts if text.endswith(".")})
    # Sorted from their ends, a phrase stands right before the sentences that it is the end of.
    whole = [a for a, b in zip(ends, [*ends[1:], ""], strict=True) if not b.startswith(a)]
    return [text[::-1] for text in whole if len(text.split()) >= words]


@functools.cache
def docstrings(module: str) -> tuple[str, ...]:
    """First sentences of the documentation of functions and classes of an installed package, read from its sources.

    Example:
        >>> len(docstrings("json")) > 3
        True
    """
    spec = importlib.util.find_spec(module)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    files = [file for folder in folders for file in sorted(Path(folder).rglob("*.py")) if "tests" not in file.parts]
    return tuple(text for file in files for text in summaries(file.read_bytes()))


def summaries(source: bytes) -> Iterator[str]:
    """The first paragraphs of all docstrings of functions and classes in Python source, if of 5 to 40 words.

    Example:
        >>> list(summaries(b'def f(x):\\n    "Add one to every number."'))
        ['Add one to every number.']
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            if 5 <= len(text.split()) <= 40:
                yield text


__all__ = ["docstrings", "read_sentences", "summaries", "whole_sentences"]
