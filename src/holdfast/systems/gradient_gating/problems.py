"""Graphs: a grid on which untrained layers smooth, generated block graphs, and published heterophilous ones."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from holdfast.data.location import data_folder
from holdfast.data.published_graphs import NodeGraph, load_geom_gcn, load_heterophilous_npz, load_mat
from holdfast.data.synthetic.block_graphs import Mixing, block_graph, class_features
from holdfast.experiment import Problem
from holdfast.graphs.edges import grid_edges, to_undirected

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
class Published(Labelled):
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
    source: ClassVar[Literal["file"]] = "file"
    how_to_get: ClassVar[str] = (
        "WebKB: github.com/graphdml-uiuc-jlu/geom-gcn, new_data (no licence stated); npz: "
        "github.com/yandex-research/heterophilous-graphs, data (MIT); .mat: github.com/CUAI/Non-Homophily-Large-Scale"
    )

    @property
    def resplit(self) -> tuple[int, int]:
        train, val = self.sizes(self.nodes)
        return self.nodes - train - val, train

    def available(self) -> bool:
        return data_folder(self.path).exists()

    def fingerprint(self) -> str:
        return _fingerprint(data_folder(self.path))

    def task(self, rng: np.random.Generator) -> Task:
        graph = _loaded(self.form, data_folder(self.path))
        return self.split(rng, graph.x, graph.edge_index, graph.y)

    def describe(self) -> str:
        return f"{Path(self.path).stem}, fresh splits; depth {self.depth}"


@cache
def _loaded(form: str, path: Path) -> NodeGraph:
    return LOADERS[form](path)


@cache
def _fingerprint(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def published(**changes: Any) -> Published:
    """A `Published`; its files lie in gradient_gating/."""
    return Published(**{**changes, "path": f"gradient_gating/{changes['path']}"})


__all__ = ["ACTIVATIONS", "BlockGraph", "Grid", "Labelled", "Published", "Task", "published"]
