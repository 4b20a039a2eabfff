"""Choosing a checkpoint, or a model, without group labels: the one whose worst reweighted error is the lowest.

After every pass the adversary is looked at on the validation set. Its ratios are normalised over the whole set; it
joins the list unless its divergence from the data is too large. A checkpoint's score is the largest reweighted error
over the list, which holds the uniform weights from the start. As the list grows, the score of the best so far grows
with it, so that it is computed again before a new checkpoint is compared with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.training.inference import forward_in_batches
from holdfast.validation import check_integer, check_positive


def ratio_kl(log_r: Tensor) -> Tensor:
    """KL(q || p) = mean(r log r) over the last axis, in nats, of log-ratios with mean ratio 1."""
    return (log_r.exp() * log_r).mean(-1)


def reverse_kl(log_r: Tensor) -> Tensor:
    """KL(p || q) = -mean(log r) over the last axis."""
    return -log_r.mean(-1)


def compare_models(errors: Tensor, log_ratios: Tensor) -> tuple[int, int]:
    """Which of several models has the lowest worst reweighted error, over the adversaries of all their runs.

    Args:
        errors: (M, N) errors or losses of each model on the same N examples.
        log_ratios: (A, N) of all adversaries, each with mean ratio 1.

    Returns:
        (model, its worst adversary), as positions.

    Raises:
        InputError: shapes that do not fit, none of either.

    Example:
        >>> compare_models(torch.tensor([[1.0, 0.0], [0.4, 0.5]]), torch.tensor([[1.5, 0.5], [0.5, 1.5]]).log())
        (1, 1)
    """
    if errors.ndim != 2 or log_ratios.ndim != 2 or errors.shape[1] != log_ratios.shape[1] or not errors.numel():
        rule = "must be (models, N) and (adversaries, N), with at least one of each"
        raise InputError("errors, log_ratios", rule, f"{tuple(errors.shape)} and {tuple(log_ratios.shape)}")
    if not len(log_ratios):
        raise InputError("log_ratios", "must hold at least one adversary", 0)
    reweighted = errors @ log_ratios.exp().to(errors.dtype).T / errors.shape[1]
    worst, adversary = reweighted.max(1)
    model = int(worst.argmin())
    return model, int(adversary[model])


class MinMaxSelector:
    """The list of adversaries, and the best checkpoint so far. Memory: one number per adversary and example.

    Args:
        kl_max: an adversary of a larger divergence is not taken into the list, in nats.
        divergence: of log-ratios (N,): `ratio_kl` or `reverse_kl`.

    Attributes:
        best_: number of the update that is the best so far, from 0; None before the first.
        best_score_: its score over the list as it is now.

    Example:
        >>> selector = MinMaxSelector()
        >>> selector.update(torch.tensor([0.0, 1.0, 0.0, 0.0]))
        True
        >>> selector.add_adversary(torch.tensor([0.1, 3.7, 0.1, 0.1]).log())
        True
        >>> selector.update(torch.tensor([0.5, 0.5, 0.5, 0.5]))  # worse on average, but not where it counts
        True
    """

    def __init__(self, kl_max: float = math.log(10), divergence: Callable[[Tensor], Tensor] = ratio_kl) -> None:
        self.kl_max, self.divergence = check_positive(kl_max, "kl_max"), divergence
        self.log_ratios: list[Tensor] = []  # accepted ones; the uniform one is not among them
        self.updates = 0
        self.best_: int | None = None
        self._best_errors: Tensor | None = None

    def add_adversary(self, log_r: Tensor) -> bool:
        """Take an adversary into the list, unless its divergence is too large.

        Args:
            log_r: (N,) log-ratios on the validation set, normalised over it.

        Returns:
            Whether it was taken.

        Raises:
            InputError: no examples, another number of them than before, not finite, or a mean ratio other than 1.
        """
        values = self._row(log_r, "log_r").double()
        if abs(float(values.exp().mean()) - 1) > 1e-3:
            raise InputError("log_r", "must have a mean ratio of 1; use batch_log_ratios", float(values.exp().mean()))
        taken = bool(self.divergence(values) <= self.kl_max)
        if taken:
            self.log_ratios.append(values)
        return taken

    def score(self, errors: Tensor) -> float:
        """The largest reweighted mean of errors (N,) over the list."""
        values = self._row(errors, "errors").double()
        found = [values.mean(), *((log_r.exp() * values).mean() for log_r in self.log_ratios)]
        return float(torch.stack(found).max())

    def update(self, errors: Tensor) -> bool:
        """Compare a checkpoint with the best so far, whose score is computed anew.

        Args:
            errors: (N,) 0/1 errors, or losses, on the validation set.

        Returns:
            Whether it is now the best: keep its weights.
        """
        values = self._row(errors, "errors").double()
        best = self._best_errors
        better = best is None or self.score(values) < self.score(best)
        if better:
            self.best_, self._best_errors = self.updates, values.clone()
        self.updates += 1
        return better

    @property
    def best_score_(self) -> float:
        """Score of the best over the list as it is now; infinite before the first update."""
        return math.inf if self._best_errors is None else self.score(self._best_errors)

    def state_dict(self) -> dict[str, Any]:
        """All of its state, as tensors and numbers."""
        listed = torch.stack(self.log_ratios) if self.log_ratios else None
        return {"log_ratios": listed, "updates": self.updates, "best": self.best_, "errors": self._best_errors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.log_ratios = [] if state["log_ratios"] is None else list(state["log_ratios"])
        self.updates, self.best_, self._best_errors = state["updates"], state["best"], state["errors"]

    def _row(self, values: Tensor, name: str) -> Tensor:
        if values.ndim != 1 or not len(values):
            raise InputError(name, "must hold a number per validation example, at least one", tuple(values.shape))
        for known in (*self.log_ratios[:1], self._best_errors):
            if known is not None and len(known) != len(values):
                raise InputError(name, f"must have {len(known)} examples, as before", len(values))
        if not bool(values.isfinite().all()):
            raise InputError(name, "must be finite", "NaN or infinite values")
        return values.detach().cpu()


def zero_one_errors(logits: Tensor, y: Tensor) -> Tensor:
    """(n,) 1 where the largest of the logits (n, K) is not the label's, else 0."""
    return (logits.argmax(1) != y).to(logits.dtype)


class MinMaxValidation(nn.Module):
    """Minmax selection on the way of a training: looks every `every` steps, and keeps the best weights of the model.

    Its state (list, best weights) is part of the learner's, so that a training that is resumed selects the same.

    Args:
        x, y: inputs (N, ...) and labels (N,) of the validation set; follow the learner to its device.
        every: steps between looks; usually those of a pass.
        selector: with the list.
        errors: (logits, y) to errors or losses (N,).

    Attributes:
        steps: steps seen; best_step: those of the best; best_weights: the model's `state_dict()` then, {} before.
    """

    x: Tensor
    y: Tensor

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        every: int,
        selector: MinMaxSelector | None = None,
        errors: Callable[[Tensor, Tensor], Tensor] = zero_one_errors,
    ) -> None:
        super().__init__()
        if not len(x) or len(x) != len(y):
            raise InputError("x", "must have at least one validation example, and a label for each", f"{len(x)} rows")
        self.register_buffer("x", x, persistent=False)
        self.register_buffer("y", y, persistent=False)
        self.every = check_integer(every, "every", low=1)
        self.selector, self.errors = selector or MinMaxSelector(), errors
        self.steps, self.best_step = 0, 0
        self.best_weights: dict[str, Tensor] = {}

    def after_step(self, model: nn.Module, adversary: nn.Module) -> None:
        """Count a step; look where it is time."""
        self.steps += 1
        if self.steps % self.every == 0:
            self.look(model, adversary)

    @torch.no_grad()
    def look(self, model: nn.Module, adversary: nn.Module) -> bool:
        """The adversary joins the list if it may, then the model is compared; whether it is the best now."""
        raw = forward_in_batches(ByRow(adversary, self.y), self.x).double()
        self.selector.add_adversary(raw - raw.logsumexp(0) + math.log(len(raw)))
        better = self.selector.update(self.errors(forward_in_batches(model, self.x), self.y))
        if better:
            self.best_step = self.steps
            self.best_weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
        return better

    def get_extra_state(self) -> dict[str, Any]:
        counted = {"steps": self.steps, "best_step": self.best_step}
        return {**counted, "best_weights": self.best_weights, "selector": self.selector.state_dict()}

    def set_extra_state(self, state: Any) -> None:
        self.steps, self.best_step = state["steps"], state["best_step"]
        self.best_weights = dict(state["best_weights"])
        self.selector.load_state_dict(state["selector"])


class ByRow(nn.Module):
    """The adversary as a function of x alone, for rows that come in the order of labels y (N,): once through them."""

    def __init__(self, adversary: nn.Module, y: Tensor) -> None:
        super().__init__()
        self.adversary, self.y, self.done = adversary, y, 0

    def forward(self, x: Tensor) -> Tensor:
        y = self.y[self.done : self.done + len(x)].to(x.device)
        self.done += len(x)
        scores: Tensor = self.adversary(x, y)
        return scores


__all__ = [
    "ByRow",
    "MinMaxSelector",
    "MinMaxValidation",
    "compare_models",
    "ratio_kl",
    "reverse_kl",
    "zero_one_errors",
]
