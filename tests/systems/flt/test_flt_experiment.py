"""The trial: what arms share, what is measured, the problems and their files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from holdfast.data.point_problems import OwnSets, own
from holdfast.data.point_sets import PointSets
from holdfast.errors import InputError
from holdfast.experiment import PerUnit, Scalar
from holdfast.metrics.determination import R2
from holdfast.systems.flt.experiment import ARMS, CHARGES, FLT, LINEAR, WITH, experiment
from holdfast.systems.flt.experiment.trials import Coordinates, Permuted, error_slope, trial
from holdfast.systems.flt.net import FLTAttention, FLTEncoder, FLTEncoderLayer, FourierRPE
from holdfast.systems.flt.problems import KernelMeans, Molecules
from holdfast.testing.runs import run_of
from holdfast.training.next_token import NextToken


def measured(arm, folder, problem=CHARGES):
    run = run_of(experiment, arm, problem, Path(folder))
    return {m.name: m.value for m in experiment.trial(run) if isinstance(m, Scalar)}


@pytest.mark.parametrize("arm", [name for name in ARMS if name not in (LINEAR, WITH, FLT)])
def test_every_arm_is_measured(arm, tmp_path):
    found = measured(arm, tmp_path)
    assert {"R2", "validation R2", "R2, larger cube"} <= set(found)
    assert ("error slope" in found) == (ARMS[arm].method.__class__.__name__ == "Transformer" and "FLT" in arm)
    assert all(math.isfinite(value) for value in found.values())


def test_targets_against_a_loop_and_centred_positions():
    problem = KernelMeans(size=7)
    sets = problem.sets(np.random.default_rng(0), 3)
    for s in range(3):
        assert sets.pos[s].mean(0).abs().max() < 1e-6
        for i in range(7):
            weights = [math.exp(-float((sets.pos[s, i] - r).square().sum()) / (2 * 0.25**2)) for r in sets.pos[s]]
            wanted = sum(w * float(c) for w, c in zip(weights, sets.x[s, :, 0], strict=True)) / sum(weights)
            assert float(sets.y[s, i]) == pytest.approx(wanted, abs=1e-4)
    assert set(sets.x.unique().tolist()) == {-1.0, 1.0}
    parts = problem.load(np.random.default_rng(1), 40, 30)
    assert [len(p) for p in (parts.train, parts.validation, parts.test, parts.larger)] == [40, 30, 30, 30]
    assert float(parts.larger.pos.std() / parts.test.pos.std()) == pytest.approx(1.5, rel=0.1)
    again = problem.load(np.random.default_rng(1), 40, 30)
    assert torch.equal(again.test.y, parts.test.y)


def test_arms_differ_in_what_they_see_alone():
    sets = KernelMeans(size=6).sets(np.random.default_rng(0), 4)
    with_inputs = Coordinates().seen(sets, 0)
    assert torch.equal(with_inputs.x[..., 1:], sets.pos)
    mixed = Permuted().seen(sets, 0)
    assert torch.equal(mixed.x, sets.x)
    assert not torch.equal(mixed.pos, sets.pos)
    assert torch.equal(mixed.pos.sort(1).values, sets.pos.sort(1).values)
    assert torch.equal(Permuted().seen(sets, 0).pos, mixed.pos)
    padded = PointSets(sets.pos, sets.x, sets.y, torch.arange(6).expand(4, -1) < 4)
    moved = Permuted().seen(padded, 0)
    assert torch.equal(moved.pos[:, 4:].sort(1).values, sets.pos[:, 4:].sort(1).values)


def test_the_error_falls_as_one_over_root_r():
    torch.manual_seed(0)
    rpe = FourierRPE(3, 16, heads=2)
    assert error_slope(rpe, torch.rand(20, 3), seed=0) == pytest.approx(-0.5, abs=0.1)


def own_table(path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((96, 3)), columns=["x", "y", "z"])
    frame.assign(
        sid=np.repeat(np.arange(16), 6), atomic_number=rng.integers(1, 9, 96), y_relaxed=rng.normal(size=96)
    ).to_parquet(path)
    return path


def test_own_sets_have_one_test_in_every_replicate(tmp_path):
    path = own_table(tmp_path / "p.parquet")
    problem = own([path], {"set": "sid", "pos": "x, y,z", "target": "y_relaxed"})
    assert problem == OwnSets(str(path), "sid", ("x", "y", "z"), "y_relaxed")
    one, other = (problem.load(np.random.default_rng(r), 1, 1) for r in range(2))
    assert one.test_id == other.test_id
    assert len(one.test_id) == 4
    assert torch.equal(one.validation.y, other.validation.y)
    assert not torch.equal(one.train.y, other.train.y)
    assert one.train.x.shape[2] == 1  # the number of the atom
    run = run_of(experiment, FLT, CHARGES, tmp_path)
    run.problem = problem
    found = list(trial(run))
    cases = next(m for m in found if isinstance(m, PerUnit))
    assert R2().of_cases(np.array(cases.values)) == pytest.approx(
        next(m.value for m in found if getattr(m, "name", "") == "R2")
    )
    assert cases.units == one.test_id
    for columns, message in (({"set": "sid"}, "pos=COLUMN"), ({"set": "x", "pos": "y", "target": "atomic_number"}, "")):
        if message:
            with pytest.raises(InputError, match=message):
                own([path], columns)
    pd.read_parquet(path).query("sid < 5").to_parquet(tmp_path / "few.parquet")
    with pytest.raises(InputError, match="at least 8 sets"):
        own([tmp_path / "few.parquet"], {"set": "sid", "pos": "x", "target": "y_relaxed"})


def test_molecules_are_read_from_what_the_conversion_writes(tmp_path, monkeypatch):
    assert not Molecules().available()
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    (tmp_path / "oc20_is2re").mkdir()
    for name in ("train", "val_id"):
        own_table(tmp_path / "oc20_is2re" / f"{name}.parquet")
    assert Molecules().available()
    parts = Molecules().load(np.random.default_rng(0), 1, 1)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (15, 1, 16)
    found = measured(FLT, tmp_path, "OC20 IS2RE")
    assert "R2" in found
    assert "R2, larger cube" not in found


def test_the_language_model_is_measured(tmp_path):
    for arm in (WITH, FLT):
        run = run_of(experiment, arm, "characters", tmp_path)
        found = {m.name: m.value for m in trial(run) if isinstance(m, Scalar)}
        assert set(found) == {"perplexity", "validation perplexity"}
        assert 1 < found["perplexity"] < 1000


def test_a_language_model_does_not_see_the_next_word():
    torch.manual_seed(0)
    attention = FLTAttention(16, 8, FourierRPE(1, 4, heads=8), 32, causal=True)
    learner = NextToken(11, 16, FLTEncoder([FLTEncoderLayer(attention, 16)]), torch.randn(12, 16), 1e-3)
    x = torch.randint(0, 11, (1, 9))

    def loss_of_first(ids):
        return learner.loss({"x": ids, "y": torch.tensor([[3, 1, 2, 0, *([-100] * 5)]])}, torch.Generator())[0]

    changed = x.clone()
    changed[0, 4:] = (changed[0, 4:] + 1) % 11
    assert torch.equal(loss_of_first(x), loss_of_first(changed))
