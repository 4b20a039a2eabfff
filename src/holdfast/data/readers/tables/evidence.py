"""What the columns of a file tell about how numbers and dates are written in it."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.data.readers.tables.options import Decimal


@dataclass(frozen=True)
class Evidence:
    """What holds for a whole file.

    Attributes:
        decimals: decimal signs that some column cannot do without.
        orders: day first (True) and month first (False), as far as some column cannot do without.
        commas: whether commas separate the cells: whoever writes such a file seldom writes decimal commas.
    """

    decimals: frozenset[Decimal] = frozenset()
    orders: frozenset[bool] = frozenset()
    commas: bool = False


__all__ = ["Evidence"]
