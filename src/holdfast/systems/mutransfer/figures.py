"""The two figures everybody knows from the paper: activations over the width, and loss over the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from holdfast.systems.mutransfer.coordcheck import CoordCheck
    from holdfast.systems.mutransfer.sweep import TransferSweep

MARKERS = "osD^vP*X<>"
INK = "#555555"


def coordinate_figure(check: CoordCheck) -> Any:
    """Mean |x| of every layer's output over the width, both logarithmic, one panel per step; slopes in the legend."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    leaves = check.frame[check.frame["leaf"]]
    steps = sorted(leaves["step"].unique())
    layers = list(dict.fromkeys(leaves.sort_values("order")["layer"]))
    shown = layers if len(layers) <= 12 else _worst(check, layers, 12)
    figure = Figure(figsize=(3.1 * len(steps) + 1.8, 3.6), layout="constrained")
    axes = figure.subplots(1, len(steps), sharey=True, squeeze=False)[0]
    colours = colormaps["viridis"](np.linspace(0, 0.9, len(shown)))
    wrong = {finding.layer for finding in check.findings}
    for axis, step in zip(axes, steps, strict=True):
        for i, layer in enumerate(shown):
            cell = leaves[(leaves["step"] == step) & (leaves["layer"] == layer)]
            mean = np.exp(np.log(cell["size"].clip(lower=1e-30)).groupby(cell["width"]).mean())
            style = {"linewidth": 2.2, "linestyle": "--"} if layer in wrong else {"linewidth": 1.2}
            name = layer + (" (!)" if layer in wrong else "")
            axis.plot(
                mean.index, mean, color=colours[i], marker=MARKERS[i % len(MARKERS)], markersize=4, label=name, **style
            )
        axis.set(xscale="log", yscale="log", xlabel="width", title=f"after {step - 1} step{'' if step == 2 else 's'}")
        _width_ticks(axis, sorted(leaves["width"].unique()))
    axes[0].set_ylabel("mean |activation|")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=7, frameon=False)
    return figure


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


def _width_ticks(axis: Any, widths: list[int]) -> None:
    axis.set_xticks(widths, [str(width) for width in widths], fontsize=7)
    axis.minorticks_off()
    axis.grid(color=INK, alpha=0.15)


__all__ = ["coordinate_figure", "sweep_figure"]
