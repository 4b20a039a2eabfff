"""A sparse linear regressor for tables: a diagonal linear network, trained with large steps that decay late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.layers.standardise import spread
from holdfast.systems.large_step_sgd.method.diagonal import dln_sgd
from holdfast.systems.large_step_sgd.method.schedule import Hold, find_max_stable_lr
from holdfast.validation import (
    check_array,
    check_fraction,
    check_integer,
    check_number,
    check_positive,
    check_same_length,
)


class LargeStepRegressor(Estimator):
    """Linear regression by SGD on beta = u * v at the edge of stability, which prefers few coefficients.

    Columns and targets are standardised; the largest stable rate is searched on the data. A playground more than a
    tool: where the truth is sparse, scikit-learn's LassoCV is better (see the results).

    Args:
        steps: of SGD, a row each.
        fraction: of the largest stable rate.
        hold: share of the steps before the rate is divided.
        decay: what it is divided by.
        init: start of u (v starts at 0); smaller is sparser and slower.
        evaluations: runs of the search, a quarter of the steps each.
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
        self,
        steps: int = 40_000,
        fraction: float = 0.95,
        hold: float = 0.6,
        decay: float = 4.0,
        init: float = 0.1,
        evaluations: int = 8,
        seed: int = 0,
    ) -> None:
        self.steps, self.fraction, self.hold, self.decay = steps, fraction, hold, decay
        self.init, self.evaluations, self.seed = init, evaluations, seed

    def fit(self, X: Any, y: Any, *, progress: Callable[[int, int], None] | None = None) -> Self:
        """Search the edge of stability and train close to it.

        Args:
            X: (N, F) finite numbers, N >= 2.
            y: (N,) finite numbers.
            progress: called with (runs done, runs).

        Raises:
            InputError: an argument breaks a rule, or no rate is stable.
        """
        for name, low in (("steps", 40), ("evaluations", 1), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        check_fraction(self.fraction, "fraction", zero=False)
        check_fraction(self.hold, "hold", zero=False)
        check_number(self.decay, "decay", low=1)
        check_positive(self.init, "init")
        X = np.asarray(check_array(X, "N F", name="X", dtype="float64"))
        y = np.asarray(check_array(y, "N", name="y", dtype="float64"))
        if check_same_length(X=X, y=y) < 2:
            raise InputError("X", "must have at least 2 rows", len(X))
        middle, scale = X.mean(0), spread(X)
        centre, size = float(y.mean()), float(spread(y[:, None])[0])
        Z, t = (X - middle) / scale, (y - centre) / size
        self._forget()
        self.features_ = int(X.shape[1])
        self.edge_ = self.rate_ = 0.0
        beta = np.zeros(self.features_)
        if t.any() and Z.any():
            self.edge_ = self._edge(Z, t, progress)
            beta = self._train(Z, t)
        self.coef_ = beta * size / scale
        self.intercept_ = centre - float(self.coef_ @ middle)
        return self

    def _edge(self, Z: np.ndarray, t: np.ndarray, progress: Callable[[int, int], None] | None) -> float:
        """The largest rate whose run ends no worse than predicting the mean does (loss 1/2)."""
        done, warm = 0, Hold(1.0, (), (), ramp=0.1)

        def run(rate: float, n: int) -> np.ndarray:
            nonlocal done
            done += 1
            losses = dln_sgd(Z, t, rate, n, warm, self.seed, init=(self.init, 0.0)).losses
            losses[: max(1, n // 20)] = 1.0  # what the end is compared with: half of it is the loss of the mean
            if progress is not None:
                progress(done, self.evaluations + 2)
            return losses

        lowest = 0.05 / float((Z**2).sum(1).max())
        return find_max_stable_lr(run, lowest, 16.0, max(40, self.steps // 4), evaluations=self.evaluations).lr

    def _train(self, Z: np.ndarray, t: np.ndarray) -> np.ndarray:
        schedule = Hold(self.hold, (self.decay,), (), ramp=min(0.025, self.hold))
        self.rate_ = self.fraction * self.edge_
        while (trace := dln_sgd(Z, t, self.rate_, self.steps, schedule, self.seed, init=(self.init, 0.0))).diverged:
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
        return Example({"X": X, "y": X[:, 0] + 1.0}, rng.normal(size=(4, 3)), {"steps": 400, "evaluations": 4})


__all__ = ["LargeStepRegressor"]
