"""CTAugment: strong augmentation whose magnitudes are learnt while the network trains.

Berthelot et al., "ReMixMatch", ICLR 2020, arXiv 1911.09785, section 3.2, with the settings of AdaMatch (depth 2,
threshold 0.8, decay 0.99, then Cutout). Code compared with: google-research/adamatch
shared/data/augment/ctaugment.py, Apache-2.0.

Each image gets `depth` operations out of nineteen. The range of every level of an operation is cut into bins, and
every bin has a rate: how close the network's answers to labelled images stay to their labels when that bin is used.
Levels are drawn from bins whose rate is at least `threshold` of the best bin of that level.

Differences from the published code:
- A round of a batch deals operations like cards: of N images, each operation gets at most ceil(N / 19). Every image
  still sees each operation with probability 1/19. All shapes are then known beforehand, so that nothing waits for a
  GPU.
- In a distributed run the rates are averaged over the processes.
- Operations: see `ctaugment_ops`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.augment import Transform, uniform
from holdfast.data.ctaugment_ops import OPERATIONS, cutout
from holdfast.errors import InputError
from holdfast.training.distributed import all_mean

NAMES = tuple(OPERATIONS)
LEVELS = max(len(op.bins) for op in OPERATIONS.values())  # most levels of one operation
BINS = tuple(bins for op in OPERATIONS.values() for bins in op.bins)  # of every level, in the order of the operations
FIRST = tuple(sum(len(OPERATIONS[name].bins) for name in NAMES[:i]) for i in range(len(NAMES)))  # an operation's first


@dataclass(frozen=True)
class HalfCutout:
    """CTAugment's own cutout at its largest level: a grey square of half the side, centred anywhere."""

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        row, column = uniform(images, 0, 1, generator), uniform(images, 0, 1, generator)
        return cutout(images, torch.ones_like(row), row, column)


class CTAugment(nn.Module):
    """Learnt augmentation of images `(N, C, H, W)` in [0, 1].

    Args:
        depth: operations per image.
        threshold: a bin is used if its rate is at least this share of the best one's.
        decay: of the rates, per probe image.
        last: what follows the operations.

    Attributes:
        rates: `(levels, 17)` buffer in [0, 1]; row i belongs to level i of `BINS`, columns beyond its bins are 0.

    Raises:
        InputError: depth < 1, or threshold or decay outside [0, 1].

    Example:
        >>> import torch
        >>> from holdfast.data.ctaugment import CTAugment
        >>> CTAugment()(torch.rand(8, 3, 32, 32), torch.Generator().manual_seed(0)).shape
        torch.Size([8, 3, 32, 32])
    """

    rates: Tensor
    valid: Tensor
    bins: Tensor
    first: Tensor
    count: Tensor

    def __init__(
        self,
        depth: int = 2,
        threshold: float = 0.8,
        decay: float = 0.99,
        last: Transform = HalfCutout(),
    ) -> None:
        super().__init__()
        if depth < 1:
            raise InputError("depth", "must be at least 1", depth)
        for name, value in {"threshold": threshold, "decay": decay}.items():
            if not 0 <= value <= 1:
                raise InputError(name, "must lie in [0, 1]", value)
        self.depth, self.threshold, self.decay, self.last = depth, threshold, decay, last
        bins = torch.tensor(BINS)
        valid = torch.arange(max(BINS)) < bins[:, None]
        self.register_buffer("rates", valid.float())
        self.register_buffer("valid", valid, persistent=False)
        self.register_buffer("bins", bins, persistent=False)
        self.register_buffer("first", torch.tensor(FIRST), persistent=False)
        self.register_buffer("count", torch.tensor([len(OPERATIONS[n].bins) for n in NAMES]), persistent=False)

    def usable(self) -> Tensor:
        """Relative probability of every bin, `(levels, 17)`: rate + (1 - decay) over the best of its row, 0 below the
        threshold."""
        p = (self.rates + (1 - self.decay)) * self.valid
        p = p / p.amax(1, keepdim=True)
        return p.masked_fill(p < self.threshold, 0)

    @torch.no_grad()
    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Augment with levels drawn from usable bins."""
        slots = -(-len(images) // len(NAMES))
        cumulative = self.usable().cumsum(1)
        cumulative = cumulative / cumulative[:, -1:]
        for _ in range(self.depth):
            u, v = torch.rand(2, len(BINS), slots, generator=generator, device=images.device)
            chosen = torch.searchsorted(cumulative, u, right=True)  # never a bin of probability 0
            images, _ = self._round(images, (chosen + v) / self.bins[:, None], generator)
        return self.last(images, generator)

    @torch.no_grad()
    def propose(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Probe images: levels uniform over their whole range, usable or not, and nothing after the operations.

        Returns:
            The images and what was done to them, `(N, depth, 1 + 3)`: number of the operation, its levels, -1 where
            it has fewer.
        """
        slots = -(-len(images) // len(NAMES))
        choices = []
        for _ in range(self.depth):
            levels = torch.rand(len(BINS), slots, generator=generator, device=images.device)
            images, slot = self._round(images, levels, generator)
            operation, place = slot // slots, slot % slots
            k = torch.arange(LEVELS, device=images.device)
            rows = (self.first[operation, None] + k).clamp(max=len(BINS) - 1)
            used = torch.where(k < self.count[operation, None], levels[rows, place[:, None]], -1.0)
            choices.append(torch.cat([operation[:, None], used], 1))
        return images, torch.stack(choices, 1)

    @torch.no_grad()
    def learn(self, choices: Tensor, probabilities: Tensor, labels: Tensor) -> None:
        """Move the rates of the bins that were probed.

        `w_i = 1 - 1/2 sum_k |p_ik - y_ik|` and, for each image in turn, `rate <- decay rate + (1 - decay) w_i`.

        Args:
            choices: from `propose`, `(N, depth, 1 + 3)`.
            probabilities: the network's predictions on the probe images, `(N, K)`.
            labels: `(N,)`.
        """
        y = F.one_hot(labels, probabilities.shape[1])
        w = 1 - 0.5 * (probabilities - y).abs().sum(1)  # (N,)
        operation, levels = choices[..., 0].long(), choices[..., 1:]
        used = levels >= 0
        k = torch.arange(LEVELS, device=levels.device)
        row = (self.first[operation][..., None] + k).clamp(max=len(BINS) - 1)
        column = (levels * self.bins[row] * 0.999).long().clamp(min=0)
        # All updates in order (image, round) at once: with m later updates of the same bin, w counts decay^m.
        cell = (row * self.rates.shape[1] + column).flatten()  # (E,)
        hits = F.one_hot(cell, self.rates.numel()) * used.flatten()[:, None]  # (E, cells)
        later = hits.flip(0).cumsum(0).flip(0) - hits
        each = w.repeat_interleave(used[0].numel())[:, None] * hits * self.decay**later
        rates = self.rates.flatten() * self.decay ** hits.sum(0) + (1 - self.decay) * each.sum(0)
        self.rates.copy_(all_mean(rates.view_as(self.rates)))

    def _round(self, images: Tensor, levels: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """One operation for every image.

        Args:
            images: `(N, C, H, W)`.
            levels: `(levels, M)`, M = ceil(N / 19): those of the M slots of the operation they belong to.
            generator: draws which image gets which slot.

        Returns:
            Images, and the slot each had, `(N,)`; slot s belongs to operation s // M.
        """
        n, m = len(images), levels.shape[1]
        # A random arrangement of N images and up to 18 doubles on 19 M slots; the doubles are dropped again.
        image = torch.rand(m * len(NAMES), generator=generator, device=images.device).argsort()
        slot = image.argsort()[:n]
        dealt = images.index_select(0, image % n).split(m)
        done = []
        for i, (operation, part) in enumerate(zip(OPERATIONS.values(), dealt, strict=True)):
            own = levels[FIRST[i] : FIRST[i] + len(operation.bins)].to(images.dtype)
            done.append(operation.apply(part, *own))
        return torch.cat(done).index_select(0, slot), slot


@dataclass(frozen=True)
class CTAugmentSettings:
    """Settings of `CTAugment`, for declaring experiments."""

    depth: int = 2
    threshold: float = 0.8
    decay: float = 0.99
    last: Transform = HalfCutout()

    def build(self) -> CTAugment:
        """A fresh CTAugment with all rates at 1."""
        return CTAugment(self.depth, self.threshold, self.decay, self.last)
