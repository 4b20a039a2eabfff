"""Shared parts of holdfast that belong to Binder as a user sees it: `holdfast.systems.binder` offers them, too."""

from __future__ import annotations

from holdfast.language import (
    AnswerCache,
    Budget,
    BudgetExceeded,
    LanguageModel,
    Limits,
    LocalModel,
    OpenAICompatible,
    Recorder,
    Replayed,
    Scripted,
    Usage,
)
from holdfast.sql.table import SQLTable as Table
from holdfast.sql.tokens import ParseError

__all__ = [
    "AnswerCache",
    "Budget",
    "BudgetExceeded",
    "LanguageModel",
    "Limits",
    "LocalModel",
    "OpenAICompatible",
    "ParseError",
    "Recorder",
    "Replayed",
    "Scripted",
    "Table",
    "Usage",
]
