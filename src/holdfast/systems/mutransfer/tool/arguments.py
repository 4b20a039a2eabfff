"""What a command line names: the user's functions, a rule, widths and rates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.data.own_batches import random_batch, rows_to_train_on
from holdfast.errors import InputError
from holdfast.own_model import built, called, own_function, without_arguments
from holdfast.systems.mutransfer.method.rules import SP, MuP, Parametrization, Spectral, UMuP
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization
from holdfast.systems.mutransfer.tool.report import MuReport
from holdfast.training.batch_loss import default_loss, fitting, rows_of
from holdfast.verbs.swept import rates_of, widths_of

RULES: dict[str, type[Parametrization]] = {"mup": MuP, "umup": UMuP, "spectral": Spectral, "sp": SP}


def report_on(builder: str, base: int, delta: int | None, width: int, rule: str) -> MuReport:
    """What a rule does to the tensors of a builder's model at a width.

    Raises:
        InputError: an unknown function or rule, or see `MuParametrization.from_builder`.
    """
    import torch

    build = builder_named(builder)
    mu = parametrization(build, base, delta, rule)
    with torch.random.fork_rng(devices=[]):
        return mu.report(built(build, width))


def check_arguments(builder: str, widths: str, batch: str | None, rule: str) -> dict[str, Any]:
    """The first arguments of `coord_check`; data is random where no function gives it.

    Raises:
        InputError: an unknown function or rule, no widths, or no random data for this model.
    """
    sizes, build = widths_of(widths), builder_named(builder)
    data = called(batch_named(batch), argument="batch") if batch else random_batch(built(build, sizes[0]), 64)
    return {"build": build, "widths": sizes, "batch": data, "mu": parametrization(build, sizes[0], None, rule)}


def model_content(builder: str, batch: str | None, widths: str, rates: str, **budget: int) -> dict[str, Any]:
    """The content of a file for `holdfast run mutransfer --on`, once all that it names has been tried.

    Raises:
        InputError: an unknown function, or one that fails or gives something else; widths or rates that are none.
    """
    sizes, build = widths_of(widths), builder_named(builder)
    narrow = built(build, sizes[0])  # a mistake shows now, not in every run
    if batch:
        data = rows_to_train_on(called(batch_named(batch), argument="batch"), "batch")
        fitting(default_loss, narrow, rows_of(data, slice(2)))
    model = {"builder": builder, "batch": batch or "", "folder": str(Path.cwd())}
    return {**model, "widths": sizes, "rates": rates_of(rates), **budget}


def builder_named(reference: str) -> Callable[..., Any]:
    """The function `module:function` or `file.py:function`, looked for in the working folder, too.

    Raises:
        InputError: there is none.
    """
    return own_function(reference, Path.cwd())


def batch_named(reference: str) -> Callable[[], Any]:
    """The function `module:function` or `file.py:function` that gives a batch.

    Raises:
        InputError: there is none, or it wants arguments.
    """
    return without_arguments(own_function(reference, Path.cwd(), "batch"), reference, "batch")


def parametrization(build: Callable[..., Any], base: int, delta: int | None, rule: str) -> MuParametrization:
    """The parametrization of a rule's name.

    Raises:
        InputError: an unknown rule, or see `MuParametrization.from_builder`.
    """
    if rule not in RULES:
        raise InputError("rule", f"must be one of {', '.join(RULES)}", rule)
    return MuParametrization.from_builder(build, base, delta, rule=RULES[rule]())


__all__ = [
    "RULES",
    "batch_named",
    "builder_named",
    "check_arguments",
    "model_content",
    "parametrization",
    "report_on",
]
