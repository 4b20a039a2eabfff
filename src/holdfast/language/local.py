"""A causal language model from a folder on the disk, through transformers: nothing is downloaded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.errors import InputError, MissingExtra
from holdfast.language.protocol import (
    Completion,
    ModelError,
    Prompt,
    Spending,
    cut_at,
    messages_of,
    text_of,
)
from holdfast.validation import check_integer


class LocalModel:
    """A causal language model of a folder in Hugging Face's layout (config.json, safetensors, tokenizer).

    Weights are read from safetensors only, and no code of the folder is run. A model with a chat template gets the
    prompt as a conversation, any other as text to continue.

    Args:
        folder: where the model is.
        device: "cpu", "cuda", ...; None = CUDA where there is one.
        dtype: "auto" (as saved), "float32", "bfloat16" or "float16".
        seed: of sampling. The k-th request draws from the stream (seed, k).
        chat: whether to use the chat template; None = where the model has one.

    Raises:
        InputError: no folder, or no model that can be read in it.
        MissingExtra: transformers is not installed.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        device: str | None = None,
        dtype: str = "auto",
        seed: int = 0,
        chat: bool | None = None,
    ) -> None:
        import torch

        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self.spending = Spending()
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._tokenizer, self._model = _load(self.folder, dtype)
        self._model.to(self.device).eval()
        self.chat = bool(self._tokenizer.chat_template) if chat is None else chat
        self._seed, self._requests = seed, 0
        self._turn = threading.Lock()

    async def complete(
        self,
        prompt: Prompt,
        *,
        n: int = 1,
        temperature: float = 0.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
    ) -> list[Completion]:
        """See `LanguageModel.complete`. All n samples are drawn in one batch.

        Raises:
            ModelError: the prompt leaves no room in the model's context.
        """
        check_integer(n, "n", low=1)
        return await asyncio.to_thread(self._generate, prompt, n, temperature, max_tokens, tuple(stop))

    def _generate(
        self, prompt: Prompt, n: int, temperature: float, max_tokens: int, stop: tuple[str, ...]
    ) -> list[Completion]:
        import torch

        from holdfast.randomness import derived_seed

        tokens = self._encode(prompt)
        room = self._room(tokens["input_ids"].shape[1])
        sampling: dict[str, Any] = {"do_sample": False, "num_return_sequences": 1}
        if temperature > 0:
            sampling = {"do_sample": True, "temperature": temperature, "num_return_sequences": n, "top_k": 0}
        # One at a time: the model and torch's generator are shared by all requests.
        with self._turn, torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(derived_seed(self._seed, "completion", self._requests))
            self._requests += 1
            output = self._model.generate(
                **tokens,
                **sampling,
                max_new_tokens=min(max_tokens, room),
                stop_strings=list(stop) or None,
                tokenizer=self._tokenizer,
                return_dict_in_generate=True,
                output_logits=True,
                pad_token_id=self._padding(),
            )
        completions = self._read(output, tokens["input_ids"].shape[1], stop)
        asked = int(tokens["input_ids"].shape[1])
        self.spending.requests += 1
        self.spending.count(asked, sum(c.tokens or 0 for c in completions))
        return completions if temperature > 0 else completions * n

    def _encode(self, prompt: Prompt) -> Any:
        if self.chat:
            turns = [{"role": m.role, "content": m.content} for m in messages_of(prompt)]
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return self._tokenizer(text, return_tensors="pt", add_special_tokens=False).to(self.device)
        return self._tokenizer(text_of(prompt), return_tensors="pt").to(self.device)

    def _room(self, used: int) -> int:
        context = getattr(self._model.config, "max_position_embeddings", None)
        if context is not None and used >= context:
            raise ModelError(f"{self.name}: a prompt of {used} tokens does not fit into a context of {context}")
        return 2**31 if context is None else context - used

    def _padding(self) -> int:
        known = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id, 0)
        return int(next(token for token in known if token is not None))

    def _read(self, output: Any, start: int, stop: Sequence[str]) -> list[Completion]:
        """The new tokens of each row up to the end of its text, and the sum of their log-probabilities.

        Log-probabilities are those of the model itself, at temperature 1, as endpoints report them.
        """
        import torch

        rows = output.sequences[:, start:]
        steps = torch.stack([logits.float().log_softmax(-1) for logits in output.logits], dim=1)
        chosen = steps.gather(2, rows.unsqueeze(2)).squeeze(2)
        ends = set(self._ends())
        completions = []
        for row, logprobs in zip(rows.tolist(), chosen.tolist(), strict=True):
            length = next((i + 1 for i, token in enumerate(row) if token in ends), len(row))
            text = self._tokenizer.decode(row[:length], skip_special_tokens=True)
            finished = length < len(row) or (bool(row) and row[-1] in ends) or cut_at(text, stop) != text
            completions.append(Completion(cut_at(text, stop), sum(logprobs[:length]), length, cut=not finished))
        return completions

    def _ends(self) -> list[int]:
        end = self._model.generation_config.eos_token_id
        return [] if end is None else end if isinstance(end, list) else [end]


def _load(folder: Path, dtype: str) -> tuple[Any, Any]:
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtra("transformers", "text") from error
    if not (folder / "config.json").is_file():
        raise InputError("folder", "must hold a model: config.json, safetensors and a tokenizer", str(folder))
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True, **local)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            "folder", "must hold a causal language model that can be read", f"{folder}: {error}"
        ) from error
    return tokenizer, model


__all__ = ["LocalModel"]
