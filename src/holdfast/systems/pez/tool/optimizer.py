"""One prompt for one loss: `HardPromptOptimizer` and what it hands back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.baselines.token_search import (
    GCG,
    GRADIENT,
    HotFlip,
    OnStep,
    RandomTokens,
    Search,
    TokenObjective,
    random_ids,
    silent,
)
from holdfast.errors import InputError
from holdfast.systems.pez.method import FluentPrompt, Pez, ProjectInPlace, SoftThenProject
from holdfast.systems.pez.tool.retokenised import choose
from holdfast.validation import check_choice, check_integer, check_number, check_positive

GRADIENTS: Mapping[str, type[Pez]] = {
    "pez": Pez, "project": ProjectInPlace, "fluent": FluentPrompt, "soft": SoftThenProject
}  # fmt: skip
SWAPS: Mapping[str, Search] = {"hotflip": HotFlip(), "gcg": GCG(), "random": RandomTokens()}
METHODS = (*GRADIENTS, *SWAPS)


@dataclass(frozen=True)
class PromptResult:
    """A hard prompt.

    Attributes:
        ids: its tokens.
        text: what they say; "" without a tokenizer.
        score: the larger the better: minus the loss, or the cosine where a cosine was asked for.
        history: score at each step, of the best restart then.
        retokenized_score: of the text, tokenised anew: what it is worth once typed in; None without a tokenizer.
        stable: whether the text gives the same tokens again.
        config: how it was made.
    """

    ids: tuple[int, ...]
    text: str
    score: float
    history: tuple[float, ...] = ()
    retokenized_score: float | None = None
    stable: bool | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it but the history, for a file."""
        found = asdict(self)
        del found["history"]
        return found | {"ids": list(self.ids)}


def searching(
    method: str, lr: float = 0.1, weight_decay: float = 0.1, optimizer: str = "adamw", projection: str = "cosine",
    reduction: str = "sum",
) -> Search:  # fmt: skip
    """The search of a name, with these settings where it has them.

    Raises:
        InputError: no such name; a rate that is not positive.
    """
    check_choice(method, METHODS, "method")
    check_positive(lr, "lr")
    check_number(weight_decay, "weight_decay", low=0)
    check_choice(optimizer, ("adamw", "adafactor"), "optimizer")
    check_choice(projection, ("cosine", "euclidean"), "projection")
    check_choice(reduction, ("sum", "mean"), "reduction")
    if method in SWAPS:
        return SWAPS[method]
    return GRADIENTS[method](lr, weight_decay, optimizer, projection, reduction)


class HardPromptOptimizer:
    """Tokens that make a loss small.

    Args:
        embedding: the table, `nn.Embedding` or (V, D).
        loss_fn: `loss_fn(embeddings (B, L, D), ids (B, L)) -> (B,)`, a loss for each prompt with gradients to the
            embeddings; ids is None where they are of no tokens (method "soft").
        prompt_len: L.
        steps: of a gradient search; other methods get as much work, three forwards a step.
        lr, weight_decay, optimizer, projection, reduction: see `Pez`.
        restarts: searches side by side, B; the best counts.
        allowed: (V,) or (L, V) bool, or a function that makes it of the table; None = all tokens.
        method: "pez", "project", "fluent", "soft", "hotflip", "gcg" or "random".
        seed: of the start and of what a method draws.
        tokenizer: of transformers; with it the best prompts are judged as text, tokenised anew.
        refused: texts that may not be the result.

    Raises:
        InputError: a setting that makes no sense; a loss of another shape; a loss that is not finite (the step is
            named); all tokens masked.

    Example:
        >>> E = torch.eye(5)
        >>> def loss(embedded, ids):
        ...     return (embedded.sum(1) - E[[3, 1]].sum(0)).square().sum(1)
        >>> found = HardPromptOptimizer(E, loss, prompt_len=2, steps=40).run()
        >>> sorted(found.ids), found.score
        ([1, 3], 0.0)
    """

    def __init__(
        self,
        embedding: nn.Embedding | Tensor,
        loss_fn: Callable[[Tensor, Tensor | None], Tensor],
        prompt_len: int = 16,
        steps: int = 3000,
        lr: float = 0.1,
        weight_decay: float = 0.1,
        restarts: int = 1,
        optimizer: str = "adamw",
        projection: str = "cosine",
        allowed: Tensor | Callable[[Tensor], Tensor] | None = None,
        method: str = "pez",
        seed: int = 0,
        *,
        reduction: str = "sum",
        tokenizer: Any = None,
        refused: Callable[[str], bool] = lambda text: False,
        judge: Callable[[Tensor], Tensor] | None = None,
        judge_every: int = 1,
    ) -> None:
        table = (embedding.weight if isinstance(embedding, nn.Embedding) else embedding).detach()
        if table.ndim != 2 or not table.is_floating_point():
            raise InputError("embedding", "must be a table (V, D) of floats", f"{table.dtype} {tuple(table.shape)}")
        if not bool(table.isfinite().all()):
            raise InputError("embedding", "must be finite", "NaN or infinity")
        if tokenizer is not None and len(tokenizer) > len(table):
            rule = f"must have at most {len(table)} tokens, the rows of the embeddings"
            raise InputError("tokenizer", rule, len(tokenizer))
        self.prompt_len = check_integer(prompt_len, "prompt_len", low=1)
        self.steps = check_integer(steps, "steps", low=1)
        self.restarts = check_integer(restarts, "restarts", low=1)
        self.seed = check_integer(seed, "seed", low=0)
        self.search = searching(method, lr, weight_decay, optimizer, projection, reduction)
        self.loss_fn, self.tokenizer, self.refused = loss_fn, tokenizer, refused
        every = check_integer(judge_every, "judge_every", low=1)
        mask = self._mask(table, allowed)
        self.objective = TokenObjective(table, mask, self._loss, judge, every)
        self.config = {
            "method": method, "prompt_len": prompt_len, "steps": steps, "lr": lr, "weight_decay": weight_decay,
            "restarts": restarts, "optimizer": optimizer, "projection": projection, "seed": seed,
            "table": hashlib.sha256(table.cpu().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()[:16],
        }  # fmt: skip

    def run(self, on_step: OnStep = silent) -> PromptResult:
        """Search.

        Args:
            on_step: told (steps done, steps in all).
        """
        tokens, where = self.objective.candidates(self.prompt_len)
        start, noise = (torch.Generator().manual_seed(2 * self.seed + i) for i in range(2))
        ids = random_ids(tokens, where, self.restarts, start)
        found = self.search.search(self.objective, ids, GRADIENT * self.steps, noise, on_step)
        history = tuple((-found.history.amin(1)).tolist())
        row = int(found.loss[:, 0].argmin())
        if self.tokenizer is None:
            best = tuple(found.ids[row, 0].tolist())
            return PromptResult(best, "", -float(found.loss[row, 0]), history, config=self.config)
        chosen = [c for c in choose(found, self._text, self._judge_texts, self.refused) if c is not None]
        if not chosen:
            rule = "must leave a prompt among those found; search longer, or with more restarts"
            raise InputError("refused", rule, "all were refused, or cannot be read as text")
        one = min(chosen, key=lambda c: c.retokenized)
        best = tuple(one.ids.tolist())
        stable = tuple(self._ids(one.text)) == best
        return PromptResult(best, one.text, -one.score, history, -one.retokenized, stable, self.config)

    def _loss(self, embedded: Tensor, ids: Tensor | None, rows: Tensor) -> Tensor:
        loss = self.loss_fn(embedded, ids)
        if loss.shape != (len(embedded),):
            raise InputError("loss_fn", f"must give a loss for each prompt, ({len(embedded)},)", tuple(loss.shape))
        return loss

    def _mask(self, table: Tensor, allowed: Any) -> Tensor:
        mask = torch.ones(len(table), dtype=torch.bool) if allowed is None else allowed
        mask = mask(table) if callable(mask) else mask
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            raise InputError("allowed", "must be a bool tensor", getattr(mask, "dtype", type(mask).__name__))
        if self.tokenizer is not None:  # rows that fill the table up belong to no token
            mask = mask & (torch.arange(len(table), device=mask.device) < len(self.tokenizer))
        return mask.to(table.device)

    def _text(self, ids: Tensor) -> str:
        return str(self.tokenizer.decode(ids.tolist())).strip()

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _judge_texts(self, texts: Sequence[str], rows: Sequence[int]) -> Tensor:
        losses = []
        for text in texts:
            ids = torch.tensor([self._ids(text)], device=self.objective.table.device)
            if ids.shape[1] == 0:
                losses.append(torch.tensor([torch.inf]))
                continue
            judged = self.objective.judge or (lambda one: self.objective.of_ids(one, torch.zeros_like(one[:, 0])))
            losses.append(judged(ids).cpu())
        return torch.cat(losses)


def combine(prompts: Sequence[PromptResult | str]) -> str:
    """Prompts that were found separately, joined into one text.

    Raises:
        InputError: none, or one that says nothing.
    """
    texts = [prompt.text if isinstance(prompt, PromptResult) else prompt for prompt in prompts]
    if not texts or not all(text.strip() for text in texts):
        raise InputError("prompts", "must be prompts with texts", texts)
    return " ".join(text.strip() for text in texts)


__all__ = ["METHODS", "HardPromptOptimizer", "PromptResult", "combine", "searching"]
