"""The claims about forecasts: the paper's, with numbers put on them, and those it never tested."""

from __future__ import annotations

import math
from typing import Any

from holdfast.experiment.claims import All, Better, Claim, Differs, NoWorse
from holdfast.experiment.claims import Any as AnyOf
from holdfast.experiment.claims.scales import LogRatio

DEEP = ("LSTM", "MLP", "N-HiTS")
TREES = ("GBRT", "GBRT - covariates", "GBRT, point-wise", "GBRT, difference")
HOURLY, NOISE, CO2 = "hourly, generated", "white noise", "CO2, weekly"
HUFL, OT, EXCHANGE = "ETTh1 HUFL", "ETTh1 OT", "exchange rates"
RMSE: dict[str, Any] = {"metric": "RMSE", "compare": LogRatio()}
MAE: dict[str, Any] = {"metric": "MAE", "compare": LogRatio()}


def times(factor: float) -> float:
    """The margin, in log2 units, of errors that are smaller by a factor below 1, or larger by one above it."""
    return abs(math.log2(factor))


def beats_deep(on: str, **options: Any) -> Claim:
    """GBRT(W-b) has at most 0.97 times the RMSE of each network that was given up to three times its CPU time."""
    return All(
        *(Better("GBRT", than=net, on=on, margin=times(0.97), **RMSE) for net in DEEP),
        text=f"GBRT's RMSE is at most 0.97 times that of every deep net ({', '.join(DEEP)}) on {on}",
        published="outperforms all deep models evaluated, on nine data sets",
        source="abstract",
        **options,
    )


def holds_against_ridge() -> Claim:
    """At most 0.98 times the RMSE of ridge regression on one of two series, never more than 1.05 times."""
    return All(
        AnyOf(*(Better("GBRT", than="ridge", on=on, margin=times(0.98), **RMSE) for on in (HUFL, OT))),
        *(NoWorse("GBRT", than="ridge", on=on, margin=times(1.05), **RMSE) for on in (HUFL, OT)),
        text="GBRT's RMSE is at most 0.98 times ridge's on ETTh1 HUFL or OT, and on neither above 1.05 times",
        scope="the paper did not compare with a linear model",
    )


def window_matters(on: str, rmse: float, mae: float) -> Claim:
    """The point-wise model has at least so many times the errors of the window model."""
    return All(
        Better("GBRT", than="GBRT, point-wise", on=on, margin=times(rmse), **RMSE),
        Better("GBRT", than="GBRT, point-wise", on=on, margin=times(mae), **MAE),
        text=f"without the window GBRT's RMSE is at least {rmse:g} and its MAE {mae:g} times as large ({on})",
        published="the window-based input boosts a simple GBRT",
        source="abstract",
    )


def nothing_beats_last_value() -> Claim:
    """The counter-claim: of all arms none is better than the last value by 1 % or more."""
    others = ("ridge", "DLinear", *DEEP, "GBRT", "GBRT, difference")
    return All(
        *(NoWorse("last value", than=other, on=EXCHANGE, margin=times(1.01), **RMSE) for other in others),
        text="on exchange rates nothing beats the last value: no arm's RMSE is lower by 1 % or more",
        scope="the paper reports exchange rates as a win and did not compare with the last value",
    )


CLAIMS: tuple[Claim, ...] = (
    beats_deep(
        HOURLY,
        role="headline",
        scope="hourly series of 2,400 steps to fit on, 24 -> 24, networks within 3 times the CPU time of the trees",
    ),
    beats_deep(
        HUFL,
        scope="ETTh1, hourly, last 45 %, three refits, 24 -> 24, networks within 3 times the CPU time of the trees",
    ),
    beats_deep(
        OT, scope="ETTh1, hourly, last 45 %, three refits, 24 -> 24, networks within 3 times the CPU time of the trees"
    ),
    Better("GBRT", than="ridge", on=HOURLY, margin=times(0.98), **RMSE),
    Better("GBRT", than="DLinear", on=HOURLY, margin=times(0.98), **RMSE),
    holds_against_ridge(),
    window_matters(HUFL, rmse=1.08, mae=1.15),
    Better("GBRT", than="GBRT, point-wise", on=HOURLY, **RMSE),
    Better("GBRT", than="GBRT - covariates", on=HOURLY, **RMSE),
    Better("GBRT, difference", than="GBRT", on=EXCHANGE, **RMSE),
    Better(
        "GBRT, difference",
        than="GBRT",
        on=CO2,
        margin=1.0,
        text="on a rising series trees need differences: without them their RMSE more than doubles (CO2, weekly)",
        scope="trees cannot forecast beyond what they have seen",
        **RMSE,
    ),
    nothing_beats_last_value(),
    Better("GBRT", than="last value", on=HOURLY, role="control", expect="found", **RMSE),
    Better("GBRT", than="mean", on=NOISE, role="control", expect="not found", **RMSE),
    Differs("MLP", "MLP, other seeds", on=HOURLY, role="control", expect="not found", **RMSE),
)

__all__ = ["CLAIMS", "CO2", "DEEP", "EXCHANGE", "HOURLY", "HUFL", "NOISE", "OT", "TREES"]
