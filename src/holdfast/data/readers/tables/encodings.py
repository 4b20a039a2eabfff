"""In which encoding a text is: from its byte-order mark, from being valid UTF-8, or from how its letters lie."""

from __future__ import annotations

import codecs
import re

from holdfast.errors import InputError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LOOKED_AT = 1 << 16  # bytes in which a binary file is recognised
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
ACCENTED = re.compile(r"\S*[^\x00-\x7f]\S*")
RUN = re.compile(r"[^\x00-\x7f]{3,}")  # characters beyond ASCII side by side


def to_utf8(data: bytes, encoding: str | None, name: str) -> tuple[bytes, list[str]]:
    """A text in UTF-8 without a byte-order mark, and what was decided, in words.

    Without `encoding`: a byte-order mark decides; else UTF-8 if it is that; else UTF-16 if every other byte is zero;
    else Windows-1252 (Latin-1 is the same for all printable characters), but only if its accented letters stand singly
    among plain ones, as in Western European languages. Cyrillic, Greek or Japanese text in an old encoding is refused
    with a word of it, as nothing tells which of many encodings it is.

    Args:
        data: the bytes.
        encoding: as the user names it, or None.
        name: what messages start with.

    Raises:
        InputError: bytes that are no text, or not in the encoding.

    Example:
        >>> text, notes = to_utf8("name;caf\u00e9".encode("cp1252"), None, "a.csv")
        >>> text.decode(), notes
        ('name;café', ["encoding: not UTF-8, so read as Windows-1252, such as 'name;café' (--encoding names another)"])
    """
    if encoding is not None:
        return _strict(data, encoding, name).removeprefix(codecs.BOM_UTF8), []
    for mark, found in MARKS:
        if data.startswith(mark):
            return _strict(data, found, name), [] if found == "utf-8-sig" else [f"encoding: {found.upper()}"]
    if wide := _two_bytes(data):
        return _strict(data, wide, name), [f"encoding: {wide.upper()}, as every other byte is zero"]
    _refuse_binary(data, name)
    if data.isascii():
        return data, []
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _western(data, name)
    return data, []


def _strict(data: bytes, encoding: str, name: str) -> bytes:
    try:
        text = data.decode(encoding)
        utf8 = text.encode("utf-8")
    except (UnicodeError, ValueError) as error:  # a few codecs raise others than UnicodeDecodeError
        where = ""
        if isinstance(error, UnicodeDecodeError):
            line = data[: error.start].count(b"\n") + 1
            where = f"; bytes {data[error.start : error.start + 4].hex(' ')} in line {line} are not"
        raise InputError(name, f"must be text in {encoding}", f"{error.__class__.__name__}{where}") from None
    if "\0" in text:
        raise InputError(name, "must be text", f"characters of value 0 when read as {encoding}")
    return utf8


def _two_bytes(data: bytes) -> str | None:
    """UTF-16 without a mark: of plain letters, digits and separators, every other byte is zero."""
    head = data[: LOOKED_AT & ~1]
    if len(data) % 2 or len(head) < 4:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) / 4
    return "utf-16-le" if odd > half and not even else "utf-16-be" if even > half and not odd else None


def _refuse_binary(data: bytes, name: str) -> None:
    if b"\0" in data:
        raise InputError(name, "must be text", f"a binary file (a zero byte at {data.index(0):,})")
    if match := CONTROL.search(data[:LOOKED_AT]):
        raise InputError(name, "must be text", f"a binary file (byte {match[0].hex()} at {match.start():,})")


def _western(data: bytes, name: str) -> tuple[bytes, list[str]]:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise _unknown(name, f"byte {data[error.start]:02x} in line {data[: error.start].count(10) + 1}") from None
    sample = text[:1_000_000] if not text[:1_000_000].isascii() else text
    beyond = sum(not c.isascii() for c in sample)
    in_runs = sum(len(run) for run in RUN.findall(sample))
    word = ACCENTED.search(sample)
    shown = word[0][:40] if word else ""
    if 4 * in_runs > beyond:
        raise _unknown(name, f"{shown!r} when read as Windows-1252, which is no word of a Western language")
    note = f"encoding: not UTF-8, so read as Windows-1252, such as {shown!r} (--encoding names another)"
    return text.encode("utf-8"), [note]


def _unknown(name: str, received: str) -> InputError:
    rule = "must be in UTF-8, or its encoding must be named (--encoding cp1251, shift_jis, ...)"
    return InputError(name, rule, received)


__all__ = ["to_utf8"]
