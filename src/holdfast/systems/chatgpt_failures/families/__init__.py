"""Families of questions, a module for each of the eleven categories; all in our own words."""

from __future__ import annotations

from holdfast.systems.chatgpt_failures.families import (
    arithmetic,
    bias,
    coding,
    ethics,
    facts,
    logic,
    other,
    reasoning,
    self_awareness,
    spelling,
    wit,
)
from holdfast.systems.chatgpt_failures.tool.cases import Family

MODULES = (reasoning, logic, arithmetic, facts, bias, wit, coding, spelling, self_awareness, ethics, other)
FAMILIES: tuple[Family, ...] = tuple(family for module in MODULES for family in module.FAMILIES)

__all__ = ["FAMILIES"]
