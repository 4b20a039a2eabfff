"""The experiment's worlds, its probe, and the loader, against loops and small files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import gegenbauer

from holdfast.errors import InputError
from holdfast.experiment import PerUnit, Scalar
from holdfast.systems.ssl_interplay.experiment import experiment, free_choice, own, probed, total_loss, trained
from holdfast.systems.ssl_interplay.method.spectrum import Moments, eigenpairs
from holdfast.systems.ssl_interplay.problems import (
    Arrays,
    Digits,
    HalfMoons,
    ReluFeatures,
    Sphere,
    Task,
    gegenbauer_mean,
    own_arrays,
)
from holdfast.testing.runs import run_of


def test_targets_of_the_sphere_are_means_over_shifts():
    x = Sphere(train=5, validation=2, test=2).draw(np.random.default_rng(0)).probe
    for degree, shifts in ((1, (0, 1, -1)), (3, range(8))):
        polynomial = gegenbauer(degree, 3)
        by_hand = [np.mean([polynomial(row[(0 - s) % 8]) for s in shifts]) for row in x]
        assert np.allclose(gegenbauer_mean(x, degree, shifts), by_hand)


def test_the_sphere_has_shifted_views_and_three_parts():
    task = Sphere(train=6, validation=4, test=3).draw(np.random.default_rng(0))
    assert np.allclose(np.linalg.norm(task.views, axis=2), 1)
    for i in range(6):
        assert task.views[i, 1].tolist() == [*task.probe[i, -1:], *task.probe[i, :-1]]
        assert task.views[i, 2].tolist() == [*task.probe[i, 1:], *task.probe[i, :1]]
    assert [len(y["y3"]) for y in (task.probe_y, task.validation_y, task.test_y)] == [6, 4, 3]


def test_half_moons_lift_the_right_half_and_number_quarters():
    task = HalfMoons(noise=0.0, test=200).draw(np.random.default_rng(0))
    x, quarter = task.test, task.test_y["quarter"].argmax(1)
    lifted = x - np.where(x[:, :1] > 0, [[0, 1]], 0)
    assert np.allclose(np.linalg.norm(lifted, axis=1), 1)
    angle = np.arctan2(lifted[:, 1], lifted[:, 0]) % (2 * np.pi)
    assert quarter.tolist() == [int(a // (np.pi / 2)) for a in angle]
    assert np.allclose(task.views[:, 0], task.views[:, 1])


def test_views_of_digits_are_shifted_by_a_pixel_at_most():
    problem = Digits(noise=0.0, views=2)
    images = np.random.default_rng(0).random((5, 8, 8))
    found = problem.shifted(images, np.random.default_rng(1)).reshape(5, 2, 8, 8)
    for image, drawn in zip(images, found, strict=True):
        shifted = []
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                moved = np.zeros((8, 8))
                for i in range(8):
                    for j in range(8):
                        if 0 <= i - down < 8 and 0 <= j - right < 8:
                            moved[i, j] = image[i - down, j - right]
                shifted.append(moved)
        for view in drawn:
            assert any(np.allclose(view, moved) for moved in shifted)


def test_the_probe_is_ridge_with_the_penalty_that_validates_best():
    rng = np.random.default_rng(0)
    phi = [rng.normal(size=(n, 4)) for n in (12, 30, 30)]
    true = rng.normal(size=(4, 2))
    y = [{"t": p @ true + 0.5 * rng.normal(size=(len(p), 2))} for p in phi]
    found = probed(phi, Task(np.zeros((1, 2, 1)), *phi, *y), "t")
    tried = []
    for penalty in np.logspace(-5, 0, 10):
        w = np.linalg.solve(phi[0].T @ phi[0] + 12 * penalty * np.eye(4), phi[0].T @ y[0]["t"])
        errors = [((p @ w - t["t"]) ** 2).sum() / (t["t"] ** 2).sum() for p, t in zip(phi[1:], y[1:], strict=True)]
        tried.append((*errors, phi[2] @ w))
    best = min(tried, key=lambda row: row[0])
    assert found[:2] == pytest.approx(best[:2])
    assert np.allclose(found[2], best[2])
    nothing = [p[:, :0] for p in phi]
    assert probed(nothing, Task(np.zeros((1, 2, 1)), *phi, *y), "t")[:2] == (1.0, 1.0)


@pytest.mark.parametrize(("active", "wanted"), [([4, 4, 3, 4, 1], 3), ([3, 2, 1], 0), ([4, 4], 1)])
def test_the_choice_without_labels_keeps_all_features(active, wanted):
    assert free_choice(active, 4) == wanted


def test_gradients_find_the_closed_form():
    problem = ReluFeatures(inputs=30, features=12, k=3)
    views = problem.draw(np.random.default_rng(0))
    flat = views.reshape(90, -1)
    pairs = eigenpairs(Moments.of([(flat, np.repeat(np.arange(30), 3))]), problem.reg, 3)
    start = 0.1 * torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = trained(torch.from_numpy(views), problem.reg, start, 500)
    assert float(total_loss(torch.from_numpy(views), found, problem.reg)) == pytest.approx(pairs.minimum(), abs=1e-9)
    w = pairs.solution()
    assert np.allclose(flat @ found.numpy() @ found.numpy().T @ flat.T, flat @ w @ w.T @ flat.T, atol=1e-4)


@pytest.mark.parametrize("arm", ["interplay", "interplay, views shuffled", "kernel PCA", "Laplacian", "kernel ridge"])
def test_trials_on_the_sphere_yield_what_claims_read(arm, tmp_path):
    run = run_of(experiment, arm, "sphere", tmp_path)
    run.problem = Sphere(train=40, validation=50, test=50, k=6)
    found = {m.name: m.value for m in experiment.trial(run) if isinstance(m, Scalar)}
    assert found["error, y1"] >= 0
    assert ("best lambda, y3" in found) == arm.startswith("interplay")
    if arm == "interplay":
        assert found["largest rise of the rank"] <= 0


def test_shuffled_views_are_those_of_other_inputs(tmp_path):
    from holdfast.systems.ssl_interplay.experiment import closed_form

    task = Sphere(train=40, validation=5, test=5, k=4).draw(np.random.default_rng(0))
    kept = task.views.copy()
    runs = {
        name: run_of(experiment, name, "sphere", tmp_path / name[-8:])
        for name in ("interplay", "interplay, views shuffled")
    }
    whole, broken = (closed_form(run.arm, run.problem, task, run)[0][1][0] for run in runs.values())
    assert np.array_equal(task.views, kept)
    assert whole.shape != broken.shape or not np.allclose(np.abs(whole), np.abs(broken), atol=1e-2)


def arrays(path, n=24, m=2, **change):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    x = np.eye(3)[y][:, None] * 3 + 0.1 * rng.normal(size=(n, m, 3))
    held = {"X": x.reshape(-1, 3), "groups": np.repeat(np.arange(n) * 7, m), "y": np.repeat(y, m)}
    np.savez(path, **{**held, **change})
    return path


def test_arrays_of_a_user_are_divided_by_inputs(tmp_path):
    problem = own_arrays([arrays(tmp_path / "mine.npz")])
    assert problem.available()
    task = problem.draw(np.random.default_rng(0))
    assert task.views.shape == (12, 2, 3)
    assert [len(p) for p in (task.probe, task.validation, task.test)] == [3, 3, 6]
    for part, y in ((task.probe, task.probe_y), (task.test, task.test_y)):
        assert (part.argmax(1) == y["class"].argmax(1)).all()
    seen = {tuple(row) for row in task.views.reshape(-1, 3)}
    assert not seen & {tuple(row) for row in np.concatenate([task.probe, task.validation, task.test])}


def test_a_trial_runs_on_arrays_of_a_user(tmp_path):
    run = run_of(experiment, "interplay", "sphere", tmp_path)
    run.problem = Arrays(str(arrays(tmp_path / "mine.npz", n=120)), k=4)
    cases = [m for m in experiment.trial(run) if isinstance(m, PerUnit)]
    assert np.mean(cases[0].values) > 90


@pytest.mark.parametrize(
    "change",
    [{"y": np.zeros(3, int)}, {"groups": np.zeros((48, 1))}, {"groups": np.arange(48)}, {"X": np.zeros(48)}],
)
def test_arrays_that_do_not_fit_are_refused(change, tmp_path):
    with pytest.raises(InputError, match=r"mine\.npz"):
        own_arrays([arrays(tmp_path / "mine.npz", **change)]).draw(np.random.default_rng(0))
    with pytest.raises(InputError, match="--on"):
        own_arrays([tmp_path / "mine.csv"])


def test_claims_about_rows_of_a_user_are_about_their_accuracy(tmp_path):
    found = own([arrays(tmp_path / "mine.npz", n=120)], {})
    assert list(found.problems) == ["your rows"]
    assert {claim.metric for claim in found.claims} == {"accuracy"}
    assert [claim.role for claim in found.claims].count("headline") == 1
    for claim in found.claims:
        claim.check(found)
