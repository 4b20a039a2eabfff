"""The files of a tree: the tree itself, a table of rows and one of clusters, and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from holdfast import verbs
from holdfast.errors import InputError
from holdfast.files import replacing_folder, write_text
from holdfast.systems.hcsc.method.prototypes import PrototypeTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES = 3
SHOWN = 0.022  # share of the rows from which a cluster has room for an example
MARK = "tree.json"
COLOURS = ("#0b5d7a", "#b4472f", "#5a7d2b", "#8a5a9e", "#c08a1e", "#3f7f7f", "#a34d73", "#6b6b6b")


def check_tree_folder(folder: Path) -> None:
    """Refuse to overwrite a folder that holds something else than a tree, or a file."""
    if folder.exists() and not (folder / MARK).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(str(folder), "must be a new folder, or hold an earlier tree", "something else")


def write_tree(
    folder: Path, tree: PrototypeTree, features: Any, names: Sequence[str], suffix: str, images: Any = None
) -> dict[str, list[Any]]:
    """Write tree.json, tree.nwk, two tables, tree.svg and .png, all of them or none; gives the table of clusters."""
    check_tree_folder(folder)
    shown = examples(tree, features)
    clusters = cluster_table(tree, shown, names)
    with replacing_folder(folder) as new:
        tree.save(new / MARK)
        write_text(new / "tree.nwk", tree.to_newick())
        verbs.write_table(new / f"paths{suffix}", {"row": list(names), **level_columns(tree.paths())})
        verbs.write_table(new / f"clusters{suffix}", clusters)
        verbs.write_figures(tree_figure(tree, shown, names, images), new / "tree")
    return clusters


def level_columns(paths: np.ndarray) -> dict[str, np.ndarray]:
    """Columns "level 1" (fine) to "level L" (coarse) of (N, L) paths."""
    return {f"level {level + 1}": paths[:, level] for level in range(paths.shape[1])}


def examples(tree: PrototypeTree, features: Any) -> list[list[list[int]]]:
    """Per level and cluster the rows nearest to the prototype among its own, nearest first."""
    x = F.normalize(torch.as_tensor(np.asarray(features)).float(), dim=1)
    found = []
    for assign, prototypes in zip(tree.assign, tree.prototypes, strict=True):
        near = (x * prototypes[assign]).sum(1).numpy()
        order = np.lexsort((-near, assign.numpy()))
        ends = np.searchsorted(assign.numpy()[order], np.arange(len(prototypes) + 1))
        found.append([order[a : min(b, a + EXAMPLES)].tolist() for a, b in pairwise(ends)])
    return found


def cluster_table(tree: PrototypeTree, shown: list[list[list[int]]], names: Sequence[str]) -> dict[str, list[Any]]:
    """A row per cluster: its level, number and parent ("" at the top), how many rows it has, and examples of them."""
    table: dict[str, list[Any]] = {name: [] for name in ("level", "cluster", "parent", "rows", "examples")}
    for level, prototypes in enumerate(tree.prototypes):
        table["level"] += [level + 1] * len(prototypes)
        table["cluster"] += range(len(prototypes))
        table["parent"] += map(str, tree.parent[level].tolist()) if level < len(tree) - 1 else [""] * len(prototypes)
        table["rows"] += tree.sizes(level).tolist()
        table["examples"] += [", ".join(names[i] for i in rows) for rows in shown[level]]
    return table


def tree_figure(tree: PrototypeTree, shown: list[list[list[int]]], names: Sequence[str], images: Any = None) -> Figure:
    """The levels side by side, coarse on the left: heights are numbers of rows. Examples name, or picture, clusters."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8), layout="constrained")
    axes = figure.subplots()
    top, total = len(tree) - 1, len(tree.assign[0])
    order: list[int] = np.argsort(-tree.sizes(top), kind="stable").tolist()
    branch = {c: i for i, c in enumerate(order)}
    for column, level in enumerate(range(top, -1, -1)):
        sizes = tree.sizes(level)[order]
        starts = np.cumsum(sizes) - sizes
        look: Any = {"alpha": 0.85 - 0.25 * column / max(1, top), "edgecolor": "white", "linewidth": 0.6}
        axes.bar(
            column, sizes, bottom=starts, width=1, color=[COLOURS[branch[c] % len(COLOURS)] for c in order], **look
        )
        for c, start, size in zip(order, starts, sizes, strict=True):
            if size > SHOWN * total:
                _label(axes, column, start + size / 2, int(size), shown[level][c], names, images)
        if level:
            children, below = tree.children(level), tree.sizes(level - 1)
            branch = {child: branch[c] for c in order for child in children[c]}
            order = [child for c in order for child in sorted(children[c], key=lambda k: -below[k])]
    axes.set(xlim=(-0.5, top + 0.5), ylim=(total, 0))
    levels = range(top, -1, -1)
    axes.set_xticks(range(top + 1), [f"level {level + 1}: {len(tree.prototypes[level])} clusters" for level in levels])
    axes.set_ylabel("rows")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    return figure


def _label(axes: Any, x: float, y: float, size: int, rows: list[int], names: Sequence[str], images: Any) -> None:
    """The number of rows, and an example: small pictures, or its name."""
    if images is None:
        text = f"{size}, e.g. {Path(names[rows[0]]).name[:24]}"
        axes.text(x, y, text, ha="center", va="center", fontsize=7, color="white", clip_on=True, parse_math=False)
        return
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    axes.text(x - 0.45, y, str(size), ha="left", va="center", fontsize=7, color="white")
    for i, row in enumerate(rows):
        picture = np.asarray(images[row]).transpose(1, 2, 0)
        picture = picture[..., 0] if picture.shape[-1] == 1 else picture
        zoom = 14 / max(picture.shape[:2])
        box = OffsetImage(picture, zoom=zoom, cmap="gray" if picture.ndim == 2 else None)
        axes.add_artist(AnnotationBbox(box, (x - 0.1 + 0.2 * i, y), frameon=False, pad=0))


__all__ = ["check_tree_folder", "cluster_table", "examples", "level_columns", "tree_figure", "write_tree"]
