"""An estimator without torch, to be saved, loaded and damaged."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from holdfast.estimator import Estimator, Example, Tags


class Centre(Estimator):
    """Takes the mean of the training rows away."""

    tags: ClassVar[Tags] = Tags(deterministic=True, needs_seed=False)

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift

    def fit(self, X: Any) -> Self:
        self.mean_ = np.asarray(X, float).mean(0) + self.shift
        return self

    def predict(self, X: Any) -> np.ndarray:
        self.check_fitted()
        return np.asarray(X, float) - self.mean_

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        return Example(fit={"X": rng.random((5, 2))}, predict=rng.random((3, 2)))
