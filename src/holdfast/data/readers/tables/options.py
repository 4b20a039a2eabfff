"""What a user may say about a table instead of leaving it to evidence: the same options in every command."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.errors import InputError

Decimal = Literal[".", ","]
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class TableOptions:
    """How a table is to be read. None, everywhere, means: from the evidence in the file.

    A command line offers `--decimal`, `--encoding`, `--header`, `--day-first / --month-first` and `--null`
    (repeatable) and hands their values to the fields of the same names; `delimiter` and `sheet` are for Python.

    Attributes:
        decimal: "." or ",": the sign before the fraction of a number. The other one may then group thousands.
        encoding: of text files, as Python names it ("utf-8", "cp1252", "utf-16", "shift_jis").
        header: number of the row with the columns' names, counted from 1 as a spreadsheet does (rows above it are
            passed over); 0: there are no names, and columns are called column_1, column_2, ...
        day_first: whether 03/04/2024 is the 3rd of April (True) or March 4th (False).
        null: the words that mean "no value", instead of the usual ones ("n/a", "-", "null", ...); an empty cell always
            is none. Small and capital letters are the same. They also count in columns of text, but for those that
            the caller declares to be text (ids, names, labels).
        delimiter: one of "," ";" tab "|".
        sheet: name of a workbook's sheet; None = the first.

    Raises:
        InputError: another value than these; names the field.

    Example:
        >>> from holdfast.data.readers.tables import TableOptions
        >>> TableOptions(decimal=",", null=["missing", "k.A."]).null
        ('missing', 'k.A.')
        >>> TableOptions(decimal="comma")
        Traceback (most recent call last):
        holdfast.errors.InputError: decimal: must be '.' or ','; received 'comma'
    """

    decimal: Decimal | None = None
    encoding: str | None = None
    header: int | None = None
    day_first: bool | None = None
    null: Sequence[str] | None = None
    delimiter: str | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise InputError("decimal", "must be '.' or ','", repr(self.decimal))
        if self.header is not None and (
            isinstance(self.header, bool) or not isinstance(self.header, int) or self.header < 0
        ):
            raise InputError("header", "must be the number of a row, or 0 where there are no names", repr(self.header))
        if self.day_first not in (None, True, False):
            raise InputError("day_first", "must be True, False or None", repr(self.day_first))
        if self.delimiter not in (None, *DELIMITERS):
            raise InputError("delimiter", "must be one of ',' ';' '\\t' '|'", repr(self.delimiter))
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if self.null is not None:
            if isinstance(self.null, str) or not all(isinstance(word, str) for word in self.null):
                raise InputError("null", "must be words", repr(self.null))
            object.__setattr__(self, "null", tuple(self.null))


def _check_encoding(name: str) -> None:
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError, TypeError):
        raise InputError("encoding", "must be the name of an encoding, such as utf-8 or cp1252", repr(name)) from None
    if not known._is_text_encoding:  # "zip", "base64", "rot13": they turn bytes into something else
        raise InputError("encoding", "must be an encoding of text, such as utf-8 or cp1252", repr(name))


__all__ = ["DELIMITERS", "Decimal", "TableOptions"]
