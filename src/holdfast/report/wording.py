"""How numbers and verdicts are put into words: one way, on the terminal, in figures and on the page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from holdfast.printable import clean as clean

if TYPE_CHECKING:
    from holdfast.decision import Verdict

NONE = "–"
SIGNS = {
    "holds": "✓",
    "does not hold": "✗",
    "undecided": "?",
    "not testable here": "∅",
}  # verdicts legible without colour


def is_finite(value: Any) -> bool:
    """Whether the value is a number one can print."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def number(value: Any, *, signed: bool = False) -> str:
    """Three significant digits, at least one decimal below 1000; a dash for missing, NaN and infinite values.

    Example:
        >>> [number(v) for v in (81.25, 0.01234, 12345.6, 99.97, 0, float("nan"))]
        ['81.2', '0.0123', '12,346', '100.0', '0', '–']
        >>> number(8.1, signed=True)
        '+8.10'
    """
    value = value.item() if hasattr(value, "item") else value
    if not is_finite(value):
        return NONE
    sign = "+" if signed else ""
    size = abs(value)
    if size == 0 or (isinstance(value, int) and size < 1e6):
        return f"{value:{sign},}" if value else "0"
    if size >= 1e6 or size < 1e-3:
        return f"{value:{sign}.2e}"
    decimals = 0 if size >= 1000 else max(1, 2 - math.floor(math.log10(size)))
    return f"{value:{sign},.{decimals}f}"


def spread(mean: float, sd: float) -> str:
    """`mean ± sd`, both to the decimals that two significant digits of the sd justify.

    Example:
        >>> spread(81.234, 1.34), spread(0.51234, 0.0123), spread(81.234, 0.0)
        ('81.2 ± 1.3', '0.512 ± 0.012', '81.2')
    """
    if not is_finite(mean):
        return NONE
    if not is_finite(sd) or sd == 0 or abs(mean) >= 1e6 or sd < 1e-6:
        return number(mean)
    decimals = min(6, max(0, 1 - math.floor(math.log10(sd))))
    return f"{mean:,.{decimals}f} ± {sd:,.{decimals}f}"


def interval(pair: Sequence[Any] | None) -> str:
    """`[lo, hi]`; a dash where neither end is finite.

    Example:
        >>> interval((6.9, 9.2)), interval((5, float("inf"))), interval(None)
        ('[6.90, 9.20]', '[5, ∞]', '–')
    """
    if pair is None or len(pair) != 2 or not any(is_finite(end) for end in pair):
        return NONE
    return "[" + ", ".join(_end(end) for end in pair) + "]"


def _end(value: Any) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return number(value)


def with_unit(text: str, unit: str) -> str:
    """The value with its unit, or the dash alone."""
    return text if not unit or text == NONE else f"{text} {unit}"


def duration(seconds: Any) -> str:
    """Seconds for people.

    Example:
        >>> duration(0.84), duration(200.0), duration(3900)
        ('0.840 s', '3 min 20 s', '1 h 5 min')
    """
    if not is_finite(seconds):
        return NONE
    if seconds < 60:
        return f"{number(float(seconds))} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def region(pair: Sequence[Any] | None, unit: str) -> str:
    """The target region of a claim: `at least 10 %`, `between -1 and 1 %`.

    Example:
        >>> region((10, float("inf")), "%"), region((-1, 1), ""), region((5, 5), "")
        ('at least 10 %', 'between -1 and 1', 'exactly 5')
    """
    if pair is None or len(pair) != 2:
        return NONE
    has_low, has_high = (is_finite(end) for end in pair)
    # Declared by hand, so not rounded further; an open region around an exact value is a hair wider than the value.
    low, high = (f"{end if abs(end) > 1e-200 else 0:.6g}" if is_finite(end) else NONE for end in pair)
    if has_low and has_high:
        return with_unit(f"exactly {low}" if low == high else f"between {low} and {high}", unit)
    if has_low:
        return with_unit(f"at least {low}", unit)
    return with_unit(f"at most {high}", unit) if has_high else NONE


def one_line(text: Any, width: int = 160) -> str:
    """The text in one line, cut with an ellipsis.

    Example:
        >>> one_line("a\\n  b"), one_line("abcdef", 4)
        ('a b', 'abc…')
    """
    line = " ".join(clean(text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def settings(value: Any) -> str:
    """A configuration in one line: `steps=400, lr=0.03`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item!r}" if isinstance(item, str) else f"{key}={item}" for key, item in value.items())
    return str(value)


def point(values: Mapping[str, Any]) -> str:
    """A swept point: `labels = 4, width = 2`; empty where nothing is swept."""
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def effect(verdict: Verdict) -> str:
    """`+19.9 [17.8, 22.1] %, n = 8; target at least 10 %`; empty where nothing was judged."""
    if not is_finite(verdict.effect):
        return ""
    shown = " ".join(text for text in measured(verdict) if text != NONE)
    asked = region(verdict.region, verdict.unit)
    target = "" if asked == NONE else f"; target {asked}"
    return f"{with_unit(shown, verdict.unit)}, n = {verdict.n}{target}"


def measured(verdict: Verdict) -> tuple[str, str]:
    """Effect and interval, without unit, to the decimals that two digits of the interval's width need.

    More where rounding would put an end on the other side of the region's edge and so contradict the verdict.
    """
    return estimate(verdict.effect, verdict.interval, verdict.region or ())


def estimate(middle: float | None, ends: tuple[float, float] | None, avoid: Sequence[float] = ()) -> tuple[str, str]:
    """A signed number and its interval, to the decimals that two digits of the interval's width need.

    Args:
        avoid: numbers that no end may cross by rounding.

    Example:
        >>> estimate(8.04, (7.149, 8.931)), estimate(1.0, (0.004, 1.996), avoid=[0.0])
        (('+8.0', '[7.1, 8.9]'), ('+1.000', '[0.004, 1.996]'))
    """
    if ends is None or middle is None or not all(is_finite(end) for end in (middle, *ends)):
        return number(middle, signed=True), interval(ends)
    low, high = ends
    width = high - low if high > low else abs(middle)
    decimals = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 0
    edges = [edge for edge in avoid if is_finite(edge)]
    for more in range(6):
        rounded = [(end, round(end, decimals + more)) for end in (low, high)]
        if all((a < edge, a > edge) == (b < edge, b > edge) for a, b in rounded for edge in edges):
            decimals += more
            break
    if decimals > 6 or max(abs(low), abs(high)) >= 1e6:
        return number(middle, signed=True), interval(ends)
    middle, low, high = (round(value, decimals) + 0.0 for value in (middle, low, high))  # + 0.0: no "-0"
    return f"{middle:+,.{decimals}f}", f"[{low:,.{decimals}f}, {high:,.{decimals}f}]"


def wins(verdict: Verdict) -> str:
    """`8 of 8 replicates (63 to 100 %)`; a dash where wins do not apply."""
    if not is_finite(verdict.wins) or not verdict.n:
        return NONE
    said = f"{verdict.wins} of {verdict.n} replicates"
    ends = verdict.wins_interval
    if ends is None or not all(is_finite(end) for end in ends):
        return said
    return f"{said} ({100 * ends[0]:.0f} to {100 * ends[1]:.0f} %)"


def sample_size(verdict: Verdict) -> str:
    """What more replicates would do for an undecided verdict; empty for every other, and for a control that is as
    expected."""
    if verdict.verdict != "undecided" or verdict.as_expected:
        return ""
    if is_finite(verdict.needed) and verdict.needed:
        return f"About {number(int(verdict.needed))} replicates would probably decide it."
    if verdict.wants_more:
        return "A second look at more replicates is still allowed."
    return "" if verdict.interval is None else "More replicates would probably not decide it, not even 1,000."


def answers(verdict: Verdict) -> list[str]:
    """The two lines of a verdict without their numbers, for where these stand beside: `better: yes`, `by the claimed 3:
    yes`. The second is left out where no margin was claimed, as it then repeats the first.

    Example:
        >>> from holdfast.decision import Verdict
        >>> answers(Verdict(claim={"margin": 3.0}, text="t", role="headline", verdict="holds", effect=8.0,
        ...     direction="yes", margin="by the claimed 3", notes=({"kind": "remark", "text": "0.4 of the gap"},)))
        ['better: yes (0.4 of the gap)', 'by the claimed 3: yes']
    """
    first, _, rest = verdict.direction_line.partition(", ")
    remark = re.search(r"\(.*\)$", rest)
    said = [f"{first} {remark[0]}" if remark else first]
    said += [] if verdict.claim.get("margin") == 0 else [verdict.margin_line]
    return [line for line in said if line]
