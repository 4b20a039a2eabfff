"""The cells of a column of texts: which hold a value, and how to speak of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from holdfast.data.readers.tables.asnumpy import mask, strings
from holdfast.data.readers.tables.options import TableOptions

NO_VALUE = (
    *("-", "--", "---", "–", "—", ".", "?", "n/a", "n.a.", "na", "<na>", "nan", "nat", "none", "null", "(null)", "nil"),
    *("\\n", "unknown", "missing", "#n/a", "#na", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!"),
)
SAMPLE = 200  # cells that tell whether a column may be of a kind at all


class Cells:
    """A column of texts, and which of them are no value.

    Args:
        name: of the column.
        texts: arrow array of texts without nulls, as they are in the file.
        rows: (N,) numbers of the rows in the file.
        options: what the user said.

    Attributes:
        lower: the texts in small letters, without blanks around.
        empty: (N,) bool, cells with nothing or blanks in them.
        words: (N,) bool, cells with a word that means "no value".
        known: (N,) bool, the others.
    """

    def __init__(self, name: str, texts: Any, rows: np.ndarray, options: TableOptions) -> None:
        self.name, self.texts, self.rows, self.options = name, texts, rows, options
        self.lower = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
        words = NO_VALUE if options.null is None else [word.strip().lower() for word in options.null]
        self.empty = mask(pc.equal(self.lower, ""))
        self.words = mask(pc.is_in(self.lower, pa.array([w for w in words if w], self.lower.type))) & ~self.empty
        self.known = ~(self.empty | self.words)

    def sample(self) -> Any:
        """The first texts that are values."""
        return self.texts.take(pa.array(np.flatnonzero(self.known)[:SAMPLE]))

    def are_in(self, words: Sequence[str]) -> bool:
        """Whether all values are among a few words in small letters."""
        first = np.flatnonzero(self.known)[:SAMPLE]
        allowed = pa.array(words, self.lower.type)
        if not mask(pc.is_in(self.lower.take(pa.array(first)), allowed)).all():
            return False
        return bool(mask(pc.is_in(self.lower, allowed))[self.known].all())

    def objects(self) -> np.ndarray:
        """The texts as they are, (N,) objects."""
        return strings(self.texts)

    # --------------------------------------------------------------------------------------------------------- words
    def one(self, place: int) -> str:
        """A cell and where it is: "'n/a' in row 17"."""
        text = str(self.texts[int(place)].as_py())
        return f"{(text if len(text) <= 40 else text[:37] + '...')!r} in row {self.rows[int(place)]}"

    def such(self, places: Sequence[int] | np.ndarray) -> str:
        """The first of some cells, where it is, and how many there are."""
        return self.one(places[0]) + (f" ({len(places):,} such cells)" if len(places) > 1 else "")

    def are_not(self, places: np.ndarray, what: str) -> str:
        """ "3 cells are not numbers, such as 'n/a' in row 17"."""
        count = f"{len(places):,} cells are not {what}" if len(places) > 1 else f"1 cell is not a {what[:-1]}"
        return f"{count}, such as {self.one(places[0])}" if len(places) > 1 else f"{count}: {self.one(places[0])}"

    def said_of_words(self, what: str) -> list[str]:
        """What is to be said of the words that mean "no value"."""
        places = np.flatnonzero(self.words)
        return [f"{self.are_not(places, what)}, and read as no value"] if places.size else []


class Unfit(Exception):
    """A column that cannot be read as what it was taken for.

    Args:
        rule: that it breaks, for those who declared it to be that.
        received: how it does.
        note: the same for those who declared nothing.
    """

    def __init__(self, rule: str, received: str, note: str = "") -> None:
        self.rule, self.received, self.note = rule, received, note or received


__all__ = ["NO_VALUE", "SAMPLE", "Cells", "Unfit"]
