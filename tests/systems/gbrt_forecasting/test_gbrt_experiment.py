"""The experiment: parts of a series, arms, problems, claims, own data."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import catalogue
from holdfast.baselines.forecasting import networks as nets
from holdfast.cli.commands import Request, run_system
from holdfast.data.series.cuts import Cuts, OneSeries, Part, errors_by_case, in_turn
from holdfast.errors import InputError
from holdfast.experiment import Curve, Experiment, PerUnit, Scalar, Scale
from holdfast.regressors.boosters import HistTrees
from holdfast.report.page import write_page
from holdfast.systems.gbrt_forecasting.experiment import experiment
from holdfast.systems.gbrt_forecasting.experiment.arms import (
    BoostedTrees,
    ForecastArm,
    Job,
    LastValue,
    Mean,
    Network,
    RidgeDirect,
    SeasonalNaive,
)
from holdfast.systems.gbrt_forecasting.experiment.claims import times
from holdfast.systems.gbrt_forecasting.experiment.own_series import OwnSeries
from holdfast.systems.gbrt_forecasting.problems import ETTh1, ExchangeRates, HourlySeries, WeeklyCO2
from holdfast.systems.gbrt_forecasting.tool.bench import Bench
from holdfast.systems.gbrt_forecasting.tool.contenders import contenders
from holdfast.trials import plan, runfolder
from holdfast.trials.plan import ExperimentSource, applicable
from holdfast.trials.streams import Streams

JOB = Job(lookback=6, season=3, seed=Streams(0).seed, steps=20, trees=5)


def no_draw(name: str) -> np.random.Generator:
    raise AssertionError("files draw nothing")


def ramp(length: int, start: float = 0.0) -> OneSeries:
    t = np.arange(length, dtype=float)
    return OneSeries("ramp", start + t, -t[:, None])


def part(n: int = 40, w: int = 6, m: int = 2, h: int = 4, seed: int = 0) -> Part:
    rng = np.random.default_rng(seed)
    rows = rng.normal(5, 2, (n, w + m)).astype(np.float32)
    return Part(rows, rng.normal(5, 2, (n, h)).astype(np.float32), np.arange(n))


# ---------------------------------------------------------------------------------------------------------------- parts
@settings(max_examples=30)
@given(st.integers(200, 400), st.integers(1, 12), st.integers(1, 8), st.integers(1, 5), st.integers(1, 3))
def test_parts_follow_one_another_without_sharing_a_target(length: int, w: int, h: int, stride: int, k: int) -> None:
    cuts = Cuts(w, h, train_stride=stride, test_stride=h, refits=k)
    first, last = round(length * 0.7), round(length * 0.8)
    at = [round(length * (0.8 + 0.2 * i / k)) for i in range(k + 1)]
    folds = [(cuts.choosing([ramp(length)]), first, last)]
    folds += zip(cuts.testing([ramp(length)]), at, at[1:], strict=False)
    for fold, start, end in folds:
        for piece, low, high in ((fold.train, w, start), (fold.test, start, end)):
            assert piece.targets.min() >= low
            assert piece.targets.max() < high
            np.testing.assert_array_equal(
                piece.rows[:, w - 1] + 1, piece.targets[:, 0]
            )  # the window ends a step before
            np.testing.assert_array_equal(piece.rows[:, w], -piece.rows[:, w - 1])  # covariates are of its last step
        assert len(fold.train.rows) == (start - w - h) // stride + 1
        expected = np.arange(start, start + (end - start) // h * h)  # one forecast after the other, from the first step
        np.testing.assert_array_equal(fold.test.targets.ravel(), expected)


def test_forecasts_that_overlap_are_gathered_by_horizon() -> None:
    (fold,) = Cuts(4, 6, test_stride=2).testing([ramp(300), ramp(300, 1000.0)])
    assert fold.test.targets[:, 0].tolist() == [s + t for s in (0, 1000) for t in range(240, 294, 2)]
    assert fold.test.cases.tolist() == [k // 3 for k in range(27)] * 2
    errors = errors_by_case(np.zeros(fold.test.targets.shape), fold.test)
    assert errors.shape == (9, 2 * 3 * 6)
    expected = [-(s + 252 + 2 * i + j) for s in (0, 1000) for i in range(3) for j in range(6)]
    np.testing.assert_array_equal(errors[2], expected)


def test_cases_of_folds_are_counted_on() -> None:
    folds = Cuts(4, 6, test_stride=3, test=0.4, refits=3).testing([ramp(301)])
    joint = in_turn([fold.test for fold in folds])
    lengths = [len(fold.test.rows) for fold in folds]
    assert all(n % 2 == 0 for n in lengths)  # whole cases, of two forecasts each
    assert joint.cases.tolist() == [k // 2 for k in range(sum(lengths))]
    assert np.all(np.diff(joint.targets[:, 0]) > 0)


def test_a_series_too_short_for_its_parts_is_named() -> None:
    with pytest.raises(InputError, match=r"series 'ramp': must be long enough .*received 60 steps"):
        Cuts(12, 12, test_stride=12).choosing([ramp(60)])
    with pytest.raises(InputError, match=r"series 'ramp': must be long enough"):
        Cuts(12, 12, test=0.9).testing([ramp(200)])


def test_thinning_keeps_the_ends() -> None:
    whole = part(50)
    assert whole.thinned(None) is whole
    np.testing.assert_array_equal(whole.thinned(5).cases, [0, 12, 24, 37, 49])


def test_cases_are_origins_of_all_series_at_once() -> None:
    (made,) = Cuts(4, 5, test_stride=5).testing([ramp(300), ramp(300, 1000.0)])
    forecast = np.zeros(made.test.targets.shape)
    errors = errors_by_case(forecast, made.test)
    assert errors.shape == (12, 10)
    for k in range(12):
        expected = [-(s + 240 + 5 * k + j) for s in (0, 1000) for j in range(5)]
        np.testing.assert_array_equal(errors[k], expected)


# ----------------------------------------------------------------------------------------------------------------- arms
def test_naive_arms_by_hand() -> None:
    train, rows = part(), np.array([[1, 2, 3, 4, 5, 6, 0, 0]], np.float32)
    assert LastValue().fit(train, JOB)(rows).tolist() == [[6, 6, 6, 6]]
    assert SeasonalNaive().fit(train, JOB)(rows).tolist() == [[4, 5, 6, 4]]
    assert Mean().fit(train, JOB)(rows)[0] == pytest.approx([train.targets.mean()] * 4)


@pytest.mark.parametrize("relative", [False, True])
def test_ridge_is_the_closed_form(relative: bool) -> None:
    train, test, alpha = part(seed=1), part(7, seed=2), 0.3
    got = RidgeDirect(alpha=alpha, relative=relative).fit(train, JOB)(test.rows)

    def inputs(rows: np.ndarray) -> np.ndarray:
        window = rows[:, :6].astype(float) - (rows[:, 5:6] if relative else 0)
        known = train.rows[:, :6].astype(float) - (train.rows[:, 5:6] if relative else 0)
        x, reference = rows[:, 6:].astype(float), train.rows[:, 6:].astype(float)
        centre = 0.0 if relative else known.mean()
        return np.hstack([(window - centre) / known.std(), (x - reference.mean(0)) / reference.std(0)])

    X, Z = inputs(train.rows), inputs(test.rows)
    Y = train.targets - (train.rows[:, 5:6] if relative else 0)
    centre, level = X.mean(0), Y.mean(0)
    weights = np.linalg.solve((X - centre).T @ (X - centre) + alpha * len(X) * np.eye(8), (X - centre).T @ (Y - level))
    expected = (Z - centre) @ weights + level + (test.rows[:, 5:6] if relative else 0)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("columns", "kept"), [("all", range(8)), ("window", range(6)), ("point", (5, 6, 7))])
def test_trees_are_scikit_learns_on_the_columns_they_are_given(columns: str, kept: range) -> None:
    from sklearn.multioutput import MultiOutputRegressor

    from holdfast.regressors.boosters import HistTrees

    train, test = part(200, seed=3), part(9, seed=4)
    arm = BoostedTrees(columns=columns, trees=5, depth=3)  # type: ignore[arg-type]
    peer = MultiOutputRegressor(HistTrees(learning_rate=arm.lr, trees=5, depth=3).build(0))
    peer.fit(train.rows[:, list(kept)].astype(float), train.targets)
    np.testing.assert_array_equal(arm.fit(train, JOB)(test.rows), peer.predict(test.rows[:, list(kept)].astype(float)))


@pytest.mark.parametrize(
    "arm", [BoostedTrees(relative=True), RidgeDirect(relative=True), Network(nets.MLP, relative=True)]
)
def test_relative_arms_follow_the_level(arm: ForecastArm) -> None:
    """Shifting series, windows and targets shifts the forecasts, and nothing else."""
    train, test, shift = part(100, seed=5), part(5, seed=6), np.float32(64.0)
    moved = Part(train.rows.copy(), train.targets + shift, train.cases)
    moved.rows[:, :6] += shift
    rows = test.rows.copy()
    rows[:, :6] += shift
    expected = arm.fit(train, JOB)(test.rows) + shift
    np.testing.assert_allclose(arm.fit(moved, JOB)(rows), expected, rtol=1e-3)


@pytest.mark.parametrize("net", [nets.DLinear, nets.LSTM, nets.MLP, nets.NHiTS])
def test_networks_learn_and_repeat_themselves(net: type[nets.Forecast]) -> None:
    t = np.arange(400)
    y = np.sin(2 * np.pi * t / 12)
    (data,) = Cuts(12, 6, test_stride=6).testing([OneSeries("wave", y, np.empty((400, 0)))])
    job = dataclasses.replace(JOB, lookback=12, steps=150)
    forecasts = Network(net, lr=1e-2).fit(data.train, job)(data.test.rows)
    assert np.sqrt(((forecasts - data.test.targets) ** 2).mean()) < 0.35  # half of what the mean's would be
    brief, other = (dataclasses.replace(job, seed=Streams(k).seed, steps=5) for k in (0, 1))
    once, again, apart = (Network(net).fit(data.train, j)(data.test.rows) for j in (brief, brief, other))
    np.testing.assert_array_equal(once, again)
    assert np.abs(apart - once).max() > 0


# ------------------------------------------------------------------------------------------------------------- problems
def test_the_generator_is_its_formula() -> None:
    series = HourlySeries(length=4000).panel(Streams(5).rng)[0]
    t = np.arange(4000)
    noise = series.y - (10 + 3 * np.sin(2 * np.pi * t / 24) + 1.5 * np.isin(t // 24 % 7, (5, 6)))
    innovations = noise[1:] - 0.8 * noise[:-1]
    assert innovations.std() == pytest.approx(0.5, rel=0.05)
    assert abs(np.corrcoef(innovations[1:], innovations[:-1])[0, 1]) < 0.06
    assert series.x[25].tolist() == pytest.approx([1 / 23 - 0.5, 1 / 6 - 0.5])
    assert HourlySeries().panel(Streams(6).rng)[0].y[0] != HourlySeries().panel(Streams(7).rng)[0].y[0]
    np.testing.assert_array_equal(HourlySeries().panel(Streams(6).rng)[0].y, HourlySeries().panel(Streams(6).rng)[0].y)


def test_co2_rises_beyond_what_is_fitted_on() -> None:
    pytest.importorskip("statsmodels")
    (data,) = WeeklyCO2().cuts.testing(WeeklyCO2().panel(no_draw))
    assert np.isfinite(data.train.rows).all()
    assert data.test.targets.min() > data.train.targets.mean() + 15
    assert np.mean(data.test.targets > data.train.targets.max()) > 0.7


def _shared(problem: ETTh1 | ExchangeRates) -> None:
    if not os.environ.get("HOLDFAST_DATA") or not problem.available():
        pytest.skip(f"HOLDFAST_DATA has no {problem.file}")


def test_ett_is_the_series_of_the_file() -> None:
    problem = ETTh1(target="OT")
    _shared(problem)
    (series,) = problem.panel(no_draw)
    assert len(series.y) == 17_420
    assert series.y[0] == pytest.approx(30.531, abs=1e-3)
    assert series.x.shape == (17_420, 6)
    assert dataclasses.replace(problem, channels=True).panel(no_draw)[0].x.shape == (17_420, 12)
    (last,) = dataclasses.replace(problem, test_stride=None, test=0.2, refits=1).cuts.testing([series])
    assert len(last.test.rows) == 145  # as the card of the system says of windows of 24 on the last fifth
    with pytest.raises(InputError, match="HUFL"):
        ETTh1(target="nothing").panel(no_draw)


def test_exchange_rates_are_pooled() -> None:
    problem = ExchangeRates(train_stride=8)
    _shared(problem)
    (data,) = problem.cuts.testing(problem.panel(no_draw))
    assert data.test.rows.shape == (8 * 63, 24)
    assert errors_by_case(np.zeros(data.test.targets.shape), data.test).shape == (63, 8 * 24)


# --------------------------------------------------------------------------------------------------------------- claims
def test_margins_are_factors_of_errors() -> None:
    assert times(0.97) == pytest.approx(math.log2(1 / 0.97))
    assert times(1.05) == pytest.approx(math.log2(1.05))


def test_small_reads_every_claim_and_demo_the_headline() -> None:
    for name, wanted in (("small", len(experiment.claims)), ("demo", None)):
        scale: Scale = experiment.scales[name]
        pairs = {(a, p) for p in scale.problems for a in scale.arms or experiment.arms}  # type: ignore[union-attr]
        pairs = {(a, p) for a, p in pairs if p in (experiment.arms[a].problems or experiment.problems)}
        read = [c for c in experiment.claims if c.readable(pairs, experiment, scale)]
        assert wanted is None or len(read) == wanted
        assert any(c.role == "headline" for c in read)
    assert {p for _, p in applicable(experiment, experiment.scales["demo"])} == {"hourly, generated"}


# ------------------------------------------------------------------------------------------------------------- own data
def wave(length: int, series: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    times_ = pd.date_range("2021-03-01", periods=length, freq="D")
    parts = [
        pd.DataFrame(
            {
                "unique_id": f"shop {k}",
                "ds": times_,
                "y": 10 * (k + 1) + np.sin(2 * np.pi * np.arange(length) / 7) + 0.1 * rng.normal(size=length),
                "price": rng.normal(size=length),
            }
        )
        for k in range(series)
    ]
    return pd.concat(parts)


def own(path: Path, columns: dict[str, str] | None = None, **settings: str) -> Experiment:
    said = tuple((columns or {}).items()), tuple(settings.items())
    return ExperimentSource("gbrt_forecasting", (str(path),), *said).load()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_own_series_become_a_problem(tmp_path: Path, suffix: str) -> None:
    path, frame = tmp_path / f"sales{suffix}", wave(300, 2)
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    found = own(path)
    problem = found.problems["your data"]
    assert isinstance(problem, OwnSeries)
    panel = problem.read()[0]
    assert panel.ids.tolist() == ["shop 0", "shop 1"]
    np.testing.assert_allclose(panel.y[300:], frame["y"][frame["unique_id"] == "shop 1"])
    assert (problem.horizon, problem.cutoffs) == (18, 12)  # the longest horizon that leaves twelve forecasts
    assert "not used: price" in problem.describe()
    assert [c.role for c in found.claims].count("headline") == 1
    assert {p for c in found.claims for p in c.problems} == {"your data"}
    assert not any("hourly" in c.describe() for c in found.claims)
    assert {a for c in found.claims for a in c.arms} <= set(found.arms)
    for scale in found.scales.values():
        assert set(scale.arms or ()) <= set(found.arms)
    assert measured(found, "GBRT")["RMSE"] > 0


def test_own_series_take_the_columns_and_the_horizon_of_the_verbs(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    names = {"unique_id": "shop", "ds": "day", "y": "sold"}
    wave(200, 2).rename(columns=names).assign(wrong=1.0).to_csv(path, index=False)
    columns = {"time": "day", "target": "sold", "id": "shop", "past": "price"}
    problem = own(path, columns, horizon="9").problems["your data"]
    assert isinstance(problem, OwnSeries)
    panel, said = problem.read()
    assert (panel.x_names, problem.horizon, panel.count) == (("price",), 9, 2)
    assert said == ("not used: wrong (--column past=... would)",)
    assert problem.cutoffs == 12
    for wrong in ("0", "-3", "4.5", "week"):
        with pytest.raises(InputError, match="--set horizon: must be a number of steps"):
            own(path, columns, horizon=wrong)
    with pytest.raises(InputError, match="--set: must name one of the settings horizon"):
        own(path, columns, steps="9")
    with pytest.raises(InputError, match="--column: must name one of the roles time, target, id, past"):
        own(path, {"label": "day"})
    with pytest.raises(InputError, match="target: must be one of"):
        own(path, {"target": "y"})


def test_a_run_on_own_series_measures_what_compare_does(tmp_path: Path) -> None:
    """The same forecasters by the same engine: equal numbers for equal names."""
    path = tmp_path / "sales.csv"
    wave(150, 3).to_csv(path, index=False)
    found = own(path, {"past": "price"}, horizon="5")
    problem = found.problems["your data"]
    assert isinstance(problem, OwnSeries)
    series = problem.read()[0]
    bench = Bench.of(series, 5, problem.cutoffs)
    for contender in contenders(bench.lookback, 5, bench.season, conformal=bench.bands, booster=HistTrees(trees=2)):
        scores = bench.judge(contender, lambda name, done, of: None).scores
        values = measured(found, contender.name, rows=None)
        for name in ("RMSE", "MAE", "MASE"):
            assert values[name] == pytest.approx(scores[name.lower()], rel=1e-12), (contender.name, name)
        assert values["cases"] == pytest.approx(values["RMSE"], rel=1e-12)
        assert values["steps"] == 5


def test_networks_on_own_series_draw_their_seeds(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    wave(150, 1).to_csv(path, index=False)
    found = own(path, horizon="3")
    errors = [measured(found, "MLP", seed)["RMSE"] for seed in (0, 0, 1)]
    assert errors[0] == errors[1] != errors[2]
    assert not found.arms["MLP"].deterministic
    assert found.arms["MLP, other seeds"].reseed


def test_a_run_on_own_series_is_shown_again_when_they_are_gone(tmp_path: Path) -> None:
    path, out = tmp_path / "sales.csv", tmp_path / "run"
    wave(150, 1).to_csv(path, index=False)
    request = Request(
        "gbrt_forecasting", "smoke", on=(str(path),), settings=("horizon=3",), jobs=0, quiet=True, out=out
    )
    assert run_system(request) == 0
    before = runfolder.read(out)
    assert {r.arm for r in before.records} == {"last value", "ridge", "MLP", "GBRT"}
    path.rename(tmp_path / "away.csv")
    plan._load.cache_clear()
    after = runfolder.read(out)
    assert after.records == before.records
    assert [v.verdict for v in after.verdicts] == [v.verdict for v in before.verdicts]
    assert write_page(after, tmp_path / "page.html", catalogue.load("gbrt_forecasting").card).is_file()


def measured(found: Experiment, arm: str, seed: int = 0, **change: Any) -> dict[str, float]:
    """Scalars of a trial at scale smoke, the root of the mean over cases ("cases"), points of its curve ("steps")."""
    problem = found.problems["your data"]
    run: Any = SimpleNamespace(
        arm=found.arms[arm].method,
        problem=problem,
        scale=dataclasses.replace(found.scales["smoke"], **change),
        device="cpu",
        seed=Streams(seed).seed,
        step=lambda done, of: None,
    )
    left = list(found.trial(run))
    values = {m.name: m.value for m in left if isinstance(m, Scalar)}
    units = next(m for m in left if isinstance(m, PerUnit) and m.name == "RMSE")
    curve = next(m for m in left if isinstance(m, Curve))
    return values | {"cases": float(np.sqrt(np.mean(np.square(units.values)))), "steps": len(curve.x)}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.csv", "no such file"),
        ("short.csv", "must have steps enough to test 12 forecasts .*received 40 steps"),
        ("empty.csv", "must not be empty"),
        ("text.xyz", "must end in"),
    ],
)
def test_own_files_that_will_not_do(tmp_path: Path, name: str, said: str) -> None:
    wave(40).to_csv(tmp_path / "short.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "text.xyz").write_text("1")
    with pytest.raises(InputError, match=said):
        OwnSeries.of([tmp_path / name], {})
    with pytest.raises(InputError, match="one table"):
        OwnSeries.of([tmp_path / name, tmp_path / name], {})
