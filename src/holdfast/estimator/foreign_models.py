"""Fitted models of other libraries as files of a model folder, each in the library's own format that holds no code.

| library | file | read by |
|---|---|---|
| scikit-learn | .skops | skops, against a list of trusted types |
| XGBoost | .ubj | `xgboost.Booster(model_file=...)` |
| LightGBM | .lgbm | `lightgbm.Booster(model_file=...)`; it is text |
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.errors import InputError, MissingExtra
from holdfast.estimator.sklearn_models import load_sklearn, save_sklearn


@dataclass(frozen=True)
class Format:
    """How the models of one library are kept.

    Attributes:
        tag: marks such a model in config.json.
        suffix: of its file.
        owns: whether a value is such a model; imports nothing.
        save: (model, path, trusted types).
        load: (path, trusted types) -> model.
    """

    tag: str
    suffix: str
    owns: Callable[[Any], bool]
    save: Callable[[Any, Path, Iterable[str]], None]
    load: Callable[[Path, Iterable[str]], Any]


def _is(module: str, name: str) -> Callable[[Any], bool]:
    """A test of a value's type that imports nothing: if nobody imported the library, nothing is of its types."""

    def owns(value: Any) -> bool:
        kind = getattr(sys.modules.get(module), name, None)
        return kind is not None and isinstance(value, kind)

    return owns


def _save_booster(model: Any, path: Path, trusted: Iterable[str]) -> None:
    model.save_model(str(path))


def _load_xgboost(path: Path, trusted: Iterable[str]) -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise MissingExtra("xgboost", "boosting") from error
    _check_there(path)
    try:
        return xgboost.Booster(model_file=str(path))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise InputError(str(path), "must be a model of XGBoost", str(error).split("\n")[0]) from error


def _load_lightgbm(path: Path, trusted: Iterable[str]) -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra("lightgbm", "boosting") from error
    _check_there(path)
    try:
        return lightgbm.Booster(model_file=str(path))
    except lightgbm.basic.LightGBMError as error:
        raise InputError(str(path), "must be a model of LightGBM", str(error)) from error


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise InputError(str(path), "must be a file of the saved model", "no such file")


FORMATS = (
    Format("$xgboost", ".ubj", _is("xgboost", "Booster"), _save_booster, _load_xgboost),
    Format("$lightgbm", ".lgbm", _is("lightgbm", "Booster"), _save_booster, _load_lightgbm),
    Format("$sklearn", ".skops", _is("sklearn.base", "BaseEstimator"), save_sklearn, load_sklearn),
)
SUFFIXES = frozenset(f.suffix for f in FORMATS)


def format_of(value: Any) -> Format | None:
    """How a value is kept, if it is a model of one of these libraries."""
    return next((f for f in FORMATS if f.owns(value)), None)


def format_called(tag: str) -> Format | None:
    """The format with a tag."""
    return next((f for f in FORMATS if f.tag == tag), None)


__all__ = ["FORMATS", "SUFFIXES", "Format", "format_called", "format_of"]
