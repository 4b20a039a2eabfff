"""Does D3G help on these rows? Methods trained on some of the user's domains and measured on those left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from holdfast.data.readers.tables.options import TableOptions
from holdfast.errors import InputError
from holdfast.randomness import derived_seed
from holdfast.systems.d3g.experiment.arms import ERM, ERMWithMetadata, Heads, Nearest, Training
from holdfast.systems.d3g.method import D3GSettings
from holdfast.systems.d3g.tool.table import DomainTable, is_classes, read_edges, read_training, world_of

FEWEST = 4  # domains
POOLED, INFORMED, OURS = "ERM", "ERM + metadata", "D3G"
HEADS = ["method", "mean", "worst domain", "better than ERM in", "difference from ERM + metadata", "95 % interval"]


@dataclass(frozen=True)
class Compared:
    """Scores on domains left out.

    Attributes:
        scores: method -> (D,) accuracy in % or root mean squared error of each domain.
        domains: their names.
        unit: "accuracy, %", or "error" with the target's name.
        higher: whether higher is better.
    """

    scores: dict[str, np.ndarray]
    domains: tuple[str, ...]
    unit: str
    higher: bool

    def gain(self, method: str, than: str) -> np.ndarray:
        """How much better a method is than another in each domain."""
        difference = self.scores[method] - self.scores[than]
        return difference if self.higher else -difference

    def interval(self, method: str, than: str) -> tuple[float, float]:
        """95 % interval of the mean gain over domains."""
        gain = self.gain(method, than)
        half = float(stats.t.ppf(0.975, len(gain) - 1)) * gain.std(ddof=1) / len(gain) ** 0.5
        return float(gain.mean() - half), float(gain.mean() + half)

    @property
    def rows(self) -> list[list[Any]]:
        """A table of `HEADS`."""
        made = []
        for name, values in self.scores.items():
            worst = values.min() if self.higher else values.max()
            row: list[Any] = [name, float(values.mean()), float(worst)]
            row.append("-" if name == POOLED else f"{int((self.gain(name, POOLED) > 0).sum())} of {len(values)}")
            if name == INFORMED:
                row += [None, "-"]
            else:
                low, high = self.interval(name, INFORMED)
                row += [float(self.gain(name, INFORMED).mean()), f"{low:.3g} to {high:.3g}"]
            made.append(row)
        return made

    def advice(self) -> str:
        """One sentence: what to use for a domain never seen."""
        beats = {than: self.interval(OURS, than) for than in (POOLED, INFORMED)}
        if all(low > 0 for low, _ in beats.values()):
            return "D3G is better than one network with or without the metadata on these domains: use it."
        if beats[INFORMED][1] < 0:
            return "One network with the metadata as inputs is better on these domains: use that, not D3G."
        if beats[POOLED][1] < 0:
            return "One network without metadata is better on these domains: they seem to follow one rule."
        if beats[POOLED][0] > 0:
            return "D3G is better than one network without metadata; against one that has them as inputs it is open."
        return "No difference is certain on so many domains: the simplest, one network for all, is as good a choice."


def compare(
    path: Path,
    columns: dict[str, Any],
    graph: Path | None,
    folds: int,
    steps: int,
    seed: int,
    options: TableOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Compared:
    """Leave domains out, a fold at a time, and measure every method on them.

    Raises:
        InputError: what reading the table raises; neither metadata nor graph; too few domains.
    """
    table = read_training(path, columns, options)
    edges = read_edges(graph) if graph is not None else []
    if not edges and table.metadata is None:
        raise InputError("meta", "must name the columns that describe domains, unless there is a graph", "none")
    assert table.domain is not None
    count = len(set(table.domain.tolist()))
    if count < FEWEST:
        raise InputError(
            f"{path}, column {table.columns['domain'][0]!r}", f"must name at least {FEWEST} domains", count
        )
    order = np.random.default_rng(seed).permutation(count)
    groups = np.array_split(order, min(folds, count))
    return _scores(table, edges, groups, (steps, seed), progress)


def _scores(
    table: DomainTable,
    edges: Sequence[tuple[str, str, float]],
    groups: Sequence[np.ndarray],
    budget: tuple[int, int],
    progress: Callable[[int, int], None] | None,
) -> Compared:
    assert table.y is not None
    classes = is_classes(table.y)
    alone = D3GSettings(lam=0.0)
    count = sum(map(len, groups))
    methods: dict[str, Any] = {
        POOLED: ERM(),
        INFORMED: ERMWithMetadata(coordinates=max(1, min(8, count - 1))),
        "nearest domain": Heads(alone, sigma=None, mixing=Nearest()),
        "heads only (lambda 0)": Heads(alone, sigma=None),
        OURS: Heads(sigma=None),
    }
    steps, seed = budget
    scores = {name: np.zeros(count) for name in methods}
    names: Any = ()
    for fold, group in enumerate(groups):
        known = np.setdiff1d(np.arange(count), group)
        world, names, scale = world_of(table, edges, (known, known, np.sort(group)), classes)
        for number, (name, method) in enumerate(methods.items()):
            training = Training(steps, 128, 64, derived_seed(seed, "init", fold), derived_seed(seed, fold), "cpu")
            outputs = method.learn(world, training)(world.test)
            for d in group:
                rows = world.test.domain == int(d)
                if classes:
                    right = outputs[rows].argmax(1) == world.test.y[rows]
                    scores[name][d] = 100 * float(right.float().mean())
                else:
                    scores[name][d] = scale * float((outputs[rows] - world.test.y[rows]).square().mean().sqrt())
            if progress is not None:
                progress(fold * len(methods) + number + 1, len(groups) * len(methods))
    unit = "accuracy, %" if classes else f"root mean squared error of {table.columns['target'][0]}"
    return Compared(scores, tuple(names.tolist()), unit, classes)


__all__ = ["HEADS", "Compared", "compare"]
