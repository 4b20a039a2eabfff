"""Arms, trial, cropped images, CIFAR-10H."""

import pickle

import numpy as np
import pytest
import torch

from holdfast.data.cifar import read_cifar10h
from holdfast.data.digits import mnist5k, resize
from holdfast.errors import InputError
from holdfast.systems.mcinfonce import ProbabilisticHead, VMFWorld
from holdfast.systems.mcinfonce.experiment import (
    ARMS,
    BASELINES,
    BEST,
    Budget,
    Density,
    PairLearner,
    PreNorm,
    Spread,
    experiment,
    points,
    shuffled,
    summed,
    trial,
)
from holdfast.systems.mcinfonce.problems import Cifar10H, CroppedImages, HumanLabels, KnownPosteriors
from holdfast.testing.runs import run_of

X = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def head():
    torch.manual_seed(0)
    return ProbabilisticHead(6, 3, "network", width=8).calibrate(X)


def test_trials_yield_what_is_declared(tmp_path):
    found = {m.name: m.value for m in trial(run_of(experiment, "MCInfoNCE", "known posteriors", tmp_path))}
    assert set(found) == set(experiment.metrics)
    norm = {m.name for m in trial(run_of(experiment, BEST, "known posteriors", tmp_path))}
    assert norm == set(experiment.metrics) - {"mean cosine error", "coverage"}


def test_scores_written_out():
    net, rng = head(), torch.Generator().manual_seed(0)
    torch.testing.assert_close(PreNorm(sign=-1).score(net, X, rng), -net.mu_net(X).norm(dim=1))
    mu = net.direction(X).detach()
    nearest = [sorted((float(mu[i] @ mu[j]) for j in range(40) if j != i), reverse=True)[:4] for i in range(40)]
    torch.testing.assert_close(Density(neighbours=4).score(net, X, rng), torch.tensor(nearest).mean(1))
    still = Spread(noise=0.0).score(net, X, rng)
    torch.testing.assert_close(still, torch.ones(40))
    assert bool((Spread(noise=0.5).score(net, X, rng) < still).all())
    assert bool((Spread(noise=0.5, sign=-1).score(net, X, rng) < 0).all())


def test_a_phase_trains_one_network():
    scale, world = Budget(batch=16), VMFWorld(0)
    for of_mu in (True, False):
        net = head()
        learner = PairLearner(net, world, summed(KnownPosteriors(), scale), scale, of_mu, 1e-3)
        learner.loss({}, torch.Generator().manual_seed(0))[0].backward()
        trained, other = (net.mu_net, net.kappa_net) if of_mu else (net.kappa_net, net.mu_net)
        assert all(p.grad is not None and bool((p.grad != 0).any()) for p in trained.parameters())
        assert all(p.grad is None for p in other.parameters())


def test_points_have_no_kappa_and_shuffling_moves_positives_alone():
    scale, world, net = Budget(batch=16), VMFWorld(0), head()
    rng = torch.Generator()
    values = []
    for factor in (1.0, 3.0):
        net.shift.mul_(factor)
        learner = PairLearner(net, world, points(KnownPosteriors(), scale), scale, True, 1e-3)
        values.append(float(learner.loss({}, rng.manual_seed(1))[0].detach()))
    assert values[0] == values[1]
    pairs = world.pairs(8, 2, rng)
    moved = shuffled(pairs)
    assert torch.equal(moved.pos[1:], pairs.pos[:-1])
    assert moved.ref is pairs.ref
    assert moved.neg is pairs.neg


def test_the_headline_has_the_strongest_baseline_and_a_broken_variant():
    headline = next(c for c in experiment.claims if c.role == "headline")
    assert headline.margin == 0.2
    assert set(headline.arms) == {"MCInfoNCE", BEST}
    assert {"HIB", "ELK", "constant kappa", *BASELINES} <= set(ARMS)
    controls = [c for c in experiment.claims if c.role == "control"]
    assert {tuple(c.arms) for c in controls} == {
        ("shuffled positives", BEST), ("MCInfoNCE", "MCInfoNCE, other seeds"),
    }  # fmt: skip


def test_constant_kappa_is_one_number(tmp_path):
    found = {m.name: m.value for m in trial(run_of(experiment, "constant kappa", "known posteriors", tmp_path))}
    assert found["kappa rank"] == 0


def test_windows_are_parts_of_the_image():
    images, labels = mnist5k()
    world = CroppedImages(resize(images[:60], 14), labels[:60], torch.arange(60) % 5 > 0)
    rows = torch.arange(60)
    whole = CroppedImages(resize(images[:60], 14), labels[:60], world.train, low=1.0)
    x, side = whole.windows(rows, torch.Generator().manual_seed(0))
    torch.testing.assert_close(x.view(60, 1, 14, 14), whole.images, atol=1e-5, rtol=0)
    assert bool((side == 1).all())
    x, side = world.windows(rows, torch.Generator().manual_seed(0))
    assert x.shape == (60, 196)
    assert 0.25 <= float(side.min()) < 0.35
    assert 0.9 < float(side.max()) <= 1


def test_pairs_of_images_are_of_one_class_and_of_the_training_part():
    labels = torch.arange(50) % 5
    images = torch.stack([torch.full((1, 4, 4), float(i)) for i in range(50)])
    train = torch.arange(50) < 40
    world = CroppedImages(images, labels, train, low=1.0)
    ref, pos, neg = world.pairs(200, 3, torch.Generator().manual_seed(0))
    number = [part[..., 0].round().long() for part in (ref, pos, neg)]
    assert max(int(n.max()) for n in number) < 40
    assert torch.equal(labels[number[0]], labels[number[1]])
    assert bool((labels[number[2]] != labels[number[0]][:, None]).all())
    assert float(world.rows(100, torch.Generator().manual_seed(0))[0].min()) >= 39.9


def write_cifar10h(folder, shares, images=6):
    (folder / "cifar-10-batches-py").mkdir(exist_ok=True)
    data = np.arange(images * 3072).reshape(images, 3072) % 255
    content = {b"data": data.astype(np.uint8), b"labels": [i % 10 for i in range(images)]}
    (folder / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(content))
    np.save(folder / "cifar10h-probs.npy", shares)


def test_cifar10h_in_the_published_form(tmp_path, monkeypatch):
    shares = np.eye(10)[:6]
    shares[2] = 0.1
    (tmp_path / "mcinfonce").mkdir()
    write_cifar10h(tmp_path / "mcinfonce", shares)
    images, found = read_cifar10h(tmp_path / "mcinfonce")
    assert images.pixels.shape == (6, 3, 32, 32)
    np.testing.assert_array_equal(found, shares)
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    assert Cifar10H().available()
    world = Cifar10H().world(0)
    assert isinstance(world, HumanLabels)
    assert world.agreement.argmin() == 2
    assert float(world.agreement[2]) == pytest.approx(-np.log(10), rel=1e-5)
    x, clear = world.rows(4, torch.Generator().manual_seed(0))
    assert x.shape == (4, 3072)
    assert bool((clear == 0).all())


@pytest.mark.parametrize(
    ("shares", "named"),
    [
        (np.eye(10)[:5], "row for each of 6"),
        (np.eye(9)[:6], "N, 10"),
        (np.ones((6, 10)), "sum to 1"),
        (np.eye(10, dtype=int)[:6], "floats"),
    ],
)
def test_other_files_are_refused(tmp_path, shares, named):
    write_cifar10h(tmp_path, shares)
    with pytest.raises(InputError, match=named):
        read_cifar10h(tmp_path)
