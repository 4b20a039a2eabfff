"""The experiment on a user's own model: `holdfast run mutransfer --on model.json`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.experiment.claims import Parabola, Region, ShiftOfArgmin
from holdfast.experiment.claims.scales import Log2
from holdfast.own_model import own_function
from holdfast.systems.mutransfer.experiment.claims import CheaperTransfer, WiderIsBetter
from holdfast.systems.mutransfer.problems import OwnModel

NAME = "your model"
WIDTHS = (64, 128, 256)
RATES = tuple(2.0**k for k in range(-13, -3))


def on_own_model(declared: Experiment, paths: Sequence[Path]) -> Experiment:
    """The declared arms SP and muP on the model, widths and rates that a JSON file names.

    A user brings more than data here: what is swept, and so what is claimed, comes from the file too.

    Raises:
        InputError: the file is none of that kind.
    """
    if len(paths) != 1:
        raise InputError("--on", "must be one JSON file", " ".join(map(str, paths)))
    problem, extra = read_own(paths[0])
    widths = problem.widths or WIDTHS
    rates = problem.rates or RATES
    if len(widths) < 2 or len(rates) < 3:
        raise InputError(str(paths[0]), "must name at least two widths and three rates", f"{widths}, {rates}")
    problem = dataclasses.replace(problem, widths=widths, rates=rates)
    arms = {name: dataclasses.replace(declared.arms[name], problems=None) for name in ("SP", "muP")}
    changed: dict[str, Any] = {"arms": None, "problems": None, "base": widths[0], **extra}
    scale = dataclasses.replace(declared.scales["small"], **changed)
    common: dict[str, Any] = {"metric": "training loss", "on": NAME, "of": "rate", "along": "width"}
    common |= {"start": widths[0], "end": widths[-1]}
    smooth: dict[str, Any] = {"optimum": Parabola(values=Log2())}
    return dataclasses.replace(
        declared,
        question=f"Does the best learning rate of {problem.builder} stay where it is as the model widens?",
        problems={NAME: problem},
        arms=arms,
        metrics={"training loss": declared.metrics["training loss"]},
        scales=dict.fromkeys(declared.scales, scale),
        claims=(
            ShiftOfArgmin("muP", target=Region.within(1.0), role="headline", **common, **smooth),
            ShiftOfArgmin("SP", target=Region.within(1.0), **common, **smooth),
            CheaperTransfer("muP", than="SP", **common),
            WiderIsBetter("muP", margin=0.07, **common),
        ),
        points={"width": widths, "rate": rates},
        tuning=None,
        own=None,
    )


def read_own(path: Path) -> tuple[OwnModel, dict[str, int]]:
    """The model and data that a JSON file names, and the budget it sets.

    `{"builder": "module:function", "batch": "module:function", "folder": ".", "widths": [...], "rates": [...],
    "steps": 100, "batch_size": 32}`, all but the builder optional.

    Raises:
        InputError: it is no such file, or the functions cannot be imported.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        made = OwnModel(
            tuple(sorted(int(width) for width in content.get("widths", ()))),
            tuple(sorted(float(rate) for rate in content.get("rates", ()))),
            None,
            str(content["builder"]),
            str(content.get("batch", "")),
            str((path.parent / content.get("folder", ".")).resolve()),
        )
        budget = {"steps": int(content.get("steps", 60)), "batch": int(content.get("batch_size", 32))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        rule = 'must be a JSON file like {"builder": "module:function", "batch": "module:function"}'
        raise InputError(str(path), rule, f"{type(e).__name__}: {e}") from e
    for name, value in (*budget.items(), *(("widths", w) for w in made.widths), *(("rates", r) for r in made.rates)):
        if not value > 0:
            raise InputError(f"{path}: {name}", "must be positive", value)
    own_function(made.builder, made.folder)
    return made, budget


__all__ = ["on_own_model", "read_own"]
