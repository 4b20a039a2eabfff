"""A sparse linear regressor for tables: a diagonal linear network, trained with large steps that decay late."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.layers.standardise import spread
from holdfast.systems.large_step_sgd.method.diagonal import dln_sgd
from holdfast.systems.large_step_sgd.method.schedule import Hold
from holdfast.training.stable_rate import find_max_stable_lr
from holdfast.validation import check_array, check_fraction, check_integer, check_number, check_same_length


class LargeStepRegressor(Estimator):
    """Linear regression by SGD on beta = u * v at the edge of stability, which prefers few coefficients.

    Columns and targets are standardised; the largest stable rate is searched on the data. A playground more than a
    tool: where the truth is sparse, scikit-learn's LassoCV is better (see the results).

    Args:
        steps: of SGD, a row each; the runs of the search take a quarter of them.
        fraction: of the largest stable rate.
        hold: share of the steps before the rate is divided.
        decay: what it is divided by.
        seed: of the order of rows.

    Attributes:
        coef_: (F,) coefficients of the columns as they were given.
        intercept_: number.
        rate_: largest rate of the training.
        edge_: largest stable rate of the search.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(60, 8))
        >>> model = LargeStepRegressor(steps=4000).fit(X, 3 * X[:, 1] - X[:, 4] + 2)
        >>> np.round(model.coef_, 2).tolist()[:5], round(model.intercept_, 2)
        ([0.0, 3.0, 0.0, 0.0, -1.0], 2.0)
    """

    tags = Tags(arrays=("X", "y"), tolerance=1e-3)

    def __init__(
        self, steps: int = 40_000, fraction: float = 0.95, hold: float = 0.6, decay: float = 4.0, seed: int = 0
    ) -> None:
        self.steps, self.fraction, self.hold, self.decay, self.seed = steps, fraction, hold, decay, seed

    def fit(self, X: Any, y: Any) -> Self:
        """Search the edge of stability and train close to it.

        Args:
            X: (N, F) finite numbers, N >= 2.
            y: (N,) finite numbers.

        Raises:
            InputError: an argument breaks a rule, or no rate is stable.
        """
        check_integer(self.steps, "steps", low=40)
        check_integer(self.seed, "seed", low=0)
        check_fraction(self.fraction, "fraction", zero=False)
        check_fraction(self.hold, "hold", zero=False)
        check_number(self.decay, "decay", low=1)
        X = np.asarray(check_array(X, "N F", name="X", dtype="float64"))
        y = np.asarray(check_array(y, "N", name="y", dtype="float64"))
        if check_same_length(X=X, y=y) < 2:
            raise InputError("X", "must have at least 2 rows", len(X))
        middle, scale = X.mean(0), spread(X)
        centre, size = float(y.mean()), float(spread(y[:, None])[0])
        Z, t = (X - middle) / scale, (y - centre) / size
        self._forget()
        self.features_, self.edge_, self.rate_ = int(X.shape[1]), 0.0, 0.0
        beta = self._train(Z, t) if t.any() and Z.any() else np.zeros(self.features_)
        self.coef_ = beta * size / scale
        self.intercept_ = centre - float(self.coef_ @ middle)
        return self

    def _train(self, Z: np.ndarray, t: np.ndarray) -> np.ndarray:
        def run(rate: float, n: int) -> np.ndarray:
            losses = dln_sgd(Z, t, rate, n, Hold(1.0, (), (), ramp=0.1), self.seed).losses
            losses[: max(1, n // 20)] = 1.0  # what the end is compared with: half of it is the loss of the mean
            return losses

        lowest = 0.05 / float((Z**2).sum(1).max())
        self.edge_ = find_max_stable_lr(run, lowest, 16.0, max(40, self.steps // 4), evaluations=8).lr
        self.rate_ = self.fraction * self.edge_
        schedule = Hold(self.hold, (self.decay,), (), ramp=min(0.025, self.hold))
        while (trace := dln_sgd(Z, t, self.rate_, self.steps, schedule, self.seed)).diverged:
            self.rate_ *= 0.9
        return trace.beta

    def predict(self, X: Any) -> np.ndarray:
        """(N, F) -> (N,)."""
        self.check_fitted()
        X = check_array(X, "N F", name="X", dtype="float64", sizes={"F": self.features_})
        answers: np.ndarray = np.asarray(X) @ self.coef_ + self.intercept_
        return answers

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        X = rng.normal(size=(20, 3))
        return Example({"X": X, "y": X[:, 0] + 1.0}, rng.normal(size=(4, 3)), {"steps": 400})


__all__ = ["LargeStepRegressor"]
