"""What the arms of the experiment measure."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.data.solar_system import SolarSystem
from holdfast.experiment import Scalar
from holdfast.systems.orbital_mechanics.experiment import experiment
from holdfast.testing.runs import run_of


def measured(arm, folder):
    found = experiment.trial(run_of(experiment, arm, "solar system", folder))
    return {m.name: m.value for m in found if isinstance(m, Scalar)}


def test_ceilings_are_high_and_the_floor_is_low(tmp_path):
    known = measured("least squares", tmp_path)
    assert known["mass error"] < 1e-2
    assert known["acceleration error"] < 1e-6
    assert known["roll-out error"] < 1e-6
    assert measured("power law", tmp_path)["exponent error"] < 1e-4
    assert measured("pair terms", tmp_path)["acceleration error"] < 1e-3
    assert measured("persistence", tmp_path)["acceleration error"] > 0.1


def test_the_unweighted_fit_looks_at_the_same_network(tmp_path):
    one, other = (measured(arm, tmp_path) for arm in ("edge network", "edge network, unweighted"))
    assert one["acceleration error"] == other["acceleration error"]
    assert one["exponent error"] != other["exponent error"]
    assert other["exponent error"] == other["exponent error, unweighted"]
    seeds = measured("edge network, other seeds", tmp_path)
    assert seeds["acceleration error"] != one["acceleration error"]


def test_persistence_is_the_epoch_before(tmp_path):
    run = run_of(experiment, "persistence", "solar system", tmp_path)
    tracks = SolarSystem().load(np.random.default_rng(run.seed("split")), run.scale.epochs).split()[2]
    off = [
        np.sqrt(
            sum(((tracks.acc[t, n] - tracks.acc[t - 1, n]) ** 2).sum() for t in range(1, len(tracks.jd)))
            / (tracks.acc[1:, n] ** 2).sum()
        )
        for n in range(10)
    ]
    assert measured("persistence", tmp_path)["acceleration error"] == pytest.approx(np.mean(off))
