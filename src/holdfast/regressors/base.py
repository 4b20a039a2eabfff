"""A kind of regressor: fit, predict, importance, what it holds in memory; and any scikit-learn regressor as such."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from holdfast.errors import InputError

Progress = Callable[[int, int], None]


class RowSource:
    """Rows and targets that are built when they are asked for.

    Args:
        count: n, number of rows.
        size: rows of a block.
        rows: the rows of a slice.
        target: all n targets of step k, counted from 0.
    """

    def __init__(
        self,
        count: int,
        size: int,
        rows: Callable[[slice], np.ndarray],
        target: Callable[[int], np.ndarray],
    ) -> None:
        self.count, self.size, self.rows, self.target = count, size, rows, target
        self._block, self._number = np.empty((0, 0)), -1

    def blocks(self) -> Iterator[np.ndarray]:
        """All rows, block by block."""
        for start in range(0, self.count, self.size):
            yield self.rows(slice(start, min(start + self.size, self.count)))

    def row(self, index: int) -> np.ndarray:
        """A single row; fast where the next one asked for is in the same block."""
        number, within = divmod(int(index), self.size)
        if number != self._number:
            self._block = self.rows(slice(number * self.size, min((number + 1) * self.size, self.count)))
            self._number = number
        return self._block[within]


class Regressor:
    """What forecasters and others need of a kind of regressor. Rows are (n, F), targets (n,) or (n, h)."""

    dtype: ClassVar[type] = np.float32  # of rows; what the library would else convert to, in a second copy
    streams: ClassVar[bool] = False  # can be fitted on blocks of rows

    def held(self, rows: int, width: int) -> int:
        """Bytes that a fit takes besides the table of rows and targets, all in all; 0 where nobody has measured it."""
        return 0

    def check(self) -> None:
        """Raise an InputError for wrong settings, MissingExtra where the library is not installed."""

    def several(self) -> bool:
        """Whether one model can forecast several targets (`fit_joint`)."""
        return False

    def fit(self, rows: np.ndarray, target: np.ndarray, seed: int, threads: int) -> Any:
        """A fitted model."""
        raise NotImplementedError

    def fit_each(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, progress: Progress) -> list[Any]:
        """A model for every column of the targets; `threads` of them at a time."""
        from joblib import Parallel, delayed

        steps = targets.shape[1]
        one = 1 if threads > 1 else threads
        work = (delayed(self.fit)(rows, targets[:, k], seed, one) for k in range(steps))
        models = []
        for model in Parallel(n_jobs=threads, prefer="threads", return_as="generator")(work):
            models.append(model)
            progress(len(models), steps)
        return models

    def fit_joint(
        self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, when: np.ndarray | None = None
    ) -> Any:
        """One model for all columns of the targets; `when` (n,), if known, are times of the rows as whole numbers."""
        raise NotImplementedError

    def fit_stream(self, source: RowSource, steps: int, seed: int, threads: int, progress: Progress) -> list[Any]:
        """A model for every step ahead; of the rows only a block is in memory at a time."""
        raise NotImplementedError

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        """(n,) or (n, h)."""
        return np.asarray(model.predict(rows))

    def importance(self, model: Any, width: int) -> np.ndarray:
        """(F,) how much each column lowered the squared error, or another measure of the model's own."""
        raise NotImplementedError


@dataclass(frozen=True)
class Sklearn(Regressor):
    """Any scikit-learn regressor, cloned before it is fitted.

    Attributes:
        regressor: with fit and predict. Its `random_state`, if it has one that is not set, becomes the one given.
    """

    regressor: Any

    def _clone(self, seed: int) -> Any:
        from sklearn.base import clone

        model = clone(self.regressor)
        params = model.get_params()
        return model.set_params(random_state=seed) if params.get("random_state", seed) is None else model

    def check(self) -> None:
        if not all(hasattr(self.regressor, name) for name in ("fit", "predict", "get_params")):
            rule = "must be 'hist', 'xgboost', 'lightgbm', one of holdfast's regressors or a scikit-learn regressor"
            raise InputError("estimator", rule, self.regressor)

    def several(self) -> bool:
        from sklearn.utils import get_tags

        return bool(get_tags(self.regressor).target_tags.multi_output)

    def fit(self, rows: np.ndarray, target: np.ndarray, seed: int, threads: int) -> Any:
        model = self._clone(seed)
        if np.isnan(rows).any() and not _takes_missing(model):
            count = int(np.isnan(rows).any(1).sum())
            rule = f"must have no missing values for {type(model).__name__}; hist, xgboost and lightgbm take them"
            raise InputError("X", rule, f"{count} of {len(rows):,} rows with missing values")
        with openmp(threads):
            return model.fit(rows, target)

    def fit_joint(
        self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, when: np.ndarray | None = None
    ) -> Any:
        return self.fit(rows, targets, seed, threads)

    def importance(self, model: Any, width: int) -> np.ndarray:
        values = getattr(model, "feature_importances_", None)
        if values is None and hasattr(model, "coef_"):
            values = np.abs(np.atleast_2d(model.coef_)).mean(0)
        if values is None:
            rule = "must have feature_importances_ or coef_ to say which columns matter"
            raise InputError("estimator", rule, type(model).__name__)
        return np.asarray(values, np.float64)


def openmp(threads: int) -> AbstractContextManager[Any]:
    """Let OpenMP use so many threads in the block."""
    limit: AbstractContextManager[Any] = _libraries(len(sys.modules)).limit(limits=threads, user_api="openmp")
    return limit


@lru_cache(maxsize=1)
def _libraries(modules: int) -> Any:
    """The libraries that have threads. To look for them takes as long as a few trees; new ones come with modules."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _takes_missing(model: Any) -> bool:
    from sklearn.utils import get_tags

    return bool(get_tags(model).input_tags.allow_nan)


__all__ = ["Progress", "Regressor", "RowSource", "Sklearn", "openmp"]
