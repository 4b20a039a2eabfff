"""Which forecaster is best on your series: all of them on the same windows of the past, with their cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from holdfast.baselines.forecasting.statistical import MODELS, StatisticalModel, compiled
from holdfast.data.series.panel import Panel
from holdfast.errors import InputError, MissingExtra
from holdfast.systems.gbrt_forecasting.tool.bench import Bench, Entry, Progress
from holdfast.systems.gbrt_forecasting.tool.choosing import choose
from holdfast.systems.gbrt_forecasting.tool.contenders import (
    CHOSEN,
    NETWORKS,
    QUANTILES,
    TREES,
    Contender,
    affordable_steps,
    calibration,
    contenders,
    networks,
)
from holdfast.validation import check_integer

if TYPE_CHECKING:
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster

MOST_FORECASTS = 40  # series x cutoffs, which the statistical models pay for one by one,
FEWEST_CUTOFFS = 3  # but so many cutoffs wherever the series are long enough
DRAWS = 2000
FEWEST_WINDOWS = 6  # forecasts below which no interval is given


@dataclass(frozen=True)
class Comparison:
    """What came of `compare_forecasters`.

    Attributes:
        entries: best first, by `order`.
        bench: the series that were compared, and what was asked.
        series: how many series there are; the bench may hold fewer of them.
        steps: network -> steps it was trained for.
        notes: what the reader should know: models that are missing, series that were left out.
    """

    entries: tuple[Entry, ...]
    bench: Bench
    series: int
    steps: Mapping[str, int]
    notes: tuple[str, ...]

    @cached_property
    def order(self) -> str:
        """The metric that decides the order: "mase", or "mae" where that is not defined."""
        return "mase" if all(np.isfinite(e.scores["mase"]) for e in self.entries) else "mae"

    @property
    def best(self) -> Entry:
        """The first."""
        return self.entries[0]

    def table(self) -> pd.DataFrame:
        """A row per forecaster, best first.

        Returns:
            name (index); mase, mae, rmse, wape; coverage (share of values inside the 80 % band) and width (mean width
            of the band over that of the best); fit_seconds and cpu_seconds, those of fitting and of all, CPU time;
            steps, of a network's training (NaN for others); worse, worse_low, worse_high: by how much its error is
            above the best one's, as a share, with a 95 % interval (NaN where there are too few forecasts); wins:
            share of forecasts in which its error is the smallest.
        """
        return self._table.copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        rows = []
        errors = self.errors()
        width = _width(self.best.backtest.frame)
        wins = errors.idxmin(axis=1).value_counts(normalize=True)
        for entry in self.entries:
            found = entry.scores
            low, high = _interval(errors[entry.name], errors[self.best.name])
            rows.append(
                {
                    "name": entry.name,
                    **{m: found[m] for m in ("mase", "mae", "rmse", "wape")},
                    "coverage": found.get("coverage", np.nan),
                    "width": _width(entry.backtest.frame) / width if width > 0 else np.nan,
                    "fit_seconds": entry.fit_seconds,
                    "cpu_seconds": entry.cpu_seconds,
                    "steps": self.steps.get(entry.name, np.nan),
                    "worse": _above(errors[entry.name].mean(), errors[self.best.name].mean()),
                    "worse_low": low,
                    "worse_high": high,
                    "wins": float(wins.get(entry.name, 0.0)),
                }
            )
        return pd.DataFrame(rows).set_index("name")

    def errors(self) -> pd.DataFrame:
        """(forecasts, entries) mean absolute error of every series and cutoff, in units of `order`."""
        columns = {}
        for entry in self.entries:
            frame = entry.backtest.frame
            error = (frame["y"] - frame["yhat"]).abs()
            if self.order == "mase":
                error = error / frame["scale"]
            columns[entry.name] = error.groupby([frame["unique_id"], frame["cutoff"]], sort=True).mean()
        return pd.DataFrame(columns).dropna()

    def by_step(self) -> pd.DataFrame:
        """(h, entries) error by step ahead, in units of `order`."""
        return pd.DataFrame({e.name: e.backtest.scores(by="step")[self.order] for e in self.entries})

    def verdict(self) -> str:
        """The table in a sentence or two."""
        table, name = self.table(), self.best.name
        others = table.iloc[1:]
        level = [n for n, row in others.iterrows() if not row["worse_low"] > 0]
        clear = len(others) - len(level)
        at = ", at one cutoff" if self.bench.cutoffs == 1 else ""
        said = f"{self.best.called} has the smallest error ({self.order.upper()} {table.loc[name, self.order]:.3g}{at})"
        if others["worse_low"].isna().all():
            return f"{said}; there are too few forecasts to say by how much, use more cutoffs or a shorter horizon."
        if not level:
            return f"{said}, and no other comes close: each is worse, beyond chance."
        apart = f"; {clear} of {len(others)} others are worse beyond chance" if clear else ""
        return f"{said}, but {_and(level)} may be as good{apart}."


def compare_forecasters(
    panel: Panel,
    horizon: int,
    *,
    lookback: int | None = None,
    season: int | None = None,
    cutoffs: int | None = None,
    most_series: int = 30,
    seed: int = 0,
    threads: int = 1,
    steps: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Backtest naive, linear, statistical, tree and network forecasters on the same series and cutoffs.

    Among them is what `fit` takes by itself, chosen on what is known at the first cutoff ("chosen"). Global models are
    fitted once, before the first cutoff, on all series together, and given the values up to each cutoff; statistical
    ones are refitted at each cutoff for each series. Nothing is fitted on what it is tested on. Networks train for
    about as much CPU time as the trees took to be fitted, between 300 and 20,000 steps. How many that are depends on
    the machine; with the `steps` of an earlier comparison its numbers come out again.

    Args:
        panel: the series, as `read_panel` makes them.
        horizon: h, steps to forecast.
        lookback: steps of the past that a forecast sees; None = the larger of 24, the horizon and a season, or less for
            short series.
        season: steps after which series repeat; None = what the frequency suggests.
        cutoffs: forecasts per series, one horizon apart, the last at the end; None = as many as fit into the last
            quarter of the longest series, but no more than 40 forecasts in all; three wherever so many fit at all.
        most_series: series that are compared at most, evenly spaced.
        seed: of what is random.
        threads: of each forecaster.
        steps: network -> steps to train it for; None = by the trees' time.
        progress: called with (name, done, of).

    Raises:
        InputError: series too short for one cutoff.
    """
    check_integer(most_series, "most_series", low=1)
    if steps is not None:
        _check_steps(steps)
    series, show = panel.count, progress or _silent
    panel = _some(panel, most_series)
    check_integer(horizon, "horizon", low=1)
    usual = default_cutoffs(panel, horizon)
    bench = Bench.of(
        panel, horizon, cutoffs, lookback=lookback, season=season, seed=seed, threads=threads, default=usual
    )
    notes = _notes(bench, series)
    settings: dict[str, Any] = {"seed": seed, "threads": threads, "conformal": bench.bands}
    made = contenders(bench.lookback, horizon, bench.season, **settings)
    entries = [bench.judge(c, show) for c in made]
    if steps is None:
        seconds = next(e.fit_seconds for e in entries if e.name == TREES)
        steps = affordable_steps(panel, bench.lookback, horizon, seconds, threads=threads)
    import lightning_fabric  # noqa: F401  takes seconds, which are no cost of the first network's

    entries += [bench.judge(c, show) for c in networks(bench.lookback, horizon, steps, **settings)]
    for name in (CHOSEN, *MODELS):
        try:
            entries.append(_chosen(bench, show) if name == CHOSEN else _local(name, bench, show))
        except (MissingExtra, InputError) as error:
            notes.append(f"without {name}: {error}")
    unordered = Comparison(tuple(entries), bench, series, steps, tuple(notes))
    order = unordered.order
    return replace(unordered, entries=tuple(sorted(entries, key=lambda e: e.scores[order])))


def default_cutoffs(panel: Panel, horizon: int) -> int:
    """Forecasts per series, where so many fit; see `compare_forecasters`."""
    wished = max(FEWEST_CUTOFFS, int(panel.lengths.max()) // (4 * horizon))
    return min(wished, max(FEWEST_CUTOFFS, MOST_FORECASTS // panel.count), 20)


def forecast_ahead(comparison: Comparison) -> pd.DataFrame:
    """The steps after the end of every series that was compared, by the best forecaster, fitted on all there is.

    Returns:
        unique_id, ds, yhat, q10, q90, model (its name, and what it chose where it chooses).
    """
    name, bench = comparison.best.name, comparison.bench
    panel, w, h = bench.panel, bench.lookback, bench.horizon
    if name in MODELS:
        return StatisticalModel(name, bench.season, h).predict(panel).assign(model=name)
    if name == CHOSEN:
        choice = choose(panel, _open(bench), season=bench.season)
        return choice.fitted(panel).predict().assign(model=f"{name} ({choice.best.name})")
    settings: dict[str, Any] = {"seed": bench.seed, "threads": bench.threads, "conformal": calibration(panel, w, h)}
    made = [*contenders(w, h, bench.season, **settings), *networks(w, h, comparison.steps, **settings)]
    chosen = next(c.forecaster for c in made if c.name == name)
    return chosen.fit_panel(panel).predict().assign(model=name)


# ------------------------------------------------------------------------------------------------------------ the parts
def _open(bench: Bench) -> WindowForecaster:
    """What `choose` takes the horizon, bands, seed and threads of."""
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster

    return WindowForecaster(horizon=bench.horizon, quantiles=QUANTILES, n_jobs=bench.threads, random_state=bench.seed)


def _chosen(bench: Bench, show: Progress) -> Entry:
    """What `fit` takes by itself: chosen on what is known at the first cutoff."""
    show(CHOSEN, 0, bench.cutoffs)
    start = time.process_time()
    best = choose(bench.known, _open(bench), season=bench.season).best
    choosing = time.process_time() - start
    about = f"what fit takes by itself before the first cutoff: {best.name}"
    found = bench.judge(Contender(CHOSEN, about, best.forecaster), show)
    return replace(
        found,
        fit_seconds=found.fit_seconds + choosing,
        cpu_seconds=found.cpu_seconds + choosing,
        method=best.name,
    )


def _local(name: str, bench: Bench, show: Progress) -> Entry:
    compiled(name, bench.season, bench.horizon)
    about = "a model for each series, chosen by statsforecast, refitted at each cutoff"
    found = bench.judge(Contender(name, about, StatisticalModel(name, bench.season, bench.horizon)), show)
    return replace(found, fit_seconds=found.cpu_seconds)  # its forecasts come with the fit


def _check_steps(steps: Mapping[str, int]) -> None:
    if set(steps) != set(NETWORKS):
        raise InputError("steps", f"must be given for {_and(list(NETWORKS))}", ", ".join(map(str, steps)) or "none")
    for name in NETWORKS:
        check_integer(steps[name], f"steps[{name}]", low=1)


def _some(panel: Panel, most: int) -> Panel:
    if panel.count <= most:
        return panel
    kept = np.zeros(panel.count, bool)
    kept[np.linspace(0, panel.count - 1, most).round().astype(int)] = True
    return panel.between(np.zeros_like(panel.lengths), np.where(kept, panel.lengths, 0))


def _notes(bench: Bench, series: int) -> list[str]:
    notes = []
    if bench.panel.count < series:
        notes.append(f"{bench.panel.count} of {series:,} series were compared, evenly spaced; --series changes that")
    if bench.cutoffs == 1:
        notes.append(
            "all errors are of one cutoff, a single stretch of time: longer series or a shorter horizon say more"
        )
    if bench.train_size is not None:
        steps = f"{bench.train_size:,} steps"
        notes.append(f"models that learn from windows were fitted on the last {steps} before the cutoffs")
    return notes


# --------------------------------------------------------------------------------------------------------- the numbers
def _width(frame: pd.DataFrame) -> float:
    return float((frame["q90"] - frame["q10"]).mean())


def _above(error: float, best: float) -> float:
    """By how much, as a share, an error is above the best one; not finite where that one is 0 and this is not."""
    return error / best - 1 if best > 0 else 0.0 if error == best else float("inf")


def _interval(errors: pd.Series, best: pd.Series) -> tuple[float, float]:
    """95 % interval of how much larger the mean error is than the best one's, by redrawing forecasts."""
    if len(errors) < FEWEST_WINDOWS or errors.name == best.name:
        return float("nan"), float("nan")
    rows = np.random.default_rng(0).integers(0, len(errors), (DRAWS, len(errors)))
    least = best.to_numpy()[rows].mean(1)
    if least.min() <= 0:
        return float("nan"), float("nan")
    low, high = np.quantile(errors.to_numpy()[rows].mean(1) / least - 1, (0.025, 0.975))
    return float(low), float(high)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _silent(name: str, done: int, of: int) -> None:
    """No progress is shown."""


__all__ = ["Comparison", "compare_forecasters", "default_cutoffs", "forecast_ahead"]
