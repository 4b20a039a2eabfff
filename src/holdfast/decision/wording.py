"""The two lines of a verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.decision.verdict import Answer, Word
    from holdfast.experiment.claims import Measured

ANSWERS = {"holds": "yes", "does not hold": "no"}


def direction_line(
    claim: Measured,
    direction: Answer,
    effect: float | None,
    interval: tuple[float, float] | None,
    unit: str,
    remark: str,
) -> str:
    """`better: yes, +8 [7, 9] points`."""
    if effect is None:
        return ""
    shown = numbers(claim, effect, interval)
    return f"{claim.asks}: {direction}, {shown} {unit}".rstrip() + (f" ({remark})" if remark else "")


def margin_line(claim: Measured, word: Word) -> str:
    """`by the claimed 10: no`."""
    return f"{claim.margin_words()}: {ANSWERS.get(word, word)}"


def numbers(claim: Measured, effect: float, interval: tuple[float, float] | None) -> str:
    """Effect and interval with as many decimals as two digits of the width need, or more where an end rounded that
    way would land on the other side of the region's edge."""
    if interval is None:
        return f"{effect:+.3g}"
    lo, hi = interval
    width = hi - lo if hi > lo else abs(effect)
    decimals = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 0
    place = claim.region.judge(lo, hi)
    for more in range(6):
        if claim.region.judge(round(lo, decimals + more), round(hi, decimals + more)) == place:
            decimals += more
            break
    return f"{effect:+.{decimals}f} [{lo:.{decimals}f}, {hi:.{decimals}f}]"
