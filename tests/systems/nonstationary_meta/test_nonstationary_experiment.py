"""The experiment: every arm in the full configuration, what is shared, what is measured."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from holdfast.canonical import canonical
from holdfast.experiment import Artifact, Curve, PerUnit, Scalar
from holdfast.experiment.run import Run
from holdfast.ledger.freezing import configurations
from holdfast.systems.nonstationary_meta.experiment import experiment
from holdfast.systems.nonstationary_meta.experiment.arms import ARMS, Trained
from holdfast.systems.nonstationary_meta.experiment.declared import trial
from holdfast.systems.nonstationary_meta.experiment.judged import Judged, draw_sequences
from holdfast.systems.nonstationary_meta.problems import LONGER, PROBLEMS, SERIES
from holdfast.systems.nonstationary_meta.tool.predictors import predictor
from holdfast.trials.campaign import claims_about
from holdfast.trials.plan import applicable
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams

TINY = dataclasses.replace(experiment.scales["small"], steps=2, batch=4, length=8, sequences=12)


def measured(folder, arm, problem, scale=TINY, replicate=0):
    (folder / "out").mkdir(exist_ok=True, parents=True)
    run = Run(
        arm=ARMS[arm].method,
        arm_name=arm,
        problem=PROBLEMS[problem],
        problem_name=problem,
        point={},
        replicate=replicate,
        scale=scale,
        device="cpu",
        dir=folder / "out",
        streams=Streams(replicate, ARMS[arm].reseed),
        stages=Stages(folder / "stages"),
        report=lambda done, total: None,
    )
    return list(trial(run))


def scalars(measurements):
    return {m.name: m.value for m in measurements if isinstance(m, Scalar)}


def stages(folder, prefix):
    return [p.name for p in (folder / "stages").iterdir() if p.name.startswith(prefix)]


# -------------------------------------------------------------------------------------------------- configurations
@pytest.mark.parametrize("arm", [name for name, arm in ARMS.items() if isinstance(arm.method, Trained)])
def test_the_full_configuration_runs_in_small(tmp_path, arm):
    full = experiment.scales["full"]
    assert full.status == "not yet run"
    assert (full.length, full.batch, full.steps, full.lr, full.schedule) == (256, 128, 100_000, 1e-4, None)
    assert full.arms is None, "all arms, also those that take too long elsewhere"
    scale = dataclasses.replace(full, steps=1, batch=2, length=8, sequences=4, width=16)
    found = scalars(measured(tmp_path, arm, "ptw", scale))
    assert set(found) >= {"regret", "validation regret", "imitation error"}
    assert all(math.isfinite(value) for value in found.values())


def test_every_arm_has_as_many_configurations_and_networks_the_same_ones():
    assert experiment.tuning.configurations == 4
    tried = {
        name: configurations(name, arm, 4) for name, arm in ARMS.items() if arm.space
    }  # fmt: skip
    assert {"decayed KT", "window KT", "LSTM", "MLP window", "transformer, ALiBi"} <= set(tried)
    rates = {repr(sorted(c["lr"] for c in tried[name])) for name in tried if isinstance(ARMS[name].method, Trained)}
    assert rates == {"[0.001, 0.003, 0.01, 0.03]"}


def test_the_small_scale_decides_every_claim():
    """A claim whose arms and problems do not all meet would be left out of a run without a word."""
    small = experiment.scales["small"]
    assert claims_about(experiment, small, applicable(experiment, small)) == list(experiment.claims)


# ---------------------------------------------------------------------------------------------------------- sharing
def test_one_training_serves_all_problems_with_the_same_prior(tmp_path):
    for problem in ("ptw", "ptw->lin", *LONGER, "sunspots"):
        measured(tmp_path, "LSTM", problem)
    assert len(stages(tmp_path, "LSTM")) == 1
    for problem in ("lin", "lin->ptw"):
        measured(tmp_path, "LSTM", problem)
    assert len(stages(tmp_path, "LSTM")) == 2
    measured(tmp_path, "LSTM", "ptw", replicate=1)
    assert len(stages(tmp_path, "LSTM")) == 3


def test_all_arms_of_a_replicate_are_tested_on_the_same_sequences(tmp_path):
    before = None
    for arm in ("static KT", "PTW", "GRU", "LSTM, other seeds"):
        measured(tmp_path, arm, "ptw")
        before = before or stages(tmp_path, "sequences")
        assert len(before) == 2, "one set to test on, one to tune on"
        assert stages(tmp_path, "sequences") == before
    x, y = (draw_sequences("ptw", 8, 5, seed)["x"] for seed in (1, 2))
    assert not np.array_equal(x, y)


def test_other_seeds_are_other_networks(tmp_path):
    one, other = (scalars(measured(tmp_path, arm, "ptw"))["regret"] for arm in ("LSTM", "LSTM, other seeds"))
    assert one != other


# -------------------------------------------------------------------------------------------------------- measuring
def test_exact_arms_have_the_regret_of_their_predictions(tmp_path):
    found = scalars(measured(tmp_path, "static KT", "ptw->lin"))
    drawn = draw_sequences("lin", 8, 12, Streams(0).seed("split: test"))
    p, theta = np.exp(predictor("kt").log_probs(drawn["x"])), drawn["theta"]
    q = np.exp(predictor("lin").log_probs(drawn["x"]))
    total = above = 0.0
    for b in range(12):
        for t in range(8):
            for s, weight in ((0, 1 - theta[b, t]), (1, theta[b, t])):
                if weight > 0:
                    total += weight * (math.log(weight) - math.log(p[b, t, s])) / 12
                    above += weight * (math.log(q[b, t, s]) - math.log(p[b, t, s])) / 12
    assert found["regret"] == pytest.approx(total)
    assert found["regret above the optimum"] == pytest.approx(above)
    assert found["imitation error"] == pytest.approx(np.abs(p - q)[..., 1].mean())


def test_the_optimum_imitates_itself_and_leans_to_its_prior(tmp_path):
    found = scalars(measured(tmp_path, "PTW", "ptw"))
    assert (found["regret above the optimum"], found["imitation error"]) == (0, 0)
    assert found["log-odds correlation"] == pytest.approx(1)
    assert "leaning to its own prior" not in found
    ptw, lin = (scalars(measured(tmp_path, arm, "ptw->lin"))["leaning to its own prior"] for arm in ("PTW", "LIN"))
    assert ptw == pytest.approx(-lin)
    assert ptw > 0


def test_curves_end_at_the_scalars(tmp_path):
    found = measured(tmp_path, "decayed KT", "ptw, 4x length")
    curves = {m.name: m for m in found if isinstance(m, Curve)}
    assert len(curves["cumulative regret, nats"].x) == 32
    assert curves["cumulative regret, nats"].y[-1] == scalars(found)["regret"]
    assert curves["cumulative regret above the optimum, nats"].y[-1] == scalars(found)["regret above the optimum"]


@pytest.mark.parametrize("problem", [p for p in SERIES if PROBLEMS[p].source == "package"])
def test_bits_on_series_are_the_mean_over_cases(tmp_path, problem):
    for arm in ("PTW", "transformer, sin/cos"):
        found = measured(tmp_path, arm, problem)
        (per_unit,) = [m for m in found if isinstance(m, PerUnit)]
        assert scalars(found)["bits per symbol"] == pytest.approx(np.mean(per_unit.values), rel=1e-5)
        assert len(per_unit.values) // PROBLEMS[problem].block >= 6, "enough blocks for an interval"
        assert PROBLEMS[problem].fixed_test


def test_judged_distances_in_loops():
    rng = np.random.default_rng(0)
    p, q, r = rng.uniform(0.1, 0.9, (3, 4, 5))
    judged = Judged(*(np.log(np.stack([1 - a, a], -1)) for a in (p, q, r)), rng.uniform(size=(4, 5)))
    assert judged.imitation_error() == pytest.approx(np.mean(np.abs(p - q)))
    assert judged.leaning() == pytest.approx(np.mean(np.abs(p - q)) - np.mean(np.abs(p - r)))
    odds = [np.log(a / (1 - a)).ravel() for a in (p, q)]
    assert judged.log_odds_correlation() == pytest.approx(np.corrcoef(*odds)[0, 1])


def test_the_first_final_replicate_leaves_a_figure(tmp_path):
    found = [m for m in measured(tmp_path, "LSTM", "ptw", replicate=1000) if isinstance(m, Artifact)]
    assert [m.kind for m in found] == ["image"]
    assert (tmp_path / "out" / found[0].file).read_bytes().startswith(b"\x89PNG")
    assert "segments" in found[0].caption
    assert not [m for m in measured(tmp_path, "LSTM", "ptw", replicate=1001) if isinstance(m, Artifact)]


def test_arms_are_settings_only():
    assert torch.nn.Module not in {type(arm.method) for arm in ARMS.values()}
    assert len({repr(canonical(arm.method)) + str(arm.reseed) for arm in ARMS.values()}) == len(ARMS)
