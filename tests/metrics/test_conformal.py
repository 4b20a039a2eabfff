"""Quantiles: order statistics by brute force, coverage by simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.data.series.long_wide import read_panel
from holdfast.errors import InputError
from holdfast.metrics.conformal import SplitConformal, conformal_offsets


@given(n=st.integers(1, 60), q=st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]), seed=st.integers(0, 99))
def test_offsets_are_order_statistics(n: int, q: float, seed: int) -> None:
    residuals = np.random.default_rng(seed).normal(size=(n, 2))
    percent = round(100 * q)
    rank = -(-(n + 1) * percent // 100) if q > 0.5 else (n + 1) * percent // 100
    if not 1 <= rank <= n:
        with pytest.raises(InputError, match="calibration windows for quantile"):
            conformal_offsets(residuals, [q])
        return
    wanted = [np.median(column) if q == 0.5 else sorted(column)[rank - 1] for column in residuals.T]
    assert conformal_offsets(residuals, [q])[:, 0].tolist() == wanted


def test_the_number_of_windows_that_is_asked_for_is_the_smallest_that_does() -> None:
    for q in (0.05, 0.1, 0.8, 0.99):
        needed = math.ceil(1 / min(q, 1 - q) - 1e-9) - 1
        conformal_offsets(np.zeros((needed, 1)), [q])
        with pytest.raises(InputError, match=f"at least {needed} calibration windows"):
            conformal_offsets(np.zeros((needed - 1, 1)), [q])


def test_coverage_of_exchangeable_residuals_is_as_promised() -> None:
    """P(next below the upper quantile) lies between q and q + 1/(n + 1), exactly; here by simulation."""
    rng = np.random.default_rng(0)
    n, trials, q = 24, 20_000, 0.9
    residuals = rng.standard_t(3, size=(n + 1, trials))
    upper = conformal_offsets(residuals[:n], [q])[:, 0]
    lower = conformal_offsets(residuals[:n], [1 - q])[:, 0]
    for below in ((residuals[n] <= upper).mean(), (residuals[n] >= lower).mean()):
        noise = 4 * math.sqrt(q * (1 - q) / trials)
        assert q - noise <= below <= q + 1 / (n + 1) + noise


def test_no_target_of_training_is_among_those_of_calibration() -> None:
    panel = read_panel(pd.DataFrame({"a": np.arange(60.0), "b": [np.nan] * 51 + [1.0] * 9}))
    trains, calibrates = SplitConformal(0.25).split(panel, lookback=4, horizon=3, trained=3)
    targets = [{int(t) + k for t in ends for k in (1, 2, 3)} for ends in (trains, calibrates)]
    assert not targets[0] & targets[1]
    assert targets[0] | targets[1] == {*range(4, 60), *range(64, 69)}
    assert max(calibrates) < 60, "a series too short for both only trains"
