"""Theta, smoothing and naive forecasts of many series at once against loops over one, and against statsmodels."""

import numpy as np
import pytest

from holdfast.baselines.forecasting.local import SeasonalNaive, forecasts_at
from holdfast.baselines.forecasting.theta import WEIGHTS, Theta, from_the_right, seasons, slopes, smoothed
from holdfast.data.series.long_wide import read_panel


@pytest.fixture
def panel():
    rng = np.random.default_rng(0)
    import pandas as pd

    t = np.arange(60)
    columns = {
        "up": 100 + 0.5 * t + 10 * np.sin(2 * np.pi * t / 7) + rng.normal(0, 1, 60),
        "signed": 5 * np.cos(2 * np.pi * t / 7) + rng.normal(0, 1, 60),
        "noise": rng.normal(20, 1, 60),
        "late": np.where(t < 23, np.nan, 50 + 3.0 * (t % 7) + rng.normal(0, 0.3, 60)),
    }
    return read_panel(pd.DataFrame(columns))


def one_by_one(panel):
    return [panel.y[start : start + n] for start, n in zip(panel.offsets, panel.lengths, strict=True)]


def test_smoothing_by_a_loop(panel):
    level, weight = smoothed(from_the_right(panel)[0])
    for k, y in enumerate(one_by_one(panel)):
        tried = []
        for a in WEIGHTS:
            state, squares = y[0], 0.0
            for value in y[1:]:
                squares += (value - state) ** 2
                state = a * value + (1 - a) * state
            tried.append((squares, a, state))
        squares, a, state = min(tried)
        assert (weight[k], level[k]) == pytest.approx((a, state))


def test_slopes_are_those_of_regression_lines(panel):
    found = slopes(*from_the_right(panel))
    assert found == pytest.approx([np.polyfit(np.arange(len(y)), y, 1)[0] for y in one_by_one(panel)])


def test_seasons_are_those_of_the_classical_decomposition(panel):
    decompose = pytest.importorskip("statsmodels.tsa.seasonal").seasonal_decompose
    found, ratio = seasons(*from_the_right(panel), 7)
    assert ratio.tolist() == [True, False, False, True]
    assert not found[2].any()  # nothing repeats in noise
    for k, y in enumerate(one_by_one(panel)):
        if k != 2:
            model = "multiplicative" if ratio[k] else "additive"
            assert found[k, -len(y) :] == pytest.approx(decompose(y, model=model, period=7).seasonal, abs=1e-9)


def test_theta_by_its_formula():
    rng = np.random.default_rng(1)
    y = 10 + 0.3 * np.arange(40) + rng.normal(0, 1, 40)
    panel = read_panel(y)
    level, weight = (float(v[0]) for v in smoothed(from_the_right(panel)[0]))
    slope = np.polyfit(np.arange(40), y, 1)[0]
    wanted = [level + slope / 2 * (k - 1 + 1 / weight - (1 - weight) ** 40 / weight) for k in range(1, 6)]
    assert Theta().forecast(panel, 5)[0] == pytest.approx(wanted)
    assert Theta(drift=False).forecast(panel, 5)[0] == pytest.approx([level] * 5)


def test_theta_is_near_that_of_statsforecast(panel):
    models = pytest.importorskip("statsforecast.models")
    ours = Theta(7).forecast(panel, 7)
    for k, y in enumerate(one_by_one(panel)):
        theirs = models.Theta(season_length=7).forecast(y=y, h=7)["mean"]
        assert np.abs(ours[k] - theirs).max() < 0.6 * np.abs(np.diff(y)).mean()


def test_each_series_is_forecast_as_if_it_were_alone(panel):
    together = Theta(7).forecast(panel, 9)
    for k, y in enumerate(one_by_one(panel)):
        assert together[k] == pytest.approx(Theta(7).forecast(read_panel(y), 9)[0])


def test_forecasts_from_the_middle_know_nothing_later(panel):
    index = np.array([30, 59, 60 + 45, 3 * 60 + 36])
    both = (forecasts_at(local, panel, index, 4) for local in (Theta(7), SeasonalNaive(7)))
    for theta, naive, at in zip(*both, index, strict=True):
        k = int(panel.series_of(np.array([at]))[0])
        y = read_panel(panel.y[panel.offsets[k] : at + 1])
        assert theta == pytest.approx(Theta(7).forecast(y, 4)[0])
        assert naive == pytest.approx(SeasonalNaive(7).forecast(y, 4)[0])


def test_seasonal_naive_of_short_series_is_the_last_value():
    assert SeasonalNaive(5).forecast(read_panel([1.0, 2.0, 3.0]), 2).tolist() == [[3.0, 3.0]]


def test_large_levels_keep_their_digits():
    y = 1.4e9 + 20 * np.sin(2 * np.pi * np.arange(84) / 7)
    assert Theta(7).forecast(read_panel(y), 7)[0] == pytest.approx(y[:7], abs=1e-3)
