"""The predictors in torch, step by step for a whole batch: for tensors on any device, and where numba is missing.

A state takes one symbol per sequence at a time. Its memory is that of one moment: O(B log T) numbers for PTW, O(B R)
for LIN with R starts kept, O(B) for KT. Everything is float64 and stays on the device of the input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from holdfast.systems.nonstationary_meta.method.lin import PRUNE_EVERY

COMPACT_EVERY = 64  # symbols between two removals of starts that no sequence keeps


class Batch(ABC):
    """Predictors of B sequences over A symbols, all at the same position."""

    @abstractmethod
    def prob(self) -> Tensor:
        """(B, A) float64: probability of each symbol to come next. Call it once before each `take`."""

    @abstractmethod
    def take(self, x: Tensor) -> None:
        """Add the next symbols (B,)."""


def log_probs(state: Batch, x: Tensor, out: Tensor) -> Tensor:
    """Fill out with log-probabilities before each symbol of x (B, T): of all (B, T, A), or of x's own (B, T)."""
    for t in range(x.shape[1]):
        p, symbols = state.prob(), x[:, t]
        out[:, t] = p if out.ndim == 3 else p.gather(1, symbols[:, None])[:, 0]
        state.take(symbols)
    return out.log_()


class CountBatch(Batch):
    """KT with counts that may fade (decay) or end (window)."""

    def __init__(self, x: Tensor, alphabet: int, *, decay: float = 1.0, window: int | None = None) -> None:
        self.x, self.decay, self.window, self.t = x, decay, window, 0
        self.counts = torch.zeros(len(x), alphabet, dtype=torch.float64, device=x.device)

    def prob(self) -> Tensor:
        total = self.counts.sum(1, keepdim=True) + 0.5 * self.counts.shape[1]
        return (self.counts + 0.5) / total

    def take(self, x: Tensor) -> None:
        one = torch.ones_like(self.counts[:, :1])
        self.counts.mul_(self.decay).scatter_add_(1, x[:, None], one)
        if self.window is not None and self.t >= self.window:
            self.counts.scatter_add_(1, self.x[:, self.t - self.window, None], -one)
        self.t += 1


class PTWBatch(Batch):
    """PTW; see `method.ptw` for the recursion. Log odds of the nodes that hold the current position, leaf first."""

    def __init__(self, x: Tensor, alphabet: int, depth: int) -> None:
        rows, levels = len(x), max(x.shape[1] - 1, 0).bit_length() + 1
        self.depth, self.t, self.top = depth, 0, 0
        self.counts = torch.zeros(levels, rows, alphabet, dtype=torch.float64, device=x.device)
        self.log_odds = torch.zeros(levels, rows, dtype=torch.float64, device=x.device)
        self.uniform = torch.full((rows, alphabet), 1.0 / alphabet, dtype=torch.float64, device=x.device)

    def _begin(self) -> None:
        if self.t == 0:
            return
        if self.t == 1 << self.top:  # the tree is full: it becomes the left child of a new root
            self.counts[self.top + 1] = self.counts[self.top]
            zero = torch.zeros_like(self.log_odds[0])
            self.log_odds[self.top + 1] = torch.logaddexp(self.log_odds[self.top], zero) - torch.log(zero + 2)
            self.top += 1
        begin = (self.t & -self.t).bit_length()  # levels whose size divides t
        self.counts[:begin] = 0
        self.log_odds[:begin] = 0

    def prob(self) -> Tensor:
        self._begin()
        counts, log_odds = self.counts[1 : self.top + 1], self.log_odds[1 : self.top + 1, :, None]
        self.kt = (counts + 0.5) / (counts.sum(2, keepdim=True) + 0.5 * counts.shape[2])
        whole, cut = torch.sigmoid(-log_odds) * self.kt, torch.sigmoid(log_odds)
        self.below = [self.uniform]
        for h in range(self.top):
            self.below.append(torch.addcmul(whole[h], cut[h], self.below[h]))
        if self.depth <= self.top or self.top == 0:
            return self.below[-1]
        share = 2.0 ** (self.top - self.depth)  # of a cut in each level above the grown tree
        odds = share / (1 - share) * 0.5 * (1 + self.log_odds[self.top].clamp(max=600.0).exp())[:, None]
        return torch.addcmul(self.kt[-1], odds, self.below[-1]) / (1 + odds)

    def take(self, x: Tensor) -> None:
        if self.top:
            index = x[None, :, None].expand(self.top, -1, 1)
            below = torch.stack(self.below[:-1]).gather(2, index)
            self.log_odds[1 : self.top + 1] += (below.log() - self.kt.gather(2, index).log())[:, :, 0]
        index = x[None, :, None].expand(self.top + 1, -1, 1)
        self.counts[: self.top + 1].scatter_add_(2, index, torch.ones_like(index, dtype=torch.float64))
        self.t += 1


class LINBatch(Batch):
    """LIN; see `method.lin` for the recursion. Starts dropped in one sequence have weight 0 there."""

    def __init__(self, x: Tensor, alphabet: int, prune: float | None) -> None:
        self.prune, self.t = prune, 0
        self.counts = torch.zeros(len(x), 1, alphabet, dtype=torch.float64, device=x.device)
        self.length = torch.zeros(1, dtype=torch.float64, device=x.device)
        self.log_weight = torch.zeros(len(x), 1, dtype=torch.float64, device=x.device)

    def prob(self) -> Tensor:
        self.kt = (self.counts + 0.5) / (self.length[:, None] + 0.5 * self.counts.shape[2])
        return (self.log_weight.exp()[:, None] @ self.kt)[:, 0]

    def take(self, x: Tensor) -> None:
        rows, records, alphabet = self.counts.shape
        index = x[:, None, None].expand(-1, records, 1)
        weight = self.log_weight + self.kt.gather(2, index)[:, :, 0].log()
        weight = weight - weight.logsumexp(1, keepdim=True)
        self.counts.scatter_add_(2, index, torch.ones_like(index, dtype=torch.float64))
        self.length = self.length + 1
        hazard = 0.5 / self.length
        ended = (weight + hazard.log()).logsumexp(1, keepdim=True)
        weight = weight + torch.log1p(-hazard)
        self.t += 1
        if self.prune is not None and self.t % PRUNE_EVERY == 0:
            light = weight < weight.amax(1, keepdim=True) - self.prune
            weight = weight.masked_fill(light, -torch.inf)
            kept = torch.logaddexp(weight.logsumexp(1, keepdim=True), ended)
            weight, ended = weight - kept, ended - kept
        if self.prune is not None and self.t % COMPACT_EVERY == 0:
            used = (weight > -torch.inf).any(0)
            weight, self.counts, self.length = weight[:, used], self.counts[:, used], self.length[used]
        self.log_weight = torch.cat([weight, ended], 1)
        self.counts = torch.cat([self.counts, self.counts.new_zeros(rows, 1, alphabet)], 1)
        self.length = torch.cat([self.length, self.length.new_zeros(1)])


__all__ = ["Batch", "CountBatch", "LINBatch", "PTWBatch", "log_probs"]
