"""What a language model is here: something that continues a prompt n times and says what that took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from holdfast.errors import HoldfastError
from holdfast.language.budget import Usage, spend


class ModelError(HoldfastError):
    """A language model could not answer: says what was tried, how often, and what went wrong last."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = str | Sequence[Message]


@dataclass(frozen=True)
class Completion:
    """One continuation of a prompt.

    Attributes:
        text: without the stop sequence.
        logprob: sum of the natural logarithms of its tokens' probabilities; None where the model does not tell.
        tokens: number of its tokens; None where the model does not tell.
        cut: it ended because `max_tokens` were reached, so its end is missing.
    """

    text: str
    logprob: float | None = None
    tokens: int | None = None
    cut: bool = False


@dataclass
class Spending:
    """What a model has used so far, whoever asked; what a run used is counted by its budget.

    Attributes:
        requests: requests sent, retries included.
        retries: requests sent again after a failure.
        prompt_tokens, completion_tokens: as the model counts them; where it does not, a quarter of the characters.
        cost: money, in the currency of the prices given.
        waited_s: seconds spent waiting because of rate limits or failures.

    Example:
        >>> spent = Spending(requests=2, prompt_tokens=100)
        >>> spent.add(Spending(requests=1, completion_tokens=7))
        >>> spent.requests, spent.tokens
        (3, 107)
    """

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    waited_s: float = 0.0

    @property
    def tokens(self) -> int:
        """Of prompts and completions together."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, other: Spending) -> None:
        """Count another's use in."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count(self, prompt_tokens: int, completion_tokens: int, cost: float = 0.0) -> None:
        """Count the tokens and the money of an answer, here and in the budget of the run that asked."""
        self.add(Spending(0, 0, prompt_tokens, completion_tokens, cost))
        spend(Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=cost))


@runtime_checkable
class LanguageModel(Protocol):
    """A language model.

    Attributes:
        name: identifies model and place; enters the key of the cache of answers.
        chat: it answers as in a conversation, and may wrap what is asked for in words; otherwise it continues a text.
    """

    @property
    def name(self) -> str: ...

    @property
    def chat(self) -> bool: ...

    @property
    def spending(self) -> Spending:
        """What it used so far."""
        ...

    async def complete(
        self,
        prompt: Prompt,
        *,
        n: int = 1,
        temperature: float = 0.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
    ) -> list[Completion]:
        """Continue a prompt.

        Args:
            prompt: a text, or the messages of a conversation.
            n: number of independent continuations.
            temperature: 0 = the most probable continuation.
            max_tokens: upper limit for each continuation.
            stop: texts that end a continuation and are not part of it.

        Returns:
            At least one and at most n completions: a model that failed on a part gives the others.

        Raises:
            ModelError: there is not a single one.
        """
        ...


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has: a token of English is about four characters.

    Example:
        >>> estimated_tokens("SELECT COUNT(*) FROM w")
        6
    """
    return math.ceil(len(text) / 4)


def text_of(prompt: Prompt) -> str:
    """A prompt as one text: messages in order, separated by empty lines."""
    return prompt if isinstance(prompt, str) else "\n\n".join(message.content for message in prompt)


def messages_of(prompt: Prompt) -> list[Message]:
    """A prompt as a conversation; a text is what the user says."""
    return [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)


def cut_at(text: str, stop: Sequence[str]) -> str:
    """The text up to the first stop sequence in it.

    Example:
        >>> cut_at("SELECT 1\\n\\nQ: more", ["\\n\\n"])
        'SELECT 1'
    """
    return text[: min((i for s in stop if s and (i := text.find(s)) >= 0), default=len(text))]


__all__ = [
    "Completion",
    "LanguageModel",
    "Message",
    "ModelError",
    "Prompt",
    "Spending",
    "cut_at",
    "estimated_tokens",
    "messages_of",
    "text_of",
]
