"""Does a boosted-tree model of windows beat deep forecasters, and anything simpler?   arXiv 2101.02118

    holdfast run gbrt_forecasting --scale demo     under 3 minutes on 2 cores
    holdfast run gbrt_forecasting --scale small    last measured: ledger/gbrt_forecasting/small.json

Every arm is given the same rows: a window of the past and the covariates of its last step. The series are cut in time:
settings are chosen on pilot replicates, by fitting on the first part and forecasting the second; then the arms are
fitted on both and forecast the third, on files in three steps, fitted anew before each. Each arm with settings is tuned
on every problem among equally many of them. Networks train for a number of steps that takes at most three times the CPU
time of the trees, which every trial reports.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.baselines.forecasting.networks import LSTM, MLP, DLinear, Forecast, NHiTS
from holdfast.data.series.cuts import Fold, Part, errors_by_case, in_turn
from holdfast.experiment import (
    Arm,
    Cost,
    Curve,
    Experiment,
    Measurement,
    Metric,
    PerUnit,
    RootMeanSquare,
    Run,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.systems.gbrt_forecasting.experiment.arms import (
    BoostedTrees,
    ForecastArm,
    Job,
    LastValue,
    Mean,
    Network,
    PublishedTrees,
    RidgeDirect,
    SeasonalNaive,
)
from holdfast.systems.gbrt_forecasting.experiment.claims import CLAIMS, CO2, DEEP, EXCHANGE, HOURLY, HUFL, NOISE, OT
from holdfast.systems.gbrt_forecasting.experiment.own_series import on_own_series
from holdfast.systems.gbrt_forecasting.experiment.published import PUBLISHED
from holdfast.systems.gbrt_forecasting.problems import (
    ETTh1,
    ExchangeRates,
    Forecasting,
    HourlySeries,
    WeeklyCO2,
    WhiteNoise,
)

# ------------------------------------------------------------------------------------------------------------- arms
TREE_SPACE: Mapping[str, Sequence[Any]] = {"trees": (80, 160), "lr": (0.07, 0.15), "depth": (3, 4, 6)}
NET_SPACE: Mapping[str, Sequence[Any]] = {
    "lr": (1e-3, 3e-3, 1e-2),
    "weight_decay": (1e-4, 1e-1),
    "relative": (False, True),
    "steps": (1500, 3000),
}
RIDGE_SPACE: Mapping[str, Sequence[Any]] = {"alpha": (1e-4, 1e-3, 1e-2, 1e-1), "relative": (False, True)}
MAIN = (HOURLY, HUFL, OT)  # problems that every arm but the mean applies to
FULL = tuple(PUBLISHED)


def _network(net: type[Forecast], about: str) -> Arm:
    return Arm(Network(net), space=NET_SPACE, problems=(*MAIN, EXCHANGE, *FULL), about=about)


def _trees(about: str, *more: str, **change: Any) -> Arm:
    return Arm(BoostedTrees(**change), space=TREE_SPACE, problems=(*MAIN, *more), deterministic=True, about=about)


ARMS = {
    "last value": Arm(
        LastValue(), problems=(*MAIN, CO2, EXCHANGE, *FULL), deterministic=True, about="every step is the last value"
    ),
    "seasonal naive": Arm(
        SeasonalNaive(), problems=MAIN, deterministic=True, about="every step is the value a day before it"
    ),
    "mean": Arm(Mean(), problems=(NOISE,), deterministic=True, about="every step is the mean of what was fitted on"),
    "ridge": Arm(
        RidgeDirect(),
        space=RIDGE_SPACE,
        problems=(*MAIN, CO2, EXCHANGE, *FULL),
        deterministic=True,
        about="linear regression of every step on the row",
    ),
    "DLinear": _network(DLinear, "two linear maps, of the moving average and of the rest"),
    "LSTM": _network(LSTM, "one recurrent layer of 32"),
    "MLP": _network(MLP, "two hidden layers of 64"),
    "N-HiTS": _network(NHiTS, "three blocks at three resolutions, 64 wide"),
    "GBRT": _trees("the paper's method: window and covariates of the last step", NOISE, CO2, EXCHANGE, *FULL),
    "GBRT - covariates": _trees("the window alone", columns="window"),
    "GBRT, point-wise": _trees("the last value and covariates: no window", columns="point"),
    "GBRT, difference": _trees("window and targets relative to the last value", CO2, EXCHANGE, relative=True),
    "GBRT, published settings": Arm(
        PublishedTrees(), problems=FULL, deterministic=True, about="XGBoost as the paper set it for each data set"
    ),
    "MLP, other seeds": Arm(
        Network(MLP),
        tuned_as="MLP",
        problems=(HOURLY,),
        reseed=1,
        about="control: the same on the same data, other initialisation and batches",
    ),
}


# --------------------------------------------------------------------------------------------------------- one trial
@dataclass(frozen=True)
class Work(Scale):
    """How much is computed.

    Attributes:
        steps: most steps of a network's optimiser; trees: most trees per step ahead; rows: most windows fitted on,
            evenly spaced. None = as the arms say.
        measured: the parts that are forecast. Settings are chosen on "validation" with "test" left alone, and what they
            are worth is measured on "test" alone.
    """

    steps: int | None = None
    trees: int | None = None
    rows: int | None = None
    measured: tuple[str, ...] = ("test",)


ForecastRun = Run[ForecastArm, Forecasting, Work]


def trial(run: ForecastRun) -> Iterator[Measurement]:
    """Fit the arm on the problem's past and measure its forecasts."""
    import lightning_fabric  # noqa: F401  takes seconds, which are no cost of the first network's

    panel, cuts = run.problem.panel(run.rng), run.problem.cuts
    if "validation" in run.scale.measured:
        forecasts, part, _ = forecast(run, [cuts.choosing(panel)])
        yield Scalar("validation RMSE", float(np.sqrt(np.mean(errors_by_case(forecasts, part) ** 2))))
    if "test" in run.scale.measured:
        yield from tested(run, cuts.testing(panel))


def forecast(run: ForecastRun, folds: Sequence[Fold]) -> tuple[np.ndarray, Part, float]:
    """Forecasts of all folds by the arm, fitted anew for each; what they are of; and the CPU seconds."""
    problem, scale = run.problem, run.scale
    start, made = time.process_time(), []
    for number, fold in enumerate(folds):
        job = Job(
            lookback=problem.lookback,
            season=problem.season,
            seed=functools.partial(_seed, run, number),
            device=run.device,
            steps=scale.steps,
            trees=scale.trees,
            published=problem.published,
            on_step=functools.partial(_step, run, number, len(folds)),
        )
        made.append(run.arm.fit(fold.train.thinned(scale.rows), job)(fold.test.rows))
    return np.concatenate(made), in_turn([fold.test for fold in folds]), time.process_time() - start


def _seed(run: ForecastRun, fold: int, name: str) -> int:
    return run.seed(f"{name}, fold {fold}" if fold else name)


def _step(run: ForecastRun, fold: int, folds: int, done: int, total: int) -> None:
    run.step(fold * total + done, folds * total)


def tested(run: ForecastRun, folds: Sequence[Fold]) -> Iterator[Measurement]:
    """Errors of the arm on what is tested."""
    forecasts, part, seconds = forecast(run, folds)
    yield Cost("cpu_seconds", seconds)
    errors = errors_by_case(forecasts, part)  # (cases, values)
    yield Scalar("RMSE", float(np.sqrt(np.mean(errors**2))))
    yield Scalar("MAE", float(np.abs(errors).mean()))
    yield Scalar("WAPE", 100 * float(np.abs(errors).sum() / np.abs(part.targets, dtype=np.float64).sum()))
    by_step = np.sqrt(np.mean((forecasts - part.targets.astype(np.float64)) ** 2, axis=0))
    yield Curve("RMSE by step", list(range(1, len(by_step) + 1)), by_step.tolist(), "steps ahead")
    if run.problem.fixed_test:
        cases = range(len(errors))
        yield PerUnit("RMSE", np.sqrt((errors**2).mean(axis=1)).tolist(), cases)
        yield PerUnit("MAE", np.abs(errors).mean(axis=1).tolist(), cases)


def own(paths: Sequence[Path], columns: Mapping[str, str], horizon: str | None = None) -> Experiment:
    """The claims on the user's series."""
    return on_own_series(experiment, paths, columns, horizon)


experiment = Experiment(
    question="Do boosted trees on windows of the past forecast better than deep networks, and than anything simpler?",
    problems={
        HOURLY: HourlySeries(),
        NOISE: WhiteNoise(),
        CO2: WeeklyCO2(),
        HUFL: ETTh1(),
        OT: ETTh1(target="OT"),
        EXCHANGE: ExchangeRates(train_stride=8, test_stride=6, block=6, test=0.45, refits=3),
        **PUBLISHED,
    },
    arms=ARMS,
    metrics={
        "RMSE": RootMeanSquare(higher_is_better=False, about="of all forecast steps of the test part"),
        "MAE": Metric(higher_is_better=False, about="mean absolute error"),
        "WAPE": Metric("%", higher_is_better=False, about="sum of absolute errors over sum of absolute values"),
        "validation RMSE": Metric(higher_is_better=False, about="of the part that settings are chosen on"),
    },
    scales={
        "smoke": Work(
            steps=3,
            trees=2,
            rows=200,
            measured=("validation", "test"),
            replicates=1,
            arms=("last value", "ridge", "MLP", "GBRT"),
            problems=(HOURLY,),
        ),
        "tuning": Work(measured=("validation",), replicates=2, problems=(HOURLY, NOISE, CO2, HUFL, OT, EXCHANGE)),
        "demo": Work(arms=("last value", "ridge", *DEEP, "GBRT", "GBRT, point-wise"), problems=(HOURLY,)),
        "small": Work(problems=(HOURLY, NOISE, CO2, HUFL, OT, EXCHANGE)),
        "full": Work(
            arms=("last value", "ridge", "DLinear", *DEEP, "GBRT", "GBRT, published settings"),
            problems=FULL,
            slow=True,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(
        metric="validation RMSE",
        problem=(HOURLY, HUFL, OT, EXCHANGE, CO2),
        configurations=8,
        pilots=2,
        scale="tuning",
    ),
    own=own,
    roles=("time", "target", "id", "past"),
    settings=("horizon",),
    benefit="RMSE",
)
