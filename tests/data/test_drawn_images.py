"""Draws from fixed sets of images."""

from __future__ import annotations

import numpy as np
import torch

from holdfast.data.cifar import read_cifar10
from holdfast.data.digits import mnist5k
from holdfast.data.drawn_images import drawn_cifar10, pooled_mnist
from toy_cifar import write_cifar10


def test_the_test_stays_and_the_rest_is_drawn() -> None:
    one, two = (pooled_mnist(np.random.default_rng(k), 300, 50, 1000) for k in (0, 1))
    assert one.test_id == two.test_id
    assert torch.equal(one.test_x, two.test_x)
    assert not torch.equal(one.x, two.x)
    assert [tuple(part.shape) for part in (one.x, one.validation_x, one.test_x)] == [
        (300, 1, 14, 14), (50, 1, 14, 14), (1000, 1, 14, 14)
    ]  # fmt: skip
    rows = {tuple(row) for part in (one.x, one.validation_x) for row in part.flatten(1).tolist()}
    assert len(rows) == 350
    assert not rows & {tuple(row) for row in one.test_x.flatten(1).tolist()}


def test_pixels_are_means_of_four_normalised() -> None:
    images, labels = mnist5k()
    drawn = pooled_mnist(np.random.default_rng(0), 10, 10, 20)
    for place, x, y in zip(drawn.test_id, drawn.test_x, drawn.test_y, strict=True):
        pooled = images[place].view(1, 14, 2, 14, 2).mean((2, 4))
        assert torch.allclose(x, (pooled - 0.1307) / 0.3081, atol=1e-5)
        assert int(y) == int(labels[place])


def test_cifar10_is_standardised_by_what_can_be_trained_on(tmp_path) -> None:
    write_cifar10(tmp_path / "c", rows=4)
    drawn = drawn_cifar10(tmp_path / "c", np.random.default_rng(0))
    assert [len(part) for part in (drawn.x, drawn.validation_x, drawn.test_x)] == [18, 2, 4]
    whole = torch.cat([drawn.x, drawn.validation_x])
    assert torch.allclose(whole.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(whole.std((0, 2, 3)), torch.ones(3), atol=1e-5)
    train, test = read_cifar10(tmp_path / "c"), read_cifar10(tmp_path / "c", "test")
    mean, spread = train.pixels.mean((0, 2, 3), keepdim=True), train.pixels.std((0, 2, 3), keepdim=True)
    assert torch.allclose(drawn.test_x, (test.pixels - mean) / spread)
    assert sorted(torch.cat([drawn.y, drawn.validation_y]).tolist()) == sorted(train.labels.tolist())
