"""What a trial is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import toy_experiment
from holdfast.experiment import Scale
from holdfast.experiment.run import Run
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams


@pytest.fixture
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def run(tmp_path: Path, steps: list[tuple[int, int]]) -> Run:
    return Run(
        arm=None,
        arm_name="a",
        problem=toy_experiment.Draws(),
        problem_name="p",
        point={},
        replicate=5,
        scale=Scale(),
        device="cpu",
        dir=tmp_path,
        streams=Streams(5),
        stages=Stages(tmp_path),
        report=lambda done, total: steps.append((done, total)),
    )


def test_randomness_is_the_replicates(run: Run) -> None:
    assert run.seed("init") == Streams(5).seed("init")
    assert run.rng("init").random() == np.random.default_rng(run.seed("init")).random()
    assert run.generator("init").initial_seed() == run.seed("init")
    assert run.generator("init").device == torch.device("cpu")


def test_stages_take_keyword_arguments(run: Run, tmp_path: Path) -> None:
    kw = {"seed": 1, "size": 2, "log": str(tmp_path / "log")}
    assert (
        run.stage("w", toy_experiment.makes_world, **kw)["world"]
        == run.stage("w", toy_experiment.makes_world, **kw)["world"]
    ).all()
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def numbers() -> Iterator[int]:
    yield from range(3)


def test_progress_counts_what_was_done(run: Run, steps: list[tuple[int, int]]) -> None:
    expected = [(0, 3), (1, 3), (2, 3), (3, 3)]
    for items, total in ((range(3), None), (numbers(), None), (numbers(), 3)):
        steps.clear()
        assert list(run.progress(items, total)) == [0, 1, 2]
        assert steps == expected
    run.step(7, 9)
    assert steps[-1] == (7, 9)
