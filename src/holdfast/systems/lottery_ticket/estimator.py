"""A sparse classifier for tables: iterative magnitude pruning with rewinding behind fit and predict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from holdfast.devices import torch_threads
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.layers.standardise import Standardise
from holdfast.layers.weight_masks import MaskDict
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.lottery_ticket.method import IMP, MagnitudePruner
from holdfast.systems.lottery_ticket.net import Perceptron
from holdfast.training.inference import forward_in_batches
from holdfast.training.masked import MaskedTraining, train_masked
from holdfast.validation import check_array, check_fraction, check_integer, check_positive, check_same_length


class LotteryClassifier(Estimator):
    """A perceptron of which a small share of the weights is left, found by pruning and rewinding.

    Args:
        density: share of the weights between layers that is left, the last layer's not counted; the number of levels
            follows, so that the share is at most this.
        fraction: that goes at every level.
        rewind: share of the training that the weights go back to.
        hidden: widths of the hidden layers.
        steps: optimiser steps of every level.
        batch: rows per step.
        lr: learning rate of SGD.
        seed: of initialisation and order.

    Attributes:
        classes_: (K,) the labels, in ascending order.
        network_: the network; weights outside of the mask are 0.
        mask_: parameter name -> booleans.
        densities_: share that was left at every level.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(60, 4))
        >>> model = LotteryClassifier(density=0.3, steps=50, hidden=(16,)).fit(X, X[:, 0] > 0)
        >>> round(model.densities_[-1], 2) <= 0.3, model.predict(X[:2]).shape
        (True, (2,))
    """

    tags = Tags(classifier=True, labels=("y",), outputs=("predict", "predict_proba"), tolerance=1e-4)

    def __init__(
        self,
        density: float = 0.1,
        fraction: float = 0.2,
        rewind: float = 0.05,
        hidden: tuple[int, ...] = (100, 50),
        steps: int = 500,
        batch: int = 64,
        lr: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.density, self.fraction, self.rewind, self.hidden = density, fraction, rewind, hidden
        self.steps, self.batch, self.lr, self.seed = steps, batch, lr, seed

    def fit(self, X: Any, y: Any, *, progress: Callable[[int, int], None] | None = None) -> Self:
        """Train, prune and rewind.

        Args:
            X: (N, F) finite numbers; columns are standardised.
            y: (N,) labels of at least two classes.
            progress: called with (levels done, levels).

        Raises:
            InputError: an argument breaks a rule.
        """
        check_fraction(self.density, "density", zero=False, one=False)
        check_fraction(self.fraction, "fraction", zero=False, one=False)
        check_fraction(self.rewind, "rewind", one=False)
        check_positive(self.lr, "lr")
        for name, low in (("steps", 1), ("batch", 1), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        if not isinstance(self.hidden, tuple | list):
            raise InputError("hidden", "must be a list of widths", self.hidden)
        for width in self.hidden:
            check_integer(width, "hidden", low=1)
        x = torch.as_tensor(check_array(X, "N F", name="X", dtype="float32"))
        labels, classes = encode_labels(y)
        check_same_length(X=x, y=labels)
        scale = Standardise(x.shape[1]).learn(x)
        data = {"x": scale(x).float(), "y": torch.from_numpy(labels)}
        training = MaskedTraining(steps=self.steps, batch=self.batch, lr=self.lr)

        def train(net: nn.Module, mask: MaskDict, start: int, stop: int | None, seed: int) -> dict[str, float]:
            train_masked(net, mask, data, training, seed=seed, start=start, stop=stop)
            return {}

        features, count = int(x.shape[1]), len(classes)
        unpruned = (f"layers.{len(self.hidden)}.weight",) if self.hidden else ()
        levels = max(1, math.ceil(math.log(self.density) / math.log(1 - self.fraction)))
        pruner, tau = MagnitudePruner(self.fraction, exclude=unpruned), round(self.rewind * self.steps)
        imp = IMP(lambda seed: self._network(features, count, seed), train, levels, tau, pruner)
        densities = []
        with torch_threads(1):
            for level in imp.run(self.seed):
                kept = MaskDict({n: m for n, m in level.mask.items() if n not in unpruned})
                densities.append(kept.density)
                if progress is not None:
                    progress(level.index + 1, levels + 1)
        self._forget()
        self.classes_, self.densities_, self.scale_, self.mask_ = classes, densities, scale, dict(kept)
        self.features_ = features
        self.network_ = self._network(self.features_, count, self.seed)
        self.network_.load_state_dict(dict(level.weights))
        self.network_.eval()
        return self

    def _network(self, features: int, classes: int, seed: int) -> nn.Module:
        with seeded(derived_seed(seed, "init")):
            return Perceptron((features, *self.hidden, classes))

    def _build(self) -> Mapping[str, Any]:
        network = self._network(self.features_, len(self.classes_), self.seed)
        return {"network_": network, "scale_": Standardise(self.features_)}

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, K) float32, columns in the order of `classes_`."""
        self.check_fitted()
        x = check_array(X, "N F", name="X", dtype="float32", sizes={"F": self.features_})
        return forward_in_batches(self.network_, self.scale_(torch.as_tensor(x)).float()).softmax(1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, (N,)."""
        answers = self.predict_proba(X).argmax(1)
        return self.classes_[answers]

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        y = np.arange(12) % 2
        X = rng.normal(size=(12, 3)) + y[:, None]
        return Example(
            {"X": X, "y": y}, rng.normal(size=(4, 3)), {"steps": 2, "batch": 4, "hidden": (4,), "density": 0.5}
        )
