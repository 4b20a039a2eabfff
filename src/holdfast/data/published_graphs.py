"""Graphs in the formats they are published in: Geom-GCN's text files, the heterophilous npz, OGB-style .mat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.graphs.edges import check_edge_index
from holdfast.unpacking import DAMAGED, check_archive

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class NodeGraph:
    """A graph whose nodes have features and labels.

    Attributes:
        x: (v, F) float32.
        edge_index: (2, E) int64, as published: often one direction only.
        y: (v,) int64; -1 = no label.
        masks: "train", "val", "test" -> (S, v) bool, for S published splits; empty where there are none.
    """

    x: Tensor
    edge_index: Tensor
    y: Tensor
    masks: Mapping[str, Tensor]


def load_geom_gcn(folder: str | Path, splits: str | Path | None = None) -> NodeGraph:
    """Texas, Wisconsin, Cornell, Film as Geom-GCN has them (Pei et al., 2020).

    Args:
        folder: with out1_graph_edges.txt (a head, then two ids a line) and out1_node_feature_label.txt (a head, then
            id, features with commas, label). Features are 0/1 of every word, or (Film) numbers of the words that occur.
        splits: folder of NAME_split_0.6_0.2_I.npz with train_mask, val_mask, test_mask; NAME is the folder's.

    Raises:
        InputError: a file is missing or of another format, or an edge names no node.
    """
    folder = Path(folder)
    nodes = folder / "out1_node_feature_label.txt"
    rows = _rows(nodes, 3)
    ids = [row[0] for row in rows]
    place = {name: i for i, name in enumerate(ids)}
    try:
        words = [np.array(row[1].split(","), np.int64) for row in rows]
        y = torch.tensor([int(row[2]) for row in rows])
    except ValueError as error:
        raise InputError(str(nodes), "must hold whole numbers", str(error)) from None
    try:
        ends = [[place[name] for name in row] for row in _rows(folder / "out1_graph_edges.txt", 2)]
    except KeyError as error:
        raise InputError(str(folder / "out1_graph_edges.txt"), "must name nodes that exist", str(error)) from None
    edges = torch.tensor(ends, dtype=torch.long).reshape(-1, 2).t()
    return NodeGraph(torch.from_numpy(_bags(words)), edges, y, _text_splits(splits, folder.name, len(y)))


def _rows(path: Path, columns: int) -> list[list[str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), "must be a text file of Geom-GCN", str(error)) from None
    rows = [line.split("\t") for line in lines if line.strip()]
    wrong = [row for row in rows if len(row) != columns]
    if wrong or not rows:
        raise InputError(
            str(path), f"must have {columns} columns between tabs", "\t".join(wrong[0]) if wrong else "none"
        )
    return rows


def _bags(words: list[np.ndarray]) -> np.ndarray:
    """(v, F) float32 of 0 and 1."""
    if len({len(w) for w in words}) == 1 and max(int(w.max()) for w in words) <= 1:
        return np.stack(words).astype(np.float32)
    bags = np.zeros((len(words), 1 + max(int(w.max()) for w in words)), np.float32)
    for bag, found in zip(bags, words, strict=True):
        bag[found] = 1
    return bags


def _text_splits(splits: str | Path | None, name: str, nodes: int) -> Mapping[str, Tensor]:
    if splits is None:
        return {}
    paths = sorted(Path(splits).glob(f"{name}_split_0.6_0.2_*.npz"))
    if not paths:
        raise InputError(str(splits), f"must hold {name}_split_0.6_0.2_0.npz", "no such file")
    found = [_arrays(path) for path in paths]
    return _masks({part: np.stack([_key(f, f"{part}_mask", splits) for f in found]) for part in PARTS}, nodes, splits)


def load_heterophilous_npz(path: str | Path) -> NodeGraph:
    """Roman-empire, Minesweeper, filtered Chameleon and the others of Platonov et al., 2023.

    Args:
        path: an npz of node_features (v, F), node_labels (v,), edges (E, 2) in one direction, and train_masks,
            val_masks, test_masks (10, v).

    Raises:
        InputError: no npz of plain arrays, or not these.
    """
    found = _arrays(path)
    x, y = _key(found, "node_features", path), _key(found, "node_labels", path)
    edges = check_edge_index(_key(found, "edges", path).astype(np.int64).reshape(-1, 2).T, len(x), f"{path}: edges")
    masks = _masks({part: _key(found, f"{part}_masks", path) for part in PARTS}, len(x), path)
    return _graph(x, edges, y, masks, path)


def load_mat(path: str | Path, classes: int = 5) -> NodeGraph:
    """Genius, snap-patents and others of Lim et al., 2021: a MATLAB file of node_feat, edge_index and label or years.

    Args:
        path: node_feat (v, F), dense or sparse; edge_index (2, E); label (v,), negative or NaN = none; without it years
            (v,), which are cut into `classes` parts of about equal size, as the paper does.
        classes: of years.

    Raises:
        InputError: no such file, an array missing, or one of objects.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError
    from scipy.sparse import issparse

    try:
        found = {k: v for k, v in loadmat(str(path)).items() if not k.startswith("__")}
    except (*DAMAGED, MatReadError, TypeError) as error:
        raise InputError(str(path), "must be a MATLAB file (version 5)", str(error)) from None
    x = _key(found, "node_feat", path)
    x = x.toarray() if issparse(x) else x
    y = np.asarray(found["label"] if "label" in found else _key(found, "years", path)).ravel()
    if any(a.dtype.kind not in "biuf" for a in (x, y)):
        raise InputError(str(path), "must hold plain numbers", "objects")
    if "label" not in found:
        y = np.searchsorted(np.quantile(y, np.arange(1, classes) / classes), y, side="right")
    edges = check_edge_index(
        np.asarray(_key(found, "edge_index", path)).astype(np.int64), len(x), f"{path}: edge_index"
    )
    return _graph(x, edges, np.nan_to_num(y.astype(float), nan=-1), {}, path)


def _graph(x: np.ndarray, edges: Tensor, y: np.ndarray, masks: Mapping[str, Tensor], path: str | Path) -> NodeGraph:
    if x.ndim != 2 or y.shape != (len(x),) or not np.isfinite(x).all():
        raise InputError(str(path), "must hold finite features (v, F) and labels (v,)", f"{x.shape} and {y.shape}")
    labels = torch.from_numpy(y.astype(np.int64)).clamp(min=-1)
    return NodeGraph(torch.from_numpy(np.asarray(x, np.float32)), edges, labels, masks)


def _arrays(path: str | Path) -> dict[str, np.ndarray]:
    check_archive(Path(path), "must be an npz file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DAMAGED as error:
        raise InputError(str(path), "must be an npz file of plain arrays", str(error)) from None


def _key(found: Mapping[str, Any], name: str, path: str | Path) -> Any:
    if name not in found:
        raise InputError(str(path), f"must have {name}", ", ".join(found) or "nothing")
    return found[name]


def _masks(parts: Mapping[str, np.ndarray], nodes: int, path: str | Path) -> Mapping[str, Tensor]:
    if any(mask.ndim != 2 or mask.shape[1] != nodes for mask in parts.values()):
        raise InputError(str(path), f"must have masks of {nodes} nodes", {k: v.shape for k, v in parts.items()})
    return {part: torch.from_numpy(mask.astype(bool)) for part, mask in parts.items()}


__all__ = ["NodeGraph", "load_geom_gcn", "load_heterophilous_npz", "load_mat"]
