"""Text from data, plugins and exceptions, made safe to print: nothing in it controls a terminal or breaks XML."""

from __future__ import annotations

import os
import re
from typing import Any

# C0 and C1 controls (terminal escapes), surrogates, bidirectional overrides and XML's forbidden code points.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_BREAK = re.compile("[ \t]*[\t\n\u2028\u2029]+[ \t]*")


def clean(text: Any) -> str:
    """Text without characters that control a terminal or that XML forbids; line breaks and tabs stay.

    Example:
        >>> clean("red \\x1b[31m")
        'red �[31m'
    """
    return _UNPRINTABLE.sub("\ufffd", str(text).replace("\r\n", "\n"))


def clean_line(text: Any) -> str:
    """Clean text in a single line; every break becomes one space, other spaces stay as they are.

    Example:
        >>> clean_line("a\\n\\t b  c")
        'a b  c'
    """
    return _BREAK.sub(" ", clean(text)).strip()


def without_home(text: str) -> str:
    """The text with `~` for the home folder, in tracebacks and messages that others will read.

    Example:
        >>> import os
        >>> without_home(f"{os.path.expanduser('~')}/x.py") if os.path.expanduser("~") != "/" else "~/x.py"
        '~/x.py'
    """
    home = os.path.expanduser("~").rstrip("/\\")
    return text.replace(home, "~") if len(home) > 1 else text


__all__ = ["clean", "clean_line", "without_home"]
