"""Relative links in Markdown: found, and pointed elsewhere. Code, in blocks or in a line, holds no links.

Used by the generator of the site and by the tests of the repository; needs nothing but Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
LINK = re.compile(r"(\]\()([^()\s]+)((?:\s+\"[^\"]*\")?\))")
HEADING = re.compile(r"^(#{1,6}) +(.*?) *#*$")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)  # another host, or no file at all: https, mailto, data


def prose(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, line end included, and whether it is prose (not part of a block of code)."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = FENCE.match(line)
        opens, closes = mark and not fence, mark and fence and mark[1].startswith(fence)
        yield line, not (fence or mark)
        fence = mark[1] if opens else "" if closes else fence


def rewritten(text: str, change: Callable[[str], str]) -> str:
    """The text with every link and image that leads to a file or an anchor here replaced by `change(link)`.

    Example:
        >>> rewritten("[a](b.md#c), `[d](e)`, [f](https://g)", str.upper)
        '[a](B.MD#C), `[d](e)`, [f](https://g)'
    """

    def changed(match: re.Match[str]) -> str:
        return match[0] if ELSEWHERE.match(match[2]) else f"{match[1]}{change(match[2])}{match[3]}"

    def line_of(line: str) -> str:
        parts, at = [], 0
        for code in CODE.finditer(line):
            parts += [LINK.sub(changed, line[at : code.start()]), code[0]]
            at = code.end()
        return "".join([*parts, LINK.sub(changed, line[at:])])

    return "".join(line_of(line) if is_prose else line for line, is_prose in prose(text))


def links(text: str) -> list[str]:
    """All links and images that lead to a file or an anchor here."""
    found: list[str] = []

    def note(link: str) -> str:
        found.append(link)
        return link

    rewritten(text, note)
    return found


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of every heading."""
    found = (HEADING.match(line.rstrip("\n")) for line, is_prose in prose(text) if is_prose)
    return [(len(match[1]), match[2]) for match in found if match]


def title(text: str) -> str:
    """The words of the first heading, without marks; "" where there is none."""
    return next((re.sub(r"[`*_]", "", words) for _, words in headings(text)), "")


def anchors(text: str) -> set[str]:
    """What `#anchor` may name on a page, as code hosts and Python-Markdown both make it from its headings."""
    found: set[str] = set()
    for _, words in headings(text):
        slug = re.sub(r"[^\w\s-]", "", words.replace("`", "")).strip().lower()
        slug = re.sub(r"\s", "-", slug)
        if "--" not in slug and slug not in found:  # of these the two make different anchors
            found.add(slug)
    return found
