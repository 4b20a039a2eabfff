"""A world of classes in three levels: superclasses of subclasses of leaves, seen through a fixed random network.

A leaf's code is u_super + .7 u_sub + .5 u_leaf with normal u; an item's is that plus normal noise. What is seen is
tanh(W2 relu(W1 [code; nuisance])), whose weights have the deviation 1 / sqrt(inputs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = ("leaf", "sub", "super")


class Render(nn.Module):
    """Latent numbers (N, L) to pixels (N, D), with weights that stay as they were drawn."""

    w1: Tensor
    w2: Tensor

    def __init__(self, latent: int, pixels: int, rng: np.random.Generator) -> None:
        super().__init__()
        for name, rows in (("w1", latent), ("w2", pixels)):
            w = rng.normal(size=(rows, pixels)) / np.sqrt(rows)
            self.register_buffer(name, torch.from_numpy(w).float())

    def forward(self, x: Tensor) -> Tensor:
        """tanh(W2 relu(W1 x))."""
        return torch.tanh(torch.relu(x @ self.w1) @ self.w2)


@dataclass(frozen=True)
class Redraw:
    """A view of latent numbers: the nuisance is drawn anew, the code gets a little noise."""

    noise: float = 0.1

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        draw = torch.randn(images.shape, generator=generator, device=images.device)
        code = images.shape[1] // 2
        return torch.cat([images[:, :code] + self.noise * draw[:, :code], draw[:, code:]], 1)


@dataclass(frozen=True, eq=False)
class World:
    """Items of every leaf.

    Attributes:
        train, test: (N, 2 c) float32: an item's code and its nuisance.
        y, test_y: (N, 3) int64, class at the levels leaf, sub, super.
        render: makes (N, D) pixels of them.
    """

    train: Tensor
    test: Tensor
    y: Tensor
    test_y: Tensor
    render: Render


def leaves_world(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    images: Sequence[int],
    code: int = 16,
    noise: float = 0.25,
    pixels: int = 64,
) -> World:
    """A world, drawn.

    Args:
        shape: superclasses, subclasses in each, leaves in each of these.
        images: per leaf, of the training and of the test part.
        code: numbers in a code, and in a nuisance.
        noise: deviation of items about their leaf.
        pixels: of an item.

    Example:
        >>> world = leaves_world(np.random.default_rng(0), (2, 3, 2), (5, 1))
        >>> world.train.shape, world.y[-1].tolist(), world.render(world.test).shape
        (torch.Size([60, 32]), [11, 5, 1], torch.Size([12, 64]))
    """
    supers, subs, leaves = shape
    middle, fine = supers * subs, supers * subs * leaves
    codes = rng.normal(size=(supers, code)).repeat(fine // supers, 0)
    codes = codes + 0.7 * rng.normal(size=(middle, code)).repeat(leaves, 0)
    codes = codes + 0.5 * rng.normal(size=(fine, code))
    parts = []
    for each in images:
        leaf = np.arange(fine).repeat(each)
        seen = codes[leaf] + noise * rng.normal(size=(len(leaf), code))
        x = np.concatenate([seen, rng.normal(size=seen.shape)], 1)
        classes = np.stack([leaf, leaf // leaves, leaf // (leaves * subs)], 1)
        parts.append((torch.from_numpy(x).float(), torch.from_numpy(classes)))
    (train, y), (test, test_y) = parts
    return World(train, test, y, test_y, Render(2 * code, pixels, rng))


__all__ = ["LEVELS", "Redraw", "Render", "World", "leaves_world"]
