"""Gradient-boosted trees: scikit-learn's histogram trees, XGBoost and LightGBM, as parts with the same settings.

What they leave out differs: scikit-learn's have no row sampling. All minimise the squared error without early stopping,
for which time series have no random rows to spare.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from holdfast.errors import InputError, MissingExtra
from holdfast.regressors.base import Progress, Regressor, RowSource, Sklearn, openmp
from holdfast.validation import check_fraction, check_integer, check_positive

SAMPLE = 50_000  # rows that LightGBM chooses 255 bins on, each holding about 200 of them


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

    def held(self, rows: int, width: int) -> int:
        return int(rows * (64 + 1.1 * width))  # measured: bins, and per row its target, gradients, forecast, places

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
        model = self.build(seed)  # which loads the library whose threads are limited
        with openmp(threads):
            return model.fit(rows, target)

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

    def held(self, rows: int, width: int) -> int:
        # measured: bins by row and by column, and what belongs to a row; the sketch of each column
        return int(rows * (54 + 2.4 * width)) + 8 * min(rows, 125_000) * width

    def check(self) -> None:
        super().check()
        _library("xgboost")

    def several(self) -> bool:
        return True  # leaves hold all targets

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

    def fit_joint(
        self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, when: np.ndarray | None = None
    ) -> Any:
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

    def held(self, rows: int, width: int) -> int:
        # measured, as for XGBoost; and the rows that bins are chosen on, in float64
        return int(rows * (54 + 2.4 * width)) + 10 * min(rows, SAMPLE) * width

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
            "bin_construct_sample_cnt": SAMPLE,
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


__all__ = ["NAMES", "HistTrees", "LightGBMTrees", "Trees", "XGBoostTrees", "as_regressor"]
