"""The two figures everybody knows from the paper: activations over the width, and loss over the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.report.canvas import Drawing, logarithmic, mark_at
from holdfast.report.panels import entitle, finish, panels
from holdfast.report.svg import LIGHT, Palette

if TYPE_CHECKING:
    from holdfast.systems.mutransfer.tool.coordcheck import CoordCheck
    from holdfast.systems.mutransfer.tool.sweep import TransferSweep

MARKERS = "osD^vP*X<>"
MOST = 12  # layers in one figure; beyond, those whose size changes most


def coordinates(check: CoordCheck, palette: Palette = LIGHT, *, titled: bool = True) -> Drawing:
    """Mean |x| of every layer's output over the width, both logarithmic, one panel per step.

    Args:
        titled: print the verdict inside, for a figure that stands alone.
    """
    leaves = check.frame[check.frame["leaf"]]
    steps = sorted(leaves["step"].unique())
    layers = list(dict.fromkeys(leaves.sort_values("order")["layer"]))
    shown = layers if len(layers) <= MOST else _worst(check, layers, MOST)
    wrong = {finding.layer for finding in check.findings}
    entries = [layer + (" (!)" if layer in wrong else "") for layer in shown]
    names = [f"after {step - 1} step{'' if step == 2 else 's'}" for step in steps]
    title = f"Coordinate check {check.verdict}"
    size = leaves["size"].clip(lower=1e-30)
    low, high = float(size.min()), float(size.max())
    figure, axes = panels(palette, "mean |activation|", names, entries, title=title if titled else "", columns=2)
    for axis, step, name in zip(axes, steps, names, strict=True):
        for i, layer in enumerate(shown):
            cell = leaves[(leaves["step"] == step) & (leaves["layer"] == layer)]
            mean = np.exp(np.log(cell["size"].clip(lower=1e-30)).groupby(cell["width"]).mean())
            look = mark_at(i, palette)
            heavy = 2.2 if layer in wrong else 1.2
            axis.plot(
                mean.index, mean, color=look.colour, marker=look.marker, linestyle=look.dashes, markersize=3.5,
                linewidth=heavy,
            )  # fmt: skip
        axis.set_xscale("log")
        logarithmic(axis, "y", low / 1.5, high * 1.5)
        entitle(axis, name, "", palette)
        widths = sorted(leaves["width"].unique())
        axis.set_xticks(widths[:: max(1, -(-len(widths) // 5))])
        axis.set_xticklabels([str(width) for width in axis.get_xticks()])
        axis.minorticks_off()
    finish(axes, "width")
    slopes = check.slopes[check.slopes["leaf"] & (check.slopes["step"] == steps[-1])]
    said = "; ".join(f"{row.layer} {row.size:+.2f}" for row in slopes.itertuples())
    alt = f"{title}. Mean |activation| over width, a line per layer; slopes of logarithms {names[-1]}: {said}."
    return Drawing("coordinates", title, alt, figure)


def sweep_figure(sweep: TransferSweep) -> Any:
    """Loss over the learning rate, a curve per width with its optimum marked, a panel per parametrization."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    frame, best = sweep.frame, sweep.best
    arms, widths = list(dict.fromkeys(frame["arm"])), sorted(frame["width"].unique())
    figure = Figure(figsize=(4.2 * len(arms) + 1.0, 3.8), layout="constrained")
    axes = figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    colours = colormaps["viridis"](np.linspace(0, 0.85, len(widths)))
    for axis, arm in zip(axes, arms, strict=True):
        for i, width in enumerate(widths):
            cell = frame[(frame["arm"] == arm) & (frame["width"] == width)]
            curve = np.exp(np.log(cell["loss"]).groupby(cell["rate"]).mean())
            marker = MARKERS[i % len(MARKERS)]
            axis.plot(curve.index, curve, color=colours[i], marker=marker, markersize=4, label=f"width {width}")
            found = best[(best["arm"] == arm) & (best["width"] == width)]
            if len(found) and np.isfinite(found["rate"].iloc[0]):
                axis.plot(
                    found["rate"], found["loss"], marker="o", markersize=11, fillstyle="none", color=colours[i], ls=""
                )
        axis.set(xlabel="learning rate", title=arm, yscale="log")
        axis.set_xscale("log", base=2)
    axes[0].set_ylabel("training loss")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside right center",
        fontsize=8,
        frameon=False,
        title="best circled",
    )
    return figure


def _worst(check: CoordCheck, layers: list[str], n: int) -> list[str]:
    """The n layers whose size changes most, in the order of execution."""
    judged = check.slopes[check.slopes["step"] >= 2]
    size = judged.assign(size=judged["size"].abs()).groupby("layer")["size"].max()
    chosen = set(size[size.index.isin(layers)].nlargest(n).index)
    return [layer for layer in layers if layer in chosen]


__all__ = ["coordinates", "sweep_figure"]
