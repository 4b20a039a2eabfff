"""Does D3G help on these rows? Methods trained on some of the user's domains and measured on those left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.baselines.unseen_domains import ERM, ERMWithMetadata, Training
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.unseen_domains.tables import DomainTable, is_classes, read_edges, read_training, world_of
from holdfast.devices import torch_threads
from holdfast.errors import InputError
from holdfast.metrics.group_scores import GroupScores
from holdfast.randomness import derived_seed
from holdfast.systems.d3g.experiment.arms import Heads, Nearest
from holdfast.systems.d3g.method import D3GSettings

FEWEST = 4  # domains
POOLED, INFORMED, OURS = "ERM", "ERM + metadata", "D3G"


def advice(found: GroupScores) -> str:
    """One sentence: what to use for a domain never seen."""
    beats = {than: found.interval(OURS, than) for than in (POOLED, INFORMED)}
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
    task: str = "auto",
) -> GroupScores:
    """Leave domains out, a fold at a time, and measure every method on them.

    Raises:
        InputError: what reading the table raises; neither metadata nor graph; too few domains.
    """
    table = read_training(path, columns, options, option="--target, --domain, --meta")
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
    assert table.y is not None
    return _scores(table, edges, groups, (steps, seed), is_classes(table.y, task), progress)


@torch_threads(1)  # all these networks are small
def _scores(
    table: DomainTable,
    edges: Sequence[tuple[str, str, float]],
    groups: Sequence[np.ndarray],
    budget: tuple[int, int],
    classes: bool,
    progress: Callable[[int, int], None] | None,
) -> GroupScores:
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
    return GroupScores(scores, tuple(names.tolist()), unit, classes)
