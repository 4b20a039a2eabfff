"""Groups of options of the command line, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.errors import InputError

if TYPE_CHECKING:
    from holdfast.language import Limits
    from holdfast.systems.chatgpt_failures.tool.cases import Suite
    from holdfast.systems.chatgpt_failures.tool.running import Asked


@dataclass(frozen=True)
class Questions:
    """Which cases."""

    per_family: Annotated[int, typer.Option(min=1, help="Cases of each family.")] = 40
    suite_seed: Annotated[int, typer.Option(help="Another seed draws other cases.")] = 0
    category: Annotated[list[str] | None, typer.Option(help="Only this category (repeatable); default: all.")] = None
    difficulty: Annotated[int | None, typer.Option(min=1, max=5, help="Only this difficulty; default: all.")] = None
    canonical: Annotated[int, typer.Option(min=0, help="Fixed items of each family, for memorisation.")] = 5

    def suite(self) -> Suite:
        """The suite."""
        from holdfast.systems.chatgpt_failures.tool.cases import Suite

        return Suite.default(self.per_family, self.suite_seed, self.category, self.difficulty, self.canonical)


@dataclass(frozen=True)
class Subject:
    """Who answers: exactly one of endpoint, local and answers."""

    endpoint: Annotated[
        str | None, typer.Option(help="Address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1.")
    ] = None
    model: Annotated[str | None, typer.Option(help="Name of the model at the endpoint.")] = None
    key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the endpoint's key.")] = None
    local: Annotated[
        Path | None, typer.Option(help="Folder of a causal language model (Hugging Face's layout, safetensors).")
    ] = None
    answers: Annotated[Path | None, typer.Option(help='JSON lines {"id": ..., "answer": ...}, by any program.')] = None
    per_minute: Annotated[float | None, typer.Option(min=0.01, help="Requests per minute at most.")] = None
    at_once: Annotated[int, typer.Option(min=1, help="Requests under way together.")] = 8
    retries: Annotated[int, typer.Option(min=0, help="Repeats of a request that failed and may succeed.")] = 3
    request_timeout: Annotated[float, typer.Option(min=0.01, help="Seconds that one request may take.")] = 120.0
    temperature: Annotated[float, typer.Option(min=0.0, help="Of sampling.")] = 0.0
    answer_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 512

    def asked(self, suite: Suite) -> Asked:
        """The model, or the answers.

        Raises:
            InputError: none or several are named; answers to other questions.
        """
        from holdfast.language import LocalModel, OpenAICompatible, Patience
        from holdfast.systems.chatgpt_failures.tool.running import read_answers

        named = {"--endpoint": self.endpoint, "--local": self.local, "--answers": self.answers}
        given = [option for option, value in named.items() if value is not None]
        if len(given) != 1:
            received = " and ".join(given) or "none of them"
            raise InputError(given[-1] if given else "--endpoint", "or --local or --answers: give one", received)
        if (self.endpoint is None) != (self.model is None):
            raise InputError("--model", "must be given with --endpoint, and only then", str(self.model))
        if self.endpoint is not None:
            patience = Patience(timeout_s=self.request_timeout, retries=self.retries)
            return OpenAICompatible(
                self.endpoint, str(self.model), self.key_env, patience=patience, at_once=self.at_once,
                requests_per_minute=self.per_minute,
            )  # fmt: skip
        if self.local is not None:
            return LocalModel(self.local)
        answers = read_answers(str(self.answers))
        if not any(name in answers for case in suite.cases for name in case.ask_ids()):
            rule = "must answer questions of this suite (list -o writes them, with the same options)"
            raise InputError(str(self.answers), rule, f"ids such as {next(iter(answers))}")
        return answers


@dataclass(frozen=True)
class Spent:
    """What a run may spend."""

    max_calls: Annotated[int | None, typer.Option(min=1, help="Requests at most.")] = None
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens at most, in all.")] = None
    timeout: Annotated[float | None, typer.Option(min=0.01, help="Seconds at most, for everything.")] = None

    def limits(self) -> Limits:
        """As a budget takes them."""
        from holdfast.language import Limits

        return Limits(max_calls=self.max_calls, max_tokens=self.max_tokens, timeout_s=self.timeout)


__all__ = ["Questions", "Spent", "Subject"]
