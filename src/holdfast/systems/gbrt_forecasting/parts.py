"""Shared parts of forecasting that this system's users find under its name, too."""

from holdfast.data.series.calendar_features import calendar_features

__all__ = ["calendar_features"]
