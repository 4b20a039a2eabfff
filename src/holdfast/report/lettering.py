"""How much room text takes in a figure, and text that fits into the room there is.

The reader's own font draws the text of an SVG. It is not known here, so DejaVu Sans is measured, which is wider than
most, and an em is allowed for each character that it lacks or that is drawn in full width (Chinese, Japanese, Korean).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

from holdfast.report.wording import clean

BOLD = 1.12  # width of bold letters as a multiple of regular ones
_EM = 1000


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line, in units of its font size.

    Example:
        >>> width("ii", 10) < width("MM", 10) < width("数字", 10)
        True
    """
    return sum(map(_advance, text)) * size * (BOLD if bold else 1.0)


def fitted(text: Any, room: float, size: float, *, bold: bool = False, note: str = "") -> str:
    """One line that fits: long text loses its middle, as names often differ at their ends.

    Args:
        room: in the unit of `size`.
        note: kept whole after the text.

    Example:
        >>> fitted("settings of the first kind, A", 100, 10), fitted("short", 100, 10, note=" (n=8)")
        ('settings…t kind, A', 'short (n=8)')
    """
    line = " ".join(clean(text).split())
    left = room - width(note, size, bold=bold)
    if width(line, size, bold=bold) <= left:
        return line + note
    kept = len(line)
    while kept > 2:
        kept -= 1
        head = (kept + 1) // 2
        shorter = f"{line[:head].rstrip()}…{line[len(line) - (kept - head) :].lstrip()}"
        if width(shorter, size, bold=bold) <= left:
            return shorter + note
    return "…" + note


def wrapped(text: Any, room: float, size: float, *, bold: bool = False, most: int = 3) -> list[str]:
    """Lines that fit, broken between words where that is possible; what is too much for `most` lines is cut.

    Example:
        >>> wrapped("one two three four", 60, 10, most=2), wrapped("数字数字数字", 40, 10)
        (['one two', 'three four'], ['数字数字', '数字'])
    """
    lines, line = [], ""
    for piece in _pieces(" ".join(clean(text).split()), room, size, bold):
        if line and width((line + piece).rstrip(), size, bold=bold) > room:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    lines.append(line.rstrip())
    if len(lines) > most:
        cut = lines[most - 1]
        while cut and width(f"{cut} …", size, bold=bold) > room:
            cut = cut[:-1].rstrip()
        lines = [*lines[: most - 1], f"{cut} …"]
    return lines


def _pieces(line: str, room: float, size: float, bold: bool) -> list[str]:
    """Between any two of which a line may end: words with the space after them, single characters of full width, and
    single characters of words that no line could hold."""
    pieces: list[str] = []
    for word in line.split(" "):
        if width(word, size, bold=bold) > room:
            found = list(word)
        else:
            found = []
            for letter in word:
                if found and not _wide(letter) and not _wide(found[-1][-1]):
                    found[-1] += letter
                else:
                    found.append(letter)
        if found:
            found[-1] += " "
            pieces += found
    return pieces


def _wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


@cache
def _advance(letter: str) -> float:
    """Width of a character at size 1."""
    if unicodedata.combining(letter):
        return 0.0
    font = _font()
    if _wide(letter) or not font.get_char_index(ord(letter)):
        return 1.0
    return float(font.load_char(ord(letter)).linearHoriAdvance / 65536 / _EM)


@cache
def _font() -> Any:
    """A font of one's own: the one that matplotlib shares changes its size with every text it draws."""
    from matplotlib import font_manager, ft2font

    font = ft2font.FT2Font(font_manager.findfont("DejaVu Sans"))
    font.set_size(_EM, 72)
    return font
