"""Windows against a loop and against the reference's numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import calendar_features, window_rows

VECTORS = np.load(Path(__file__).parents[2] / "vectors" / "gbrt_forecasting.npz")


# -------------------------------------------------------------------------------------------------------------- parity
def reference_covariates() -> np.ndarray:
    """As the reference stamps and scales them: calendar days from 1990 on, ranges of the whole series."""
    times = pd.date_range("1990-01-01", periods=len(VECTORS["series"]))
    return calendar_features(times, ("month", "day", "dayofweek", "dayofyear", "week"), ranges="data")


def test_training_windows_are_the_references_exactly() -> None:
    train = 528
    rows, targets, index = window_rows(VECTORS["series"][:train], reference_covariates()[:train], 24, 24)
    assert len(rows) == VECTORS["n_train"] == train - 24 - 24 + 1
    every = int(VECTORS["train_stride_kept"])
    np.testing.assert_array_equal(rows[::every], VECTORS["x_train_flat"])
    np.testing.assert_array_equal(targets[::every], VECTORS["y_train"])
    assert rows.dtype == targets.dtype == np.float32
    np.testing.assert_array_equal(index, np.arange(23, train - 24))


def test_test_windows_are_the_references_exactly() -> None:
    block = slice(580, 700)  # begins a lookback before the split, so that the first forecast has its history
    rows, targets, _ = window_rows(VECTORS["series"][block], reference_covariates()[block], 24, 24, stride=24)
    np.testing.assert_array_equal(rows, VECTORS["x_test_flat"])
    np.testing.assert_array_equal(targets, VECTORS["y_test"])


# -------------------------------------------------------------------------------------------------------------- oracle
@given(
    steps=st.integers(1, 40),
    lookback=st.integers(1, 8),
    horizon=st.integers(0, 8),
    stride=st.integers(1, 5),
    columns=st.integers(0, 3),
)
def test_windows_are_those_of_a_loop(steps: int, lookback: int, horizon: int, stride: int, columns: int) -> None:
    rng = np.random.default_rng([steps, lookback, horizon, stride])
    y, X = rng.normal(size=steps).astype(np.float32), rng.normal(size=(steps, columns)).astype(np.float32)
    if steps < lookback + horizon:
        with pytest.raises(InputError, match=f"at least lookback \\+ horizon = {lookback + horizon}"):
            window_rows(y, X, lookback, horizon, stride)
        return
    rows, targets, index = window_rows(y, X, lookback, horizon, stride)
    wanted = list(range(lookback - 1, steps - horizon, stride))
    assert index.tolist() == wanted
    for row, target, t in zip(rows, targets, wanted, strict=True):
        assert row.tolist() == [*y[t - lookback + 1 : t + 1], *X[t]]
        assert target.tolist() == y[t + 1 : t + 1 + horizon].tolist()


# --------------------------------------------------------------------------------------------------------------- input
@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"y": [1.0, np.nan, 2.0]}, "y"),
        ({"y": [[1.0], [2.0]]}, "y"),
        ({"y": ["a", "b", "c"]}, "y"),
        ({"X": [[1.0]]}, "X"),
        ({"lookback": 0}, "lookback"),
        ({"horizon": -1}, "horizon"),
        ({"stride": 0}, "stride"),
        ({"stride": 1.5}, "stride"),
    ],
)
def test_wrong_arguments_are_named(changes: dict[str, object], argument: str) -> None:
    with pytest.raises(InputError) as caught:
        window_rows(**{"y": [1.0, 2.0, 3.0], "X": None, "lookback": 1, "horizon": 1, "stride": 1, **changes})
    assert caught.value.argument == argument
