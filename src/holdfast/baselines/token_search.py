"""Searches for a few tokens that make a loss small: exact swaps (HotFlip, GCG), random tokens, and what all share.

HotFlip: Ebrahimi et al., ACL 2018, arXiv 1712.06751, with AutoPrompt's exact evaluation of the shortlist (Shin et al.,
EMNLP 2020, arXiv 2010.15980). GCG: Zou et al., 2023, arXiv 2307.15043, algorithm 1.

A search works on N prompts at once, the rows: several targets, several restarts, each with a loss of its own. Work is
counted in forward equivalents of a row: a loss 1, a loss with its gradient 3. Nothing waits for the device in a step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from holdfast.errors import InputError

Loss = Callable[[Tensor, Tensor | None, Tensor], Tensor]
OnStep = Callable[[int, int], None]
GRADIENT = 3  # forward equivalents: one forward, and a backward that costs two
KEPT = 4  # prompts of each row that a search hands back
AT_ONCE = 512  # prompts in one forward


def silent(done: int, total: int) -> None:
    """Nobody looks."""


def candidates(table: Tensor, allowed: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """(C,) tokens allowed anywhere, and (L, C) bool: where. Tokens whose embedding is zero never are.

    Args:
        table: embeddings of all tokens, (V, D).
        allowed: (V,) bool, or (L, V).
        length: L, positions.

    Raises:
        InputError: nothing is allowed at some position, or the mask is of another length.
    """
    real = table.norm(dim=1) > 0
    places = (allowed & real).expand(length, -1) if allowed.ndim == 1 else allowed & real
    if places.shape != (length, len(table)):
        rule = f"must have the shape ({len(table)},) or ({length}, {len(table)})"
        raise InputError("allowed", rule, tuple(allowed.shape))
    if not bool(places.any(1).all()):
        raise InputError("allowed", "must leave tokens at every position", "all are masked")
    tokens = places.any(0).nonzero()[:, 0]
    return tokens, places[:, tokens]


@dataclass(frozen=True, eq=False)
class TokenObjective:
    """What is searched: tokens whose loss is small.

    Attributes:
        table: embeddings of all tokens, (V, D).
        allowed: (V,) bool, or (L, V) where it differs by position. Tokens whose embedding is zero are never used.
        loss: `loss(embeddings (B, L, D), ids (B, L), rows (B,)) -> (B,)`, where rows says whose prompt each is; ids is
            None where the embeddings are those of no tokens.
        judge: `judge(ids (N, L)) -> (N,)`, by which the best are kept where the loss is of a random batch; None = the
            loss itself.
        every: steps from one judgement to the next.
    """

    table: Tensor
    allowed: Tensor
    loss: Loss
    judge: Callable[[Tensor], Tensor] | None = None
    every: int = 1

    def candidates(self, length: int) -> tuple[Tensor, Tensor]:
        """`candidates` of the table, at so many positions."""
        return candidates(self.table, self.allowed, length)

    def of_ids(self, ids: Tensor, rows: Tensor) -> Tensor:
        """(B,) losses of (B, L) tokens, without gradients."""
        with torch.no_grad():
            parts = zip(ids.split(AT_ONCE), rows.split(AT_ONCE), strict=True)
            return torch.cat([self.loss(self.table[part], part, row) for part, row in parts])

    def gradient(self, embedded: Tensor, ids: Tensor | None) -> tuple[Tensor, Tensor]:
        """(N,) losses of all rows at (N, L, D), and each row's own gradient there."""
        point = embedded.detach().requires_grad_()
        with torch.enable_grad():
            loss = self.loss(point, ids, torch.arange(len(point), device=point.device))
            (slope,) = torch.autograd.grad(loss.sum(), point)
        return loss.detach(), slope


class Found(NamedTuple):
    """What a search hands back.

    Attributes:
        ids: (N, K, L) the best prompts of each row, the best first; fewer than K where it saw fewer.
        loss: (N, K) theirs; infinite where there is none.
        history: (T, N) the loss at each step.
    """

    ids: Tensor
    loss: Tensor
    history: Tensor


class Best:
    """The K best different prompts of each row so far, and the losses on the way."""

    def __init__(self, ids: Tensor, keep: int = KEPT) -> None:
        self.ids = ids[:, None].repeat(1, keep, 1)
        self.loss = torch.full((len(ids), keep), torch.inf, device=ids.device)
        self.history: list[Tensor] = []

    def add(self, ids: Tensor, loss: Tensor) -> None:
        """(N, L) prompts of a step and their (N,) losses."""
        self.add_all(ids[:, None], loss[:, None])

    def add_all(self, ids: Tensor, loss: Tensor) -> None:
        """(N, C, L) prompts of a step and their (N, C) losses; the step's loss is that of the best."""
        self.history.append(loss.amin(1))
        known = (ids[:, :, None] == self.ids[:, None]).all(3) & self.loss[:, None].isfinite()
        twins = (ids[:, :, None] == ids[:, None]).all(3).tril(-1)  # only the first of equal candidates counts
        fresh = loss.masked_fill(known.any(2) | twins.any(2) | loss.isnan(), torch.inf)
        every, losses = torch.cat([self.ids, ids], 1), torch.cat([self.loss, fresh], 1)
        order = losses.argsort(dim=1, stable=True)[:, : self.loss.shape[1]]
        self.loss = losses.gather(1, order)
        self.ids = every.gather(1, order[:, :, None].expand(-1, -1, ids.shape[2]))

    def found(self, setting: str = "") -> Found:
        """What there is at the end.

        Raises:
            InputError: a loss was not finite; the step is named.
        """
        history = torch.stack(self.history)
        bad = (~history.isfinite()).any(1).nonzero()
        if len(bad):
            step = int(bad[0, 0])
            rule = "must be finite at every step"
            raise InputError("loss_fn", rule, f"{float(history[step].sum())} at step {step + 1}{setting}")
        return Found(self.ids, self.loss, history)


class Search(ABC):
    """A way to look for tokens. Subclasses are frozen dataclasses of settings."""

    @abstractmethod
    def search(
        self,
        objective: TokenObjective,
        ids: Tensor,
        budget: int,
        generator: torch.Generator,
        on_step: OnStep = silent,
    ) -> Found:
        """The best tokens that so much work finds.

        Args:
            objective: what is searched.
            ids: (N, L) tokens to start at.
            budget: forward equivalents of each row.
            generator: of randomness, on the CPU.
            on_step: told (steps done, steps in all).
        """


def swapped(ids: Tensor, position: Tensor, token: Tensor) -> Tensor:
    """(N, C, L): each of (N, L) prompts with one token replaced, at (N, C) positions by (N, C) tokens."""
    return ids[:, None].repeat(1, position.shape[1], 1).scatter(2, position[:, :, None], token[:, :, None])


def _times(slope: Tensor, words: Tensor) -> Tensor:
    """(N, L, C) products of (N, L, D) and (C, D), as one product of matrices."""
    return (slope.flatten(0, 1) @ words.T).view(*slope.shape[:2], -1)


def _exact(objective: TokenObjective, ids: Tensor) -> Tensor:
    N, C, L = ids.shape
    rows = torch.arange(N, device=ids.device).repeat_interleave(C)
    return objective.of_ids(ids.reshape(N * C, L), rows).view(N, C)


@dataclass(frozen=True)
class HotFlip(Search):
    """The swaps that a linear model of the loss likes best, evaluated exactly; the best is kept where it is better.

    Positions take turns, as in AutoPrompt: the best swaps over all positions (`turns=False`) tend to be of one. A swap
    that does no good is not tried again until one has.

    Attributes:
        shortlist: swaps evaluated in a step.
        turns: whether a step is about one position.
    """

    shortlist: int = 16
    turns: bool = True

    def search(
        self,
        objective: TokenObjective,
        ids: Tensor,
        budget: int,
        generator: torch.Generator,
        on_step: OnStep = silent,
    ) -> Found:
        best, steps = Best(ids), max(1, budget // (GRADIENT + self.shortlist))
        tokens, where = objective.candidates(ids.shape[1])
        words, C = objective.table[tokens], len(tokens)
        closed = (~where).expand(len(ids), -1, -1).clone()
        for step in range(steps):
            here, slope = objective.gradient(objective.table[ids], ids)
            change = _times(slope, words) - (slope * objective.table[ids]).sum(2, keepdim=True)
            change.masked_fill_(closed | (tokens == ids[:, :, None]), torch.inf)
            if self.turns:
                others = torch.arange(ids.shape[1], device=ids.device) != step % ids.shape[1]
                change.masked_fill_(others[:, None], torch.inf)
            flat = change.flatten(1).topk(min(self.shortlist, change[0].numel()), largest=False).indices
            tried = swapped(ids, flat // C, tokens[flat % C])
            loss = _exact(objective, tried)
            best.add_all(torch.cat([ids[:, None], tried], 1), torch.cat([here[:, None], loss], 1))
            least, at = loss.min(1)
            better = least < here
            closed.flatten(1).scatter_(1, flat, True)
            closed = torch.where(better[:, None, None], ~where, closed)
            chosen = tried.gather(1, at[:, None, None].expand(-1, 1, ids.shape[1]))[:, 0]
            ids = torch.where(better[:, None], chosen, ids)
            on_step(step + 1, steps)
        return best.found()


@dataclass(frozen=True)
class GCG(Search):
    """Greedy coordinate gradient: random swaps out of each position's best by the gradient; on to the best of them.

    Attributes:
        top_k: tokens of each position that swaps are drawn from.
        batch: swaps evaluated in a step.
    """

    top_k: int = 64
    batch: int = 16

    def search(
        self,
        objective: TokenObjective,
        ids: Tensor,
        budget: int,
        generator: torch.Generator,
        on_step: OnStep = silent,
    ) -> Found:
        best, steps = Best(ids), max(1, budget // (GRADIENT + self.batch))
        (N, L), place = ids.shape, ids.device
        tokens, where = objective.candidates(L)
        words, k = objective.table[tokens], min(self.top_k, int(where.sum(1).min()))
        for step in range(steps):
            here, slope = objective.gradient(objective.table[ids], ids)
            change = _times(slope, words).masked_fill_(~where, torch.inf)
            likely = tokens[change.topk(k, largest=False).indices]
            position = torch.randint(L, (N, self.batch), generator=generator).to(place)
            drawn = torch.randint(k, (N, self.batch), generator=generator).to(place)
            token = likely.gather(1, position[:, :, None].expand(-1, -1, k)).gather(2, drawn[:, :, None])[:, :, 0]
            tried = swapped(ids, position, token)
            loss = _exact(objective, tried)
            best.add_all(torch.cat([ids[:, None], tried], 1), torch.cat([here[:, None], loss], 1))
            ids = tried.gather(1, loss.argmin(1)[:, None, None].expand(-1, 1, L))[:, 0]
            on_step(step + 1, steps)
        return best.found()


def random_ids(tokens: Tensor, where: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(count, L) tokens, each uniform among those of its position.

    Args:
        tokens, where: as `TokenObjective.candidates` gives them.
        count: prompts.
        generator: of randomness, on the CPU.
    """
    drawn = torch.rand(count, len(where), generator=generator).to(tokens.device, torch.float64)
    rank = (drawn * where.sum(1)).long()
    first = (~where).long().argsort(dim=1, stable=True)  # the allowed ones of each position come first
    return tokens[first.gather(1, rank.T).T]


@dataclass(frozen=True)
class RandomTokens(Search):
    """Random prompts, all of them evaluated.

    Attributes:
        batch: prompts of a row in a step.
    """

    batch: int = 16

    def search(
        self,
        objective: TokenObjective,
        ids: Tensor,
        budget: int,
        generator: torch.Generator,
        on_step: OnStep = silent,
    ) -> Found:
        best, N, L = Best(ids), *ids.shape
        tokens, where = objective.candidates(L)
        steps = -(-budget // self.batch)
        for step in range(steps):
            count = min(self.batch, budget - step * self.batch)
            drawn = random_ids(tokens, where, N * count, generator).view(N, count, L)
            if step == 0:
                drawn[:, 0] = ids
            best.add_all(drawn, _exact(objective, drawn))
            on_step(step + 1, steps)
        return best.found()


__all__ = [
    "GCG",
    "Best",
    "Found",
    "HotFlip",
    "RandomTokens",
    "Search",
    "TokenObjective",
    "candidates",
    "random_ids",
    "swapped",
]
