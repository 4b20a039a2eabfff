"""A column of texts as numbers: one decimal sign, one kind of money, percentages throughout or nowhere."""

from __future__ import annotations

import re

import numpy as np
import pyarrow.compute as pc

from holdfast.data.readers.tables.cells import Cells, Unfit
from holdfast.data.readers.tables.evidence import Evidence
from holdfast.data.readers.tables.numerals import Numerals
from holdfast.data.readers.tables.options import Decimal
from holdfast.data.readers.tables.table import Column

NAMES: dict[Decimal, str] = {".": "point", ",": "comma"}


def as_numbers(cells: Cells, numerals: Numerals, evidence: Evidence, *, declared: bool) -> tuple[Column, list[str]]:
    """The column as integers or reals, and what is to be said of it.

    Args:
        cells: of the column.
        numerals: what they are as numbers.
        evidence: of the file, for a column that does not tell its decimal sign.
        declared: the caller says that these are numbers: 007 and 1e5 are then numbers, too, and whole numbers with too
            many digits for int64 become the nearest doubles.

    Raises:
        Unfit: cells that are no numbers, or leave open what they are worth.
    """
    known = cells.known
    wrong = np.flatnonzero(known & ~numerals.are_numbers)
    if wrong.size:
        raise Unfit("must hold numbers", cells.such(wrong))
    decimal, why = decimal_sign(cells, numerals, evidence)
    unit = _unit(numerals, known)
    if not declared and len(names := numerals.like_names(decimal, known)):
        raise Unfit("", "", f"names rather than numbers, such as {cells.such(names)}")
    whole = numerals.are_whole(decimal, known)
    values = numerals.values(decimal, known, whole=whole)
    if values is None and whole:
        if not declared:
            raise Unfit("", "", f"too many digits for whole numbers, such as {_longest(cells)}")
        whole, values = False, numerals.values(decimal, known, whole=False)
    if values is None:
        large = _large(cells, numerals)
        raise Unfit("must hold numbers up to 1.8e308", large, f"numbers beyond 1.8e308, such as {large}")
    how = ", ".join([*numerals.describe(decimal, known, cells.one), *why])
    said = [*([how] if how else []), *cells.said_of_words("numbers")]
    return Column(cells.name, "integer" if whole else "real", values, ~known, unit), said


def decimal_sign(cells: Cells, numerals: Numerals, evidence: Evidence) -> tuple[Decimal, list[str]]:
    """The decimal sign, and why it is that one where the column alone does not tell.

    What the user said comes first, then the column itself, then the other columns, then the sign between the cells.

    Raises:
        Unfit: two signs in one column, or nothing that tells.
    """
    known, given = cells.known, cells.options.decimal
    if given is not None:
        wrong = np.flatnonzero(known & ~numerals.fits[given])
        if wrong.size:
            raise Unfit(f"must hold numbers with a decimal {NAMES[given]}, as --decimal says", cells.such(wrong))
        return given, []
    found = numerals.evidence(known)
    if len(found) == 2:
        both = f"{cells.one(found['.'])} and {cells.one(found[','])}"
        raise Unfit("must have one decimal sign", both, f"decimal points and commas ({both})")
    if found:
        return next(iter(found)), []
    left = numerals.open(known)
    if not len(left):
        return ".", []
    if len(evidence.decimals) == 1:
        return next(iter(evidence.decimals)), ["as other columns tell"]
    mark = NAMES["." if "." in str(cells.texts[int(left[0])].as_py()) else ","]
    if evidence.commas and not evidence.decimals:
        example = cells.one(left[0])
        role = "the decimal sign" if mark == "point" else "one between thousands"
        return ".", [f"the {mark} in {example} is taken for {role}, as commas separate the cells (--decimal decides)"]
    raise Unfit(
        f"must tell whether its {mark} is the decimal sign or stands between thousands; say --decimal . or --decimal ,",
        f"{cells.such(left)}, and nothing in the file that tells",
        f"nothing tells whether the {mark} in {cells.one(left[0])} is the decimal sign (--decimal . or --decimal ,)",
    )


def _unit(numerals: Numerals, known: np.ndarray) -> str:
    percent, count = int((numerals.percent & known).sum()), int(known.sum())
    units = numerals.units(known)
    if len(units) > 1:
        counts = ", ".join(f"{unit} in {n:,}" for unit, n in units.items())
        raise Unfit("must be money of one kind", counts, f"money of several kinds ({counts})")
    if percent and percent < count:
        counts = f"{percent:,} cells with and {count - percent:,} without a percent sign"
        raise Unfit("must be percentages throughout, or nowhere", counts)
    return "%" if percent else next(iter(units), "")


def _longest(cells: Cells) -> str:
    lengths = np.where(cells.known, np.asarray(pc.utf8_length(cells.texts)), 0)
    return cells.one(int(lengths.argmax()))


def _large(cells: Cells, numerals: Numerals) -> str:
    """The first number that no double holds."""
    for place in np.flatnonzero(cells.known):
        text = re.sub("[^0-9eE.-]", "", str(numerals.core[int(place)].as_py()).replace(",", "."))
        if "e" in text.lower() or len(text) > 300:
            only = np.arange(len(cells.known)) == place
            if all(numerals.values(sign, only, whole=False) is None for sign in NAMES if numerals.fits[sign][place]):
                return cells.one(int(place))
    return _longest(cells)


__all__ = ["as_numbers", "decimal_sign"]
