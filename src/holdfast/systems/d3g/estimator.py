"""D3G on a user's own rows: fit on many domains, predict for one that was never seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.baselines.unseen_domains import two_layers
from holdfast.data.batches import Batches
from holdfast.data.unseen_domains.tables import adjacency_of, checked_edges, domain_means, edges_to, is_classes
from holdfast.data.unseen_domains.worlds import balanced_rows
from holdfast.devices import check_device
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.graphs.neighbours import nearest, nearest_spacing
from holdfast.layers.standardise import Standardise
from holdfast.losses.per_example import cross_entropy, squared_error
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.d3g.method import (
    D3GLearner,
    D3GSettings,
    MultiHead,
    Space,
    normalised,
    relation_from_distance,
)
from holdfast.training import fit
from holdfast.training.threads import threads_for
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

ROWS = 4096  # answered at a time


class D3G(Estimator):
    """Classes or numbers for domains never seen, by the heads of the domains that they are related to.

    Args:
        encoder: network from standardised features (B, F) to (B, D), shared by all heads. None = two layers of
            `width` with ReLU.
        lam: weight of the consistency loss, in which the other domains' heads answer; 0 = none.
        beta: share of the fixed relation; below 1 the rest is learned from the metadata.
        sigma: distance of standardised metadata at which two domains count as related by 1/e. None = the median
            distance of a training domain to its nearest.
        space: where heads are mixed, "logits" or "probs".
        related: only the so many most related heads answer. None = all; for thousands of domains 16, say.
        task: "classes", "numbers", or "auto": classes where y holds texts, booleans or at most 20 whole numbers.
        width: of the network's two layers.
        steps: of training.
        batch: rows per step.
        lr: learning rate of Adam.
        device: "cpu", "cuda", "cuda:1", ...
        seed: of initialisation and order.

    Attributes:
        domains_: names of the K training domains, ascending.
        classes_: the labels, ascending; empty where numbers are predicted.
        metadata_: (K, m) float32 of the training domains as given; (K, 0) with a graph.
        edges_: of the graph, as [name, name, weight]; empty with metadata.
        sigma_: the distance that was used, of standardised metadata.
        varying_: number of training domains whose rows had different metadata; their mean is used.
        learner_: encoder, heads and relation.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> place = np.repeat([0.0, 1.0, 2.0, 3.0], 30)
        >>> X = rng.normal(size=(120, 2))
        >>> y = np.where(X[:, 0] * (1.4 - place) > 0, "yes", "no")       # the sign changes on the way
        >>> model = D3G(steps=150).fit(X, y, [f"site {p:g}" for p in place], place[:, None])
        >>> model.predict([[2.0, 0.0]], [[0.2]]).tolist(), model.predict([[2.0, 0.0]], [[2.9]]).tolist()
        (['yes'], ['no'])
    """

    tags = Tags(arrays=("X", "metadata"), labels=("y",), predicts_rows=False, tolerance=1e-4)

    def __init__(
        self,
        encoder: nn.Module | None = None,
        lam: float = 0.5,
        beta: float = 1.0,
        sigma: float | None = None,
        space: Space = "logits",
        related: int | None = None,
        task: str = "auto",
        width: int = 64,
        steps: int = 500,
        batch: int = 128,
        lr: float = 2e-3,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.encoder, self.lam, self.beta, self.sigma = encoder, lam, beta, sigma
        self.space, self.related, self.task, self.width = space, related, task, width
        self.steps, self.batch, self.lr = steps, batch, lr
        self.device, self.seed = device, seed

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        X: Any,
        y: Any,
        domain: Any,
        metadata: Any = None,
        graph: Sequence[Sequence[Any]] | None = None,
        *,
        columns: Mapping[str, Sequence[str]] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Train.

        Args:
            X: (N, F) features.
            y: (N,) labels of any kind, or numbers.
            domain: (N,) names of the domains, at least two different ones.
            metadata: (N, m) numbers that describe each row's domain; their mean is taken where rows of a domain differ.
            graph: edges between names, with or without a weight, in place of metadata; also of domains to come.
            columns: names of the user's columns by role, kept with the model.
            progress: called with (steps done, steps).

        Raises:
            InputError: an argument breaks a rule; not one of metadata and graph; beta below 1 with a graph or lam 0.
        """
        settings = self._settings()
        x = check_array(X, "N F", name="X", dtype="float32")
        index, named = encode_labels(domain, name="domain", at_least=1)
        names, place = np.unique(named.astype(str)[index], return_inverse=True)  # as texts: "10" before "2"
        if len(names) < 2:
            raise InputError("domain", "must name at least two domains", names.tolist())
        classes, target = self._target(y)
        check_same_length(X=x, y=target, domain=place)
        if (metadata is None) == (graph is None):
            raise InputError("metadata", "must be given, or else a graph", "both" if graph is not None else "neither")
        means, varying = np.zeros((len(names), 0)), 0
        edges: list[list[Any]] = []
        if metadata is not None:
            rows = check_array(metadata, "N m", name="metadata", dtype="float64")
            check_same_length(X=x, metadata=rows)
            means, varying = domain_means(np.asarray(rows), names[place])
        else:
            if self.beta < 1:
                raise InputError("beta", "must be 1 with a graph: nothing can be learned from names", self.beta)
            edges = checked_edges(graph)
            if not adjacency_of(names.tolist(), edges).any():
                raise InputError("graph", "must join some of the training domains", f"{len(edges)} edges that do not")
        self._forget()
        self.domains_, self.classes_, self.edges_ = names, classes, edges
        self.metadata_, self.varying_ = np.asarray(means, np.float32), varying
        self.columns_ = {role: list(found) for role, found in (columns or {}).items()}
        self.features_ = int(x.shape[1])
        parts = self._parts(settings)
        self.features_scale_ = parts["features_scale_"].learn(torch.as_tensor(np.asarray(x)))
        self.target_scale_ = parts["target_scale_"]
        if not len(classes):
            self.target_scale_.learn(torch.as_tensor(target[:, None]))
        self.learner_ = self._train(torch.as_tensor(np.asarray(x)), target, place, settings, progress)
        return self

    def _settings(self) -> D3GSettings:
        for name in ("width", "steps", "batch"):
            check_integer(getattr(self, name), name, low=1)
        check_integer(self.seed, "seed", low=0)
        check_number(self.lam, "lam", low=0)
        check_fraction(self.beta, "beta")
        check_positive(self.lr, "lr")
        check_choice(self.space, ("logits", "probs"), "space")
        check_choice(self.task, ("auto", "classes", "numbers"), "task")
        check_device(self.device)
        for name, check in (("sigma", check_positive), ("related", partial(check_integer, low=1))):
            if getattr(self, name) is not None:
                check(getattr(self, name), name)
        if self.encoder is not None and not isinstance(self.encoder, nn.Module):
            raise InputError("encoder", "must be a torch module or None", type(self.encoder).__name__)
        return D3GSettings(self.lam, self.beta, self.space, self.related, lr=self.lr)

    def _target(self, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Classes and (N,) int64, or none and (N,) float32."""
        given = np.asarray(check_present(y, "y"))
        if self.task == "classes" or (self.task == "auto" and is_classes(given)):
            labels = check_array(given, "N", name="y", dtype="int64") if given.dtype.kind == "f" else y
            index, classes = encode_labels(labels, name="y")
            return classes, index
        numbers = np.asarray(check_array(y, "N", name="y", dtype="float64"))
        if not len(numbers) or numbers.std() == 0:
            raise InputError("y", "must hold at least two different numbers", f"{len(numbers)} rows")
        if self.space == "probs":
            raise InputError("space", "must be 'logits' where numbers are predicted", self.space)
        return np.zeros(0, np.int64), numbers.astype(np.float32)

    def _parts(self, settings: D3GSettings) -> dict[str, Any]:
        """Fresh modules for the learned state, and sigma_ from it."""
        scale = Standardise(self.metadata_.shape[1])
        if self.edges_:
            fixed = torch.from_numpy(adjacency_of(self.domains_.tolist(), self.edges_))
            self.sigma_, metadata = 0.0, None
        else:
            metadata = scale.learn(torch.from_numpy(self.metadata_))(torch.from_numpy(self.metadata_))
            self.sigma_ = nearest_spacing(metadata) if self.sigma is None else float(self.sigma)
            fixed = relation_from_distance(metadata, self.sigma_)
        with seeded(derived_seed(self.seed, "init")):
            width, encoder = self.width, self.encoder
            if encoder is None:
                encoder = two_layers(self.features_, width)
            else:
                with torch.no_grad():
                    width = int(encoder(torch.zeros(1, self.features_)).shape[-1])
            heads = MultiHead(width, len(self.domains_), len(self.classes_) or 1)
            loss_fn = cross_entropy if len(self.classes_) else squared_error
            learner = D3GLearner(encoder, heads, fixed, settings, loss_fn, metadata)
        return {
            "learner_": learner,
            "metadata_scale_": scale,
            "features_scale_": Standardise(self.features_),
            "target_scale_": Standardise(1),
        }

    def _build(self) -> Mapping[str, Any]:
        return self._parts(self._settings())

    def _train(
        self,
        x: Tensor,
        target: np.ndarray,
        place: np.ndarray,
        settings: D3GSettings,
        progress: Callable[[int, int], None] | None,
    ) -> D3GLearner:
        parts = self._parts(settings)
        self.metadata_scale_ = parts["metadata_scale_"]
        y = torch.as_tensor(target) if len(self.classes_) else self.target_scale_(torch.as_tensor(target[:, None]))
        domain = torch.as_tensor(place)
        rows = balanced_rows(domain)
        tensors = {"x": self.features_scale_(x)[rows], "y": y[rows], "domain": domain[rows]}
        batches = Batches(tensors, min(self.batch, len(rows)), derived_seed(self.seed, "batches"))
        learner: Any = parts["learner_"]
        with threads_for(learner):
            fit(learner, batches, steps=self.steps, seed=self.seed, device=self.device, on_step=progress)
        return learner

    # ------------------------------------------------------------------------------------------------------- predicting
    def domain_weights(self, metadata: Any = None, domain: Any = None) -> np.ndarray:
        """The weights of the heads, that sum to 1 in each row.

        Args:
            metadata: (m,) of one new domain, or (N, m).
            domain: a name, or (N,) names, for a model of a graph: looked up in the graph.

        Returns:
            (K,) or (N, K) float32, columns in the order of `domains_`. Where nothing is related, all are 1/K.
        """
        relation, single = self._relation(metadata, domain)
        weights = normalised(relation).cpu().numpy()
        return weights[0] if single else weights

    def is_related(self, metadata: Any = None, domain: Any = None) -> np.ndarray:
        """Whether each new domain (N,) is related to any training domain; if not, the mean of all heads answers."""
        return (self._relation(metadata, domain)[0] > 0).any(1).cpu().numpy()

    def _relation(self, metadata: Any, domain: Any) -> tuple[Tensor, bool]:
        """a of new domains (N, K), and whether one was asked for alone."""
        self.check_fitted()
        place = self.learner_.fixed.device
        if self.edges_:
            names = [domain] if isinstance(domain, str) else list(check_present(domain, "domain"))
            fixed = torch.from_numpy(edges_to(names, self.domains_.tolist(), self.edges_))
            return self.learner_.relation_to(fixed.to(place)), isinstance(domain, str)
        scaled, single = self._scaled(metadata)
        known = self.metadata_scale_(torch.from_numpy(self.metadata_))
        fixed = relation_from_distance(scaled, self.sigma_, known)
        return self.learner_.relation_to(fixed.to(place), scaled.to(place)), single

    def nearest(self, metadata: Any) -> tuple[np.ndarray, np.ndarray]:
        """The nearest training domain of each row of metadata (N, m): names (N,) and distances (N,).

        A distance is in units of the usual distance between neighbours in training (the median to the nearest): far
        above 1 the new domain lies outside of what was seen.
        """
        self.check_fitted()
        scaled, _ = self._scaled(metadata)
        known = self.metadata_scale_(torch.from_numpy(self.metadata_))
        index, distance = nearest(scaled, known)
        return self.domains_[index.numpy()], (distance / nearest_spacing(known)).numpy()

    def _scaled(self, metadata: Any) -> tuple[Tensor, bool]:
        if metadata is None:
            raise InputError("metadata", "must be given for a domain that is not known", "none")
        values = np.asarray(metadata)
        single = values.ndim == 1
        rows = check_array(
            values[None] if single else values,
            "N m",
            name="metadata",
            dtype="float32",
            sizes={"m": self.metadata_.shape[1]},
        )
        return self.metadata_scale_(torch.as_tensor(np.asarray(rows))), single

    def row_weights(self, count: int, metadata: Any = None, domain: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Weights for each of `count` rows (N, K), and whether its domain is known (N,) and its own head answers."""
        self.check_fitted()
        known = np.zeros(count, bool)
        own = np.zeros((count, len(self.domains_)), np.float32)
        if domain is not None:
            names = np.asarray(check_present(domain, "domain")).astype(str)
            names = names.repeat(count) if names.ndim == 0 else names
            if names.shape != (count,):
                raise InputError("domain", f"must have one name per row ({count})", f"shape {names.shape}")
            place = np.searchsorted(self.domains_, names).clip(max=len(self.domains_) - 1)
            known = self.domains_[place] == names
            own[np.flatnonzero(known), place[known]] = 1
            if known.all():
                return own, known
            if self.edges_:
                own[~known] = self.domain_weights(domain=names[~known].tolist())
                return own, known
        elif self.edges_:
            raise InputError("domain", "must be given: the model was fitted with a graph of names", "none")
        rows = None if metadata is None else np.asarray(metadata)
        if rows is not None and rows.ndim > 1:
            check_same_length(X=own, metadata=rows)
            rows = rows[~known]
        own[~known] = self.domain_weights(rows)
        return own, known

    def outputs(self, X: Any, metadata: Any = None, domain: Any = None) -> Tensor:
        """Logits (N, C), or standardised numbers (N, 1)."""
        self.check_fitted()
        x = check_array(X, "N F", name="X", dtype="float32", sizes={"F": self.features_})
        weights, _ = self.row_weights(len(x), metadata, domain)
        rows = self.features_scale_(torch.as_tensor(np.asarray(x)))
        learner = self.learner_.to(self.device)
        with torch.no_grad():
            parts = [
                learner(x_.to(self.device), w.to(self.device)).cpu()
                for x_, w in zip(rows.split(ROWS), torch.from_numpy(weights).split(ROWS), strict=True)
            ]
        return torch.cat(parts)

    def predict_proba(self, X: Any, metadata: Any = None, domain: Any = None) -> np.ndarray:
        """Probabilities (N, C), columns in the order of `classes_`. Arguments as in `predict`.

        Raises:
            InputError: the model predicts numbers.
        """
        self.check_fitted()
        if not len(self.classes_):
            raise InputError("predict_proba", "needs a model of classes", "one of numbers")
        return self.outputs(X, metadata, domain).softmax(1).numpy()

    def predict(self, X: Any, metadata: Any = None, domain: Any = None) -> np.ndarray:
        """Labels or numbers (N,).

        Args:
            X: (N, F) features.
            metadata: (N, m) of each row's domain, or (m,) of the one domain of all rows.
            domain: (N,) names, or one for all rows: rows of a training domain get its own head. Needed with a graph.
        """
        found = self.outputs(X, metadata, domain)
        if len(self.classes_):
            return self.classes_[found.argmax(1).numpy()]
        return self.target_scale_.back(found)[:, 0].numpy()

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        place = np.repeat([0.0, 1.0, 2.0], 6)
        X = rng.normal(size=(18, 3))
        y = np.arange(18) % 2
        metadata = np.column_stack([place, place**2])
        data = {"X": X, "y": y, "domain": np.array(["a", "b", "c"])[place.astype(int)], "metadata": metadata}
        new = {"X": rng.normal(size=(4, 3)), "metadata": rng.random((4, 2))}
        return Example(data, new, {"task": "classes", "steps": 3, "batch": 6, "width": 8})
