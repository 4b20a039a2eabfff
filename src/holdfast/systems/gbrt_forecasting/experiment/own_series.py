"""The experiment on a user's series: `holdfast run gbrt_forecasting --on data.csv --set horizon=28`.

Another view of what `holdfast gbrt_forecasting compare` does: its forecasters on its series, windows and cutoffs, here
with the paper's claims. No quantiles are made, as no claim reads them, and networks train for a fixed number of steps,
so that a trial does not depend on the machine.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from holdfast.errors import InputError
from holdfast.experiment import Arm, Cost, Curve, Experiment, Measurement, Metric, PerUnit, Problem, Run, Scalar
from holdfast.regressors.boosters import HistTrees
from holdfast.systems.gbrt_forecasting.experiment.claims import HOURLY
from holdfast.systems.gbrt_forecasting.tool.bench import MOST_WINDOWS, Bench, cutoffs_within, lookback_for
from holdfast.systems.gbrt_forecasting.tool.contenders import Contender, contenders, networks, parts_of_trees
from holdfast.systems.gbrt_forecasting.tool.tables import Columns, read_data, words

if TYPE_CHECKING:
    from holdfast.data.series.panel import Panel
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
    from holdfast.systems.gbrt_forecasting.experiment.declared import Work

NAME = "your data"
BLOCK = 2  # cutoffs that are redrawn together when verdicts are bootstrapped: neighbouring forecasts see the same steps
FORECASTS = 12  # of each series, so that there are six blocks
LONGEST_HORIZON = 24  # where none is given
SHARE = 5  # one in so many steps is forecast, where the series are long
STEPS = 1500  # of training a network
CONTROL = "MLP, other seeds"
NETS = ("DLinear", "LSTM", "MLP", "N-HiTS")


@dataclass(frozen=True)
class OwnSeries(Problem):
    """The series of a table, long or wide, as the verbs read them.

    Attributes:
        path: of the table.
        time, target, id, past: its columns, as of the verbs' options; None, "" = as by default.
        horizon: h.
        cutoffs: forecasts of each series.
        said: what was decided about the table and left out of it.
    """

    path: str
    time: str | None
    target: str | None
    id: str | None
    past: str
    horizon: int = 1
    cutoffs: int = 1
    said: tuple[str, ...] = field(default=(), compare=False)
    block: ClassVar[int] = BLOCK
    source: ClassVar[Literal["file"]] = "file"
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = "give a table with a row per time (and series); --column names its columns"

    @classmethod
    def of(cls, paths: Sequence[Path], columns: Mapping[str, str], horizon: int | None = None) -> OwnSeries:
        """The problem of `--on TABLE`.

        Args:
            columns: "time", "target", "id", "past" -> names.
            horizon: None = 24, or fewer steps where the series are too short for twelve forecasts.

        Raises:
            InputError: not one table, or series that are too short.
        """
        if len(paths) != 1 or not paths[0].is_file():
            missing = " (no such file)" if len(paths) == 1 else ""
            raise InputError("--on", "must be one table of series", " ".join(map(str, paths)) + missing)
        time, target, ids = (columns.get(role) for role in ("time", "target", "id"))
        given = cls(str(paths[0]), time, target, ids, columns.get("past", ""))
        panel, said = given.read()
        fitting = functools.partial(_fitting, panel)
        if horizon is None:
            horizon = next((h for h in range(LONGEST_HORIZON, 0, -1) if fitting(h) >= FORECASTS), None)
            if horizon is None:
                rule = f"must have steps enough to test {FORECASTS} forecasts of their last part"
                raise InputError("series", rule, f"{int(panel.lengths.max())} steps in the longest")
        most = max(FORECASTS, int(panel.lengths.max()) // (SHARE * horizon))
        made = dataclasses.replace(given, horizon=horizon, cutoffs=max(1, min(most, fitting(horizon))), said=said)
        made.bench(0, None)  # says what is too short
        return made

    def available(self) -> bool:
        return Path(self.path).is_file()

    def fingerprint(self) -> str:
        with Path(self.path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def read(self) -> tuple[Panel, tuple[str, ...]]:
        """The series, and what was decided and left out."""
        return _read(dataclasses.replace(self, horizon=1, cutoffs=1), self.fingerprint())

    def bench(self, seed: int, most_windows: int | None) -> Bench:
        """What forecasters face."""
        most = MOST_WINDOWS if most_windows is None else most_windows
        return Bench.of(self.read()[0], self.horizon, self.cutoffs, most_windows=most, seed=seed)

    def describe(self) -> str:
        return "; ".join((f"{Path(self.path).name}, {self.horizon} steps ahead, {self.cutoffs} cutoffs", *self.said))


def _fitting(panel: Panel, horizon: int) -> int:
    from holdfast.data.series.seasons import season_of

    lookback = lookback_for(int(panel.lengths.max()), horizon, season_of(panel.clock))
    return cutoffs_within(panel, horizon, lookback)


@functools.lru_cache(maxsize=1)
def _read(problem: OwnSeries, fingerprint: str) -> tuple[Panel, tuple[str, ...]]:
    """Read once per process, and again when the file changes."""
    from holdfast.data.series.arguments import read_training

    columns = Columns(problem.time, problem.target, problem.id)
    with columns.in_words():
        given = read_data(Path(problem.path), columns, words(problem.past), [])
        unused = (f"not used: {', '.join(given.unused)} (--column past=... would)",) if given.unused else ()
        return read_training(given.y, given.X, None, freq=None, fill=None), (*given.notes, *unused)


@dataclass(frozen=True)
class OwnForecaster:
    """A forecaster of the comparison, by its name in `tool.contenders`."""

    name: str

    def contender(self, bench: Bench, scale: Work, device: str) -> Contender[WindowForecaster]:
        """The forecaster with its settings, without quantiles."""
        w, h = bench.lookback, bench.horizon
        steps = STEPS if scale.steps is None else min(STEPS, scale.steps)
        booster = HistTrees() if scale.trees is None else HistTrees(trees=min(HistTrees().trees, scale.trees))
        made = [
            *contenders(w, h, bench.season, seed=bench.seed, booster=booster),
            *parts_of_trees(w, h, seed=bench.seed, booster=booster),
            *networks(w, h, dict.fromkeys(NETS, steps), seed=bench.seed, device=device),
        ]
        found = next(c for c in made if c.name == self.name)
        return dataclasses.replace(found, forecaster=found.forecaster.set_params(quantiles=()))


def own_trial(run: Run[OwnForecaster, OwnSeries, Work]) -> Iterator[Measurement]:
    """Backtest a forecaster, as `compare` does."""
    import lightning_fabric  # noqa: F401  takes seconds, which are no cost of the first network's

    seed = run.seed("forecaster") % 2**31 if run.arm.name in NETS else 0
    bench = run.problem.bench(seed, run.scale.rows)
    contender = run.arm.contender(bench, run.scale, run.device)
    entry = bench.judge(contender, lambda name, done, of: run.step(done, of))
    frame = entry.backtest.frame
    error = (frame["y"] - frame["yhat"]).abs()
    cases = error.groupby(frame["cutoff"])
    yield Cost("cpu_seconds", entry.cpu_seconds)
    yield PerUnit("RMSE", np.sqrt((error**2).groupby(frame["cutoff"]).mean()).tolist(), range(len(cases)))
    yield PerUnit("MAE", cases.mean().tolist(), range(len(cases)))
    for name, key, unit in (("RMSE", "rmse", 1), ("MAE", "mae", 1), ("WAPE", "wape", 100), ("MASE", "mase", 1)):
        if np.isfinite(entry.scores[key]):
            yield Scalar(name, unit * entry.scores[key])
    by_step = entry.backtest.scores(by="step")["rmse"]
    yield Curve("RMSE by step", [int(k) for k in by_step.index], by_step.tolist(), "steps ahead")


def on_own_series(
    declared: Experiment, paths: Sequence[Path], columns: Mapping[str, str], horizon: str | None = None
) -> Experiment:
    """The declared claims about the headline's problem, on the user's series.

    Args:
        horizon: h, as text.

    Raises:
        InputError: see `OwnSeries.of`; a horizon that is no number.
    """
    if horizon is not None and not (horizon.isdigit() and int(horizon)):
        raise InputError("--set horizon", "must be a number of steps, at least 1", horizon)
    problem = OwnSeries.of(paths, columns, None if horizon is None else int(horizon))
    bench = problem.bench(0, None)
    own = [*contenders(bench.lookback, problem.horizon, bench.season), *parts_of_trees(bench.lookback, problem.horizon)]
    arms = {c.name: Arm(OwnForecaster(c.name), deterministic=True, about=c.about) for c in own}
    arms |= {name: Arm(OwnForecaster(name), about=declared.arms[name].about) for name in NETS}
    arms[CONTROL] = dataclasses.replace(
        declared.arms[CONTROL], method=OwnForecaster("MLP"), tuned_as=None, problems=None
    )
    changed: dict[str, Any] = {
        name: dataclasses.replace(scale, arms=scale.arms and tuple(a for a in scale.arms if a in arms), problems=None)
        for name, scale in declared.scales.items()
    }
    mase = Metric(higher_is_better=False, about="mean absolute error over the mean absolute change over a season")
    return dataclasses.replace(
        declared,
        problems={NAME: problem},
        arms=arms,
        metrics={name: m for name, m in declared.metrics.items() if name != "validation RMSE"} | {"MASE": mase},
        scales=changed,
        claims=[
            dataclasses.replace(claim.rebind((NAME,)), scope="", text=claim.text.replace(HOURLY, NAME))
            for claim in declared.claims
            if set(claim.problems) == {HOURLY}
        ],
        trial=own_trial,
        tuning=None,
        own=None,
    )


__all__ = ["OwnForecaster", "OwnSeries", "on_own_series", "own_trial"]
