"""A figure of what a trained network does: its regret beside the Bayes optimum's, and its predictions of a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from holdfast.systems.nonstationary_meta.experiment.judged import Judged
from holdfast.systems.nonstationary_meta.tool.predictors import KTPredictor
from holdfast.systems.nonstationary_meta.tool.regret import cumulative_regret

NETWORK, OPTIMUM, STATIC = "#c2410c", "#1d4ed8", "#6b7280"
SEGMENTS = 4


def draw_imitation(path: Path, judged: Judged, x: np.ndarray) -> str:
    """Draw cumulative regret against time, and p(1) along a sequence: one with four segments if any.

    Args:
        path: of the PNG file.
        judged: predictions of the network on sequences, with those of the optimum.
        x: the sequences, `(B, T)`.

    Returns:
        A caption.
    """
    from matplotlib.figure import Figure

    static = np.asarray(KTPredictor().log_probs(x))
    at = np.arange(1, x.shape[1] + 1)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    for log_probs, colour, style, label in (
        (static, STATIC, ":", "static KT"),
        (judged.log_probs, NETWORK, "-", "network"),
        (judged.optimum, OPTIMUM, "--", "PTW, the Bayes optimum"),
    ):
        left.plot(at, cumulative_regret(log_probs, judged.theta), style, color=colour, label=label)
    left.set(xlabel="symbol", ylabel="cumulative regret in nats", ylim=(0, None))
    segments = 1 + (np.diff(judged.theta, axis=1) != 0).sum(1)
    shown = SEGMENTS if (segments == SEGMENTS).any() else segments.max()
    jumps = np.abs(np.diff(judged.theta, axis=1)).sum(1)  # of the sequences with so many segments, the one with most
    row = int(np.where(segments == shown, jumps, -1).argmax())
    _sequence(right, judged, x, row)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    figure.savefig(path, dpi=130)
    return (
        f"Left: mean over {len(x)} sequences. Right: one sequence with {shown} segments; dots are its "
        "symbols, the grey line is the probability they were drawn with."
    )


def _sequence(axes: Any, judged: Judged, x: np.ndarray, row: int) -> None:
    at = np.arange(1, x.shape[1] + 1)
    axes.step(at, judged.theta[row], where="mid", color=STATIC, linewidth=3, alpha=0.4, label="true probability")
    axes.plot(at, np.exp(judged.log_probs[row, :, 1]), "-", color=NETWORK, label="network")
    axes.plot(at, np.exp(judged.optimum[row, :, 1]), "--", color=OPTIMUM, label="PTW")
    axes.plot(at, x[row], "k.", markersize=4)
    axes.set(xlabel="symbol", ylabel="p(next symbol is 1)", ylim=(-0.05, 1.05))


__all__ = ["draw_imitation"]
