"""The training of h: its schedule, its loss, its steps, and what a checkpoint is for."""

from __future__ import annotations

import math

import pytest
import torch

from holdfast.systems.fct import ForwardTransform, TransformTraining, UncertaintyHead, row_errors, train_transform
from holdfast.systems.fct.tool.training import TransformLearner


def pairs(rows: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    old = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    return old, old[:, :3] * 2 - 1


@pytest.mark.parametrize("epochs", [1, 2, 49, 80])
def test_every_epoch_begins_where_its_share_of_the_run_does(epochs: int) -> None:
    """Also where the share is no binary fraction: 1/49 * 49 is less than 1."""
    t = TransformTraining(epochs=epochs)
    assert [t.epoch(k / epochs) for k in range(epochs)] == list(range(epochs))
    assert [t.epoch((k + 0.99) / epochs) for k in range(epochs)] == list(range(epochs))
    assert t.epoch(1.0) == epochs - 1


def test_the_rate_rises_in_equal_steps_and_falls_along_half_a_cosine() -> None:
    t = TransformTraining(epochs=12, warmup=4)
    assert [t.factor(e) for e in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert [t.factor(e) for e in (6, 8, 10, 12)] == pytest.approx([(2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4, 0])
    assert TransformTraining(epochs=3, warmup=0).factor(0) == 1.0
    assert TransformTraining(epochs=5, warmup=5).factor(5) == 1.0


@pytest.mark.parametrize(("share", "first"), [(0.0, 8), (0.25, 6), (0.75, 2), (1.0, 0)])
def test_the_last_share_of_the_epochs_has_frozen_statistics(share: float, first: int) -> None:
    t = TransformTraining(epochs=8, frozen_norm=share)
    assert [t.is_frozen(e / 8) for e in range(8)] == [e >= first for e in range(8)]


def test_the_loss_is_fastfill_s_formula_of_what_h_and_the_head_say() -> None:
    torch.manual_seed(0)
    h, head = ForwardTransform(4, 3, inner_dim=8), UncertaintyHead(8)
    old, new = pairs(6)
    labels, w, bias = torch.arange(6) % 5, torch.randn(5, 3), torch.randn(5)
    learner = TransformLearner(h, TransformTraining(label_weight=0.7, temperature=2.0), head, w, bias)
    learner.progress = 0.9  # statistics stand still, so that h says the same again
    loss, parts = learner.loss({"old": old, "new": new, "label": labels}, torch.Generator())
    said, s = h(old).tolist(), head(h.hidden(old)).tolist()
    total, squares = 0.0, 0.0
    for i in range(6):
        square = sum((a - b) ** 2 for a, b in zip(said[i], new[i].tolist(), strict=True))
        z = [(sum(a * b for a, b in zip(w[k].tolist(), said[i], strict=True)) + float(bias[k])) / 2 for k in range(5)]
        error = square + 0.7 * (math.log(sum(math.exp(v) for v in z)) - z[int(labels[i])])
        total, squares = total + math.exp(-s[i]) * error + s[i], squares + square
    assert loss.item() == pytest.approx(total / 6, rel=1e-5)
    assert float(parts["squared error"]) == pytest.approx(squares / 18, rel=1e-5)
    plain, nothing = TransformLearner(h, TransformTraining(frozen_norm=1.0)).loss({"old": old, "new": new}, None)
    assert plain.item() == pytest.approx(squares / 18, rel=1e-5)
    assert nothing == {}


def test_no_gradient_reaches_the_new_model_s_classifier() -> None:
    (old, new), w, bias = pairs(6), torch.randn(5, 3, requires_grad=True), torch.randn(5, requires_grad=True)
    predicted = old[:, :3].clone().requires_grad_()
    row_errors(predicted, new, torch.arange(6) % 5, w, bias, weight=1.0).sum().backward()
    assert (w.grad, bias.grad) == (None, None)
    assert bool(predicted.grad.any())


def test_what_is_reported_beside_the_loss_holds_no_graph() -> None:
    old, new = pairs(6)
    learner = TransformLearner(ForwardTransform(4, 3, inner_dim=8), TransformTraining(), UncertaintyHead(8))
    loss, parts = learner.loss({"old": old, "new": new}, torch.Generator())
    assert loss.requires_grad
    assert [name for name, value in parts.items() if value.requires_grad] == []


@pytest.mark.parametrize(("batch_size", "steps"), [(16, 3), (20, 2), (1024, 1)])
def test_steps_are_epochs_times_batches(batch_size: int, steps: int) -> None:
    told: list[tuple[int, int]] = []
    training = TransformTraining(epochs=2, batch_size=batch_size)
    h = ForwardTransform(4, 3, inner_dim=8)
    train_transform(h, *pairs(), training=training, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (2 * steps, 2 * steps)
    assert [done for done, _ in told if done] == list(range(1, 2 * steps + 1))


def test_a_training_that_was_stopped_goes_on_from_its_checkpoint(tmp_path) -> None:
    training = TransformTraining(epochs=10, batch_size=16)

    def trained(stop: int | None, checkpoint=None) -> tuple[ForwardTransform, list[int]]:
        torch.manual_seed(1)
        h, seen = ForwardTransform(4, 3, inner_dim=8), []

        def progress(done: int, of: int) -> None:
            seen.append(done)
            if done == stop:
                raise InterruptedError

        train_transform(h, *pairs(), training=training, seed=5, progress=progress, checkpoint=checkpoint)
        return h, seen

    with pytest.raises(InterruptedError):
        trained(17, tmp_path / "c")
    (whole, _), (continued, seen) = trained(None), trained(None, tmp_path / "c")
    assert min(done for done in seen if done) >= 15
    for name, value in whole.state_dict().items():
        assert torch.equal(value, continued.state_dict()[name]), name
