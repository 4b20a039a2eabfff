"""Scores of backtests: the metrics of each group."""

import numpy as np
import pandas as pd
import pytest

from holdfast.errors import InputError
from holdfast.metrics.backtests import Backtest
from holdfast.metrics.forecasts import mae, rmse


def backtest(zero: bool = False) -> Backtest:
    """Two series, three cutoffs, four steps."""
    keys = pd.MultiIndex.from_product([["a", "b"], [10, 20, 30], [1, 2, 3, 4]], names=["unique_id", "cutoff", "step"])
    rng = np.random.default_rng(0)
    frame = keys.to_frame(index=False)
    frame["ds"] = frame["cutoff"] + frame["step"]
    frame["y"] = 0.0 if zero else 5 + rng.normal(size=len(frame))
    frame["yhat"] = 0.0 if zero else 5.0
    frame["q20"], frame["q80"], frame["scale"] = frame["yhat"] - 1, frame["yhat"] + 1, 0.0 if zero else 0.5
    return Backtest(frame, 0)


def test_scores_are_the_metrics_of_each_group() -> None:
    result = backtest()
    frame = result.frame
    for by in ("step", "cutoff", "unique_id"):
        scores = result.scores(by=by)
        for name, group in frame.groupby(by):
            assert scores.loc[name, "rmse"] == rmse(group["y"], group["yhat"])
            assert scores.loc[name, "coverage"] == group["y"].between(group["q20"], group["q80"]).mean()
            assert scores.loc[name, "mase"] == pytest.approx(
                ((group["y"] - group["yhat"]).abs() / group["scale"]).mean()
            )
    assert result.scores()["mae"][0] == mae(frame["y"], frame["yhat"])
    assert {"pinball_q20", "pinball_q80"} <= set(result.scores().columns)
    with pytest.raises(InputError, match="by: must be"):
        result.scores(by="hour")


def test_scores_that_would_divide_by_zero_are_missing() -> None:
    scores = backtest(zero=True).scores()
    assert scores[["wape", "mase"]].isna().all(axis=None)
    assert scores["rmse"][0] == 0
