"""Side-information: trainers that learn."""

from __future__ import annotations

import pytest
import torch

from holdfast.baselines.autoencoder import Autoencoder
from holdfast.baselines.simclr import SimCLR
from holdfast.data.images import ImageArray, embed
from holdfast.errors import InputError
from holdfast.layers.convs import ConvEncoder
from holdfast.systems.fct.tool.sideinfo import DIGIT_VIEWS, AutoencoderSide, PCASide, SimCLRSide


@pytest.mark.parametrize("kind", ["simclr", "autoencoder"])
def test_the_gradient_reaches_every_parameter(kind):
    torch.manual_seed(0)
    encoder = ConvEncoder(1, 12, 6)
    learner = SimCLR(encoder, DIGIT_VIEWS) if kind == "simclr" else Autoencoder(encoder, (1, 12, 12), hidden=8)
    loss, _ = learner.loss({"x": torch.rand(16, 1, 12, 12)}, torch.Generator().manual_seed(0))
    loss.backward()
    assert [n for n, p in learner.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_views_differ_and_depend_on_the_generator_alone():
    x = torch.rand(4, 1, 12, 12)
    one, same, other = (DIGIT_VIEWS(x, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def images(rows=48):
    """Bright squares in one of four corners, with noise."""
    rng = torch.Generator().manual_seed(0)
    x, y = 0.1 * torch.rand(rows, 1, 12, 12, generator=rng), torch.arange(rows) % 4
    for i, k in enumerate(y.tolist()):
        x[i, 0, 6 * (k // 2) : 6 * (k // 2) + 6, 6 * (k % 2) : 6 * (k % 2) + 6] += 0.8
    return ImageArray(x, y)


@pytest.mark.parametrize("side", [SimCLRSide(epochs=6, batch=16), AutoencoderSide(epochs=6, batch=16), PCASide(6)])
def test_trainers_give_encoders_that_know_nothing_of_labels_but_tell_images_apart(side):
    data = images()
    encoder = side.train(data, lambda: ConvEncoder(1, 12, 6), seed=2)
    z = embed(encoder, data, size=20)
    assert z.shape == (48, 6)
    nearest = (torch.cdist(z, z) + 1e9 * torch.eye(48)).argmin(1)
    assert (data.labels[nearest] == data.labels).float().mean() > 0.9
    relabelled = ImageArray(data.pixels, data.labels.flip(0))
    again = side.train(relabelled, lambda: ConvEncoder(1, 12, 6), seed=2)
    assert torch.equal(embed(again, data), embed(encoder, data))
    assert not encoder.training


@pytest.mark.parametrize(("batch", "steps"), [(16, 3), (20, 2), (100, 1)])
def test_an_epoch_is_every_whole_batch_and_one_at_least(batch, steps):
    told, grey = [], images()
    colour = ImageArray(grey.pixels.repeat(1, 3, 1, 1), grey.labels)
    side = AutoencoderSide(epochs=2, batch=batch)
    side.train(colour, lambda: ConvEncoder(3, 12, 6), on_step=lambda done, of: told.append((done, of)))
    assert told[-1] == (2 * steps, 2 * steps)


def test_too_few_images_are_refused():
    with pytest.raises(InputError, match="at least 2"):
        SimCLRSide().train(images().subset([0]), lambda: ConvEncoder(1, 12, 6))
