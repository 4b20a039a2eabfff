"""The regressors: scikit-learn's histogram trees, XGBoost, LightGBM, or any scikit-learn regressor.

Each kind of trees is a part with the same settings under the same names; what they leave out differs: scikit-learn's
have no row sampling. All minimise the squared error without early stopping, for which time series have no random rows
to spare.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from holdfast.errors import InputError, MissingExtra
from holdfast.validation import check_fraction, check_integer, check_positive

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
    """What a strategy needs of a kind of regressor. Rows are (n, F), targets (n,) or (n, h)."""

    dtype: ClassVar[type] = np.float32  # of rows; what the library would else convert to, in a second copy
    streams: ClassVar[bool] = False  # can be fitted on blocks of rows

    def check(self) -> None:
        """Raise an InputError for wrong settings, MissingExtra where the library is not installed."""

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

    def fit_joint(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int) -> Any:
        """One model for all columns of the targets."""
        rule = "must be 'direct' or 'recursive' with this estimator, which predicts one number"
        raise InputError("strategy", rule, "multi_output")

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
class Trees(Regressor):
    """Settings that all kinds of gradient-boosted trees share.

    Attributes:
        learning_rate: shrinkage of each tree.
        trees: number of trees per model.
        depth: largest depth of a tree.
        min_leaf: smallest number of rows in a leaf.
        subsample: share of rows that a tree is grown on.
        colsample: share of columns that a tree (scikit-learn: a split) may use.
    """

    learning_rate: float = 0.1
    trees: int = 100
    depth: int = 6
    min_leaf: int = 20
    subsample: float = 1.0
    colsample: float = 1.0

    def check(self) -> None:
        check_positive(self.learning_rate, "learning_rate")
        check_integer(self.trees, "trees", low=1)
        check_integer(self.depth, "depth", low=1, high=30)
        check_integer(self.min_leaf, "min_leaf", low=1)
        check_fraction(self.subsample, "subsample", zero=False)
        check_fraction(self.colsample, "colsample", zero=False)


@dataclass(frozen=True)
class HistTrees(Trees):
    """scikit-learn's HistGradientBoostingRegressor: needs nothing installed besides holdfast.

    Example:
        >>> HistTrees(trees=80, depth=4).build(seed=0).max_iter
        80
    """

    dtype: ClassVar[type] = np.float64

    def check(self) -> None:
        super().check()
        if self.subsample != 1:
            rule = "must be 1 for scikit-learn's trees, which sample no rows; XGBoostTrees and LightGBMTrees do"
            raise InputError("subsample", rule, self.subsample)

    def build(self, seed: int) -> Any:
        """The unfitted scikit-learn regressor."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(
            learning_rate=self.learning_rate,
            max_iter=self.trees,
            max_depth=self.depth,
            max_leaf_nodes=None,
            min_samples_leaf=self.min_leaf,
            max_features=self.colsample,
            early_stopping=False,
            random_state=seed,
        )

    def fit(self, rows: np.ndarray, target: np.ndarray, seed: int, threads: int) -> Any:
        with _openmp(threads):
            return self.build(seed).fit(rows, target)

    def importance(self, model: Any, width: int) -> np.ndarray:
        # scikit-learn shows no gains of these trees; they are in the nodes, which its own tests read, too
        gains = np.zeros(width)
        for (tree,) in model._predictors:
            inner = tree.nodes[~tree.nodes["is_leaf"].astype(bool)]
            np.add.at(gains, inner["feature_idx"], inner["gain"])
        return gains


@dataclass(frozen=True)
class XGBoostTrees(Trees):
    """XGBoost's histogram trees. Columns are binned once for all steps ahead.

    Attributes:
        device: "cpu" or "cuda".
    """

    device: str = "cpu"
    streams: ClassVar[bool] = True

    def check(self) -> None:
        super().check()
        _library("xgboost")

    def _settings(self, seed: int, threads: int) -> dict[str, Any]:
        return {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "min_child_weight": self.min_leaf,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample,
            "seed": seed,
            "nthread": threads,
            "device": self.device,
            "verbosity": 0,
        }

    def fit(self, rows: np.ndarray, target: np.ndarray, seed: int, threads: int) -> Any:
        return self._train(self._bin(rows, threads), target, seed, threads)

    def fit_each(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, progress: Progress) -> list[Any]:
        binned, models = self._bin(rows, threads), []
        for k in range(targets.shape[1]):
            models.append(self._train(binned, targets[:, k], seed, threads))
            progress(k + 1, targets.shape[1])
        return models

    def fit_joint(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int) -> Any:
        return self._train(self._bin(rows, threads), targets, seed, threads, multi_strategy="multi_output_tree")

    def fit_stream(self, source: RowSource, steps: int, seed: int, threads: int, progress: Progress) -> list[Any]:
        xgboost = _library("xgboost")

        class Blocks(xgboost.DataIter):  # type: ignore[name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.parts = source.blocks()

            def next(self, input_data: Any) -> bool:
                block = next(self.parts, None)
                if block is not None:
                    input_data(data=block)
                return block is not None

            def reset(self) -> None:
                self.parts = source.blocks()

        binned, models = xgboost.QuantileDMatrix(Blocks(), nthread=threads), []
        for k in range(steps):
            models.append(self._train(binned, source.target(k), seed, threads))
            progress(k + 1, steps)
        return models

    def _bin(self, rows: np.ndarray, threads: int) -> Any:
        return _library("xgboost").QuantileDMatrix(rows, nthread=threads)

    def _train(self, binned: Any, target: np.ndarray, seed: int, threads: int, **more: Any) -> Any:
        binned.set_label(target)
        return _library("xgboost").train(self._settings(seed, threads) | more, binned, num_boost_round=self.trees)

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        return np.asarray(model.inplace_predict(rows))

    def importance(self, model: Any, width: int) -> np.ndarray:
        gains = np.zeros(width)
        for name, gain in model.get_score(importance_type="total_gain").items():
            gains[int(name[1:])] = gain
        return gains


@dataclass(frozen=True)
class LightGBMTrees(Trees):
    """LightGBM's trees, grown leaf by leaf up to the depth. Columns are binned once for all steps ahead."""

    streams: ClassVar[bool] = True

    def check(self) -> None:
        super().check()
        _library("lightgbm")

    def _settings(self, seed: int, threads: int) -> dict[str, Any]:
        return {
            "objective": "regression",
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "num_leaves": min(2**self.depth, 131072),
            "min_data_in_leaf": self.min_leaf,
            "min_data_in_bin": min(3, self.min_leaf),
            "bagging_fraction": self.subsample,
            "bagging_freq": int(self.subsample < 1),
            "feature_fraction": self.colsample,
            "seed": seed,
            "num_threads": threads,
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "verbosity": -1,
        }

    def fit(self, rows: np.ndarray, target: np.ndarray, seed: int, threads: int) -> Any:
        return self._train(self._bin(rows, seed, threads), target, seed, threads)

    def fit_each(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, progress: Progress) -> list[Any]:
        binned, models = self._bin(rows, seed, threads), []
        for k in range(targets.shape[1]):
            models.append(self._train(binned, targets[:, k], seed, threads))
            progress(k + 1, targets.shape[1])
        return models

    def fit_stream(self, source: RowSource, steps: int, seed: int, threads: int, progress: Progress) -> list[Any]:
        lightgbm = _library("lightgbm")

        class Rows(lightgbm.Sequence):  # type: ignore[name-defined]
            batch_size = source.size

            def __len__(self) -> int:
                return source.count

            def __getitem__(self, index: Any) -> np.ndarray:
                rows = source.row(int(index)) if isinstance(index, int | np.integer) else source.rows(index)
                return rows.astype(np.float64)  # LightGBM takes no other type in this way

        binned, models = lightgbm.Dataset(Rows(), params=self._settings(seed, threads)).construct(), []
        for k in range(steps):
            models.append(self._train(binned, source.target(k), seed, threads))
            progress(k + 1, steps)
        return models

    def _bin(self, rows: np.ndarray, seed: int, threads: int) -> Any:
        return _library("lightgbm").Dataset(rows, params=self._settings(seed, threads)).construct()

    def _train(self, binned: Any, target: np.ndarray, seed: int, threads: int) -> Any:
        lightgbm = _library("lightgbm")
        trained = lightgbm.train(
            self._settings(seed, threads), binned.set_label(np.ascontiguousarray(target)), self.trees
        )
        return lightgbm.Booster(model_str=trained.model_to_string())  # without the binned data

    def importance(self, model: Any, width: int) -> np.ndarray:
        return np.asarray(model.feature_importance("gain"), np.float64)


@dataclass(frozen=True)
class Sklearn(Regressor):
    """Any scikit-learn regressor, cloned before it is fitted.

    Attributes:
        regressor: with fit and predict. Its `random_state`, if it has one that is not set, becomes the forecaster's.
    """

    regressor: Any

    def _clone(self, seed: int) -> Any:
        from sklearn.base import clone

        model = clone(self.regressor)
        params = model.get_params()
        return model.set_params(random_state=seed) if params.get("random_state", seed) is None else model

    def check(self) -> None:
        if not all(hasattr(self.regressor, name) for name in ("fit", "predict", "get_params")):
            rule = "must be 'hist', 'xgboost', 'lightgbm', trees of this system or a scikit-learn regressor"
            raise InputError("estimator", rule, self.regressor)

    def fit(self, rows: np.ndarray, target: np.ndarray, seed: int, threads: int) -> Any:
        model = self._clone(seed)
        if np.isnan(rows).any() and not _takes_missing(model):
            count = int(np.isnan(rows).any(1).sum())
            rule = f"must have no missing values for {type(model).__name__}; hist, xgboost and lightgbm take them"
            raise InputError("X", rule, f"{count} of {len(rows):,} rows with missing values")
        with _openmp(threads):
            return model.fit(rows, target)

    def fit_joint(self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int) -> Any:
        from sklearn.utils import get_tags

        if not get_tags(self.regressor).target_tags.multi_output:
            return super().fit_joint(rows, targets, seed, threads)
        return self.fit(rows, targets, seed, threads)

    def importance(self, model: Any, width: int) -> np.ndarray:
        values = getattr(model, "feature_importances_", None)
        if values is None and hasattr(model, "coef_"):
            values = np.abs(np.atleast_2d(model.coef_)).mean(0)
        if values is None:
            rule = "must have feature_importances_ or coef_ to say which columns matter"
            raise InputError("estimator", rule, type(model).__name__)
        return np.asarray(values, np.float64)


NAMES: dict[str, type[Trees]] = {"hist": HistTrees, "xgboost": XGBoostTrees, "lightgbm": LightGBMTrees}


def as_regressor(estimator: Any) -> Regressor:
    """A part from what the user calls it, its settings checked.

    Raises:
        InputError: an unknown name, no regressor, or wrong settings.
        MissingExtra: the library is not installed.
    """
    if isinstance(estimator, str):
        if estimator not in NAMES:
            raise InputError("estimator", f"must be one of {', '.join(NAMES)} or a regressor", repr(estimator))
        estimator = NAMES[estimator]()
    part = estimator if isinstance(estimator, Regressor) else Sklearn(estimator)
    part.check()
    return part


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(name, "boosting") from error


def _openmp(threads: int) -> AbstractContextManager[Any]:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(threads, user_api="openmp")


def _takes_missing(model: Any) -> bool:
    from sklearn.utils import get_tags

    return bool(get_tags(model).input_tags.allow_nan)


__all__ = ["HistTrees", "LightGBMTrees", "Regressor", "RowSource", "Sklearn", "Trees", "XGBoostTrees", "as_regressor"]
