"""Numbers as people write them: which sign is the decimal one, and what each cell is worth.

A text such as `1.234` may be one and a quarter or one thousand two hundred and thirty-four. `Numerals` says of a column
whether all its cells are numbers under a decimal point, under a decimal comma, or under either; who decides between
the two is `cells`. Everything is done on whole columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from holdfast.data.readers.tables.asnumpy import array, mask, may_hold, strings
from holdfast.data.readers.tables.options import Decimal

# Signs and codes of money. A sign that several countries use ($) is a unit of its own.
SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY", "₪": "ILS", "₫": "VND", "₴": "UAH"}
SIGNS |= {"US$": "USD", "A$": "AUD", "C$": "CAD", "HK$": "HKD", "NZ$": "NZD", "R$": "BRL", "zł": "PLN", "Kč": "CZK"}
CODES = re.findall(
    "[A-Z]{3}",
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KRW KZT MAD MXN MYR NGN "
    "NOK NZD PEN PHP PKR PLN QAR RMB RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR",
)
_MONEY = "|".join(re.escape(s) for s in sorted((*SIGNS, *CODES, "$", "¥", "₱", "₦", "₡", "₲", "฿"), key=len)[::-1])
_EXPONENT = r"[eE][-+]?[0-9]{1,4}"
_INFINITE = r"[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
_CORE = rf"(?:[0-9](?:[0-9., ']*[0-9.,])?|[.,][0-9]+)(?:{_EXPONENT})?"
# Sign, digits with marks between them, exponent: what most cells are.
PLAIN = rf"^[-+]?(?:{_CORE}|{_INFINITE})$"
# With money before or after, percent, brackets or a minus behind for negative amounts.
DRESSED = (
    rf"^(?P<open>\(?) ?(?P<first>[-+]?) ?(?P<before>{_MONEY})? ?(?P<inner>\(?)(?P<second>[-+]?) ?(?P<core>{_CORE})"
    rf" ?(?P<after>%|{_MONEY})? ?(?P<last>-?)(?P<close>\)?)$"
)


def _valid(decimal: str, group: str) -> str:
    """Numbers under one decimal sign: the other one, a blank or an apostrophe may stand between thousands."""
    between = [re.escape(group), "[ ']"]
    grouped = "|".join(rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+" for mark in between)
    lakh = r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if group == "," else ""
    point = re.escape(decimal)
    return (
        rf"^[-+]?(?:(?:{grouped}{lakh})(?:{point}[0-9]+)?"
        rf"|(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:{_EXPONENT})?|{_INFINITE})$"
    )


VALID: dict[Decimal, str] = {".": _valid(".", ","), ",": _valid(",", ".")}
LONGEST = 400  # characters of one number
_OTHER: dict[Decimal, str] = {".": ",", ",": "."}
# Blanks, apostrophes and minus signs that mean the same as the plain ones.
_SAME = (("\u00a0", " "), ("\u202f", " "), ("\u2009", " "), ("\u2019", "'"), ("\u2212", "-"))


def prepared(cells: Any) -> Any:
    """Texts without blanks around, with plain blanks, apostrophes and minus signs."""
    trimmed = pc.utf8_trim_whitespace(cells)
    if pc.all(pc.string_is_ascii(trimmed), min_count=0).as_py():
        return trimmed
    for given, plain in _SAME:
        trimmed = pc.replace_substring(trimmed, given, plain)
    return pc.utf8_trim_whitespace(trimmed)


def looks_like_number(text: str) -> bool:
    """Whether one cell is a number under either decimal sign.

    Example:
        >>> [looks_like_number(t) for t in ("1.200,50 €", "(1,200.50)", "7 %", "1e5", "1.2.3", "year")]
        [True, True, True, True, False, False]
    """
    cell = text.strip()
    for given, plain in _SAME:
        cell = cell.replace(given, plain)
    if len(cell) > LONGEST:
        return False
    if not re.match(PLAIN, cell):
        parts = re.match(DRESSED, cell)
        if not parts:
            return False
        cell = parts["core"]
    return any(re.match(valid, cell) for valid in VALID.values())


@dataclass(frozen=True, eq=False)
class Numerals:
    """What the cells of a column are as numbers.

    Attributes:
        core: sign, digits, marks and exponent of each cell, "" where it is none.
        fits: for each decimal sign, which cells are numbers under it.
        percent: which cells have a percent sign.
        negative: which cells are in brackets or have the minus behind.
        money: unit of each cell with money, else ""; None if no cell has any.
    """

    core: Any
    fits: dict[Decimal, np.ndarray]
    percent: np.ndarray
    negative: np.ndarray
    money: np.ndarray | None

    @classmethod
    def of(cls, cells: Any, known: np.ndarray | None = None) -> Numerals:
        """Of an arrow array of texts without nulls, as they are in the file; `known` says which are looked at."""
        core = prepared(cells)
        plain = mask(pc.match_substring_regex(core, PLAIN))
        percent, negative = np.zeros(len(plain), bool), np.zeros(len(plain), bool)
        money: np.ndarray | None = None
        if not plain.all():
            others = np.flatnonzero(~plain if known is None else ~plain & known)
            parts = _Parts(core.take(pa.array(others)))
            core = _replaced(core, np.flatnonzero(~plain), others, parts.core)
            percent[others], negative[others] = parts.percent, parts.negative
            if (parts.money != "").any():
                money = np.full(len(plain), "", object)
                money[others] = parts.money
        points = mask(pc.match_substring_regex(core, VALID["."]))
        commas = mask(pc.match_substring_regex(core, VALID[","])) if may_hold(core, ".,") else points
        if percent.any():  # 1e3 % is too odd to be read
            scientific = mask(pc.match_substring_regex(core, "[eE]")) & percent
            points, commas = points & ~scientific, commas & ~scientific
        return cls(core, {".": points, ",": commas}, percent, negative, money)

    @property
    def are_numbers(self) -> np.ndarray:
        """Which cells are numbers under at least one of the two signs."""
        return self.fits["."] | self.fits[","]

    def evidence(self, among: np.ndarray) -> dict[Decimal, int]:
        """For each decimal sign, the first of the cells that are numbers under this one alone."""
        points, commas = self.fits["."], self.fits[","]
        alone: dict[Decimal, np.ndarray] = {".": points & ~commas & among, ",": commas & ~points & among}
        return {sign: int(found.argmax()) for sign, found in alone.items() if found.any()}

    def open(self, among: np.ndarray) -> np.ndarray:
        """The cells whose value depends on the decimal sign, such as `1.234`."""
        return np.flatnonzero(among & self.fits["."] & self.fits[","] & (self._marked(".") | self._marked(",")))

    def like_names(self, decimal: Decimal, among: np.ndarray) -> np.ndarray:
        """The cells that begin as names do and numbers do not (007, 01234); where no cell has a decimal sign, also
        those that may be codes (1e5, as no program writes a number)."""
        names = mask(pc.match_substring_regex(self.core, r"^[-+]?0[0-9]"))
        if may_hold(self.core, "eE") and not (self._marked(decimal) & among).any():
            names |= mask(pc.match_substring_regex(self.core, r"^[-+]?[0-9]+[eE][0-9]+$"))
        return np.flatnonzero(among & names)

    def units(self, among: np.ndarray) -> dict[str, int]:
        """The kinds of money, and how many cells have each."""
        if self.money is None:
            return {}
        names, counts = np.unique(self.money[among].astype(str), return_counts=True)
        return {str(name): int(n) for name, n in zip(names, counts, strict=True) if name}

    def values(self, decimal: Decimal, among: np.ndarray, *, whole: bool) -> np.ndarray | None:
        """What the cells are worth: float64 (N,), NaN elsewhere; with `whole` int64, 0 elsewhere.

        Percentages are fractions. The result is the double that is nearest to the number as it is written.

        Returns:
            None if a whole number is beyond int64, or another beyond the largest double.
        """
        core = self.core
        for mark in (_OTHER[decimal], " ", "'"):
            core = pc.replace_substring(core, mark, "") if may_hold(core, mark) else core
        if decimal == "," and may_hold(core, ","):
            core = pc.replace_substring(core, ",", ".")
        if may_hold(core, "+"):
            core = pc.replace_substring_regex(core, r"^\+", "")
        if self.percent.any():
            hundredth, nothing = pa.scalar("e-2", core.type), pa.scalar("", core.type)
            core = pc.if_else(pa.array(self.percent), pc.binary_join_element_wise(core, hundredth, nothing), core)
        if not among.all():
            core = pc.if_else(pa.array(among), core, pa.scalar("0", core.type))
        try:
            numbers = array(pc.cast(core, pa.int64() if whole else pa.float64()))
        except pa.ArrowInvalid:
            return None  # too many digits for int64
        if self.negative.any():
            numbers = np.where(self.negative, -numbers, numbers)
        if not whole:
            large = among & np.isinf(numbers)
            if large.any() and not mask(pc.match_substring_regex(self.core, "[iI]"))[large].all():
                return None
        if not among.all():
            numbers[~among] = 0 if whole else np.nan
        return numbers

    def are_whole(self, decimal: Decimal, among: np.ndarray) -> bool:
        """Whether all of the cells are whole numbers, written without fraction, exponent or percent."""
        if (among & self.percent).any():
            return False
        if not may_hold(self.core, f"eEiI{decimal}"):
            return True
        return not (among & mask(pc.match_substring_regex(self.core, rf"[eEiI]|{re.escape(decimal)}"))).any()

    def describe(self, decimal: Decimal, among: np.ndarray, one: Callable[[int], str]) -> list[str]:
        """What is special about how the numbers are written, in words; `one` shows a cell and where it is."""
        said = [f"money in {unit}" for unit in self.units(among)]
        if (where := np.flatnonzero(self.percent & among)).size:
            said.append(f"percent, {one(where[0])} is read as {self._percentage(decimal, where[0])}")
        if decimal == "," and (self._marked(",") & among).any():
            said.append("decimal comma")
        names = {".": "point", ",": "comma", " ": "blank", "'": "apostrophe"}
        for mark, name in names.items():
            if mark != decimal and (self._marked(mark) & among).any():
                said.append(f"{name} between thousands")
        if (where := np.flatnonzero(self.negative & among)).size:
            said.append(f"{one(where[0])} is negative")
        return said

    def _marked(self, mark: str) -> np.ndarray:
        """Which cells hold a mark."""
        if not may_hold(self.core, mark):
            return np.zeros(len(self.percent), bool)
        return mask(pc.match_substring(self.core, mark))

    def _percentage(self, decimal: Decimal, place: int) -> str:
        only = np.arange(len(self.percent)) == place
        value = self.values(decimal, only, whole=False)
        return "a fraction" if value is None else f"{value[place]:.15g}"


class _Parts:
    """Core, percent, minus and money of cells that are more than sign, digits and marks; the core of others is ""."""

    def __init__(self, text: Any) -> None:
        found = pc.extract_regex(text, DRESSED)
        part = {name: strings(pc.struct_field(found, name)) for name in found.type.names}
        brackets = (part["open"] + part["inner"]) == "("
        closed = part["open"] + part["inner"] + part["close"] == np.where(brackets, "()", "")
        signs = sum((part[name] != "").astype(int) for name in ("first", "second", "last")) + brackets
        money = (part["before"] != "").astype(int) + (part["after"] != "").astype(int)
        good = (part["core"] != "") & closed & (signs <= 1) & (money <= 1)
        minus = (part["first"] == "-") | (part["second"] == "-")
        self.core = np.where(good, np.where(minus, "-", "").astype(object) + part["core"], "")
        self.percent = good & (part["after"] == "%")
        unit = np.where(good & ~self.percent, part["before"] + part["after"], "")
        units = {name: SIGNS.get(name, name) for name in set(unit.tolist())}
        self.money = np.array([units[name] for name in unit.tolist()], object)
        self.negative = good & (brackets | (part["last"] == "-"))


def _replaced(text: Any, gone: np.ndarray, places: np.ndarray, texts: np.ndarray) -> Any:
    """A column of texts, "" at the places that are gone but for some of them, which become other texts."""
    pool = pa.chunked_array(
        [*(text.chunks if isinstance(text, pa.ChunkedArray) else [text]), pa.array([""], text.type)]
    )
    pool = pa.chunked_array([*pool.chunks, pa.array(texts, text.type)])
    index = np.arange(len(text))
    index[gone] = len(text)
    index[places] = len(text) + 1 + np.arange(len(places))
    return pool.take(pa.array(index))


__all__ = ["CODES", "SIGNS", "Numerals", "looks_like_number", "prepared"]
