"""Schedules against the reference's values, and the plateau."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.systems.large_step_sgd import LargeStepSchedule, LossStabilizationDetector
from holdfast.systems.large_step_sgd.method.schedule import Hold

VECTORS = Path(__file__).parents[2] / "vectors" / "large_step_sgd.npz"
RULES = {
    ("piecewise", 1.0): Hold(0.5, (10, 100), (0.75,)),
    ("piecewise", 1.05): Hold(0.5, (10, 100), (0.75,)),  # the reference warms only its longer holds up
    ("piecewise_05epochs", 1.0): Hold(0.5),
    ("piecewise_05epochs", 1.05): Hold(0.5, growth=1.05),
    ("piecewise_03epochs", 1.0): Hold(0.3, (10 / 0.6, 100 / 0.6)),  # its factor 0.6 where nothing warms up
    ("piecewise_03epochs", 1.05): Hold(0.3, growth=1.05),
}


@pytest.mark.parametrize(("name", "growth"), RULES)
def test_schedules_are_the_references(name, growth):
    with np.load(VECTORS) as saved:
        t, wanted = saved["sched_t"], saved[f"sched_{name}_exp{growth}"]
    np.testing.assert_allclose(0.75 * RULES[name, growth](t / 100), wanted, rtol=0, atol=1e-9)


def test_the_scheduler_gives_the_references_rates_and_goes_on_from_its_state():
    with np.load(VECTORS) as saved:
        t, wanted = saved["sched_t"], saved["sched_piecewise_05epochs_exp1.05"]

    def made():
        sgd = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=9.0)
        return sgd, LargeStepSchedule(sgd, peak=0.75 * 1.05**50, total_steps=1000)

    sgd, schedule = made()
    rates, state = [], None
    for step in range(1000):
        if step == 300:
            state = schedule.state_dict(), sgd.state_dict()
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        schedule.step()
    at = np.searchsorted(np.arange(1000) / 10, t)  # the first step that is not before
    rule = Hold(0.5, growth=1.05)
    np.testing.assert_allclose(rates, 0.75 * rule(np.arange(1000) / 1000), rtol=1e-12)
    np.testing.assert_allclose(np.array(rates)[at[at < 1000]], wanted[at < 1000], rtol=0.006)
    assert max(rates) < 0.75 * 1.05**50 * (1 + 1e-9)
    sgd, schedule = made()
    schedule.load_state_dict(state[0])
    sgd.load_state_dict(state[1])
    again = []
    for _ in range(700):
        again.append(sgd.param_groups[0]["lr"])
        sgd.step()
        schedule.step()
    assert again == rates[300:]


def test_a_ramp_starts_at_a_tenth_and_a_hold_of_all_never_decays():
    rule = Hold(1.0, (), (), ramp=0.5)
    assert rule(np.array([0.0, 0.25, 0.5, 0.99])).tolist() == pytest.approx([0.1, 0.55, 1.0, 1.0])
    assert Hold(0.5, growth=2.0).highest == 2.0**50


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"peak": 0.0}, "peak"),
        ({"warmup": 0.9}, "warmup"),
        ({"hold_frac": 0.0}, "hold_frac"),
        ({"decay": (10.0,)}, "decay"),
        ({"decay": (0.5, 10.0)}, "decay"),
        ({"last": 0.4}, "last"),
        ({"total_steps": 0}, "total_steps"),
    ],
)
def test_schedules_refuse(change, what):
    sgd = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    with pytest.raises(InputError, match=what):
        LargeStepSchedule(sgd, **{"peak": 1.0, "total_steps": 10, **change})


def test_a_plateau_is_two_windows_of_about_the_same_mean():
    hovers = LossStabilizationDetector(window=3, tol=0.1)
    falling = [2.0**-k for k in range(20)]
    assert not any(hovers.update(loss) for loss in falling)
    noisy = [1.0, 1.2, 0.8, 1.1, 0.9, 1.0]
    assert [hovers.update(loss) for loss in noisy] == [False] * 5 + [True]
    assert not hovers.update(float("nan"))
    just = LossStabilizationDetector(window=1, tol=0.25)
    assert [just.update(v) for v in (4.0, 3.0, 2.0)] == [False, True, False]
    for bad in ({"window": 0}, {"tol": 0.0}):
        with pytest.raises(InputError):
            LossStabilizationDetector(**bad)
