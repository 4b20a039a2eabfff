"""Side-information: NT-Xent against loops, PCA against scikit-learn, trainers that learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.systems.fct.autoencoder import Autoencoder
from holdfast.systems.fct.encoders import ConvEncoder
from holdfast.systems.fct.images import ImageArray, embed
from holdfast.systems.fct.sideinfo import DIGIT_VIEWS, AutoencoderSide, PCASide, PrincipalComponents, SimCLRSide
from holdfast.systems.fct.simclr import Noise, SimCLR, nt_xent


def nt_xent_by_hand(first, second, temperature):
    rows = [[v / math.sqrt(sum(u * u for u in r)) for v in r] for r in first.tolist() + second.tolist()]
    half, total = len(first), 0.0
    for i, a in enumerate(rows):
        similar = [sum(x * y for x, y in zip(a, b, strict=True)) / temperature for b in rows]
        partner = similar[i + half if i < half else i - half]
        total -= partner - math.log(sum(math.exp(s) for k, s in enumerate(similar) if k != i))
    return total / len(rows)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
def test_nt_xent_is_what_loops_give(temperature):
    rng = torch.Generator().manual_seed(1)
    first, second = torch.randn(7, 5, generator=rng), torch.randn(7, 5, generator=rng)
    found = nt_xent(first, second, temperature)
    assert float(found) == pytest.approx(nt_xent_by_hand(first, second, temperature), rel=1e-5)


def test_nt_xent_does_not_see_lengths_or_which_view_is_first():
    first, second = torch.randn(6, 4), torch.randn(6, 4)
    assert torch.allclose(nt_xent(first, second), nt_xent(3 * second, first * torch.rand(6, 1).add(0.1)), atol=1e-5)


@pytest.mark.parametrize(("first", "second"), [((1, 3), (1, 3)), ((4, 3), (4, 2)), ((4, 3), (5, 3))])
def test_nt_xent_refuses_what_has_no_partners(first, second):
    with pytest.raises(InputError, match="second"):
        nt_xent(torch.zeros(first), torch.zeros(second))


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
    noisy = Noise(0.5)(x, torch.Generator().manual_seed(0))
    assert torch.equal(noisy, x + 0.5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))


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


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    x = 3 + torch.randn(40, 2, 3, 3, generator=torch.Generator().manual_seed(5))
    found, theirs = PrincipalComponents.of(x, 4), PCA(4, svd_solver="full").fit(x.flatten(1).double().numpy())
    for ours, direction in zip(found.components.T.numpy(), theirs.components_, strict=True):
        assert ours == pytest.approx(direction * np.sign(direction[abs(direction).argmax()]), abs=1e-5)
    wanted = (x.flatten(1).double().numpy() - theirs.mean_) @ found.components.double().numpy()
    assert found(x).numpy() == pytest.approx(wanted, abs=1e-5)
    assert found.dim == 4


@pytest.mark.parametrize(("batch", "steps"), [(16, 3), (20, 2), (100, 1)])
def test_an_epoch_is_every_whole_batch_and_one_at_least(batch, steps):
    told, grey = [], images()
    colour = ImageArray(grey.pixels.repeat(1, 3, 1, 1), grey.labels)
    side = AutoencoderSide(epochs=2, batch=batch)
    side.train(colour, lambda: ConvEncoder(3, 12, 6), on_step=lambda done, of: told.append((done, of)))
    assert told[-1] == (2 * steps, 2 * steps)


def test_too_many_components_and_too_few_images_are_refused():
    with pytest.raises(InputError, match="dim"):
        PrincipalComponents.of(torch.zeros(3, 1, 4, 4), 4)
    with pytest.raises(InputError, match="at least 2"):
        SimCLRSide().train(images().subset([0]), lambda: ConvEncoder(1, 12, 6))


def test_embedding_does_not_depend_on_the_size_of_pieces():
    data, encoder = images(), ConvEncoder(1, 12, 6)
    encoder.train()  # batch statistics would make the pieces matter
    assert torch.allclose(embed(encoder, data, size=7), embed(encoder, data, size=48), atol=1e-6)
    assert encoder.training
    assert isinstance(encoder, nn.Module)
