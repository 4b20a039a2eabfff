"""Hard prompts by gradients at the projected point (PEZ).   arXiv 2302.03668, algorithm 1

A soft prompt P in R^{L x d} is kept beside its projection to the nearest embeddings of real tokens:

    P' = Proj_E(P),  Proj(P)_l = E_v, v = argmax cos(P_l, E_v)     the hard prompt: un-normalised rows of the table
    g  = dL/dP at P'                                               the gradient AT THE HARD POINT
    P <- P - lr AdamW(g), with decay                               applied TO THE SOFT ONE, which is kept

The best P' of all steps is handed back, judged before each update. The others of this file differ in one line each:
`ProjectInPlace` overwrites P by P' (steps shorter than half a cell are lost), `FluentPrompt` does so with noise,
`SoftThenProject` takes the gradient at P and projects once, at the end. Swaps of single tokens are in
`baselines.token_search`.

Where this differs from the reference code. (1) Its language-model variant writes the projection into the soft prompt
after each step, and so becomes project-in-place; here P is kept everywhere. (2) Its loss is a mean over restarts, which
scales each one's gradient by their number: here each has its own (`reduction="mean"` for parity). (3) With a negative
loss weight it still hands back the restart of the largest cosine; here the least loss. (4) Rows of zero norm, which
padded vocabularies have, can be nearest there; here they and masked tokens cannot. (5) The table is scaled once, not at
each step, and the score is read from the same forward as the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.baselines.token_search import GRADIENT, Best, Found, OnStep, Search, TokenObjective, candidates, silent

CHUNK = 65_536  # tokens compared at a time


class Projection:
    """Proj_E with a table that is scaled once.

    Args:
        table: E, (V, D).
        tokens: (C,) those that may be nearest.
        where: (L, C) bool, at which positions; None = everywhere.
        metric: "cosine" or "euclidean".
        chunk: tokens compared at a time.
    """

    def __init__(
        self, table: Tensor, tokens: Tensor, where: Tensor | None = None, metric: str = "cosine", chunk: int = CHUNK
    ) -> None:
        self.table, self.tokens, self.chunk = table, tokens, chunk
        self.where = where
        # Positions where some token is held back: known once, so that no step asks.
        self.held = [] if where is None else (~where).any(1).nonzero()[:, 0].tolist()
        rows = table[tokens]
        # argmin |p - e|^2 = argmax <p, e> - |e|^2 / 2
        self.words = F.normalize(rows, dim=1) if metric == "cosine" else rows
        self.offset = None if metric == "cosine" else rows.square().sum(1) / 2

    def __call__(self, P: Tensor) -> tuple[Tensor, Tensor]:
        """(..., L, D) to the nearest rows of the table, un-normalised, and their int64 (..., L) numbers."""
        flat, values, places = P.reshape(-1, P.shape[-1]), [], []
        for start in range(0, len(self.words), self.chunk):
            part = slice(start, start + self.chunk)
            scores = flat @ self.words[part].T
            if self.offset is not None:
                scores -= self.offset[part]
            for position in self.held:
                assert self.where is not None
                scores.view(-1, P.shape[-2], scores.shape[1])[:, position].masked_fill_(
                    ~self.where[position, part], -torch.inf
                )
            value, place = scores.max(1)
            values.append(value)
            places.append(place + start)
        # The first of equal chunks wins, as the first of equal tokens does within one.
        chunk = torch.stack(values).argmax(0)
        ids = self.tokens[torch.stack(places).gather(0, chunk[None])[0]].view(P.shape[:-1])
        return self.table[ids], ids


def nearest_token_project(
    P: Tensor, E: Tensor, metric: str = "cosine", allowed: Tensor | None = None, chunk: int = CHUNK
) -> tuple[Tensor, Tensor]:
    """The nearest tokens' embeddings: Proj_E of algorithm 1.

    Args:
        P: (..., L, D) floats.
        E: (V, D) the table; rows of zero norm are never nearest.
        metric: "cosine", the paper's, which does not care how long P is; or "euclidean".
        allowed: (V,) or (L, V) bool; None = all.
        chunk: tokens compared at a time.

    Returns:
        Rows of E, (..., L, D), not scaled, and their int64 numbers, (..., L).

    Raises:
        InputError: all tokens are masked.

    Example:
        >>> E = torch.tensor([[1.0, 0.0], [0.0, 5.0], [0.0, 0.0]])
        >>> nearest_token_project(torch.tensor([[0.1, 0.2]]), E)
        (tensor([[0., 5.]]), tensor([[1]]))
    """
    mask = torch.ones(len(E), dtype=torch.bool, device=E.device) if allowed is None else allowed
    return Projection(E, *candidates(E, mask, P.shape[-2]), metric, chunk)(P)


class StraightThroughProject(torch.autograd.Function):
    """Proj_E forwards, the identity backwards: what the gradient at P', applied to P, amounts to.

    Example:
        >>> P = torch.tensor([[0.1, 0.2]], requires_grad=True)
        >>> E = torch.tensor([[1.0, 0.0], [0.0, 5.0]])
        >>> hard = StraightThroughProject.apply(P, Projection(E, torch.arange(2)))
        >>> torch.autograd.grad((hard**2).sum(), P)
        (tensor([[ 0., 10.]]),)
    """

    @staticmethod
    def forward(ctx: Any, P: Tensor, projection: Projection) -> Tensor:
        return projection(P)[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


@dataclass(frozen=True)
class Pez(Search):
    """PEZ, algorithm 1.

    Attributes:
        lr, weight_decay: of the optimiser.
        optimizer: "adamw", or "adafactor" as in the paper's experiments with language models (with gradients cut at
            norm 1).
        projection: "cosine" or "euclidean".
        reduction: of the losses of several prompts: "sum" keeps them apart, "mean" divides each one's gradient by
            their number, as the reference does.
    """

    lr: float = 0.1
    weight_decay: float = 0.1
    optimizer: str = "adamw"
    projection: str = "cosine"
    reduction: str = "sum"

    def search(
        self,
        objective: TokenObjective,
        ids: Tensor,
        budget: int,
        generator: torch.Generator,
        on_step: OnStep = silent,
    ) -> Found:
        P, best, steps = objective.table[ids].clone(), Best(ids), max(1, budget // GRADIENT)
        project = Projection(objective.table, *objective.candidates(ids.shape[1]), self.projection)
        optimizer = self._optimizer(P)
        for step in range(steps):
            hard, ids = project(P)
            loss, slope = objective.gradient(hard, ids)
            if objective.judge is None:
                best.add(ids, loss)
            elif step % objective.every == 0 or step == steps - 1:
                best.add(ids, objective.judge(ids))
            P.copy_(self.start(P, hard))
            P.grad = slope / len(P) if self.reduction == "mean" else slope
            if self.optimizer == "adafactor":
                torch.nn.utils.clip_grad_norm_([P], 1.0)
            optimizer.step()
            self.disturb(P, step / max(1, steps - 1), generator)
            on_step(step + 1, steps)
        return best.found(f", lr {self.lr:g}")

    def start(self, P: Tensor, hard: Tensor) -> Tensor:
        """Where the step starts: the soft prompt, which is what PEZ is about."""
        return P

    def disturb(self, P: Tensor, done: float, generator: torch.Generator) -> None:
        """What is added after the step, in place: nothing."""

    def _optimizer(self, P: Tensor) -> torch.optim.Optimizer:
        if self.optimizer == "adafactor":
            return torch.optim.Adafactor([P], lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.AdamW([P], lr=self.lr, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class ProjectInPlace(Pez):
    """The soft prompt is overwritten by its projection before each step (AutoPrompt-SGD; the defect of naive codes)."""

    def start(self, P: Tensor, hard: Tensor) -> Tensor:
        return hard


@dataclass(frozen=True)
class FluentPrompt(ProjectInPlace):
    """Langevin steps from the projected point: P <- Proj(P - lr step + sqrt(2 lr beta_t) z).

    Shi et al., "Toward Human Readable Prompt Tuning", 2022, arXiv 2212.10539.

    Attributes:
        beta: of the noise at the start.
        fall: beta at the end, as a share of that; geometrically in between.
    """

    beta: float = 1e-4
    fall: float = 1e-4

    def disturb(self, P: Tensor, done: float, generator: torch.Generator) -> None:
        beta = self.beta * self.fall**done
        z = torch.randn(P.shape, generator=generator).to(P.device, P.dtype)
        P.add_(z, alpha=(2 * self.lr * beta) ** 0.5)


@dataclass(frozen=True)
class SoftThenProject(Pez):
    """The soft prompt is optimised freely and projected once, at the end."""

    def search(
        self,
        objective: TokenObjective,
        ids: Tensor,
        budget: int,
        generator: torch.Generator,
        on_step: OnStep = silent,
    ) -> Found:
        P, best, steps = objective.table[ids].clone(), Best(ids), max(1, (budget - 1) // GRADIENT)
        optimizer, soft = self._optimizer(P), []
        for step in range(steps):
            loss, slope = objective.gradient(P, None)
            soft.append(loss)
            P.grad = slope / len(P) if self.reduction == "mean" else slope
            optimizer.step()
            on_step(step + 1, steps)
        _, ids = Projection(objective.table, *objective.candidates(ids.shape[1]), self.projection)(P)
        rows = torch.arange(len(ids), device=ids.device)
        best.add(ids, objective.of_ids(ids, rows) if objective.judge is None else objective.judge(ids))
        return Found(*best.found(f", lr {self.lr:g}")[:2], torch.stack(soft))


__all__ = [
    "FluentPrompt",
    "Pez",
    "ProjectInPlace",
    "Projection",
    "SoftThenProject",
    "StraightThroughProject",
    "nearest_token_project",
]
