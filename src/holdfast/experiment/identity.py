"""What an experiment declares, as JSON: the identity that plans and runs keep."""

from __future__ import annotations

from typing import Any

from holdfast.canonical import canonical
from holdfast.experiment.declarations import Experiment


def declaration(experiment: Experiment, scale: str) -> dict[str, Any]:
    """Everything that a plan fixes, as JSON: arms and their search spaces, problems, metrics, claims, budget."""
    chosen = experiment.scales[scale]
    arms = chosen.arms if chosen.arms is not None else tuple(experiment.arms)
    problems = chosen.problems if chosen.problems is not None else tuple(experiment.problems)
    pairs = {(arm, problem) for arm in arms for problem in problems}
    claims = [claim for claim in experiment.claims if claim.readable(pairs, experiment, chosen)]
    return {
        "question": experiment.question,
        "scale": {k: v for k, v in canonical(chosen).items() if k != "points"},
        "arms": {name: canonical(experiment.arms[name], f"arm {name!r}") for name in arms},
        "problems": {name: canonical(experiment.problems[name]) for name in problems},
        "points": canonical(experiment.swept(chosen)),
        "metrics": canonical(experiment.metrics),
        "claims": [claim.declaration() for claim in claims],
        "tuning": canonical(experiment.tuning),
    }


__all__ = ["declaration"]
