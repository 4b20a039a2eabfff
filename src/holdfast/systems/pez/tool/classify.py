"""A hard prompt that makes a causal language model a classifier: the paper's second use (section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.baselines.token_search import OnStep, silent
from holdfast.errors import InputError
from holdfast.language.local import _load
from holdfast.language.token_masks import alphabetic
from holdfast.systems.pez.tool.optimizer import HardPromptOptimizer, PromptResult
from holdfast.validation import check_fraction, check_integer, check_same_length

LEAST = 8  # rows, and two of each label


class PromptClassifier:
    """Prompt, text and template go into a frozen model; the next token says the label.

    The prompt is searched by PEZ with Adafactor, gradients cut at norm 1, on batches; every `every` steps it is judged
    by its cross-entropy on held-out rows, and the best is kept.

    Args:
        lm: a folder in Hugging Face's layout, or a causal model of transformers.
        tokenizer: of the model; None = that of the folder.
        verbalizer: label -> the word that says it, whose first token counts; None = the labels themselves.
        template: what follows the prompt; "{text}" is the text.
        prompt_len, steps, lr, restarts, seed: of the search.
        batch: rows of a step.
        every: steps from one judgement to the next.
        held_out: share of the rows that judge.
        fluency: lam of (1 - lam) loss + lam cross-entropy of the prompt under the model.
        longest: tokens of a text; what is behind is cut.

    Attributes:
        result_: the prompt.
        classes_: labels in order.
        accuracy_: on the held-out rows, of the prompt and of none: {"prompt": ..., "empty": ...}.

    Raises:
        InputError: a setting that makes no sense.
    """

    def __init__(
        self,
        lm: str | Path | Any,
        tokenizer: Any = None,
        verbalizer: Mapping[str, str] | None = None,
        template: str = " {text}. It was",
        prompt_len: int = 10,
        steps: int = 5000,
        lr: float = 0.3,
        restarts: int = 1,
        seed: int = 0,
        batch: int = 16,
        every: int = 100,
        held_out: float = 0.2,
        fluency: float = 0.003,
        longest: int = 128,
    ) -> None:
        if isinstance(lm, str | Path):
            words, self.lm = _load(Path(lm), "float32")
            self.tokenizer = tokenizer or words
        else:
            self.lm, self.tokenizer = lm, tokenizer
        if self.tokenizer is None:
            raise InputError("tokenizer", "must be given with a model that is no folder", None)
        if template.count("{text}") != 1:
            raise InputError("template", "must hold {text} once", repr(template))
        self.lm.eval().requires_grad_(False)
        self.verbalizer, self.template = verbalizer, template
        self.prompt_len, self.steps = check_integer(prompt_len, "prompt_len", low=1), steps
        self.lr, self.restarts, self.seed = lr, restarts, check_integer(seed, "seed", low=0)
        self.batch, self.every = check_integer(batch, "batch", low=1), check_integer(every, "every", low=1)
        self.held_out = check_fraction(held_out, "held_out", zero=False, one=False)
        self.fluency = check_fraction(fluency, "fluency", one=False)
        self.longest = check_integer(longest, "longest", low=1)

    def fit(self, texts: Sequence[str], labels: Sequence[str], on_step: OnStep = silent) -> PromptClassifier:
        """Search the prompt.

        Raises:
            InputError: too few rows; one label; an empty text; labels whose words begin with the same token.
        """
        if check_same_length(texts=texts, labels=labels) < LEAST:
            raise InputError("texts", f"must be at least {LEAST}", len(texts))
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise InputError("texts", "must be texts, none of them empty", "one that is not")
        said, y = np.unique(np.asarray(labels, str), return_inverse=True)
        self.classes_ = tuple(said.tolist())
        if len(said) < 2 or np.bincount(y).min() < 2:
            raise InputError("labels", "must be of two kinds or more, two rows each", dict.fromkeys(self.classes_))
        self._words = self._verbalised()
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(texts))
        held = max(2, round(self.held_out * len(texts)))
        test, train = order[:held], order[held:]
        sides = self._tokens(texts)
        context = getattr(self.lm.config, "max_position_embeddings", None)
        most = self.prompt_len + max(map(len, sides))
        if context is not None and most > context:
            raise InputError("prompt_len", f"must fit into the model's {context} tokens with the texts", most)
        answers = torch.as_tensor(y)
        table = self.lm.get_input_embeddings().weight

        def loss(embedded: Tensor, ids: Tensor | None) -> Tensor:
            rows = rng.choice(train, min(self.batch, len(train)), replace=False)
            scores = self._scores(embedded, [sides[i] for i in rows])
            found = self._entropy(scores, answers[rows])
            if ids is None or not self.fluency:
                return found
            return (1 - self.fluency) * found + self.fluency * fluency(self.lm, embedded, ids)

        def judge(ids: Tensor) -> Tensor:
            with torch.no_grad():
                return self._entropy(self._scores(table[ids], [sides[i] for i in test]), answers[test])

        search = HardPromptOptimizer(
            table, loss, self.prompt_len, self.steps, self.lr, 0.0, self.restarts, "adafactor",
            allowed=lambda E: alphabetic(self.tokenizer, len(E)), seed=self.seed, tokenizer=self.tokenizer,
            judge=judge, judge_every=self.every,
        )  # fmt: skip
        self.result_: PromptResult = search.run(on_step)
        with torch.no_grad():
            ids = torch.tensor([self.tokenizer(self.result_.text, add_special_tokens=False)["input_ids"]])
            shown = {"prompt": table[ids.to(table.device)], "empty": table[:0][None]}
            guesses = {n: self._scores(e, [sides[i] for i in test])[0].argmax(1).cpu() for n, e in shown.items()}
        self.accuracy_ = {name: float((guess == answers[test]).float().mean()) for name, guess in guesses.items()}
        return self

    @torch.no_grad()
    def predict(self, texts: Sequence[str]) -> list[str]:
        """Labels of texts, with the prompt as text."""
        ids = torch.tensor([self.tokenizer(self.result_.text, add_special_tokens=False)["input_ids"]])
        table = self.lm.get_input_embeddings().weight
        sides, found = self._tokens(texts), []
        for start in range(0, len(sides), 32):
            scores = self._scores(table[ids.to(table.device)], sides[start : start + 32])
            found += scores[0].argmax(1).tolist()
        return [self.classes_[k] for k in found]

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        before, after = self.template.split("{text}")
        found = []
        for text in texts:
            body = self.tokenizer(before + text.strip(), add_special_tokens=False)["input_ids"][: self.longest]
            found.append([*body, *self.tokenizer(after, add_special_tokens=False)["input_ids"]])
        return found

    def _verbalised(self) -> Tensor:
        words = self.verbalizer or {label: label for label in self.classes_}
        lacking = [label for label in self.classes_ if label not in words]
        if lacking:
            raise InputError("verbalizer", "must say every label", f"none for {lacking[0]!r}")
        first = [self.tokenizer(f" {words[c].strip()}", add_special_tokens=False)["input_ids"] for c in self.classes_]
        if not all(first) or len({ids[0] for ids in first}) < len(first):
            raise InputError("verbalizer", "must have words that begin with different tokens", dict(words))
        return torch.tensor([ids[0] for ids in first])

    def _scores(self, prompts: Tensor, sides: Sequence[list[int]]) -> Tensor:
        """(B, R, C) log-odds of the labels' words behind (B, L, D) prompts and R texts, padded behind their ends."""
        table = self.lm.get_input_embeddings().weight
        B, L, R = len(prompts), prompts.shape[1], len(sides)
        lengths = torch.tensor([len(side) for side in sides], device=table.device)
        padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(side) for side in sides], batch_first=True)
        body = table[padded.to(table.device)].expand(B, -1, -1, -1)
        row = torch.cat([prompts[:, None].expand(-1, R, -1, -1), body], 2).flatten(0, 1)
        ends = (L + lengths - 1).repeat(B)
        seen = torch.arange(row.shape[1], device=table.device)[None] <= ends[:, None]
        logits = self.lm(inputs_embeds=row, attention_mask=seen.long()).logits
        at_end = logits[torch.arange(B * R, device=table.device), ends]
        return at_end[:, self._words.to(table.device)].view(B, R, -1).float()

    @staticmethod
    def _entropy(scores: Tensor, answers: Tensor) -> Tensor:
        """(B,) mean cross-entropy over rows."""
        B, R, C = scores.shape
        wanted = answers.to(scores.device).repeat(B)
        return F.cross_entropy(scores.reshape(B * R, C), wanted, reduction="none").view(B, R).mean(1)


def fluency(lm: Any, embedded: Tensor, ids: Tensor) -> Tensor:
    """(B,) mean cross-entropy of tokens 2 .. L of (B, L) prompts under a causal model that reads (B, L, D)."""
    if ids.shape[1] < 2:
        return embedded.sum((1, 2)) * 0
    logits = lm(inputs_embeds=embedded).logits[:, :-1]
    each = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    return each.view(len(ids), -1).mean(1)


__all__ = ["PromptClassifier", "fluency"]
