"""Shared parts of holdfast that belong to Binder as a user sees it: `holdfast.systems.binder` offers them, too."""

from __future__ import annotations

from holdfast.language import AnswerCache as AnswerCache
from holdfast.language import Budget as Budget
from holdfast.language import BudgetExceeded as BudgetExceeded
from holdfast.language import LanguageModel as LanguageModel
from holdfast.language import Limits as Limits
from holdfast.language import LocalModel as LocalModel
from holdfast.language import OpenAICompatible as OpenAICompatible
from holdfast.language import Recorder as Recorder
from holdfast.language import Replayed as Replayed
from holdfast.language import Scripted as Scripted
from holdfast.language import Usage as Usage
