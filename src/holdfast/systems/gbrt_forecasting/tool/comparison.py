"""Which forecaster is best on your series: all of them on the same windows of the past, with their cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from holdfast.baselines.forecasting.statistical import MODELS, compiled, local_backtest, local_forecasts
from holdfast.data.series.panel import Panel
from holdfast.data.series.seasons import season_of
from holdfast.errors import InputError, MissingExtra
from holdfast.metrics.backtests import Backtest, Origin
from holdfast.systems.gbrt_forecasting.tool.backtest import run_backtest
from holdfast.systems.gbrt_forecasting.tool.contenders import (
    NETWORKS,
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

Progress = Callable[[str, int, int], None]
MOST_WINDOWS = 30_000  # windows that are fitted on: beyond it, only the latest steps of the series are
MOST_FORECASTS = 40  # series x cutoffs, which the statistical models pay for one by one,
FEWEST_CUTOFFS = 3  # but so many cutoffs wherever the series are long enough
DRAWS = 2000
FEWEST_WINDOWS = 6  # forecasts below which no interval is given


@dataclass(frozen=True)
class Entry:
    """One forecaster in the comparison.

    Attributes:
        name, about: what it is.
        backtest: its forecasts beside what came.
        fit_seconds: CPU seconds of fitting, its bands too, all cores together.
        cpu_seconds: of fitting and forecasting.
    """

    name: str
    about: str
    backtest: Backtest
    fit_seconds: float
    cpu_seconds: float

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """Of all its forecasts; see `Backtest.scores`."""
        found: Mapping[str, float] = self.backtest.scores().iloc[0].to_dict()
        return found


@dataclass(frozen=True)
class Comparison:
    """What came of `compare_forecasters`.

    Attributes:
        entries: best first, by `order`.
        panel: the series that were compared.
        horizon, lookback, season: h, w, steps of a season (1 = none).
        cutoffs: forecasts per series at most.
        series: how many series there are; `panel` may hold fewer of them.
        steps: network -> steps it was trained for.
        notes: what the reader should know: models that are missing, series that were left out.
    """

    entries: tuple[Entry, ...]
    panel: Panel
    horizon: int
    lookback: int
    season: int
    cutoffs: int
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
        said = f"{name} has the smallest error ({self.order.upper()} {table.loc[name, self.order]:.3g})"
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

    Global models are fitted once, before the first cutoff, on all series together, and given the values up to each
    cutoff; statistical ones are refitted at each cutoff for each series. Nothing is fitted on what it is tested on.
    Networks train for about as much CPU time as the trees took to be fitted, between 300 and 20,000 steps. How many
    that are depends on the machine; with the `steps` of an earlier comparison its numbers come out again.

    Args:
        panel: the series, as `read_panel` makes them.
        horizon: h, steps to forecast.
        lookback: steps of the past that a forecast sees; None = the larger of 24, the horizon and a season, or less for
            short series.
        season: steps after which series repeat; None = what the frequency suggests.
        cutoffs: forecasts per series, one horizon apart, the last at the end; None = as many as fit into the last
            quarter of the longest series, but no more than 40 forecasts in all, or three cutoffs where that is more.
        most_series: series that are compared at most, evenly spaced.
        seed: of what is random.
        threads: of each forecaster.
        steps: network -> steps to train it for; None = by the trees' time.
        progress: called with (name, done, of).

    Raises:
        InputError: series too short for one cutoff.
    """
    check_integer(horizon, "horizon", low=1)
    check_integer(most_series, "most_series", low=1)
    check_integer(seed, "seed", low=0, high=2**31 - 1)
    if steps is not None:
        _check_steps(steps)
    series, show = panel.count, progress or _silent
    panel = _some(panel, most_series)
    season = season_of(panel.clock) if season is None else check_integer(season, "season", low=1)
    longest = int(panel.lengths.max())
    lookback = _lookback(longest, horizon, season) if lookback is None else check_integer(lookback, "lookback", low=1)
    if season > lookback:
        season = 1
    if cutoffs is None:
        fitting = max(1, (longest - _steps_before(lookback, horizon)) // horizon)
        cutoffs = min(max(1, longest // (4 * horizon)), max(FEWEST_CUTOFFS, MOST_FORECASTS // panel.count), 20, fitting)
    check_integer(cutoffs, "cutoffs", low=1)
    train_size = max(lookback + 4 * horizon, MOST_WINDOWS // panel.count + lookback + horizon)
    origin = Origin(cutoffs, horizon, train_size=train_size if train_size < longest else None, refit=False)
    _check_length(longest, lookback, horizon, cutoffs)
    notes = _notes(panel, series, longest, train_size, cutoffs)
    known = panel.until(int(origin.cutoffs(panel, horizon)[0]))
    bands = calibration(known.tail(train_size), lookback, horizon)
    made = contenders(lookback, horizon, season, seed=seed, threads=threads, conformal=bands)
    entries = [_global(c, panel, origin, season, show) for c in made]
    if steps is None:
        seconds = next(e.fit_seconds for e in entries if e.name == TREES)
        steps = affordable_steps(panel, lookback, horizon, seconds, threads=threads)
    import lightning_fabric  # noqa: F401  takes seconds, which are no cost of the first network's

    trained = networks(lookback, horizon, steps, seed=seed, threads=threads, conformal=bands)
    entries += [_global(c, panel, origin, season, show) for c in trained]
    for name in MODELS:
        try:
            entries.append(_local(name, panel, origin, horizon, season, show))
        except MissingExtra as error:
            notes.append(f"without {name}: {error}")
    unordered = Comparison(tuple(entries), panel, horizon, lookback, season, cutoffs, series, steps, tuple(notes))
    order = unordered.order
    return replace(unordered, entries=tuple(sorted(entries, key=lambda e: e.scores[order])))


def forecast_ahead(comparison: Comparison, *, seed: int = 0, threads: int = 1) -> pd.DataFrame:
    """The steps after the end of every series that was compared, by the best forecaster, fitted on all there is.

    Returns:
        unique_id, ds, yhat, q10, q90, model (its name).
    """
    name, panel, w, h = comparison.best.name, comparison.panel, comparison.lookback, comparison.horizon
    if name in MODELS:
        return local_forecasts(name, panel, h, comparison.season).assign(model=name)
    bands = calibration(panel, w, h)
    made = contenders(w, h, comparison.season, seed=seed, threads=threads, conformal=bands)
    made += networks(w, h, comparison.steps, seed=seed, threads=threads, conformal=bands)
    chosen: WindowForecaster = next(c.forecaster for c in made if c.name == name)
    return chosen.fit_panel(panel).predict().assign(model=name)


# ------------------------------------------------------------------------------------------------------------ the parts
def _global(contender: Contender, panel: Panel, origin: Origin, season: int, show: Progress) -> Entry:
    show(contender.name, 0, origin.n_windows)
    start = time.process_time()
    found = run_backtest(contender.forecaster, panel, origin, lambda done, of: show(contender.name, done, of), season)
    return Entry(contender.name, contender.about, found, found.fit_seconds, time.process_time() - start)


def _local(name: str, panel: Panel, origin: Origin, horizon: int, season: int, show: Progress) -> Entry:
    show(name, 0, origin.n_windows)
    compiled(name, season, horizon)
    start = time.process_time()
    found = local_backtest(name, panel, origin, horizon, season, lambda done, of: show(name, done, of))
    about = "a model for each series, chosen by statsforecast, refitted at each cutoff"
    taken = time.process_time() - start
    return Entry(name, about, found, taken, taken)  # its forecasts come with the fit


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


def _lookback(longest: int, horizon: int, season: int) -> int:
    wished = max(24, horizon, season if season <= 96 else 0)
    return max(1, min(wished, longest // 4))


def _steps_before(lookback: int, horizon: int) -> int:
    """Steps that must be known at the first cutoff: windows to learn from, and later ones to calibrate bands on."""
    return int(np.ceil((lookback + horizon) / 0.8)) + 5 * max(horizon, 2)


def _check_length(longest: int, lookback: int, horizon: int, cutoffs: int) -> None:
    needed = _steps_before(lookback, horizon)
    if longest - cutoffs * horizon < needed:
        rule = f"must have {needed} steps before the first of {cutoffs} cutoffs, for windows of {lookback} + {horizon}"
        raise InputError("y", f"{rule}; use a shorter horizon, lookback or fewer cutoffs", f"{longest} steps in all")


def _notes(panel: Panel, series: int, longest: int, train_size: int, cutoffs: int) -> list[str]:
    notes = []
    if panel.count < series:
        notes.append(f"{panel.count} of {series:,} series were compared, evenly spaced; --series changes that")
    if cutoffs == 1:
        notes.append(
            "all errors are of one cutoff, a single stretch of time: longer series or a shorter horizon say more"
        )
    if train_size < longest:
        notes.append(f"models that learn from windows were fitted on the last {train_size:,} steps before the cutoffs")
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
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(errors), (DRAWS, len(errors)))
    least = best.to_numpy()[rows].mean(1)
    if least.min() <= 0:
        return float("nan"), float("nan")
    ratio = errors.to_numpy()[rows].mean(1) / least - 1
    low, high = np.quantile(ratio, (0.025, 0.975))
    return float(low), float(high)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _silent(name: str, done: int, of: int) -> None:
    """No progress is shown."""


__all__ = ["Comparison", "Entry", "compare_forecasters", "forecast_ahead"]
