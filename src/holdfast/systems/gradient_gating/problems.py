"""Graphs: a grid on which untrained layers smooth, generated block graphs, and published heterophilous ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.published_graphs import NodeGraph, load_geom_gcn, load_heterophilous_npz, load_mat
from holdfast.data.readers.graph_tables import read_graph_tables
from holdfast.data.synthetic.block_graphs import Mixing, block_graph, class_features
from holdfast.errors import InputError
from holdfast.estimator.labels import encode_labels
from holdfast.experiment import Problem
from holdfast.graphs.edges import grid_edges, to_undirected
from holdfast.layers.standardise import Standardise

FEWEST = 20  # nodes with a label
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh}


@dataclass(frozen=True)
class Grid(Problem):
    """Random features on a grid, and untrained layers with one set of weights.

    Attributes:
        side, channels, depth: sizes.
        activation: "relu" or "tanh".
    """

    activation: str
    side: int = 10
    channels: int = 16
    depth: int = 256
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Features (side^2, channels) float64, uniform in [0, 1), and edges (2, E)."""
        return torch.from_numpy(rng.random((self.side**2, self.channels))), grid_edges(self.side, self.side)

    def describe(self) -> str:
        return f"{self.depth} untrained layers with {self.activation} on a {self.side} x {self.side} grid, float64"


@dataclass(frozen=True, eq=False)
class Task:
    """A graph, undirected, and which of its nodes are for what."""

    x: Tensor
    edge_index: Tensor
    y: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    num_classes: int


@dataclass(frozen=True)
class Labelled(Problem):
    """Nodes to classify.

    Attributes:
        depth: layers of the networks that are compared.
        train, val: shares of the nodes; the rest is the test part.
    """

    depth: int = 32
    train: float = 0.4
    val: float = 0.2

    @abstractmethod
    def task(self, rng: np.random.Generator) -> Task:
        """The graph and the split of a replicate."""

    def split(self, rng: np.random.Generator, x: Tensor, edges: Tensor, y: Tensor) -> Task:
        """Nodes with a label divided at random; edges made undirected."""
        labelled = rng.permutation(np.flatnonzero(y.numpy() >= 0))
        train, val = self.sizes(len(labelled))
        for_train, for_val, test = torch.from_numpy(labelled).split([train, val, len(labelled) - train - val])
        return Task(x, to_undirected(edges, len(x)), y, for_train, for_val, test, int(y.max()) + 1)

    def sizes(self, labelled: int) -> tuple[int, int]:
        """Nodes to train on and to validate with."""
        return round(self.train * labelled), round(self.val * labelled)


@dataclass(frozen=True)
class BlockGraph(Labelled):
    """A generated graph: neighbours mostly have another label, which other depends on the label (`mixing`).

    Attributes:
        nodes, classes, features: sizes.
        homophily: share of edges within classes.
        degree: mean number of neighbours.
        mixing: see `holdfast.data.synthetic.block_graphs`.
        distance: of the classes' features.
    """

    nodes: int = 400
    classes: int = 5
    features: int = 16
    homophily: float = 0.2
    degree: float = 6.0
    mixing: Mixing = "ring"
    distance: float = 2.0
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def task(self, rng: np.random.Generator) -> Task:
        y, edges = block_graph(
            rng, self.nodes, self.classes, homophily=self.homophily, degree=self.degree, mixing=self.mixing
        )
        x = class_features(rng, y, self.features, self.distance)
        return self.split(rng, torch.from_numpy(x), torch.from_numpy(edges), torch.from_numpy(y))

    def describe(self) -> str:
        return (
            f"block graphs of {self.nodes} nodes, {self.classes} classes, homophily {self.homophily:g}, mean degree "
            f"{self.degree:g}, other edges {self.mixing}; depth {self.depth}"
        )


LOADERS: dict[str, Callable[..., NodeGraph]] = {
    "geom-gcn": load_geom_gcn,
    "npz": load_heterophilous_npz,
    "mat": load_mat,
}


@dataclass(frozen=True)
class Published(FileProblem, Labelled):
    """A published graph, split anew in every replicate.

    Attributes:
        path: under HOLDFAST_DATA.
        form: "geom-gcn", "npz" or "mat".
        nodes: with a label.
    """

    path: str = ""
    form: str = "geom-gcn"
    nodes: int = 0
    depth: int = 16
    train: float = 0.48
    val: float = 0.32
    how_to_get: ClassVar[str] = (
        "WebKB: github.com/graphdml-uiuc-jlu/geom-gcn, new_data (no licence stated); npz: "
        "github.com/yandex-research/heterophilous-graphs, data (MIT); .mat: github.com/CUAI/Non-Homophily-Large-Scale"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        place = data_folder(self.path)
        if self.form != "geom-gcn":
            return (place,)
        return tuple(place / f"out1_{part}.txt" for part in ("graph_edges", "node_feature_label"))

    @property
    def resplit(self) -> tuple[int, int]:
        train, val = self.sizes(self.nodes)
        return self.nodes - train - val, train

    def graph(self) -> NodeGraph:
        """The graph as published."""
        return _loaded(self.form, data_folder(self.path))

    def task(self, rng: np.random.Generator) -> Task:
        graph = self.graph()
        return self.split(rng, graph.x, graph.edge_index, graph.y)

    def describe(self) -> str:
        return f"{Path(self.path).stem}, fresh splits; depth {self.depth}"


@dataclass(frozen=True)
class OwnGraph(Published):
    """A user's graph: its path is the table of nodes.

    Attributes:
        edges: path of the table of edges.
        label: column of the nodes.
    """

    edges: str = ""
    label: str = "label"
    how_to_get: ClassVar[str] = "give a table of nodes and a table of edges"

    @property
    def paths(self) -> tuple[Path, ...]:
        return Path(self.path), Path(self.edges)

    def graph(self) -> NodeGraph:
        return _own(self.path, self.edges, self.label)


@cache
def _loaded(form: str, path: Path) -> NodeGraph:
    return LOADERS[form](path)


@cache
def _own(nodes: str, edges: str, label: str) -> NodeGraph:
    found = read_graph_tables(nodes, edges, label=label)
    assert found.label is not None
    known = np.array([name is not None for name in found.label])
    y = np.full(len(known), -1)
    y[known], _ = encode_labels(found.label[known].astype(str), name=f"{nodes}, column {label!r}")
    x = Standardise(found.X.shape[1]).learn(rows := torch.from_numpy(found.X).float())(rows)
    return NodeGraph(x, torch.from_numpy(found.edge_index), torch.from_numpy(y), {})


def own_graph(paths: Sequence[Path], label: str) -> OwnGraph:
    """A table of nodes and one of edges as a problem.

    Raises:
        InputError: not two tables, or what the reader finds wrong with them.
    """
    if len(paths) != 2:
        raise InputError("--on", "must name two tables: of nodes, of edges", f"{len(paths)} paths")
    nodes, edges = map(str, paths)
    labelled = int((_own(nodes, edges, label).y >= 0).sum())
    if labelled < FEWEST:
        raise InputError("--on", f"must have at least {FEWEST} nodes with a label", labelled)
    return OwnGraph(path=nodes, edges=edges, label=label, nodes=labelled, train=0.5, val=0.25)


def published(**changes: Any) -> Published:
    """A `Published`; its files lie in gradient_gating/."""
    return Published(**{**changes, "path": f"gradient_gating/{changes['path']}"})


__all__ = [
    "ACTIVATIONS",
    "BlockGraph",
    "Grid",
    "Labelled",
    "OwnGraph",
    "Published",
    "Task",
    "load_geom_gcn",
    "load_heterophilous_npz",
    "own_graph",
    "published",
    "to_undirected",
]
