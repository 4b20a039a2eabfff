"""h and its losses: parity with the reference, explicit forms, gradients, the schedule of training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.fct import (
    MLP,
    ForwardTransform,
    TransformTraining,
    UncertaintyHead,
    row_errors,
    train_transform,
    transform_loss,
    uncertainty_loss,
)
from holdfast.systems.fct.tool.training import TransformLearner
from holdfast.systems.fct.tool.transform import FoldedTransform, TransformMap

VECTORS = np.load(Path(__file__).parents[2] / "vectors" / "fct.npz")


@pytest.fixture
def reference() -> ForwardTransform:
    return ForwardTransform.from_reference(
        {name[3:]: torch.from_numpy(VECTORS[name]) for name in VECTORS if name.startswith("sd/")}
    )


def test_h_agrees_with_the_reference(reference) -> None:
    out = reference(torch.from_numpy(VECTORS["old"]), torch.from_numpy(VECTORS["side"]))
    assert np.abs(out.detach().numpy() - VECTORS["out"]).max() <= 1e-6


def test_h_is_its_layers_written_out(reference) -> None:
    """Explicit: linear, (x - mean) / sqrt(var + eps) * weight + bias, maximum with 0."""
    state = {name: value.double().numpy() for name, value in reference.state_dict().items()}

    def block(x, name):
        z = x @ state[f"{name}.linear.weight"].T
        z = (z - state[f"{name}.norm.running_mean"]) / np.sqrt(state[f"{name}.norm.running_var"] + 1e-5)
        return np.maximum(z * state[f"{name}.norm.weight"] + state[f"{name}.norm.bias"], 0)

    one = block(block(VECTORS["old"], "p1.0"), "p1.1")
    two = block(block(VECTORS["side"], "p2.0"), "p2.1")
    hidden = block(block(np.concatenate([one, two], 1), "mixer.0"), "mixer.1")
    out = hidden @ state["mixer.2.weight"].T + state["mixer.2.bias"]
    assert np.abs(out - VECTORS["out"]).max() < 1e-6


def test_without_side_information_the_old_embedding_is_fed_twice() -> None:
    torch.manual_seed(0)
    plain, twice = ForwardTransform(6, 5, inner_dim=8).eval(), ForwardTransform(6, 5, 6, inner_dim=8).eval()
    twice.load_state_dict(plain.state_dict())
    x = torch.randn(4, 6)
    assert torch.equal(plain(x), twice(x, x))


def test_side_information_is_asked_for_and_refused() -> None:
    with pytest.raises(InputError, match="side: must be given"):
        ForwardTransform(6, 5, 4, 8)(torch.zeros(2, 6))
    with pytest.raises(InputError, match="side: must not be given"):
        ForwardTransform(6, 5, None, 8)(torch.zeros(2, 6), torch.zeros(2, 4))
    with pytest.raises(InputError, match="state"):
        ForwardTransform.from_reference({"p1.0.conv.weight": torch.zeros(2, 2, 1, 1)})


def test_gradient_reaches_every_parameter_and_nothing_else() -> None:
    torch.manual_seed(0)
    h, head = ForwardTransform(6, 5, 4, 8), UncertaintyHead(8)
    old, side, new = torch.randn(32, 6, requires_grad=True), torch.randn(32, 4), torch.randn(32, 5)
    classifier = torch.randn(3, 5, requires_grad=True)
    training = TransformTraining(label_weight=1.0)
    learner = TransformLearner(h, training, head, None)
    learner.classifier = classifier
    learner.loss({"old": old, "side": side, "new": new, "label": torch.arange(32) % 3}, torch.Generator())[0].backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in learner.parameters())
    assert classifier.grad is None


def test_losses_are_their_sums_written_out() -> None:
    rng = np.random.default_rng(0)
    a, b, w = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    labels, s, bias = [0, 4, 2, 2], rng.normal(size=4), rng.normal(size=5)
    mse = sum((a[i, j] - b[i, j]) ** 2 for i in range(4) for j in range(3)) / 12
    assert float(transform_loss(torch.tensor(a), torch.tensor(b))) == pytest.approx(mse, abs=1e-12)
    errors = []
    for i in range(4):
        z = [(sum(w[k, j] * a[i, j] for j in range(3)) + bias[k]) / 0.7 for k in range(5)]
        ce = math.log(sum(math.exp(v) for v in z)) - z[labels[i]]
        errors.append(sum((a[i, j] - b[i, j]) ** 2 for j in range(3)) + 0.3 * ce)
    found = row_errors(
        torch.tensor(a), torch.tensor(b), torch.tensor(labels), torch.tensor(w), torch.tensor(bias), 0.3, 0.7
    )
    assert np.allclose(found, errors, atol=1e-12)
    total = sum(math.exp(-s[i]) * errors[i] + s[i] for i in range(4)) / 4
    assert float(uncertainty_loss(torch.tensor(errors), torch.tensor(s))) == pytest.approx(total, abs=1e-12)
    with pytest.raises(InputError, match="classifier"):
        row_errors(torch.zeros(1, 2), torch.zeros(1, 2), weight=1.0)


@given(st.floats(1e-3, 1e3), st.floats(-3, 3))
def test_the_uncertainty_that_costs_least_is_the_error(error: float, shift: float) -> None:
    e = torch.tensor([error], dtype=torch.float64)
    assert float(uncertainty_loss(e, e.log())) <= float(uncertainty_loss(e, e.log() + shift)) + 1e-12


def test_the_schedule_is_the_reference_s() -> None:
    t = TransformTraining()
    rates = [t.lr * t.factor(t.epoch(i / 800)) for i in range(800)]
    assert rates[0] == t.lr / 5
    assert rates[50] == t.lr
    assert len(set(rates)) <= 80, "constant within an epoch"
    assert rates[60] == pytest.approx(t.lr * 0.5 * (1 + math.cos(math.pi * 1 / 75)))
    assert [t.is_frozen(e / 80) for e in (0, 39, 40, 79)] == [False, False, True, True]
    assert not any(TransformTraining(frozen_norm=0).is_frozen(e / 80) for e in range(80))


def test_in_the_second_half_batch_normalisation_stands_still() -> None:
    torch.manual_seed(0)
    learner = TransformLearner(ForwardTransform(4, 3, inner_dim=8), TransformTraining(epochs=10))
    batch = {"old": torch.randn(16, 4), "new": torch.randn(16, 3)}
    mean = learner.transform.p1[0].norm.running_mean
    moved = []
    for progress in (0.4, 0.5, 0.99):
        learner.progress, before = progress, mean.clone()
        learner.loss(batch, torch.Generator())
        moved.append(not torch.equal(mean, before))
    assert moved == [True, False, False]


def test_training_learns_a_map_and_is_repeatable() -> None:
    torch.manual_seed(0)
    old = torch.randn(256, 6)
    new = torch.tanh(old[:, :4]) + old[:, 2:6]
    training = TransformTraining(epochs=30, batch_size=32, lr=5e-3)
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        h = ForwardTransform(6, 4, inner_dim=32)
        train_transform(h, old, new, training=training, seed=3)
        assert not h.training
        results.append(h(old))
    assert torch.equal(*results)
    assert float((results[0] - new).detach().square().mean() / new.var()) < 0.15


def test_folding_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    old, side = rng.normal(3, 2, size=(128, 6)), rng.normal(size=(128, 3))
    new = np.concatenate([old[:, :2] * side[:, :2], old[:, 2:4]], 1)
    for given_side in (side, None):
        fitted = MLP(inner_dim=16, training=TransformTraining(epochs=3, batch_size=32)).fit(old, new, given_side)
        assert isinstance(fitted, TransformMap)
        x = torch.tensor(old, dtype=torch.float32)
        y = None if given_side is None else torch.tensor(side, dtype=torch.float32)
        assert float((FoldedTransform(fitted)(x, y) - fitted(x, y)).detach().abs().max()) < 2e-5


def test_the_head_learns_where_the_noise_is() -> None:
    """Kendall-Gal: rows with larger noise get a larger expected error."""
    seed = 0
    rng = np.random.default_rng(seed)
    old = rng.normal(size=(512, 4))
    noisy = old[:, 0] > 0
    new = old[:, 1:] + rng.normal(size=(512, 3)) * np.where(noisy, 1.0, 0.05)[:, None]
    training = TransformTraining(epochs=30, batch_size=64, lr=5e-3)
    fitted = MLP(inner_dim=32, training=training, uncertainty=True).fit(old, new, seed=seed)
    expected = fitted.expected_error(torch.tensor(old, dtype=torch.float32)).detach().numpy()
    assert np.median(expected[noisy]) > 3 * np.median(expected[~noisy])
