"""The arguments of `fit` as a panel with covariates."""

from __future__ import annotations

from typing import Any

import pandas as pd

from holdfast.data.series.clock import Clock
from holdfast.data.series.covariates import join
from holdfast.data.series.long_wide import ID, TIME, VALUE, extra_columns, is_long, read_panel
from holdfast.data.series.panel import Panel
from holdfast.errors import InputError


def read_training(y: Any, X: Any, X_future: Any, *, freq: str | int | Clock | None, fill: str | None) -> Panel:
    """Series with covariates; X and X_future may name columns of a long y.

    Raises:
        InputError: as in `read_panel` and `join`; columns of y that nobody named.
    """
    past, known = _columns(y, X, "X"), _columns(y, X_future, "X_future")
    if extra := [c for c in extra_columns(y) if c not in (past or []) and c not in (known or [])]:
        rule = f"must have the columns {ID}, {TIME} and {VALUE} only, and those that X or X_future name"
        raise InputError("y", rule, f"also {', '.join(extra)}")
    # Rows of arrays belong to the rows of y as they are given
    sort = all(
        given is None or isinstance(given, pd.DataFrame | pd.Series)
        for given in (_table(y, X, past), _table(y, X_future, known))
    )
    panel = read_panel(y, freq=freq, fill=fill, sort=sort)
    return join(panel, _table(y, X, past), _table(y, X_future, known))


def read_other(y: Any, X: Any, *, like: Panel, lookback: int, freq: str | int | None, fill: str | None) -> Panel:
    """Series to forecast with a model of others.

    Args:
        y, X, freq, fill: as in `read_training`.
        like: the series that the model was fitted on.
        lookback: steps that are needed of each.

    Raises:
        InputError: as in `read_training`; other covariates, another frequency, series that are too short.
    """
    try:  # the frequency of fit, which a window of few steps would not tell
        panel = read_training(y, X, None, freq=like.clock if freq is None else freq, fill=fill)
    except InputError as e:
        if e.argument != "freq" or freq is not None:
            raise
        rule = f"must have dates as time stamps, at the frequency of fit, {like.clock}"
        raise InputError("y", rule, "whole numbers, or no time stamps") from e
    if panel.x_names != like.x_names:
        wanted = ", ".join(like.x_names) or "none"
        raise InputError("X", f"must have the columns of fit: {wanted}", ", ".join(panel.x_names) or "none")
    counted = panel.clock.freq is None and like.clock.freq is None  # whole numbers: any step is as good as another
    if not counted and not panel.clock.same_steps(like.clock):
        raise InputError("y", f"must have the frequency of fit, {like.clock}", str(panel.clock))
    if (short := panel.lengths < lookback).any():
        k = int(short.argmax())
        rule = f"must have at least lookback = {lookback} steps"
        raise InputError(f"y, {ID} {panel.ids[k].item()!r}", rule, f"{int(panel.lengths[k])} steps")
    return panel


def _columns(y: Any, X: Any, name: str) -> list[str] | None:
    """Names of columns of y, where X is such a list."""
    if isinstance(X, str):
        X = [X]
    if not isinstance(X, list | tuple) or not X or not all(isinstance(c, str) for c in X):
        return None
    if not is_long(y):
        raise InputError(name, "must be a table or an array where y is not a long table", X)
    if missing := [c for c in X if c not in y.columns]:
        raise InputError(name, f"must name columns of y: {', '.join(extra_columns(y)) or 'there are none'}", missing[0])
    return list(X)


def _table(y: Any, X: Any, columns: list[str] | None) -> Any:
    if columns is None:
        return X
    keys = [ID, TIME] if ID in y.columns else [TIME]
    return pd.DataFrame(y[keys + columns])


__all__ = ["read_other", "read_training"]
