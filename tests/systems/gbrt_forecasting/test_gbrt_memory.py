"""What the table of windows takes: little beside itself, and no more than the user's bound."""

import tracemalloc
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from holdfast.data.series.long_wide import read_panel
from holdfast.data.series.relative import SeriesScale
from holdfast.data.series.windows import window_ends
from holdfast.regressors.base import Progress, Regressor, RowSource
from holdfast.regressors.boosters import HistTrees
from holdfast.systems.gbrt_forecasting import WindowForecaster
from holdfast.systems.gbrt_forecasting.method import Origins

COUNT, STEPS, LOOKBACK, HORIZON = 1000, 60, 12, 12


def panel() -> Any:
    y = np.random.default_rng(0).normal(size=(STEPS, COUNT))
    return read_panel(y)


def peak_of(work: Callable[[], Any]) -> tuple[int, Any]:
    tracemalloc.start()
    try:
        result = work()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.data.series.windows.BLOCK", 1 << 16)


@pytest.mark.parametrize("changes", [{}, {"difference": "last", "scaling": "window-mean"}])
def test_building_the_table_takes_little_besides_it(changes: dict[str, str]) -> None:
    series = panel()
    model = WindowForecaster(LOOKBACK, HORIZON, HistTrees(), **changes)
    layout, known = model.layout_of(series), SeriesScale.of(series) if changes else None
    peak, (rows, targets) = peak_of(
        lambda: Origins(series, layout, window_ends(series.lengths, LOOKBACK, HORIZON), known).table(HORIZON)
    )
    assert rows.shape == (COUNT * (STEPS - LOOKBACK - HORIZON + 1), LOOKBACK)
    assert peak < 1.5 * (rows.nbytes + targets.nbytes)


class Streaming(Regressor):
    """Looks at every row and learns nothing."""

    streams: ClassVar[bool] = True
    seen = 0

    def held(self, rows: int, width: int) -> int:
        return 6 * 8 * rows  # where windows end and whose they are, and what finding that takes

    def fit_stream(self, source: RowSource, steps: int, seed: int, threads: int, progress: Progress) -> list[Any]:
        for block in source.blocks():
            self.seen += len(block.astype(np.float64))
        for k in range(steps):
            assert np.isfinite(source.target(k)).all()
        return [None] * steps


def test_a_bounded_fit_stays_within_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.systems.gbrt_forecasting.tool.fitting.FEWEST", 256)
    series = panel()
    rows = COUNT * (STEPS - LOOKBACK - HORIZON + 1)
    streaming = Streaming()
    bound = streaming.held(rows, LOOKBACK) + rows * (LOOKBACK + HORIZON) * 4 // 4  # a quarter of the table
    model = WindowForecaster(LOOKBACK, HORIZON, streaming, max_bytes=bound)
    peak, _ = peak_of(lambda: model.fit_panel(series))
    assert streaming.seen == rows
    assert peak < bound
