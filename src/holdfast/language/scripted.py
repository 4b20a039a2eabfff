"""A language model whose answers are given beforehand: for tests and demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.language.protocol import (
    Completion,
    ModelError,
    Prompt,
    Spending,
    cut_at,
    estimated_tokens,
    text_of,
)

Script = Callable[[str], str | Completion | Sequence[str | Completion]]


class Scripted:
    """Answers by a function of the prompt's text, or from a list, in order.

    Args:
        script: a function that gives one answer or several for a prompt, or a list of answers. An answer that is an
            exception is raised.
        name: of the model.
        chat: see `LanguageModel`.

    Attributes:
        prompts: all prompts so far, as texts.

    Example:
        >>> from holdfast.language import wait_for
        >>> model = Scripted(["SELECT 1", "SELECT 2"])
        >>> [c.text for c in wait_for(model.complete("Q: one?", n=2))]
        ['SELECT 1', 'SELECT 2']
    """

    def __init__(
        self, script: Script | Sequence[str | Completion | Exception], name: str = "scripted", chat: bool = False
    ) -> None:
        self.name, self.chat = name, chat
        self.spending = Spending()
        self.prompts: list[str] = []
        self._script = script
        self._next = 0

    async def complete(
        self,
        prompt: Prompt,
        *,
        n: int = 1,
        temperature: float = 0.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
    ) -> list[Completion]:
        """The next answers of the script.

        Raises:
            ModelError: the script has no more.
        """
        text = text_of(prompt)
        self.prompts.append(text)
        answers = [_completion(answer, stop) for answer in self._answers(text, n)]
        self.spending.requests += 1
        self.spending.count(estimated_tokens(text), sum(a.tokens or estimated_tokens(a.text) for a in answers))
        return answers

    def _answers(self, text: str, n: int) -> list[str | Completion]:
        if callable(self._script):
            given = self._script(text)
            several = [given] if isinstance(given, str | Completion) else list(given)
            return [several[i % len(several)] for i in range(n)]
        taken = self._script[self._next : self._next + n]
        self._next += len(taken)
        if not taken:
            raise ModelError(f"{self.name}: the script has {len(self._script)} answers and all are given")
        for answer in taken:
            if isinstance(answer, Exception):
                raise answer
        return [answer for answer in taken if not isinstance(answer, Exception)]


def _completion(answer: str | Completion, stop: Sequence[str]) -> Completion:
    return answer if isinstance(answer, Completion) else Completion(cut_at(answer, stop))


__all__ = ["Scripted"]
