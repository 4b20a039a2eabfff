"""Any HTTP endpoint that speaks OpenAI's protocol: hosted services, vLLM, llama.cpp, Ollama, LM Studio, ..."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from holdfast.errors import InputError
from holdfast.language.loop import wait_for
from holdfast.language.protocol import (
    Completion,
    ModelError,
    Prompt,
    Spending,
    cut_at,
    estimated_tokens,
    messages_of,
    text_of,
)
from holdfast.language.transport import Pace, Patience, Refused, Transport
from holdfast.validation import check_choice, check_integer

Style = Literal["chat", "completions"]
LEAST, MOST = 1e6, 10**12  # log-probabilities and numbers of tokens beyond are none


@dataclass(frozen=True)
class Prices:
    """Money per million tokens.

    Example:
        >>> Prices(prompt=2.5, completion=10).of(1_000_000, 100_000)
        3.5
    """

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What a request cost."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


@dataclass
class _Abilities:
    """What the endpoint turned out not to understand; asked once, then remembered."""

    several: bool = True
    logprobs: bool = True
    stop: bool = True
    renamed_limit: bool = False
    temperature: bool = True


class OpenAICompatible:
    """A model behind `POST base_url/chat/completions` (or `/completions`).

    Endpoints differ in what they understand. Several samples per request (`n`), log-probabilities and stop texts are
    asked for first; an endpoint that refuses one is asked again without it, and that is remembered. Samples that are
    missing are requested one by one.

    Args:
        base_url: up to and without `/chat/completions`, such as "http://localhost:8000/v1".
        model: name of the model there.
        api_key_env: environment variable that holds the key; None = no key is sent.
        style: "chat" sends messages, "completions" plain text to be continued.
        patience: timeouts and repeats.
        requests_per_minute: rate limit; None = none.
        at_once: requests under way at the same time.
        prices: for the count of money.
        extra: further fields of every request, such as {"seed": 1}.

    Raises:
        InputError: the address is not http(s), or the variable of the key is not set.

    Example:
        >>> model = OpenAICompatible("http://localhost:8000/v1/", "qwen")
        >>> model.name
        'qwen at http://localhost:8000/v1'
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key_env: str | None = None,
        *,
        style: Style = "chat",
        patience: Patience | None = None,
        requests_per_minute: float | None = None,
        at_once: int = 8,
        prices: Prices | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise InputError("base_url", "must start with http:// or https://", base_url)
        if "@" in base_url.split("/")[2]:
            raise InputError("base_url", "must hold no name or password; put the key into api_key_env", "one with '@'")
        self.base_url, self.model = base_url.rstrip("/"), model
        self.style: Style = check_choice(style, ("chat", "completions"), "style")
        self.name = f"{model} at {self.base_url}"
        self.chat = self.style == "chat"
        self.prices = prices or Prices()
        self.extra = dict(extra or {})
        self.spending = Spending()
        pace = Pace(requests_per_minute, at_once)
        self._transport = Transport(_headers(api_key_env), patience or Patience(), pace, self.spending)
        self._able = _Abilities()

    async def complete(
        self,
        prompt: Prompt,
        *,
        n: int = 1,
        temperature: float = 0.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
    ) -> list[Completion]:
        """See `LanguageModel.complete`; single samples that fail are left out as long as one succeeds."""
        check_integer(n, "n", low=1)
        asked = {"temperature": temperature, "max_tokens": max_tokens, "stop": list(stop)}
        completions = await self._request(prompt, n if self._able.several else 1, asked)
        missing = n - len(completions)
        if missing > 0:
            self._able.several = False
            work = [self._request(prompt, 1, asked) for _ in range(missing)]
            for result in await asyncio.gather(*work, return_exceptions=True):
                if isinstance(result, list):
                    completions += result
                elif not isinstance(result, ModelError):
                    raise result
        return completions[:n]

    async def _request(self, prompt: Prompt, n: int, asked: Mapping[str, Any]) -> list[Completion]:
        url = f"{self.base_url}/{'chat/completions' if self.style == 'chat' else 'completions'}"
        while True:
            payload = self._payload(prompt, n, asked)
            try:
                answer = await self._transport.post(url, payload)
            except Refused as refusal:
                if not self._learn(refusal, payload):
                    raise
                n = n if self._able.several else 1
                continue
            completions = [_completion(choice, self.style, asked["stop"]) for choice in _choices(answer, url)]
            self._count(prompt, completions, answer.get("usage"))
            return completions

    def _payload(self, prompt: Prompt, n: int, asked: Mapping[str, Any]) -> dict[str, Any]:
        limit = "max_completion_tokens" if self._able.renamed_limit else "max_tokens"
        payload: dict[str, Any] = {"model": self.model, limit: asked["max_tokens"], **self.extra}
        if self._able.temperature:
            payload["temperature"] = asked["temperature"]
        if self.style == "chat":
            payload["messages"] = [{"role": m.role, "content": m.content} for m in messages_of(prompt)]
        else:
            payload["prompt"] = text_of(prompt)
        if n > 1:
            payload["n"] = n
        if asked["stop"] and self._able.stop:
            payload["stop"] = asked["stop"][:4]  # the protocol's limit
        if self._able.logprobs:
            payload["logprobs"] = True if self.style == "chat" else 0
        return payload

    def _learn(self, refusal: Refused, payload: Mapping[str, Any]) -> bool:
        """Whether a refusal was about something we can do without; if so, it is not asked for again."""
        if refusal.status not in (400, 404, 422):
            return False
        said, able = refusal.text.lower(), self._able
        if "max_completion_tokens" in said and not able.renamed_limit:
            able.renamed_limit = True
        elif "logprobs" in payload and "logprob" in said:
            able.logprobs = False
        elif "stop" in payload and "stop" in said:
            able.stop = False
        elif "temperature" in payload and "temperature" in said:
            able.temperature = False
        elif "n" in payload and able.several and refusal.status != 404:
            able.several = False
        else:
            return False
        return True

    def _count(self, prompt: Prompt, completions: Sequence[Completion], usage: Any) -> None:
        told = usage if isinstance(usage, dict) else {}
        guess = sum(c.tokens or estimated_tokens(c.text) for c in completions)
        asked = _whole(told.get("prompt_tokens"), estimated_tokens(text_of(prompt)))
        given = _whole(told.get("completion_tokens"), guess)
        self.spending.count(asked, given, self.prices.of(asked, given))

    def close(self) -> None:
        """Close the connections; the model may be used again."""
        wait_for(self._transport.close())


def _headers(api_key_env: str | None) -> dict[str, str]:
    if api_key_env is None:
        return {}
    key = os.environ.get(api_key_env, "").strip()
    if not key:
        raise InputError("api_key_env", "must name an environment variable that holds the key", api_key_env)
    return {"Authorization": f"Bearer {key}"}


def _choices(answer: Mapping[str, Any], url: str) -> list[Mapping[str, Any]]:
    choices = answer.get("choices")
    usable: list[Mapping[str, Any]] = [c for c in choices if isinstance(c, dict)] if isinstance(choices, list) else []
    if not usable:
        said = answer.get("error") or f"fields {sorted(answer)}"
        raise ModelError(f"{url}: answered without choices: {str(said)[:200]}")
    return usable


def _completion(choice: Mapping[str, Any], style: Style, stop: Sequence[str]) -> Completion:
    """One choice of an answer. What is missing or of a strange type becomes None, an answer without text ''."""
    if style == "chat":
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else None
    else:
        text = choice.get("text")
    logprobs = _logprobs(choice.get("logprobs"))
    return Completion(
        text=cut_at(_sound(text) if isinstance(text, str) else "", stop),
        logprob=None if logprobs is None else math.fsum(logprobs),
        tokens=None if logprobs is None else len(logprobs),
        cut=choice.get("finish_reason") == "length",
    )


def _logprobs(told: Any) -> list[float] | None:
    """Of each token: chat answers carry {"content": [{"logprob": x}]}, the others {"token_logprobs": [x]}."""
    if not isinstance(told, dict):
        return None
    if isinstance(told.get("content"), list):
        values = [entry.get("logprob") if isinstance(entry, dict) else None for entry in told["content"]]
    else:
        values = told.get("token_logprobs") or []
    known = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    numbers = [float(v) for v in known if -LEAST <= v <= 0]
    return numbers if numbers and len(numbers) == len(values) else None


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else otherwise


def _sound(text: str) -> str:
    """Without halves of characters, which JSON can name and UTF-8 cannot write."""
    return text.encode("utf-8", "replace").decode("utf-8")


__all__ = ["OpenAICompatible", "Prices", "Style"]
