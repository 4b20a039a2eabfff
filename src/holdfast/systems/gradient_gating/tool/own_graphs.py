"""A user's graph as the estimator takes it, and the figure of what each layer does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.readers.graph_tables import GraphTables, read_graph_tables
from holdfast.errors import InputError
from holdfast.graphs.edges import adjusted_homophily, count_doubles, edge_homophily, to_undirected


def edges_of(graph: GraphTables, directed: bool) -> tuple[Tensor, list[str]]:
    """The edges to use (2, E), each once, and what is to be said of them.

    Raises:
        InputError: there is none.
    """
    given, nodes = torch.from_numpy(graph.edge_index), len(graph.ids)
    if not given.shape[1]:
        raise InputError("edge_index", "must have at least one edge", "none")
    doubles = count_doubles(given, nodes)
    said = [f"{doubles:,} edges are there more than once: each is used once"] if doubles else []
    edges = given.unique(dim=1) if directed else to_undirected(given, nodes)
    way = "one way, as they stand (--directed)" if directed else "in both directions (--directed: as they stand)"
    said.append(f"{given.shape[1] - doubles:,} edges between {nodes:,} nodes, used {way}")
    alone = nodes - len(edges.unique())
    if alone:
        said.append(f"{alone:,} nodes have no edge: only their own features speak for them")
    return edges, said


def labelled(graph: GraphTables, edges: Tensor) -> tuple[np.ndarray, np.ndarray, str]:
    """Which nodes have a label (v,), the labels (v,) with "" for none, and how alike neighbours are, in words."""
    assert graph.label is not None
    known = np.array([label is not None for label in graph.label])
    y = np.array([label or "" for label in graph.label], dtype=str)
    if 2 * (kinds := len(set(y[known]))) > max(known.sum(), 4):
        rule = "must hold classes that nodes share (for numbers: NodeRegressor, in Python)"
        raise InputError("y", rule, f"{kinds:,} different labels of {known.sum():,} nodes")
    told = torch.from_numpy(known)
    between = edges[:, told[edges].all(0) & (edges[0] != edges[1])]
    codes = torch.from_numpy(np.unique(y, return_inverse=True)[1])
    same = f"; {100 * edge_homophily(between, codes):.0f} % of the edges between them join equal labels"
    if (adjusted := adjusted_homophily(between, codes)) == adjusted:  # not where all have one label
        same += f" (adjusted for chance: {adjusted:.2f})"
    return known, y, f"{known.sum():,} nodes with a label, {(~known).sum():,} without{same if between.numel() else ''}"


def read_as_fitted(
    nodes: Path, edges: Path, fitted: Mapping[str, Any], columns: Sequence[str], reading: Any
) -> GraphTables:
    """The graph with the columns of features that a model was fitted with."""
    if not {"features", "directed"} <= set(fitted):
        raise InputError("model", "must be of `fit` on two tables, whose columns it knows", "a model without names")
    return read_graph_tables(nodes, edges, features=fitted["features"], columns=columns, options=reading)


def layers_figure(rates: np.ndarray, energies: np.ndarray) -> Any:
    """Mean rate and Dirichlet energy of each layer, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    layer = np.arange(1, len(rates) + 1)
    shown = ((rates, "mean rate (tau)"), (energies, "Dirichlet energy after the layer"))
    for axes, (values, label) in zip(figure.subplots(1, 2), shown, strict=True):
        axes.plot(layer, np.maximum(values, 1e-12), marker=".", color="#1f5f8b")
        axes.set(xlabel="layer", ylabel=label, yscale="log")
        axes.grid(alpha=0.3)
    return figure


__all__ = ["adjusted_homophily", "edge_homophily", "edges_of", "labelled", "layers_figure", "read_as_fitted"]
