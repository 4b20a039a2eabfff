"""The spectrum as one would look at it: which features are alive, how much they agree, where they die."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.systems.ssl_interplay.estimator import KernelSSL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"alive": "#0b5d7a", "left out": "#8db6c7", "dead": "#b4472f"}


def spectrum_table(model: KernelSSL) -> dict[str, np.ndarray]:
    """A row per eigenfunction: its number from 1, theta, and whether it is a feature ("alive", "left out", "dead")."""
    theta = model.spectrum_
    numbers = np.arange(1, len(theta) + 1)
    state = np.where(theta <= 0, "dead", np.where(numbers <= model.n_active_, "alive", "left out"))
    return {"feature": numbers, "theta": theta, "state": state}


def spectrum_figure(model: KernelSSL) -> Figure:
    """Theta of the leading eigenfunctions; dead ones far below 0 are drawn at the lower edge."""
    from matplotlib.figure import Figure

    table = spectrum_table(model)
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    top = float(table["theta"][0])
    shown = np.maximum(table["theta"], -0.5 * top)
    for state, colour in COLOURS.items():
        at = table["state"] == state
        if at.any():
            label = f"{state} ({int(at.sum())})"
            axes.vlines(table["feature"][at], 0, shown[at], color=colour, linewidth=2)
            axes.plot(table["feature"][at], shown[at], "o", color=colour, markersize=4, label=label)
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.set_xlabel("feature; theta is how far views agree, less lambda times roughness")
    axes.set_ylabel("theta")
    axes.set_title(f"lambda = {model.reg_:.3g}; all are dead from {model.largest_reg_:.3g} on", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


__all__ = ["spectrum_figure", "spectrum_table"]
