from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import InputError
from holdfast.testing.runs import run_of
from holdfast.trials.campaign import Campaign
from holdfast.trials.plan import ExperimentSource
from toy_system import ToySystem


def test_a_trial_by_hand_gives_the_runners_numbers(toy: ToySystem, tmp_path: Path) -> None:
    experiment = toy.system.experiment
    results = Campaign(ExperimentSource(toy.name), "smoke", tmp_path / "run", first=0).run()
    for record in results.finished:
        run = run_of(experiment, record.arm, record.problem, tmp_path / record.arm)
        scalars = {m.name: m.value for m in experiment.trial(run) if type(m).__name__ == "Scalar"}
        assert scalars == record.scalars
    tuned = run_of(experiment, "good", "p", tmp_path / "tuned", replicate=7, settings={"bonus": 1.0})
    assert (tuned.arm.bonus, tuned.replicate, tuned.dir.is_dir()) == (1.0, 7, True)


@pytest.mark.parametrize(("name", "value"), [("arm", "best"), ("problem", "q"), ("scale", "huge")])
def test_what_is_not_declared_is_named(toy: ToySystem, tmp_path: Path, name: str, value: str) -> None:
    asked = {"arm": "good", "problem": "p", "scale": "smoke", name: value}
    with pytest.raises(InputError, match=f"^{name}: must be one of"):
        run_of(toy.system.experiment, asked["arm"], asked["problem"], tmp_path, scale=asked["scale"])
