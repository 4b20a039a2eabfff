"""The verdicts as intervals against the regions they were tested against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.report.canvas import SMALL, TEXT, WIDTH, Drawing, drawable, labelled, limits, sheet
from holdfast.report.lettering import fitted, wrapped
from holdfast.report.svg import THEMED, Palette
from holdfast.report.wording import SIGNS, effect, is_finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from holdfast.decision import Verdict

LINE, FACTS, BAR, GAP = 13.0, 12.0, 20.0, 9.0
_MARKERS = {"holds": ("o", True), "does not hold": ("X", True), "undecided": ("o", False)}


def by_unit(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts that have an interval, grouped by the unit of their effect: only those can share an axis."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if drawable(verdict.effect):
            groups.setdefault(verdict.unit, []).append(verdict)
    return groups


def forest(
    verdicts: Sequence[Verdict], unit: str, name: str, palette: Palette = THEMED, *, titled: bool = False
) -> Drawing:
    """One row per verdict: the claim, its effect and interval, the target region shaded up to its margin line.

    Args:
        verdicts: of one unit, as `by_unit` gives them.
        name: of the drawing, unique on a page.
        titled: print the title inside, for a figure that stands alone.
    """
    texts = [
        wrapped(f"{SIGNS[v.verdict]} {v.text}", WIDTH - 22, TEXT, bold=v.role == "headline", most=3) for v in verdicts
    ]
    heights = [LINE * len(lines) + FACTS + BAR + GAP for lines in texts]
    title = forest_title(verdicts)
    height = sum(heights)
    figure, axes = sheet(height, palette, left=10, right=12, bottom=36, title=title if titled else "")
    axes.set_ylim(height, 0)
    axes.set_yticks([])
    axes.grid(axis="x", color=palette.grid, linewidth=0.7)
    axes.set_xlim(*_range(verdicts))
    axes.set_xlabel(labelled("effect", unit))
    top = 0.0
    for verdict, lines, tall in zip(verdicts, texts, heights, strict=True):
        _words(axes, top, height, verdict, lines, palette)
        _bar(axes, top + LINE * len(lines) + FACTS + BAR / 2, verdict, palette)
        top += tall
    return Drawing(name, title, _alt(verdicts, title), figure)


def forest_title(verdicts: Sequence[Verdict]) -> str:
    """The message of a forest plot: how many claims hold; controls do not count."""
    claims = [v for v in verdicts if v.role != "control"] or list(verdicts)
    held = sum(v.verdict == "holds" for v in claims)
    kind = "claim" if len(claims) == 1 else "claims"
    counts = ", ".join(
        f"{n} {word}" for word in SIGNS if word != "holds" and (n := sum(v.verdict == word for v in claims))
    )
    return f"{held} of {len(claims)} {kind} held" + (f" ({counts})" if counts else "")


def _range(verdicts: Sequence[Verdict]) -> tuple[float, float]:
    """Limits that show every finite end, and zero where it is not far away."""
    ends = [e for v in verdicts for e in (v.effect, *(v.interval or ()), *(v.region or ())) if drawable(e)]
    low, high = min(ends), max(ends)
    near = max(high - low, 1e-12)
    if low <= near and high >= -near:
        low, high = min(low, 0.0), max(high, 0.0)
    return limits([low, high], 0.1)


def _words(axes: Axes, top: float, height: float, verdict: Verdict, lines: list[str], palette: Palette) -> None:
    """The claim, and under it the numbers. Positions are in axes fractions so that every row starts at the left."""
    bold = "bold" if verdict.role == "headline" else "normal"
    for i, line in enumerate(lines):
        y = 1 - (top + LINE * (i + 0.6)) / height
        axes.text(0, y, line, transform=axes.transAxes, color=palette.ink, fontsize=TEXT, weight=bold, va="center")
    role = "" if verdict.role == "secondary" else f"{verdict.role}: "
    facts = fitted("; ".join([f"{role}{effect(verdict)}", *_wins(verdict)]), WIDTH - 22, SMALL + 0.3)
    y = 1 - (top + LINE * len(lines) + FACTS * 0.55) / height
    axes.text(0, y, facts, transform=axes.transAxes, color=palette.muted, fontsize=SMALL + 0.3, va="center")


def _wins(verdict: Verdict) -> list[str]:
    return [f"{verdict.wins}/{verdict.n} wins"] if is_finite(verdict.wins) and verdict.n else []


def _bar(axes: Axes, y: float, verdict: Verdict, palette: Palette) -> None:
    if verdict.effect is None:
        return
    low, high = axes.get_xlim()
    target = verdict.region or (float("nan"), float("nan"))
    start, end = (max(low, target[0]), min(high, target[1]))
    half = BAR * 0.38
    if start <= end:
        axes.fill_between([start, end], y - half, y + half, color=palette.region, linewidth=0, zorder=1)
    if low < 0 < high:
        axes.plot([0, 0], [y - half - 1, y + half + 1], color=palette.muted, linewidth=1, dashes=(2, 2), zorder=1.5)
    for margin in target:
        if drawable(margin):
            axes.plot([margin] * 2, [y - half, y + half], color=palette.ink, linewidth=1.4, zorder=2)
    ends = [min(max(e, low), high) for e in verdict.interval or () if e == e]
    if len(ends) == 2:
        axes.plot(ends, [y, y], color=palette.ink, linewidth=1.6, marker="|", markersize=7, zorder=3)
    marker, filled = _MARKERS.get(verdict.verdict, ("D", False))
    axes.plot(
        [verdict.effect], [y], marker=marker, markersize=7, color=palette.ink, zorder=4,
        markerfacecolor=palette.ink if filled else palette.paper, linestyle="none",
    )  # fmt: skip


def _alt(verdicts: Sequence[Verdict], title: str) -> str:
    said = [
        "; ".join([f"{v.text}: {v.verdict}, effect {effect(v)}", *_wins(v), f"interval at {100 * v.confidence:.4g} %"])
        for v in verdicts
    ]
    return f"{title}. " + "; ".join(said) + "."
