"""A user's series as a problem: `holdfast run gbrt_forecasting --on data.csv`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from holdfast.data.series.cuts import OneSeries
from holdfast.data.series.seasons import season_of
from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting.problems import Draw, Forecasting

if TYPE_CHECKING:
    from holdfast.data.series.panel import Panel

MOST_ROWS = 20_000  # windows fitted on; more series are thinned to about as many
FORECASTS = 12  # in the test part at least, so that verdicts can be bootstrapped in blocks of two


@dataclass(frozen=True)
class OwnSeries(Forecasting):
    """The series of a table: long (`unique_id`, `ds`, `y`, further columns are covariates), or wide (times first).

    The horizon is 24 steps, or fewer where the shortest series would have less than twelve forecasts in its last fifth.

    Attributes:
        path: of a csv or parquet file.
    """

    path: str = ""
    source: ClassVar[Literal["file"]] = "file"
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = "give a table with the columns ds and y, and unique_id where there are several series"

    @classmethod
    def of(cls, paths: Sequence[Path]) -> OwnSeries:
        """The problem of `--on TABLE`.

        Raises:
            InputError: not one path, or a file that holds no series long enough.
        """
        if len(paths) != 1:
            raise InputError("--on", "must be one table (csv or parquet) of series", " ".join(map(str, paths)))
        panel = _panel(str(paths[0]), _fingerprint(str(paths[0])))
        shortest = int(panel.lengths.min())
        horizon = min(24, shortest * 20 // (100 * FORECASTS))
        if horizon < 1:
            rule = f"must have at least {5 * FORECASTS} steps to test {FORECASTS} forecasts on its last fifth"
            name = panel.ids[panel.lengths.argmin()]
            raise InputError(f"series {str(name)!r}", rule, f"{shortest} steps")
        lookback = max(2, min(24, shortest // 4))
        season = min(season_of(panel.clock), lookback)
        windows = int((0.8 * panel.lengths).sum())
        return cls(
            lookback=lookback,
            horizon=horizon,
            season=season,
            train_stride=max(1, windows // MOST_ROWS),
            path=str(paths[0]),
        )

    def available(self) -> bool:
        return Path(self.path).is_file()

    def fingerprint(self) -> str:
        return _fingerprint(self.path)

    def panel(self, draw: Draw) -> Sequence[OneSeries]:
        from holdfast.data.series.calendar_features import calendar_features, choose_features

        panel = _panel(self.path, self.fingerprint())
        names = choose_features("auto", panel.clock)
        made = []
        for k, (start, length) in enumerate(zip(panel.offsets, panel.lengths, strict=True)):
            index = np.arange(start, start + length)
            times = panel.clock.times(panel.positions(index, np.full(length, k)))
            calendar = calendar_features(times, names) if names else np.empty((length, 0), np.float32)
            made.append(OneSeries(str(panel.ids[k]), panel.y[index], np.concatenate([panel.X[index], calendar], 1)))
        return tuple(made)

    def describe(self) -> str:
        return f"{Path(self.path).name}; {self.lookback} -> {self.horizon}"


def _fingerprint(path: str) -> str:
    if not Path(path).is_file():
        raise InputError("--on", "must be one table (csv or parquet) of series", f"{path} (no such file)")
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@functools.lru_cache(maxsize=1)
def _panel(path: str, fingerprint: str) -> Panel:
    """Read once per process, and again when the file changes."""
    from holdfast.data.series.tables import read_series

    return read_series(Path(path))


__all__ = ["OwnSeries"]
