"""The answer in a text: from a line `ANSWER: ...`, a \\boxed{}, or the last number or choice in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LINE = re.compile(r"^[\W_]*answer[\W_]*?[:：]\s*(.+?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
DIGITS = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"
NUMBER = re.compile(rf"(?<![\w.,])-?(?:{DIGITS})(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w])")
LIST = re.compile(r"\s*(?:,|;|->|→|\n|\band\b)\s*")
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORDS = {word: str(i) for i, word in enumerate(ONES)} | {
    f"{ten}{joint}{one}" if one else ten: str(20 + 10 * i + j)
    for i, ten in enumerate(TENS) for j, one in enumerate(("", *ONES[1:10])) for joint in (" ", "-")
} | {"hundred": "100", "one hundred": "100", "a hundred": "100"}  # fmt: skip


def answer_line(text: str) -> tuple[str, str] | None:
    """What follows the last `ANSWER:`, or is in the last box; and which of the two."""
    for how, pattern in (("line", LINE), ("box", BOXED)):
        if found := pattern.findall(text):
            return found[-1].strip("*_`$ "), how
    return None


def normalise(text: str) -> str:
    """NFKC, no case, no punctuation but inside of words, single spaces.

    Example:
        >>> normalise("  “The  Red Box.” ")
        'the red box'
    """
    text = unicodedata.normalize("NFKC", text).replace("−", "-").replace("’", "'").casefold()
    return " ".join(re.sub(r"(?<!\w)[^\w\s]+|[^\w\s]+(?!\w)", " ", text).split())


def number(text: str) -> float | None:
    """The number that a short answer gives: after the last "=", else the first in it, else in words up to 100.

    Example:
        >>> number("1,024 bytes"), number("6 x 7 = 42"), number("forty-two"), number("none")
        (1024.0, 42.0, 42.0, None)
    """
    text = unicodedata.normalize("NFKC", text).replace("−", "-").rpartition("=")[2]
    if found := NUMBER.search(text):
        return float(found[0].replace(",", ""))
    said = normalise(text)
    longest = next((w for w in sorted(WORDS, key=len, reverse=True) if re.search(rf"\b{w}\b", said)), None)
    return None if longest is None else float(WORDS[longest])


def last_number(text: str) -> str | None:
    """The last number in digits of a text, as it is written."""
    found = NUMBER.findall(unicodedata.normalize("NFKC", text).replace("−", "-"))
    return found[-1] if found else None


def last_choice(text: str, choices: Sequence[str]) -> str | None:
    """The choice that ends last in a text; of those that end together, the longest."""
    said = normalise(text)
    ends = [
        (m.end(), len(c), c) for c in choices for m in re.finditer(rf"(?<!\w){re.escape(normalise(c))}(?!\w)", said)
    ]
    return max(ends)[2] if ends else None


def items(text: str) -> list[str]:
    """A list in one line: separated by commas, semicolons, arrows or "and"; brackets around it do not matter.

    Example:
        >>> items("[Ann, Bob and Cy]"), items("1,024")
        (['ann', 'bob', 'cy'], ['1', '024'])
    """
    return [said for part in LIST.split(text.strip("[](){}<> ")) if (said := normalise(part).strip("'\""))]


__all__ = ["answer_line", "items", "last_choice", "last_number", "normalise", "number"]
