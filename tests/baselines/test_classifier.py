"""Encoders trained with a classifier: what the loss is, and what it depends on."""

from __future__ import annotations

import pytest
import torch

from holdfast.baselines.classifier import Classifier, EncoderTraining, train_classifier
from holdfast.data.images import ImageArray, embed
from holdfast.layers.convs import ConvEncoder


def trained(**change):
    data = ImageArray(torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 4)
    settings = EncoderTraining(epochs=2, batch=10)
    learner = train_classifier(lambda: ConvEncoder(1, 8, 3), data, 4, settings, **{"seed": 1, **change})
    return learner, embed(learner.encoder, data)


def test_training_is_a_function_of_its_seed():
    (_, one), (_, same), (_, other) = trained(), trained(), trained(seed=2)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_penalty_takes_part_and_changes_nothing_where_it_is_zero():
    (_, plain), (_, none) = trained(), trained(penalty=lambda z, y: 0 * z.sum())
    (_, pushed) = trained(penalty=lambda z, y: z.square().mean() * 100)
    assert torch.allclose(plain, none, atol=1e-6)
    assert pushed.norm() < 0.8 * plain.norm()


def test_the_loss_is_the_smoothed_cross_entropy_of_a_classifier_without_bias():
    torch.manual_seed(0)
    learner = Classifier(ConvEncoder(1, 8, 3), 4, EncoderTraining(smoothing=0.1)).eval()
    x, y = torch.rand(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 0, 1])
    loss, _ = learner.loss({"x": x, "y": y}, torch.Generator())
    logs = (learner.encoder(x) @ learner.classifier.weight.T).log_softmax(1)
    target = torch.full((6, 4), 0.1 / 4)
    target[torch.arange(6), y] += 0.9
    assert float(loss.detach()) == pytest.approx(float(-(target * logs).sum(1).mean().detach()), rel=1e-5)
    assert learner.classifier.bias is None
