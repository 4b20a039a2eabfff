"""One trial, from its task to its record."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import toy_experiment
from holdfast.experiment import Record
from holdfast.trials.execute import Task, _import_numerics, execute
from holdfast.trials.plan import ExperimentSource, plan

TOY = ExperimentSource("toy_experiment:experiment")
Do = Callable[..., Record]


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture
def do(tmp_path: Path) -> Do:
    """Executes an arm's trial here."""

    def do(arm: str, replicate: int = 1000, scale: str = "smoke", report: Any = quiet, problem: str = "p") -> Record:
        (trial,) = plan(TOY, scale, [replicate], pairs=[(arm, problem)])
        return execute(Task(TOY, scale, trial, tmp_path), report)

    return do


def test_every_kind_of_measurement(do: Do, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    record = do("everything", report=lambda done, total: steps.append((done, total)))
    assert record.error == ""
    assert (record.arm, record.problem, record.replicate, record.status) == ("everything", "p", 1000, "ok")
    assert record.scalars == {"score": 0.5}
    assert record.curves == {"path": {"x": [0.0, 1.0], "y": [1.0, None], "x_label": "step"}}
    assert record.per_unit == {"score": {"values": [1.0, 2.0], "units": [7, 8]}}
    (artifact,) = record.artifacts
    assert (tmp_path / artifact["file"]).read_text() == "x + 1"
    assert artifact == {**artifact, "name": "formula", "kind": "text", "caption": "what was found"}
    assert set(record.cost) == {"tokens", "seconds", "peak_bytes"}
    assert record.cost["tokens"] == 12
    assert record.cost["peak_bytes"] > 10 * toy_experiment.MEGABYTE
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert json.loads(json.dumps(dataclasses.asdict(record), allow_nan=False)) == dataclasses.asdict(record)


@pytest.mark.parametrize(
    ("arm", "error"),
    [
        ("undeclared", "Scalar 'scoer': must be one of the metrics ['score']; received scoer"),
        ("not_a_number", "Scalar 'score': must be a finite number; received nan"),
        ("twice", "Scalar 'score': may be yielded once per trial; received 2.0"),
        ("own_seconds", "Cost 'seconds': is measured by the runner; choose another name; received seconds"),
        ("escapes", "Artifact 'outside': must be a file inside run.dir; received ../outside.txt"),
        ("uneven_curve", "Curve 'path': needs one y per x; received 3 and 2"),
        ("uneven_units", "PerUnit 'score': needs one unit per value; received 1 and 2"),
        ("yields_a_number", "what trial yields: must be a Scalar, Curve, PerUnit, Artifact or Cost; received float"),
        ("refuses", "steps: must be positive; received 0"),
        (
            "constant that draws",
            "arm: is declared deterministic and may not draw random numbers; received stream 'init'",
        ),
    ],
)
def test_what_breaks_a_rule_is_a_failed_record_that_says_so(do: Do, arm: str, error: str) -> None:
    record = do(arm)
    assert (record.status, record.error) == ("failed", error)
    assert record.scalars == {}


def test_an_exception_leaves_the_end_of_its_traceback_and_no_files(do: Do, tmp_path: Path) -> None:
    record = do("raises")
    assert record.status == "failed"
    assert record.error.startswith("Traceback")
    assert 'raise RuntimeError("told to fail")' in record.error
    assert record.error.splitlines()[-1] == "RuntimeError: told to fail"
    assert record.cost["seconds"] >= 0
    assert not list((tmp_path / "artifacts").iterdir())


def test_a_trial_that_leaves_ends_itself_only(do: Do) -> None:
    assert do("leaves").error.splitlines()[-1] == "SystemExit: 4"


def test_ctrl_c_passes_through(do: Do) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do("everything", report=interrupt)


def test_files_of_an_earlier_try_are_gone(do: Do, tmp_path: Path) -> None:
    key = do("good").key
    left = tmp_path / "artifacts" / key[:16] / "left.txt"
    left.parent.mkdir(parents=True)
    left.write_text("by a try that was killed")
    assert do("good").status == "ok"
    assert not left.parent.exists()


def test_arms_share_the_replicates_randomness(do: Do) -> None:
    score = {(arm, r): do(arm, r).scalars["score"] for arm in ("good", "bad", "bad, other seeds") for r in (1, 2)}
    assert score["good", 1] - score["bad", 1] == pytest.approx(2)
    assert score["good", 1] != score["good", 2]
    assert score["bad, other seeds", 1] != score["bad", 1]
    assert do("good", 1, problem="q").scalars["score"] == pytest.approx(score["good", 1] + 1)
    assert do("good", 1).scalars == {"score": score["good", 1]}


def test_libraries_draw_from_the_replicate_and_the_callers_state_is_kept(do: Do) -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    expected = random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    first = do("draws_from_libraries")
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected  # noqa: NPY002
    assert do("draws_from_libraries").scalars == first.scalars
    assert do("draws_from_libraries", 1001).scalars != first.scalars


def test_threads_are_the_scales_and_then_the_callers(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def look(run: Any) -> Any:
        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        seen.append((torch.get_num_threads(), max(blas)))
        yield from toy_experiment.raises(run) if run.replicate == 1 else toy_experiment.constant(run)

    before = torch.get_num_threads(), threadpool_info()
    made = dataclasses.replace(toy_experiment.experiment, trial=look)
    monkeypatch.setattr(ExperimentSource, "load", lambda _: made)
    for scale, replicate in (("smoke", 0), ("two threads", 0), ("two threads", 1)):
        do("good", replicate, scale)
    assert seen == [(1, 1), (2, 2), (2, 2)]
    assert (torch.get_num_threads(), threadpool_info()) == before


def test_a_stage_is_computed_once_and_costs_neither_time_nor_memory_of_its_own(do: Do, tmp_path: Path) -> None:
    one, two = do("shares"), do("shares too")
    assert one.error == two.error == ""
    assert len((tmp_path / "calls.log").read_text().splitlines()) == 1
    assert two.scalars["score"] - one.scalars["score"] == pytest.approx(1)
    assert one.cost["after"] == two.cost["after"]  # drawn after the stage, in the one that computed it too
    assert one.cost["shared_seconds"] >= 0.6
    assert "shared_seconds" not in two.cost
    assert one.cost["seconds"] < 0.6
    assert one.cost["peak_bytes"] < two.cost["peak_bytes"] + 100 * toy_experiment.MEGABYTE


def test_libraries_that_the_experiment_imports_are_there_before_its_trials() -> None:
    imported: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdfast.trials.execute.importlib.import_module", imported.append)
        _import_numerics("toy_experiment")
        assert imported == ["numpy"]
        _import_numerics("holdfast.training")
        assert {"numpy", "torch"} <= set(imported)


def test_what_is_no_exception_is_a_failed_record_too(do: Do, tmp_path: Path) -> None:
    record = do("raises_strangely")
    assert record.status == "failed"
    assert record.error.endswith("Strange: neither fish nor fowl")
    assert list((tmp_path / "artifacts").iterdir()) == []
