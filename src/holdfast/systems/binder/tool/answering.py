"""A language model behind the calls of a program: one prompt per chunk of rows, examples chosen by likeness."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.language.loop import wait_for
from holdfast.language.protocol import LanguageModel, estimated_tokens
from holdfast.systems.binder.tool.calls import Row
from holdfast.systems.binder.tool.completions import read_rows, read_values
from holdfast.systems.binder.tool.exemplars import CallExample, load_calls
from holdfast.systems.binder.tool.prompts import answer_prompt, map_prompt
from holdfast.systems.binder.tool.shots import retrieve
from holdfast.validation import check_integer

PROMPTS = "1"  # a new wording is a new backend to the cache


@dataclass(frozen=True)
class _ByModel:
    """What mapper and answerer share.

    Attributes:
        model: answers at temperature 0.
        pool: annotated calls to choose examples from; None = those that come with holdfast.
        shots: examples in a prompt.
        concurrency: prompts under way at the same time.
    """

    model: LanguageModel
    pool: Sequence[CallExample] | None = field(default=None, repr=False)
    shots: int = 8
    concurrency: int = 8

    def __post_init__(self) -> None:
        check_integer(self.shots, "shots", low=0)
        check_integer(self.concurrency, "concurrency", low=1)

    @property
    def id(self) -> str:
        """The model and everything that shapes its prompts: answers are cached under it."""
        own = "" if self.pool is None else hashlib.sha256(repr(tuple(self.pool)).encode()).hexdigest()[:12]
        return f"{self.model.name}/prompts {PROMPTS}/{self.shots} shots{f'/{own}' if own else ''}"

    def _complete(self, prompt: str, max_tokens: int) -> str:
        stop = () if self.model.chat else ("\n\n\n",)
        asked = self.model.complete(prompt, n=1, temperature=0.0, max_tokens=max_tokens, stop=stop)
        return wait_for(asked)[0].text


@dataclass(frozen=True)
class LanguageModelMapper(_ByModel):
    """f_col by a language model (section 2.1): the model repeats every row and adds the answer.

    A row that the completion leaves out, or answers in two ways, has no answer and is asked again by the executor;
    rows are told apart by their number, never by their place in the completion.
    """

    def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
        """One answer per row in lower case; None where the completion has none."""
        examples = load_calls("map") if self.pool is None else self.pool
        prompt = map_prompt(question, rows, header, retrieve(question, header, examples, self.shots))
        room = 64 + sum(24 + estimated_tokens("\t".join(row)) for row in rows)
        return read_rows(self._complete(prompt, room), len(rows))


@dataclass(frozen=True)
class LanguageModelAnswerer(_ByModel):
    """f_val by a language model (section 2.1)."""

    max_tokens: int = 256

    def answer(self, question: str, rows: list[Row], header: Row) -> list[str]:
        """The values in lower case."""
        examples = load_calls("ans") if self.pool is None else self.pool
        prompt = answer_prompt(question, rows, header, retrieve(question, header, examples, self.shots))
        return read_values(self._complete(prompt, self.max_tokens))


__all__ = ["LanguageModelAnswerer", "LanguageModelMapper"]
