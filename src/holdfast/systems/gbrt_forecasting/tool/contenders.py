"""Forecasters to compare on a table of series: naive ones, a linear one, networks, trees.

All are a `WindowForecaster` around another regressor, so that windows, covariates, calendar, bands and the backtest are
the same for each. Series may differ in size and rise: what learns works on windows relative to their last value, in
units of their mean absolute deviation from it; only "GBRT" is the paper's, on the values as they are. Networks come
last: how long they train depends on what the trees took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from holdfast.baselines.forecasting.naive import Repeat
from holdfast.baselines.forecasting.network_regressor import NetworkRegressor, steps_within
from holdfast.data.series.panel import Panel
from holdfast.metrics.conformal import SplitConformal
from holdfast.regressors.boosters import HistTrees, Trees
from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
from holdfast.systems.gbrt_forecasting.tool.backtest import Forecaster

QUANTILES = (0.1, 0.9)
FEWEST_CALIBRATE = 9  # windows that these quantiles need
SHARES = (0.2, 0.3, 0.4, 0.5)  # of the series, the last, that they are taken from
TREES = "GBRT"  # whose time to fit is what networks are given
DIFFERENCES = "GBRT, difference"
CHOSEN = "chosen"  # by `choosing.choose`, as fit does by itself
NETWORKS = ("DLinear", "LSTM")  # that are compared by default
FITS = 2  # of a forecaster with bands
JOINT = "multi_output"
RELATIVE = {"difference": "last", "scaling": "window-mean"}


ForecasterT = TypeVar("ForecasterT", bound=Forecaster)


@dataclass(frozen=True)
class Contender(Generic[ForecasterT]):
    """A forecaster with its name.

    Attributes:
        name: in tables.
        about: one line.
        forecaster: unfitted.
    """

    name: str
    about: str
    forecaster: ForecasterT


def calibration(panel: Panel, lookback: int, horizon: int) -> SplitConformal:
    """Bands from the last fifth of the series, or from more of them where that has too few windows.

    Example:
        >>> import numpy as np
        >>> from holdfast.data.series.long_wide import read_panel
        >>> [calibration(read_panel(np.zeros(n)), 10, 3).fraction for n in (80, 34)]
        [0.2, 0.3]
    """
    for fraction in SHARES:
        found = SplitConformal(fraction)
        if len(found.split(panel, lookback, horizon, horizon)[1]) >= FEWEST_CALIBRATE:
            return found
    return SplitConformal()  # whose fit says what is missing


def ridge() -> Any:
    """Ridge regression of standardised columns, unfitted; what is missing is taken as its mean."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), Ridge(alpha=1.0))


def contenders(
    lookback: int,
    horizon: int,
    season: int,
    *,
    seed: int = 0,
    threads: int = 1,
    conformal: SplitConformal | None = None,
    booster: Trees | None = None,
) -> list[Contender[WindowForecaster]]:
    """The forecasters of the comparison that are not networks, simplest first.

    Args:
        lookback, horizon: w and h.
        season: steps after which series repeat, at most the lookback; 1 = they do not, no seasonal naive forecast then.
        seed: of what is random.
        threads: of each.
        conformal: how bands are calibrated; None = as usual.
        booster: the trees; None = the usual ones.

    Example:
        >>> [c.name for c in contenders(12, 6, season=1)]
        ['last value', 'ridge', 'GBRT', 'GBRT, difference']
    """

    def with_(estimator: Any, strategy: str, **change: Any) -> WindowForecaster:
        return _forecaster(lookback, horizon, estimator, strategy, seed, threads, conformal=conformal, **change)

    trees = HistTrees() if booster is None else booster
    season = min(season, lookback)
    found = [Contender("last value", "every step is the last value", with_(Repeat(1, lookback), JOINT, calendar=None))]
    if season > 1:
        about = f"every step is the value {season} steps before it"
        found.append(Contender("seasonal naive", about, with_(Repeat(season, lookback), JOINT, calendar=None)))
    return [
        *found,
        Contender("ridge", "a linear regression for every step", with_(ridge(), JOINT, **RELATIVE)),
        Contender(TREES, "boosted trees on windows as they are (the paper's)", with_(trees, "direct")),
        Contender(
            DIFFERENCES,
            "boosted trees on differences from the last value",
            with_(trees, "direct", **RELATIVE),
        ),
    ]


def parts_of_trees(
    lookback: int, horizon: int, *, seed: int = 0, threads: int = 1, booster: Trees | None = None
) -> list[Contender[WindowForecaster]]:
    """The paper's trees with a part left out, to see what it is worth; see `contenders`.

    Example:
        >>> [c.name for c in parts_of_trees(12, 6)]
        ['GBRT - covariates', 'GBRT, point-wise']
    """
    trees = HistTrees() if booster is None else booster
    window = _forecaster(lookback, horizon, trees, "direct", seed, threads, calendar=None, covariates="none")
    point = _forecaster(1, horizon, trees, "direct", seed, threads)
    return [
        Contender("GBRT - covariates", "the window alone", window),
        Contender("GBRT, point-wise", "the last value and covariates: no window", point),
    ]


def networks(
    lookback: int,
    horizon: int,
    steps: Mapping[str, int],
    *,
    seed: int = 0,
    threads: int = 1,
    conformal: SplitConformal | None = None,
    device: str = "cpu",
) -> list[Contender[WindowForecaster]]:
    """Networks, by the steps that each is trained for; see `contenders`.

    Args:
        steps: "DLinear", "LSTM", "MLP", "N-HiTS" -> steps.
        device: where they live.

    Example:
        >>> [c.about for c in networks(12, 6, {"DLinear": 900, "LSTM": 400})]
        ['two linear maps, trained as a network for 900 steps', 'a recurrent network, 32 wide, trained for 400 steps']
    """
    from holdfast.baselines.forecasting.networks import LSTM, MLP, DLinear, Forecast, NHiTS

    kinds: dict[str, tuple[str, type[Forecast]]] = {
        "DLinear": ("two linear maps, trained as a network", DLinear),
        "LSTM": ("a recurrent network, 32 wide, trained", LSTM),
        "MLP": ("two hidden layers of 64, trained", MLP),
        "N-HiTS": ("three blocks at three resolutions, 64 wide, trained", NHiTS),
    }
    found = []
    for name, count in steps.items():
        about, net = kinds[name]
        regressor = NetworkRegressor(net, lookback, count, device=device)
        made = _forecaster(lookback, horizon, regressor, JOINT, seed, threads, conformal=conformal, **RELATIVE)
        found.append(Contender(name, f"{about} for {count:,} steps", made))
    return found


def affordable_steps(panel: Panel, lookback: int, horizon: int, seconds: float, *, threads: int = 1) -> dict[str, int]:
    """Steps of training that each network can take in so many CPU seconds of fitting, on this machine.

    Args:
        panel: the series, for the number of covariates.
        lookback, horizon: w and h.
        seconds: of fitting in all; a forecaster with bands is fitted twice, to calibrate them and on everything.
        threads: of each.
    """
    found = {}
    for contender in networks(lookback, horizon, dict.fromkeys(NETWORKS, 1), threads=threads):
        regressor, layout = contender.forecaster.estimator, contender.forecaster.layout_of(panel)
        cost = regressor.seconds_per_step(layout.width - lookback, horizon, threads)
        found[contender.name] = steps_within(seconds / FITS, cost)
    return found


def _forecaster(
    lookback: int, horizon: int, estimator: Any, strategy: str, seed: int, threads: int, **change: Any
) -> WindowForecaster:
    return WindowForecaster(
        lookback,
        horizon,
        estimator=estimator,
        strategy=strategy,
        quantiles=QUANTILES,
        n_jobs=threads,
        random_state=seed,
        **change,
    )


__all__ = [
    "CHOSEN",
    "DIFFERENCES",
    "NETWORKS",
    "QUANTILES",
    "TREES",
    "Contender",
    "Repeat",
    "affordable_steps",
    "calibration",
    "contenders",
    "networks",
    "parts_of_trees",
    "ridge",
]
