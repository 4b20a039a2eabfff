"""Gradient gating on a user's own graph: classes or numbers of nodes."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.devices import check_device
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.graphs.edges import check_edge_index
from holdfast.layers.graph_convs import KINDS
from holdfast.layers.standardise import Standardise
from holdfast.losses.per_example import LossFn, cross_entropy, squared_error
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.gradient_gating.method import G2GNN, rates_and_energies
from holdfast.training import Best, fit
from holdfast.training.threads import threads_for
from holdfast.training.whole_graph import WholeGraph
from holdfast.validation import (
    check_array,
    check_choice,
    check_fraction,
    check_integer,
    check_number,
    check_positive,
    check_present,
    check_same_length,
)

STILL = 1e-3  # mean tau of the liveliest layer, below which the layers do next to nothing
LOOK = 5  # steps between looks at the validation nodes
VALIDATION = 0.25  # share of the nodes with a label, where the user names none


class NodeModel(Estimator):
    """What classifier and regressor share.

    Args:
        depth: layers; 0 = a network that looks at no edge.
        conv: "sage", "gcn" or "gat".
        width: of the layers.
        p: exponent of the gate; larger lets fewer nodes move.
        share_weights: one layer for all depths, as in the reference. Separate ones did better in pilots.
        separate_gate: whether the gate has a layer of its own; without, layers are half as large.
        dropout: before encoder and decoder.
        steps: of training, each over the whole graph.
        lr: learning rate of Adam.
        weight_decay: of Adam.
        device: "cpu", "cuda", "cuda:1", ...
        seed: of initialisation, dropout and the validation nodes.

    Attributes:
        rates_: (depth,) mean tau of each layer; where all are about 0 this is an MLP, and `fit` warns.
        energies_: (depth,) Dirichlet energy of what leaves each layer.
        validation_score_: of the kept weights; share of the validation nodes that are right, or R2.
        train_mask_, val_mask_: (v,) which nodes were used for what.
    """

    tags = Tags(arrays=("x",), predicts_rows=False, tolerance=1e-3)

    def __init__(
        self,
        *,
        depth: int = 16,
        conv: Literal["sage", "gcn", "gat"] = "sage",
        width: int = 64,
        p: float = 2.0,
        share_weights: bool = False,
        separate_gate: bool = True,
        dropout: float = 0.2,
        steps: int = 200,
        lr: float = 0.01,
        weight_decay: float = 5e-4,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.depth, self.conv, self.width, self.p = depth, conv, width, p
        self.share_weights, self.separate_gate, self.dropout = share_weights, separate_gate, dropout
        self.steps, self.lr, self.weight_decay = steps, lr, weight_decay
        self.device, self.seed = device, seed

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        x: Any,
        edge_index: Any,
        y: Any,
        train_mask: Any = None,
        val_mask: Any = None,
        *,
        columns: Mapping[str, Any] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Train on the whole graph; keep the weights that do best on the validation nodes.

        Args:
            x: (v, F) features of all nodes, with and without a label.
            edge_index: (2, E) whole numbers, from and to; for an undirected graph both directions.
            y: (v,); what it holds at nodes of neither mask is not looked at.
            train_mask: (v,) booleans; None = all nodes that are not in val_mask.
            val_mask: (v,) booleans; None = a quarter of the training nodes, drawn by the seed.
            columns: what a command line wants to find again, JSON.
            progress: called with (steps done, steps).

        Raises:
            InputError: an argument breaks a rule: a node that does not exist, masks that overlap or are empty.
        """
        self._check_settings()
        rows = torch.as_tensor(np.asarray(check_array(x, "v F", name="x", dtype="float32")))
        edges = check_edge_index(edge_index, len(rows))
        train, val = self._masks(len(rows), train_mask, val_mask)
        check_same_length(x=rows, y=check_present(y, "y"))
        learned, target = self._target(y, train, val)
        self._forget()
        for name, value in learned.items():
            setattr(self, name, value)
        self.features_, self.columns_ = int(rows.shape[1]), dict(columns or {})
        self.train_mask_, self.val_mask_ = train, val
        self.scale_ = Standardise(self.features_).learn(rows)
        net = self._net()
        learner = WholeGraph(net, self.scale_(rows), edges, target, self._loss(), self.lr, self.weight_decay)
        nodes = torch.from_numpy(np.flatnonzero(train))
        keep = Best(LOOK, partial(_quality, self._score, torch.from_numpy(val)), name="validation score")
        with threads_for(net):
            done = fit(
                learner,
                Batches({"node": nodes}, len(nodes), derived_seed(self.seed, "batches")),
                steps=self.steps,
                seed=self.seed,
                device=self.device,
                keep=keep,
                on_step=progress,
            )
        best: Any = done.best
        self.net_, self.best_step_ = best.net.cpu(), done.best_step
        self.validation_score_ = max(done.history["validation score"][1])
        found = rates_and_energies(self.net_, self.scale_(rows), edges)
        self.rates_ = np.array([float(tau.mean()) for tau, _ in found])
        self.energies_ = np.array([float(energy) for _, energy in found])
        if self.stands_still:
            warnings.warn(f"the gate is shut (mean tau at most {self.rates_.max():.1g}): {ADVICE}", stacklevel=2)
        return self

    @property
    def stands_still(self) -> bool:
        """Whether tau is about 0 in every layer, so that what was trained is an MLP."""
        self.check_fitted()
        return bool(len(self.rates_) and self.rates_.max() < STILL)

    def _check_settings(self) -> None:
        for name, low in (("depth", 0), ("width", 1), ("steps", 1), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        for name, choices in (("share_weights", (True, False)), ("separate_gate", (True, False)), ("conv", KINDS)):
            check_choice(getattr(self, name), choices, name)
        for name in ("p", "lr"):
            check_positive(getattr(self, name), name)
        check_fraction(self.dropout, "dropout", one=False)
        check_number(self.weight_decay, "weight_decay", low=0)
        check_device(self.device)

    def _masks(self, nodes: int, train_mask: Any, val_mask: Any) -> tuple[np.ndarray, np.ndarray]:
        train = np.ones(nodes, bool) if train_mask is None else _mask(train_mask, "train_mask", nodes)
        if val_mask is not None:
            val = _mask(val_mask, "val_mask", nodes)
            if train_mask is None:
                train = ~val
        else:
            chosen = np.flatnonzero(train)
            count = max(1, round(VALIDATION * len(chosen)))
            order = np.random.default_rng(derived_seed(self.seed, "validation")).permutation(chosen)
            val = np.zeros(nodes, bool)
            val[order[:count]] = True
            train = train & ~val
        if (both := train & val).any():
            raise InputError("val_mask", "must share no node with train_mask", f"node {int(both.argmax())} in both")
        for name, mask in (("train_mask", train), ("val_mask", val)):
            if not mask.any():
                raise InputError(name, "must leave at least one node to train on and one to validate with", "none")
        return train, val

    def _net(self) -> G2GNN:
        sizes, how = (self.features_, self.width, self._outputs(), self.depth), (self.share_weights, self.separate_gate)
        with seeded(derived_seed(self.seed, "init")):
            return G2GNN(*sizes, self.conv, self.p, *how, self.dropout, self.dropout)

    def _build(self) -> Mapping[str, nn.Module]:
        return {"net_": self._net(), "scale_": Standardise(self.features_)}

    @abstractmethod
    def _target(self, y: Any, train: np.ndarray, val: np.ndarray) -> tuple[Mapping[str, Any], Tensor]:
        """Learned state from y, and what the loss is given (v, ...)."""

    @abstractmethod
    def _outputs(self) -> int:
        """Numbers that the network gives for a node."""

    @abstractmethod
    def _loss(self) -> LossFn:
        """What is minimised."""

    @abstractmethod
    def _score(self, outputs: Tensor, target: Tensor) -> float:
        """What is best on the validation nodes: higher is better."""

    # ------------------------------------------------------------------------------------------------------- predicting
    def outputs(self, x: Any, edge_index: Any) -> Tensor:
        """(v, C): logits, or standardised numbers (v, 1), of all nodes of a graph."""
        self.check_fitted()
        rows = check_array(x, "v F", name="x", dtype="float32", sizes={"F": self.features_})
        edges = check_edge_index(edge_index, len(rows))
        scaled = self.scale_(torch.as_tensor(np.asarray(rows)))
        with torch.no_grad():
            found: Tensor = self.net_.to(self.device)(scaled.to(self.device), edges.to(self.device)).cpu()
        return found


class NodeClassifier(NodeModel):
    """Classes of nodes. Arguments and more attributes: see `NodeModel`.

    Attributes:
        classes_: the labels, ascending.

    Example:
        >>> import numpy as np
        >>> from holdfast.graphs.edges import grid_edges
        >>> x, y = np.eye(16), np.arange(16) % 4 % 2
        >>> model = NodeClassifier(depth=4, width=16, steps=30).fit(x, grid_edges(4, 4), y)
        >>> model.predict(x, grid_edges(4, 4)).shape, model.rates_.shape
        ((16,), (4,))
    """

    classes_: np.ndarray
    tags = Tags(arrays=("x",), labels=("y",), predicts_rows=False, tolerance=1e-3)

    def _target(self, y: Any, train: np.ndarray, val: np.ndarray) -> tuple[Mapping[str, Any], Tensor]:
        known = np.flatnonzero(train | val)
        labels, classes = encode_labels(_chosen(y, known))
        if len(np.unique(labels[train[known]])) < 2:
            raise InputError("y", "must have at least 2 different classes among the training nodes", "only one")
        target = np.zeros(len(train), np.int64)
        target[known] = labels
        return {"classes_": classes}, torch.from_numpy(target)

    def _outputs(self) -> int:
        return len(self.classes_)

    def _loss(self) -> LossFn:
        return cross_entropy

    def _score(self, outputs: Tensor, target: Tensor) -> float:
        return float((outputs.argmax(1) == target).double().mean())

    def predict_proba(self, x: Any, edge_index: Any) -> np.ndarray:
        """Probabilities (v, K) of all nodes of a graph, columns in the order of `classes_`."""
        return self.outputs(x, edge_index).softmax(1).numpy()

    def predict(self, x: Any, edge_index: Any) -> np.ndarray:
        """The most probable class of each node, (v,)."""
        best = self.outputs(x, edge_index).argmax(1).numpy()
        return self.classes_[best]

    def score(self, x: Any, edge_index: Any, y: Any, mask: Any = None, metric: str = "accuracy") -> float:
        """How well the nodes of a mask (None: all) are classified, in [0, 1].

        Args:
            metric: "accuracy", or "roc_auc" for two classes.
        """
        check_choice(metric, ("accuracy", "roc_auc"), "metric")
        p = self.predict_proba(x, edge_index)
        chosen = _asked(p, y, mask)
        labels, _ = encode_labels(_chosen(y, chosen), classes=self.classes_)
        if metric == "accuracy":
            return float((p[chosen].argmax(1) == labels).mean())
        if len(self.classes_) != 2 or len(np.unique(labels)) != 2:
            raise InputError("metric", "roc_auc needs two classes, both of them among the nodes", len(self.classes_))
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(labels, p[chosen, 1]))

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        return _example(rng, np.arange(18) % 2)


class NodeRegressor(NodeModel):
    """Numbers of nodes. Arguments and attributes: see `NodeModel`.

    Targets are standardised and the output is linear; the reference divides by the largest and ends in a relu.

    Example:
        >>> import numpy as np
        >>> from holdfast.graphs.edges import grid_edges
        >>> model = NodeRegressor(depth=2, width=8, steps=20).fit(np.eye(16), grid_edges(4, 4), np.arange(16.0))
        >>> model.predict(np.eye(16), grid_edges(4, 4)).shape
        (16,)
    """

    target_scale_: Standardise

    def _target(self, y: Any, train: np.ndarray, val: np.ndarray) -> tuple[Mapping[str, Any], Tensor]:
        known = train | val
        numbers = np.zeros(len(train))
        numbers[known] = check_array(_chosen(y, np.flatnonzero(known)), "v", name="y", dtype="float64")
        if numbers[train].std() == 0:
            raise InputError("y", "must hold at least two different numbers among the training nodes", "one")
        target = torch.as_tensor(numbers[:, None], dtype=torch.float32)
        scale = Standardise(1).learn(target[torch.from_numpy(train)])
        return {"target_scale_": scale}, scale(target)

    def _outputs(self) -> int:
        return 1

    def _build(self) -> Mapping[str, nn.Module]:
        return {**super()._build(), "target_scale_": Standardise(1)}

    def _loss(self) -> LossFn:
        return squared_error

    def _score(self, outputs: Tensor, target: Tensor) -> float:
        left = (outputs - target).square().sum()
        return float(1 - left / (target - target.mean()).square().sum().clamp(min=1e-12))

    def predict(self, x: Any, edge_index: Any) -> np.ndarray:
        """A number for each node, (v,)."""
        found = self.outputs(x, edge_index)
        return self.target_scale_.back(found)[:, 0].numpy()

    def score(self, x: Any, edge_index: Any, y: Any, mask: Any = None) -> float:
        """R2 over the nodes of a mask (None: all), at most 1."""
        predicted = self.predict(x, edge_index)
        chosen = _asked(predicted, y, mask)
        numbers = check_array(_chosen(y, chosen), "v", name="y", dtype="float64")
        if np.ptp(numbers) == 0:
            raise InputError("y", "must hold at least two different numbers among the nodes", "one")
        return self._score(torch.from_numpy(predicted[chosen]).double(), torch.as_tensor(numbers))

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        return _example(rng, rng.normal(size=18))


ADVICE = "the network is an MLP that looks at no edge (try a smaller p, separate_gate, or fewer layers)"


def _example(rng: np.random.Generator, y: np.ndarray) -> Example:
    edges = rng.integers(0, 18, (2, 60))
    data = {"x": rng.normal(size=(18, 3)), "edge_index": edges, "y": y}
    new = {"x": rng.normal(size=(5, 3)), "edge_index": rng.integers(0, 5, (2, 12))}
    return Example(data, new, {"depth": 2, "width": 8, "steps": 3})


def _mask(mask: Any, name: str, nodes: int) -> np.ndarray:
    found = np.asarray(check_present(mask, name))
    if found.dtype != bool or found.shape != (nodes,):
        rule = f"must hold a boolean for each of {nodes} nodes"
        raise InputError(name, rule, f"{found.dtype} of shape {found.shape}")
    return found


def _asked(predicted: np.ndarray, y: Any, mask: Any) -> np.ndarray:
    """The nodes to measure: those of a mask, or all."""
    check_same_length(x=predicted, y=check_present(y, "y"))
    if mask is None:
        return np.arange(len(predicted))
    chosen = np.flatnonzero(_mask(mask, "mask", len(predicted)))
    if not len(chosen):
        raise InputError("mask", "must hold at least one node", "none")
    return chosen


def _chosen(y: Any, nodes: np.ndarray) -> Any:
    """y at some nodes, of its own kind: a list stays one, so that a mixture of types is found."""
    return y[nodes] if hasattr(y, "dtype") and not hasattr(y, "iloc") else [list(y)[i] for i in nodes]


def _quality(score: Callable[[Tensor, Tensor], float], nodes: Tensor, learner: Any) -> float:
    chosen = nodes.to(learner.x.device)
    return score(learner.outputs()[chosen], learner.target[chosen])


__all__ = ["NodeClassifier", "NodeModel", "NodeRegressor"]
