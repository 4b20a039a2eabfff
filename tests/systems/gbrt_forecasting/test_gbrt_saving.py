"""A saved forecaster forecasts the same; what could not be loaded is not saved."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from holdfast.canonical import sealed
from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import (
    Direct,
    HistTrees,
    LightGBMTrees,
    Recursive,
    SplitConformal,
    WindowForecaster,
    XGBoostTrees,
)


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=80, freq="h", tz="Asia/Tokyo")
    parts = [pd.DataFrame({"unique_id": n, "ds": times, "y": rng.normal(size=80), "x": 1.0}) for n in ("shop/1", "b")]
    return pd.concat(parts)


MODELS = {
    "hist": ({"estimator": HistTrees(trees=3, min_leaf=2)}, ".skops", None),
    "xgboost": ({"estimator": XGBoostTrees(trees=3)}, ".ubj", "xgboost"),
    "one xgboost tree": ({"estimator": XGBoostTrees(trees=3), "strategy": "multi_output"}, ".ubj", "xgboost"),
    "lightgbm": ({"estimator": LightGBMTrees(trees=3)}, ".lgbm", "lightgbm"),
    "ridge": ({"estimator": make_pipeline(StandardScaler(), Ridge()), "strategy": Recursive()}, ".skops", None),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_forecaster_forecasts_the_same(name: str, tmp_path: Path) -> None:
    changes, suffix, library = MODELS[name]
    pytest.importorskip("skops")
    if library:
        pytest.importorskip(library)
    y = table()
    past = {"X_future": ["x"]} if name == "ridge" else {"X": ["x"]}
    known = {"X_future": np.ones((3, 1))} if name == "ridge" else {}
    model = WindowForecaster(
        5, 3, scaling="standard", quantiles=(0.2, 0.8), conformal=SplitConformal(0.4), **changes
    ).fit(y, **past)
    model.save(tmp_path / "model")
    files = {p.name for p in (tmp_path / "model").iterdir()}
    assert f"learned.models_.0{suffix}" in files
    loaded = WindowForecaster.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict(**known), model.predict(**known), check_exact=True)
    assert repr(loaded) == repr(model) or name == "ridge"
    model.save(tmp_path / "model")  # over itself


@pytest.mark.parametrize(
    ("trees", "library"), [(XGBoostTrees(trees=3), "xgboost"), (LightGBMTrees(trees=3), "lightgbm")]
)
def test_the_librarys_own_files_are_readable_without_holdfast(trees: HistTrees, library: str, tmp_path: Path) -> None:
    module = pytest.importorskip(library)
    model = WindowForecaster(5, 2, trees).fit(np.random.default_rng(0).normal(size=80))
    model.save(tmp_path / "model")
    (file,) = (tmp_path / "model").glob("learned.models_.1.*")
    booster = module.Booster(model_file=str(file))
    rows = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    data = module.DMatrix(rows) if library == "xgboost" else rows
    wanted = trees.predict(model.models_[1], rows)
    np.testing.assert_allclose(booster.predict(data), wanted, rtol=1e-6)


def test_save_says_why_it_cannot(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    model = WindowForecaster(5, 2, KNeighborsRegressor(algorithm="kd_tree")).fit(np.arange(60.0))
    with pytest.raises(InputError, match=r"KNeighborsRegressor must be made of trusted types.*KDTree"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["flipped", "missing", "swapped"])
def test_damaged_models_are_refused(damage: str, tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    folder = WindowForecaster(5, 2, XGBoostTrees(trees=3)).fit(np.arange(60.0) % 7).save(tmp_path / "model")
    file = folder / "learned.models_.0.ubj"
    if damage == "flipped":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 255
        file.write_bytes(bytes(data))
    elif damage == "missing":
        file.unlink()
    else:
        file.write_text(json.dumps({"not": "a model"}))
    with pytest.raises(InputError, match="model"):
        WindowForecaster.load(folder)


def test_a_model_is_not_saved_over_something_else(tmp_path: Path) -> None:
    model = WindowForecaster(5, 2, Ridge()).fit(np.arange(60.0))
    (tmp_path / "sales.csv").write_text("ds,y\n")
    with pytest.raises(InputError, match=r"sales\.csv"):
        model.save(tmp_path)


def test_models_of_earlier_versions_load(tmp_path: Path) -> None:
    """Where their parts were when they were saved; nothing else of a model folder has changed since."""
    pytest.importorskip("xgboost")
    settings = {"strategy": Direct(), "scaling": "standard", "quantiles": (0.2,), "conformal": SplitConformal(0.4)}
    model = WindowForecaster(5, 2, XGBoostTrees(trees=2), **settings)
    model.fit(table(), X=["x"]).save(tmp_path / "model")
    path, room = tmp_path / "model" / "config.json", "holdfast.systems.gbrt_forecasting"
    text = path.read_text()
    for now, then in {
        f"{room}.estimator:WindowForecaster": f"{room}.forecaster:WindowForecaster",
        f"{room}.method:Direct": f"{room}.strategies:Direct",
        "holdfast.regressors.boosters:XGBoostTrees": f"{room}.boosters:XGBoostTrees",
        "holdfast.metrics.conformal:SplitConformal": f"{room}.conformal:SplitConformal",
        "holdfast.data.series.panel:Panel": f"{room}.panel:Panel",
        "holdfast.data.series.clock:Clock": f"{room}.clock:Clock",
        "holdfast.data.series.relative:SeriesScale": f"{room}.transforms:SeriesScale",
    }.items():
        assert now in text
        text = text.replace(now, then)
    path.write_text(json.dumps(sealed({k: v for k, v in json.loads(text).items() if k != "digest"})))
    loaded = WindowForecaster.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict(), model.predict(), check_exact=True)
