"""What a forecaster's first command gives: our default beside those of mlforecast and statsforecast.

    python benchmarks/forecast_defaults.py        about four minutes on one core

Panels of our making (monthly, weekly, daily, hourly; trends, seasons, rare sales, shifts of level, random walks), whose
generator had no forecaster in mind, and the series that statsmodels ships. Three cutoffs, one horizon apart, each
forecaster fitted anew at each; errors are the seasonal MASE of the M competitions, averaged over series and cutoffs.
Intervals of ratios redraw series (95 %). CPU seconds are of one thread, fit and forecast of one cutoff.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from holdfast.data.series.long_wide import read_panel
from holdfast.systems.gbrt_forecasting import WindowForecaster
from holdfast.systems.gbrt_forecasting.tool.choosing import choose

CUTOFFS, DRAWS = 3, 2000
MLFORECASTS = ("mlforecast", "mlforecast, scaled", "mlforecast, differences", "mlforecast, both")
NAMES = ("ours", "seasonal naive", "AutoTheta", "AutoETS", *MLFORECASTS)


@dataclass(frozen=True)
class PanelSet:
    """Series of one kind: y (S, T), their frequency, the horizon, the season."""

    name: str
    y: np.ndarray
    freq: str
    horizon: int
    season: int

    def until(self, steps: int) -> pd.DataFrame:
        """A long table of the first steps."""
        count = len(self.y)
        times = pd.date_range("2010-01-01", periods=self.y.shape[1], freq=self.freq)[:steps]
        ids = np.repeat([f"s{k:03d}" for k in range(count)], steps)
        return pd.DataFrame({"unique_id": ids, "ds": np.tile(times, count), "y": self.y[:, :steps].ravel()})


def made(seed: int = 7) -> Iterator[PanelSet]:
    """Panels of our making."""
    rng = np.random.default_rng(seed)

    def usual(count: int, steps: int, season: int, trend: float, shifts: int = 0) -> np.ndarray:
        t = np.arange(steps)
        level = 1 + 3 * rng.normal(0, trend, (count, 1)) * t / season
        for _ in range(shifts):
            level = level + (t >= rng.integers(steps // 5, steps, (count, 1))) * rng.normal(0, 0.4, (count, 1))
        waves = sum(
            rng.normal(0, 0.2 / k, (count, 1)) * np.sin(2 * np.pi * k * t / season + rng.uniform(0, 6.3, (count, 1)))
            for k in (1, 2)
        )
        noise = rng.normal(0, 0.05, (count, steps))
        for k in range(1, steps):
            noise[:, k] += 0.5 * noise[:, k - 1]
        scaled: np.ndarray = rng.uniform(50, 500, (count, 1)) * (np.maximum(level, 0.1) + waves + noise)
        return scaled

    yield PanelSet("monthly", usual(40, 120, 12, 0.01), "MS", 12, 12)
    yield PanelSet("weekly", usual(30, 208, 52, 0.01), "W", 8, 52)
    yield PanelSet("daily", usual(30, 300, 7, 0.002), "D", 14, 7)
    yield PanelSet("hourly", usual(20, 500, 24, 0.001), "h", 24, 24)
    yield PanelSet("shifts of level", usual(30, 300, 7, 0.002, shifts=3), "D", 14, 7)
    rare = (rng.random((30, 300)) < rng.uniform(0.1, 0.5, (30, 1))) * rng.poisson(rng.uniform(1, 8, (30, 1)), (30, 300))
    yield PanelSet("rare sales", rare.astype(float), "D", 14, 7)
    yield PanelSet("random walks", 100 + np.cumsum(rng.normal(0, 1, (30, 250)), 1), "D", 14, 7)


def packaged() -> Iterator[PanelSet]:
    """Series that statsmodels ships, each a panel of one."""
    from statsmodels.datasets import co2, elnino, sunspots

    weekly = co2.load_pandas().data["co2"].interpolate().to_numpy()[-600:]
    yield PanelSet("CO2, weekly", weekly[None], "W", 8, 52)
    yield PanelSet("sunspots, yearly", sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()[None], "YE", 8, 1)
    months = elnino.load_pandas().data.iloc[:, 1:].to_numpy().ravel()
    yield PanelSet("El Nino, monthly", months[None], "MS", 12, 12)


def ours(past: pd.DataFrame, panels: PanelSet) -> np.ndarray:
    """What `holdfast gbrt_forecasting fit` does without options."""
    panel = read_panel(past)
    like = WindowForecaster(horizon=panels.horizon, quantiles=(0.1, 0.9))
    return choose(panel, like).fitted(panel).predict()["yhat"].to_numpy()


def seasonal_naive(past: pd.DataFrame, panels: PanelSet) -> np.ndarray:
    y = past["y"].to_numpy().reshape(len(panels.y), -1)
    return y[:, -panels.season :][:, np.arange(panels.horizon) % panels.season]


def of_statsforecast(name: str) -> Callable[[pd.DataFrame, PanelSet], np.ndarray]:
    from statsforecast import models

    def forecast(past: pd.DataFrame, panels: PanelSet) -> np.ndarray:
        season = panels.season if name == "AutoTheta" or panels.season <= 24 else 1  # its ETS holds no longer one
        each = past["y"].to_numpy().reshape(len(panels.y), -1)
        made_ = getattr(models, name)
        return np.stack([made_(season_length=season).forecast(y=y, h=panels.horizon)["mean"] for y in each])

    return forecast


def of_mlforecast(*transforms: Callable[[], Any]) -> Callable[[pd.DataFrame, PanelSet], np.ndarray]:
    """LightGBM as it comes, recursive, lags of a season at least."""
    import lightgbm
    from mlforecast import MLForecast

    def forecast(past: pd.DataFrame, panels: PanelSet) -> np.ndarray:
        lags = list(range(1, max(12, panels.horizon, panels.season if panels.season <= 24 else 0) + 1))
        model = MLForecast(
            lightgbm.LGBMRegressor(verbosity=-1, n_jobs=1),
            freq=panels.freq,
            lags=lags,
            target_transforms=[make() for make in transforms] or None,
        )
        found = model.fit(past, static_features=[]).predict(panels.horizon)
        return found.sort_values(["unique_id", "ds"])["LGBMRegressor"].to_numpy()

    return forecast


def forecasters() -> dict[str, Callable[[pd.DataFrame, PanelSet], np.ndarray]]:
    from mlforecast.target_transforms import Differences, LocalStandardScaler

    def differences() -> Any:
        return Differences([1])

    return {
        "ours": ours,
        "seasonal naive": seasonal_naive,
        "AutoTheta": of_statsforecast("AutoTheta"),
        "AutoETS": of_statsforecast("AutoETS"),
        "mlforecast": of_mlforecast(),
        "mlforecast, scaled": of_mlforecast(LocalStandardScaler),
        "mlforecast, differences": of_mlforecast(differences),
        "mlforecast, both": of_mlforecast(differences, LocalStandardScaler),
    }


def judged(panels: PanelSet, peers: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Of each forecaster the MASE of every series (S,), and CPU seconds."""
    count, steps = panels.y.shape
    errors, seconds = {}, {}
    for name, forecast in peers.items():
        found = []
        start = time.process_time()
        for cutoff in range(steps - CUTOFFS * panels.horizon, steps, panels.horizon):
            y = panels.y[:, :cutoff]
            yhat = forecast(panels.until(cutoff), panels).reshape(count, -1)
            came = panels.y[:, cutoff : cutoff + panels.horizon]
            usual = np.abs(y[:, panels.season :] - y[:, : -panels.season]).mean(1)
            found.append(np.abs(yhat - came).mean(1) / usual)
        seconds[name] = (time.process_time() - start) / CUTOFFS
        errors[name] = np.mean(found, axis=0)
    return errors, seconds


def against(errors: dict[str, np.ndarray], name: str) -> str:
    """Our mean error over another's, with an interval over series."""
    one, other = errors["ours"], errors[name]
    text = f"{one.mean() / other.mean():.2f}"
    if len(one) < 2:
        return text
    rows = np.random.default_rng(0).integers(0, len(one), (DRAWS, len(one)))
    low, high = np.quantile(one[rows].mean(1) / other[rows].mean(1), (0.025, 0.975))
    return f"{text} [{low:.2f}, {high:.2f}]"


def main() -> None:
    warnings.filterwarnings("ignore")
    peers = forecasters()
    first = next(made())
    for forecast in peers.values():  # imports and compilers are nobody's cost
        forecast(first.until(60), first)
    means, found = [], []
    for panels in [*made(), *packaged()]:
        errors, seconds = judged(panels, peers)
        means.append({name: float(errors[name].mean()) for name in NAMES})
        found.append((panels.name, against(errors, "AutoTheta")))
        cost = seconds["ours"] / min(seconds[name] for name in MLFORECASTS)
        print(
            f"{panels.name}: ours {seconds['ours']:.2f} CPU s, {cost:.1f} times the quickest mlforecast; "
            + ", ".join(f"{name} {against(errors, name)}" for name in NAMES[1:]),
            flush=True,
        )
    best = min(MLFORECASTS, key=lambda name: np.mean(np.log([row[name] for row in means])))
    print(f"The table of the docs page; mlforecast is {best!r}, the best of its four on average:")
    table = [["", "ours", "seasonal naive", "AutoTheta", "AutoETS", "mlforecast", "ours over AutoTheta"]]
    for (name, ratio), row in zip(found, means, strict=True):
        table.append([name, *(f"{row[of]:.2f}" for of in ("ours", *NAMES[1:4], best)), ratio])
    widths = [max(len(line[k]) for line in table) for k in range(len(table[0]))]
    for name, *cells in table:
        print("  ".join([name.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))]))
    logs = {name: np.log([row["ours"] / row[name] for row in means]) for name in NAMES[1:]}
    for name in ("seasonal naive", "AutoTheta", "AutoETS", best):
        print(f"geometric mean of our MASE over that of {name}: {np.exp(logs[name].mean()):.3f}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
