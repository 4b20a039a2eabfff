"""The experiment on a user's own pairs: which migrator suits these vectors, and what recall is to be expected?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.experiment import Arm, Experiment
from holdfast.experiment.claims import Better, Claim
from holdfast.systems.fct.fitters import default_batch, default_width
from holdfast.systems.fct.ownpairs import OwnPairs
from holdfast.systems.fct.recipes import AsTheyAre, Budget, Chosen, Linear, Migrated, Rotated, Transformed

NAME = "your data"
RATES = (2e-3, 5e-3)  # the first is what `fit` uses
PENALTIES = (None, 1.0)


def on_own_pairs(declared: Experiment, paths: Sequence[Path]) -> Experiment:
    """Every migrator that fits the vectors of a file, tuned on its validation part inside each trial.

    Raises:
        InputError: not exactly one path; what `OwnPairs` raises.
    """
    if len(paths) != 1:
        raise InputError("--on", "must be one parquet or npz file with old and new", " ".join(map(str, paths)))
    problem = OwnPairs(str(paths[0]))
    pairs = problem.read()
    same, side = pairs["old"].shape[1] == pairs["new"].shape[1], "side" in pairs
    arms = {"old/old": Arm(AsTheyAre("old", "old"), about="nothing changes: the old model alone")}
    if same:
        arms["raw new/old"] = Arm(AsTheyAre("new", "old"), about="new queries on the old gallery as it is")
        arms["procrustes"] = _chosen("a rotation and one scale", Rotated())
    arms["ridge"] = _chosen("a linear map", *(Linear(penalty=p) for p in PENALTIES))
    arms["mlp"] = _chosen("the paper's h", *(Transformed(lr=lr) for lr in RATES))
    if side:
        arms["ridge + side"] = _chosen(
            "a linear map with your side-information", *(Linear("own", p) for p in PENALTIES)
        )
        arms["mlp + side"] = _chosen("h with your side-information", *(Transformed("own", lr) for lr in RATES))
    width, fit = default_width(pairs["new"].shape[1]), problem.sizes()["fit"]  # h as `holdfast fct fit` would train it
    names = ("recall@10", "validation score", *(("mAP", "top-1", "top-5") if "label" in pairs else ()))
    scales = {
        "smoke": Budget(replicates=1, epochs=2, inner=16, rows=200),
        "demo": Budget(epochs=20, batch=default_batch(min(2000, fit)), inner=width, rows=2000),
        "small": Budget(epochs=20, batch=default_batch(fit), inner=width),
        "full": Budget(inner=2048, epochs=80, batch=1024, slow=True),
    }
    return dataclasses.replace(
        declared,
        question="Which migrator suits these vectors, and what recall is to be expected?",
        problems={NAME: problem},
        arms=arms,
        metrics={name: declared.metrics[name] for name in names},
        scales=scales,
        claims=_claims(same=same, side=side),
        tuning=None,
        own=None,
        benefit="recall@10",
    )


def _claims(*, same: bool, side: bool) -> tuple[Claim, ...]:
    asked: dict[str, Any] = {"metric": "recall@10", "on": NAME}
    claims: list[Claim] = [
        Better("mlp", than="ridge", role="headline", **asked),
        Better(
            "ridge", than="old/old", text="migrating by a linear map is better than staying with the old model", **asked
        ),
    ]
    if same:
        claims.append(Better("ridge", than="procrustes", **asked))
    if side:
        claims += [Better("mlp + side", than="mlp", **asked), Better("ridge + side", than="ridge", **asked)]
        claims.append(Better("mlp + side", than="ridge + side", **asked))
    return tuple(claims)


def _chosen(about: str, *candidates: Migrated) -> Arm:
    return Arm(Chosen(candidates), about=about)


__all__ = ["NAME", "on_own_pairs"]
