"""Groups of command-line options that several verbs share, each a dataclass that the verb gets as one argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast import verbs

if TYPE_CHECKING:
    from holdfast.language import Limits


@dataclass(frozen=True)
class Models:
    """Which models answer: see `backends`."""

    endpoint: Annotated[
        str | None, typer.Option(help="Address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1.")
    ] = None
    model: Annotated[str | None, typer.Option(help="Name of the model at the endpoint.")] = None
    key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the endpoint's key.")] = None
    style: Annotated[str, typer.Option(help="chat, or completions (text to be continued).")] = "chat"
    per_minute: Annotated[float | None, typer.Option(min=0.01, help="Requests per minute at most.")] = None
    prices: Annotated[
        tuple[float, float], typer.Option(help="Money per million tokens: of prompts, of completions.")
    ] = (0.0, 0.0)
    request_timeout: Annotated[float, typer.Option(min=0.01, help="Seconds that one request may take.")] = 120.0
    retries: Annotated[int, typer.Option(min=0, help="Repeats of a request that failed and may succeed.")] = 5
    local: Annotated[
        Path | None, typer.Option(help="Folder of a causal language model (Hugging Face's layout, safetensors).")
    ] = None
    record: Annotated[Path | None, typer.Option(help="Append every request and its answer to this file.")] = None
    replay: Annotated[Path | None, typer.Option(help="Answer from a recording, without a model.")] = None
    mapper: Annotated[
        str | None, typer.Option(help="Who answers calls about rows: minilm, or a JSON file of known answers.")
    ] = None
    labels: Annotated[
        str, typer.Option(help="Kinds that a cell can be of, separated by commas; makes minilm more accurate.")
    ] = ""


@dataclass(frozen=True)
class Work:
    """How programs are run, and what they may spend."""

    engine: Annotated[str, typer.Option(help="sqlite, or duckdb (faster on large tables).")] = "sqlite"
    cache: Annotated[
        Path | None, typer.Option(help="File that keeps answers of calls, so that no cell is paid for twice.")
    ] = None
    max_calls: Annotated[int | None, typer.Option(min=1, help="Requests at most.")] = None
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens at most.")] = None
    max_cost: Annotated[float | None, typer.Option(min=0.0, help="Money at most, at the given --prices.")] = None
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds at most, for everything.")] = 300.0

    @property
    def limits(self) -> Limits:
        """As the executor takes them."""
        from holdfast.language import Limits

        return Limits(
            max_calls=self.max_calls, max_tokens=self.max_tokens, max_cost=self.max_cost, timeout_s=self.timeout
        )


@dataclass(frozen=True)
class Output:
    """What is shown and written."""

    rows: Annotated[int, typer.Option(min=0, help="Rows shown.")] = 10
    as_json: verbs.Json = False
    html: Annotated[Path | None, typer.Option(help="Write a page with the table and its generated columns.")] = None
    out: Annotated[Path | None, verbs.table_out("The table with its generated columns, to write")] = None
    quiet: verbs.Quiet = False

    @property
    def silent(self) -> bool:
        """Whether no progress is shown."""
        return self.quiet or self.as_json


__all__ = ["Models", "Output", "Work"]
