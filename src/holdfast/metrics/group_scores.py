"""Scores of several methods in the same groups (domains, users, sites), compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class GroupScores:
    """One score per method and group.

    Attributes:
        scores: method -> (G,) numbers.
        groups: their names.
        unit: of the scores.
        higher: whether higher is better.

    Example:
        >>> found = GroupScores({"a": np.array([1.0, 2.0, 3.0]), "b": np.zeros(3)}, ("x", "y", "z"), "%", True)
        >>> [round(end, 2) for end in found.interval("a", "b")]
        [-0.48, 4.48]
    """

    scores: Mapping[str, np.ndarray]
    groups: tuple[str, ...]
    unit: str
    higher: bool

    def gain(self, method: str, than: str) -> np.ndarray:
        """How much better a method is than another in each group."""
        difference = self.scores[method] - self.scores[than]
        return difference if self.higher else -difference

    def interval(self, method: str, than: str) -> tuple[float, float]:
        """95 % interval of the mean gain over groups, by Student's t."""
        gain = self.gain(method, than)
        half = float(stats.t.ppf(0.975, len(gain) - 1)) * gain.std(ddof=1) / len(gain) ** 0.5
        return float(gain.mean() - half), float(gain.mean() + half)

    def worst(self, method: str) -> float:
        """The score of the group that a method does worst in."""
        values = self.scores[method]
        return float(values.min() if self.higher else values.max())

    def table(self, than: str, against: str) -> tuple[list[str], list[list[Any]]]:
        """Heads and rows: mean, worst group, wins over `than`, mean gain over `against` with its interval."""
        heads = ["method", "mean", "worst group", f"better than {than} in", f"gain over {against}", "95 % interval"]
        rows = []
        for name, values in self.scores.items():
            wins = "-" if name == than else f"{int((self.gain(name, than) > 0).sum())} of {len(values)}"
            row: list[Any] = [name, float(values.mean()), self.worst(name), wins, None, "-"]
            if name != against:
                row[4:] = [
                    float(self.gain(name, against).mean()),
                    "{:.3g} to {:.3g}".format(*self.interval(name, against)),
                ]
            rows.append(row)
        return heads, rows

    def figure(self) -> Any:
        """Bars of the mean over groups, a mark at the worst, and a line at each, of every method (matplotlib)."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 0.9 + 0.5 * len(self.scores)), layout="constrained")
        axes = figure.subplots()
        for place, (name, values) in enumerate(self.scores.items()):
            axes.barh(place, values.mean(), color="#6baed6", label=None if place else "mean")
            axes.plot(self.worst(name), place, "D", color="#b30000", label=None if place else "worst")
            axes.plot(values, [place] * len(values), "|", color="#333333", markersize=9, alpha=0.5)
        axes.set_yticks(range(len(self.scores)), list(self.scores))
        axes.invert_yaxis()
        axes.set_xlabel(self.unit)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
        return figure


__all__ = ["GroupScores"]
