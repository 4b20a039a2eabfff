"""Rules that a whole text must keep; each says what is wrong with one, "" where nothing is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence


def words(text: str) -> list[str]:
    """Words without what stands around them."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)


def lines(text: str) -> list[str]:
    """Lines that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def acrostic(text: str, word: str) -> str:
    """Lines whose first letters spell a word."""
    spelt = "".join(line.lstrip("*-#> \"'“‘")[:1] for line in lines(text))
    return "" if spelt.casefold() == word.casefold() else f"first letters are {spelt!r}"


def counted(text: str, total: int, without: str = "") -> str:
    """So many words, and some signs in none of them."""
    number = len(words(text))
    if number != total:
        return f"{number} words in place of {total}"
    used = [sign for sign in without if sign.casefold() in text.casefold()]
    return f"holds {used[0]!r}" if used else ""


def json_object(text: str, keys: Sequence[str], total: int) -> str:
    """A JSON object with these keys in this order, its values whole numbers of this sum."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(value, dict) or list(value) != list(keys):
        return f"keys are not {', '.join(keys)}"
    if not all(isinstance(v, int) and not isinstance(v, bool) for v in value.values()):
        return "values are not whole numbers"
    return "" if sum(value.values()) == total else f"the sum is not {total}"


def distinct(text: str, count: int, start: str) -> str:
    """So many lines, no two alike, each begins with a letter."""
    found = [re.sub(r"^\W*(?:\d+[.)])?\W*", "", line).casefold().rstrip(".") for line in lines(text)]
    if len(found) != count:
        return f"{len(found)} lines in place of {count}"
    if len(set(found)) < count:
        return "a line is repeated"
    bad = [line for line in found if not line.startswith(start)]
    return f"does not begin with {start!r}: {bad[0]!r}" if bad else ""


def verbatim(text: str, wanted: str) -> str:
    """A text sign by sign."""
    return "" if text == wanted else "is not the text"


def spoiled(text: str) -> str:
    """A text without its last line; of a single line, without its last word."""
    above, _, last = text.rpartition("\n")
    return above if above else last.rpartition(" ")[0]


RULES: Mapping[str, Callable[..., str]] = {f.__name__: f for f in (acrostic, counted, json_object, distinct, verbatim)}

__all__ = ["RULES", "lines", "spoiled", "words"]
