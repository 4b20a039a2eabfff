"""Speed and memory of windows, fits and forecasts, each beside a peer that does the same work in the same run.

    python benchmarks/gbrt_forecasting.py            about three minutes on 2 cores
    python benchmarks/gbrt_forecasting.py defaults   first commands beside others': forecast_defaults.py, four minutes

Peers: a loop over windows; sktime, mlforecast and darts, building the same windows; scikit-learn's MultiOutputRegressor
around the same boosters on the same rows; mlforecast and darts with LightGBM, with the same rows, trees and horizon
(`pip install mlforecast lightgbm darts sktime`). What is not installed is left out, and said. That the work is the same
is checked: windows must be equal, and forecasts are compared. Everything runs in one thread, and times are CPU seconds,
which a busy machine changes little.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.multioutput import MultiOutputRegressor
from threadpoolctl import threadpool_limits

from holdfast.data.series.long_wide import read_panel
from holdfast.data.series.windows import window_ends
from holdfast.systems.gbrt_forecasting import (
    HistTrees,
    LightGBMTrees,
    WindowForecaster,
    XGBoostTrees,
    rmse,
    window_rows,
)
from holdfast.systems.gbrt_forecasting.method import Origins

LOOKBACK, HORIZON = 24, 12
TREES, DEPTH = 50, 6


def series(count: int, steps: int, seed: int = 0) -> pd.DataFrame:
    """A long table: a day's season, a week's, and noise that remembers."""
    rng = np.random.default_rng(seed)
    t = np.arange(steps)
    noise = rng.normal(size=(count, steps))
    for k in range(1, steps):
        noise[:, k] += 0.8 * noise[:, k - 1]
    level = rng.uniform(5, 20, size=(count, 1))
    y = level + 3 * np.sin(2 * np.pi * t / 24) + 1.5 * (t // 24 % 7 >= 5) + 0.5 * noise
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), steps),
            "ds": np.tile(pd.date_range("2024-01-01", periods=steps, freq="h"), count),
            "y": y.ravel().astype(np.float32).astype(np.float64),  # so that float32 rows hold the same numbers
        }
    )


def seconds(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """The shortest of several times, and the last result: what else the machine does only adds."""
    times, result = [], None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


def windows() -> None:
    """Of one long series, as the contiguous float32 that boosters are given."""
    table = series(1, 200_000)
    y = table["y"].to_numpy()

    def loop() -> tuple[np.ndarray, np.ndarray]:
        rows, targets = [], []
        for t in range(LOOKBACK - 1, len(y) - HORIZON):
            rows.append(y[t - LOOKBACK + 1 : t + 1])
            targets.append(y[t + 1 : t + 1 + HORIZON])
        return np.array(rows, np.float32), np.array(targets, np.float32)

    ours, found = seconds(lambda: window_rows(y, None, LOOKBACK, HORIZON), repeats=10)
    print(f"windows of 200,000 steps: {1000 * ours:.1f} ms")
    peers: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {"a loop": loop}
    if installed("sktime"):
        from sktime.forecasting.base import ForecastingHorizon
        from sktime.forecasting.compose._reduce import _sliding_window_transform  # what make_reduction calls

        ahead = ForecastingHorizon(np.arange(1, HORIZON + 1))
        values = pd.Series(y)
        peers["sktime"] = lambda: _sliding_window_transform(values, LOOKBACK, ahead)[::-1]
    if installed("darts"):
        from darts import TimeSeries
        from darts.utils.data.tabularization import create_lagged_training_data

        one = TimeSeries.from_values(y)
        lags: Any = {"lags": list(range(-LOOKBACK, 0)), "output_chunk_length": HORIZON, "output_chunk_shift": 0}

        def darts() -> tuple[np.ndarray, np.ndarray]:
            rows, targets, *_ = create_lagged_training_data(one, **lags, uses_static_covariates=False)
            return rows[:, :, 0], targets[:, :, 0]

        peers["darts"] = darts
    if installed("mlforecast"):
        peers["mlforecast"] = lambda: shifted(table)
    for name, work in peers.items():
        theirs, (rows, targets) = seconds(lambda w=work: tuple(np.ascontiguousarray(part, np.float32) for part in w()))
        same = [np.allclose(a, b, rtol=1e-6) for a, b in ((found.rows, rows), (found.targets, targets))]
        print(f"  {name} takes {theirs / ours:.1f} times as long; the same windows: {all(same)}")


def shifted(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Windows of mlforecast, which has the latest lag first and keeps rows whose targets are not all known."""
    import lightgbm
    from mlforecast import MLForecast

    maker = MLForecast(lightgbm.LGBMRegressor(), freq="h", lags=list(range(1, LOOKBACK + 1)), num_threads=1)
    rows, targets = maker.preprocess(table, max_horizon=HORIZON, static_features=[], return_X_y=True, as_numpy=True)
    rows = rows[:, -LOOKBACK:]
    known = ~np.isnan(targets).any(1)
    return rows[known, ::-1], targets[known]


def many_windows(count: int = 2000, steps: int = 200) -> None:
    """Of many series, the table read and checked included."""
    table = series(count, steps)

    def ours() -> tuple[np.ndarray, np.ndarray]:
        panel = read_panel(table)
        model = WindowForecaster(LOOKBACK, HORIZON, calendar=None)
        return Origins(panel, model.layout_of(panel), window_ends(panel.lengths, LOOKBACK, HORIZON)).table(HORIZON)

    mine, (rows, targets) = seconds(ours)
    print(f"windows of {count:,} series of {steps} steps: {mine:.2f} s")
    if not installed("mlforecast"):
        return
    theirs, (other, came) = seconds(lambda: shifted(table))
    same = np.allclose(rows, other, rtol=1e-6) and np.allclose(targets, came, rtol=1e-6)
    print(f"  mlforecast takes {theirs / mine:.1f} times as long; the same windows: {same}")


def installed(name: str) -> bool:
    if importlib.util.find_spec(name):
        return True
    print(f"{name} is not installed: not compared")
    return False


def memory(count: int = 10_000, steps: int = 200, horizon: int = 24) -> None:
    table = series(count, steps)
    took, panel = seconds(lambda: read_panel(table), repeats=1)
    print(f"{count:,} series of {steps} steps read and checked: {took:.2f} s")
    model = WindowForecaster(LOOKBACK, horizon)
    origins = Origins(panel, model.layout_of(panel), window_ends(panel.lengths, LOOKBACK, horizon))
    tracemalloc.start()
    took, (rows, targets) = seconds(lambda: origins.table(horizon), repeats=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = rows.nbytes + targets.nbytes
    print(f"their {len(rows):,} windows: {took:.2f} s, {size / 2**20:.0f} MB; peak {peak / size:.2f} times that")


def fits(table: pd.DataFrame) -> None:
    """The direct strategy beside MultiOutputRegressor on the same rows."""
    panel = read_panel(table)
    parts = [window_rows(y, None, LOOKBACK, HORIZON) for y in np.split(panel.y, panel.ends[:-1] + 1)]
    rows, targets = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
    plain = {"calendar": None}
    peers: list[tuple[str, Any, Any]] = [
        (
            "hist",
            HistTrees(trees=TREES, depth=DEPTH),
            HistGradientBoostingRegressor(
                max_iter=TREES, max_depth=DEPTH, max_leaf_nodes=None, early_stopping=False, random_state=0
            ),
        )
    ]
    if importlib.util.find_spec("xgboost"):
        import xgboost

        ours = XGBoostTrees(trees=TREES, depth=DEPTH, min_leaf=1)
        settings: Any = {"learning_rate": 0.1, "tree_method": "hist", "n_jobs": 1}
        peers.append(("xgboost", ours, xgboost.XGBRegressor(n_estimators=TREES, max_depth=DEPTH, **settings)))
    for name, trees, peer in peers:
        mine, model = seconds(lambda t=trees: WindowForecaster(LOOKBACK, HORIZON, t, **plain).fit(table), repeats=1)
        wrapped = MultiOutputRegressor(peer)
        theirs, _ = seconds(lambda w=wrapped: w.fit(rows, targets), repeats=1)
        last = np.stack([y[-LOOKBACK:] for y in np.split(panel.y, panel.ends[:-1] + 1)]).astype(np.float32)
        apart = np.abs(wrapped.predict(last).ravel() - model.predict()["yhat"].to_numpy()).max()
        print(
            f"{name}, {len(rows):,} rows, {HORIZON} steps, {TREES} trees: {mine:.1f} s; MultiOutputRegressor takes "
            f"{theirs / mine:.2f} times as long; largest difference of forecasts {apart:.2g}"
        )


def one_tree_for_all(past: pd.DataFrame, came: pd.DataFrame) -> None:
    if not importlib.util.find_spec("xgboost"):
        print("xgboost is not installed: one multi-output tree is not compared with a model per step")
        return
    trees = XGBoostTrees(trees=TREES, depth=DEPTH)
    found = {}
    for strategy in ("direct", "multi_output"):
        took, model = seconds(lambda s=strategy: WindowForecaster(LOOKBACK, HORIZON, trees, strategy=s).fit(past), 1)
        found[strategy] = took, rmse(came["y"], model.predict()["yhat"])
    speed = found["direct"][0] / found["multi_output"][0]
    error = found["multi_output"][1] / found["direct"][1]
    print(f"one multi-output tree: {speed:.2f} times as fast as {HORIZON} models, {error:.3f} times their RMSE")


def beside_libraries(past: pd.DataFrame, came: pd.DataFrame) -> None:
    """Fit and forecast with LightGBM, direct: mlforecast with the calendar, darts with the window alone."""
    if not installed("lightgbm"):
        return
    import lightgbm

    settings: Any = {
        "n_estimators": TREES,
        "max_depth": DEPTH,
        "num_leaves": 2**DEPTH,
        "learning_rate": 0.1,
        "min_child_samples": 20,
        "n_jobs": 1,
        "verbosity": -1,
    }

    def ours(calendar: Any) -> pd.DataFrame:
        trees = LightGBMTrees(trees=TREES, depth=DEPTH)
        return WindowForecaster(LOOKBACK, HORIZON, trees, calendar=calendar).fit(past).predict()

    def mlforecast() -> pd.DataFrame:
        from mlforecast import MLForecast

        model = MLForecast(
            lightgbm.LGBMRegressor(**settings),
            freq="h",
            lags=list(range(1, LOOKBACK + 1)),
            date_features=["hour", "dayofweek", "dayofyear"],
            num_threads=1,
        )
        found = model.fit(past, max_horizon=HORIZON, static_features=[]).predict(HORIZON)
        return found.rename(columns={"LGBMRegressor": "yhat"})

    def darts() -> pd.DataFrame:
        from darts import TimeSeries
        from darts.models import LightGBMModel

        each = TimeSeries.from_group_dataframe(past, "unique_id", "ds", "y", freq="h", drop_group_cols=["unique_id"])
        model = LightGBMModel(lags=LOOKBACK, output_chunk_length=HORIZON, multi_models=True, **settings)
        found = model.fit(each).predict(HORIZON, series=each)
        parts = [f.to_dataframe().reset_index().assign(unique_id=k) for k, f in enumerate(found)]
        return pd.concat(parts).rename(columns={"y": "yhat"})

    for name, calendar, theirs in (("mlforecast", "auto", mlforecast), ("darts", None, darts)):
        if installed(name):
            beside(name, came, lambda c=calendar: ours(c), theirs)


def beside(name: str, came: pd.DataFrame, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
    pairs = [(seconds(ours, 1), seconds(theirs, 1)) for _ in range(3)]  # in turn: a busy machine slows both
    ratio = statistics.median(b[0] / a[0] for a, b in pairs)
    mine, other = (found.sort_values(["unique_id", "ds"])["yhat"].to_numpy() for _, found in pairs[-1])
    print(
        f"fit and predict beside {name}, LightGBM, direct: {pairs[-1][0][0]:.1f} s; {name} takes {ratio:.2f} times as "
        f"long; RMSE {rmse(came['y'], mine):.3f} and {rmse(came['y'], other):.3f}; forecasts differ by "
        f"{np.abs(mine - other).mean():.2g} on average"
    )


def main() -> None:
    warnings.filterwarnings("ignore")
    windows()
    many_windows()
    memory()
    table = series(150, 240)
    later = table.groupby("unique_id").cumcount() >= 240 - HORIZON
    past, came = table[~later].reset_index(drop=True), table[later].reset_index(drop=True)
    fits(past)
    one_tree_for_all(past, came)
    beside_libraries(past, came)


if __name__ == "__main__":
    import forecast_defaults

    with threadpool_limits(1):
        forecast_defaults.main() if sys.argv[1:] == ["defaults"] else main()
