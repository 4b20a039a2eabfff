"""Prompts whose vector is that of a text, of an image, or of a long prompt that should be shorter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.baselines.token_search import GRADIENT, KEPT, OnStep, TokenObjective, random_ids, silent
from holdfast.encoders.clip_folder import PretrainedCLIP
from holdfast.encoders.sentences import LONGEST
from holdfast.encoders.soft_sentences import SoftSentenceEncoder
from holdfast.errors import InputError
from holdfast.language.token_masks import alphabetic, blocked, continues, placed
from holdfast.systems.pez.tool.clip_prompts import ClipTexts
from holdfast.systems.pez.tool.optimizer import PromptResult, searching
from holdfast.systems.pez.tool.retokenised import choose, cosine_losses
from holdfast.validation import check_fraction, check_integer, check_number

Target = str | Tensor | Sequence[Any]  # several: one prompt for all


class Inverter:
    """Prompts for targets in the space of an encoder; several targets and restarts share each forward.

    Args:
        encoder: `SoftSentenceEncoder`, `ClipTexts`, or another with their `table`, `tokenizer`, `from_embeddings`,
            `encode` and `text`.
        longest: most tokens of a prompt.
        method, steps, lr, weight_decay, restarts, seed: as in `HardPromptOptimizer`.
        weight: of the loss; negative finds prompts that are far from the target.
        blocklist: words that prompts must not say.
        letters_only: tokens of ASCII letters alone; False = all but special ones.
        whole_words: no pieces that continue a word.

    Raises:
        InputError: a setting that makes no sense.
    """

    def __init__(
        self,
        encoder: Any,
        longest: int,
        method: str = "pez",
        steps: int = 300,
        lr: float = 0.1,
        weight_decay: float = 0.1,
        restarts: int = 1,
        seed: int = 0,
        weight: float = 1.0,
        blocklist: Sequence[str] = (),
        letters_only: bool = True,
        whole_words: bool = False,
    ) -> None:
        self.encoder, self.longest, self.weight = encoder, longest, check_number(weight, "weight")
        if weight == 0:
            raise InputError("weight", "must not be 0", weight)
        self.steps, self.restarts = check_integer(steps, "steps", low=1), check_integer(restarts, "restarts", low=1)
        self.seed, self.search = check_integer(seed, "seed", low=0), searching(method, lr, weight_decay)
        self.banned = tuple(word.strip().lower() for word in blocklist)
        self.config = {
            "method": method, "steps": steps, "lr": lr, "weight_decay": weight_decay, "restarts": restarts,
            "seed": seed, "weight": weight, "blocklist": list(blocklist),
        }  # fmt: skip
        V, words = len(encoder.table), encoder.tokenizer
        if letters_only:
            mask = alphabetic(words, V)
        else:
            mask = torch.arange(V) < len(words)
            mask[list(words.all_special_ids)] = False
        if blocklist:
            mask &= ~blocked(words, blocklist, V)
        self.inner = continues(words, V)
        self.mask = mask & ~self.inner if whole_words else mask

    def invert(self, target: Target, prompt_len: int = 8, on_step: OnStep = silent) -> PromptResult:
        """The prompt nearest to a target.

        Args:
            target: a text, a vector (E,), or several of them: then one prompt with the largest mean cosine.
            prompt_len: tokens of the prompt.
            on_step: told (steps done, steps in all).

        Returns:
            The prompt; scores are cosines.

        Raises:
            InputError: an empty text, a vector of another length or not finite, a prompt that is too long.
        """
        return self.invert_each([target], prompt_len, on_step)[0]

    def invert_each(
        self, targets: Sequence[Target], prompt_len: int = 8, on_step: OnStep = silent
    ) -> list[PromptResult]:
        """A prompt for each target, all searched side by side."""
        length = check_integer(prompt_len, "prompt_len", low=1)
        if length > self.longest:
            raise InputError("prompt_len", f"must be at most {self.longest} for this encoder", prompt_len)
        table = self.encoder.table.detach()
        aims = torch.stack([self._aim(target) for target in targets]) if len(targets) else table.new_zeros(0, 1)
        if not len(aims):
            raise InputError("target", "must be there", "none")
        allowed = placed(self.mask, self.inner, length).to(table.device)
        owner = torch.arange(len(aims), device=table.device).repeat_interleave(self.restarts)

        def loss(embedded: Tensor, ids: Tensor | None, rows: Tensor) -> Tensor:
            return cosine_losses(self.encoder.from_embeddings(embedded), aims[owner[rows]], self.weight)

        def judge(texts: Sequence[str], rows: Sequence[int]) -> Tensor:
            losses = cosine_losses(self.encoder.encode(texts), aims[owner[list(rows)]], self.weight)
            return losses.nan_to_num(torch.inf, posinf=torch.inf, neginf=-torch.inf)

        objective = TokenObjective(table, allowed, loss)
        tokens, where = objective.candidates(length)
        start, noise = (torch.Generator().manual_seed(2 * self.seed + i) for i in range(2))
        ids = random_ids(tokens, where, len(owner), start)
        found = self.search.search(objective, ids, GRADIENT * self.steps, noise, on_step)
        chosen = choose(found, self.encoder.text, judge, self._refused)
        results = []
        for k in range(len(aims)):
            rows = range(k * self.restarts, (k + 1) * self.restarts)
            best = min((c for c in (chosen[row] for row in rows) if c), key=lambda c: c.retokenized, default=None)
            if best is None:
                rule = f"must leave one of the {KEPT} best prompts of a restart; search longer, or with more restarts"
                raise InputError("blocklist", rule, "all say a blocked word, or cannot be read as text")
            history = found.history[:, list(rows)].amin(1)
            results.append(
                PromptResult(
                    tuple(best.ids.tolist()), best.text, self._cosine(best.score),
                    tuple(self._cosine(value) for value in history.tolist()), self._cosine(best.retokenized),
                    self._same(best.text, best.ids), self.config | {"prompt_len": length, "model": self.name},
                )
            )  # fmt: skip
        return results

    @property
    def name(self) -> str:
        """Which encoder: a hash of its embeddings and the size of its vocabulary."""
        import hashlib

        raw = self.encoder.table.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
        return f"{len(self.encoder.table)} tokens, {hashlib.sha256(raw).hexdigest()[:16]}"

    def _cosine(self, loss: float) -> float:
        return 1 - loss / self.weight

    def _same(self, text: str, ids: Tensor) -> bool:
        try:
            return bool(torch.equal(self.encoder.ids(text), ids))
        except InputError:
            return False

    def _refused(self, text: str) -> bool:
        return not text.strip() or any(word in text.lower() for word in self.banned)

    def _aim(self, target: Target) -> Tensor:
        if isinstance(target, str):
            if not target.strip():
                raise InputError("target", "must say something", repr(target))
            vector: Tensor = self.encoder.encode([target])[0]
            if not bool(vector.isfinite().all()):
                raise InputError("target", "must be a text that the encoder can read", repr(target[:60]))
            return vector
        if isinstance(target, Tensor):
            width = self.encoder.from_embeddings(self.encoder.table[:1][None]).shape[1]
            if target.shape != (width,) or not target.is_floating_point():
                rule = f"must be floats of the shape ({width},) for this encoder"
                raise InputError("target", rule, f"{target.dtype} {tuple(target.shape)}")
            if not bool(target.isfinite().all()) or not bool(target.any()):
                raise InputError("target", "must be finite and not zero", "NaN, infinity, or zeros")
            return F.normalize(target.to(self.encoder.table), dim=0)
        if not len(target):
            raise InputError("target", "must be there", "an empty list")
        return torch.stack([self._aim(one) for one in target]).mean(0)


class SentenceInverter(Inverter):
    """Prompts that a sentence encoder reads as the target.

    Args:
        encoder: a folder in Hugging Face's layout, or an encoder; None = the packaged all-MiniLM-L6-v2.
        **settings: see `Inverter`.

    Example:
        >>> found = SentenceInverter(steps=3).invert("a red bicycle in the rain", prompt_len=4)
        >>> len(found.ids), -1 <= found.retokenized_score <= 1
        (4, True)
    """

    def __init__(self, encoder: str | Path | SoftSentenceEncoder | None = None, **settings: Any) -> None:
        super().__init__(
            encoder if isinstance(encoder, SoftSentenceEncoder) else SoftSentenceEncoder(encoder),
            LONGEST - 2,
            **settings,
        )


class CLIPInverter(Inverter):
    """Prompts that a CLIP finds alike to images or texts.

    Args:
        clip: a folder in Hugging Face's layout, or what was read from it.
        device: where it runs.
        **settings: see `Inverter`.
    """

    def __init__(self, clip: str | Path | PretrainedCLIP, device: str = "cpu", **settings: Any) -> None:
        encoder = ClipTexts(clip, device)
        super().__init__(encoder, encoder.clip.context - 2, **settings)

    def invert(self, target: Any, prompt_len: int = 8, on_step: OnStep = silent) -> PromptResult:
        """As `Inverter.invert`; images (N, 3, H, W) in [0, 1] are a target, too: one prompt for all of them."""
        if isinstance(target, Tensor) and target.ndim == 4:
            target = list(self.encoder.images(target))
        return super().invert(target, prompt_len, on_step)


def distill(
    prompt: str, ratio: float = 0.3, inverter: Inverter | None = None, prompt_len: int | None = None,
    on_step: OnStep = silent,
) -> PromptResult:  # fmt: skip
    """A shorter prompt with the vector of a long one.

    Args:
        prompt: the long one.
        ratio: tokens of the short one per token of the long one, in (0, 1).
        inverter: which encoder; None = the packaged one.
        prompt_len: tokens, in place of the ratio.
        on_step: told (steps done, steps in all).

    Raises:
        InputError: an empty prompt; a result that would be no shorter.
    """
    found = inverter or SentenceInverter()
    if not prompt.strip():
        raise InputError("prompt", "must say something", repr(prompt))
    whole = len(found.encoder.ids(prompt))
    share = check_fraction(ratio, "ratio", zero=False)
    length = max(1, round(share * whole)) if prompt_len is None else check_integer(prompt_len, "prompt_len", low=1)
    if length >= whole:
        raise InputError("prompt_len", f"must be less than {whole}, the tokens of the prompt", length)
    return found.invert(prompt, length, on_step)


__all__ = ["CLIPInverter", "Inverter", "SentenceInverter", "distill"]
