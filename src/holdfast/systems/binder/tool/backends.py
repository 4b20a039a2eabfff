"""From the options of the command line to a language model, a mapper, an answerer and what runs programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import verbs
from holdfast.errors import HoldfastError, InputError

if TYPE_CHECKING:
    from holdfast.language import LanguageModel
    from holdfast.systems.binder.tool.calls import Answerer, Mapper
    from holdfast.systems.binder.tool.executor import Executor
    from holdfast.systems.binder.tool.options import Models, Work

LOCAL_MAPPER = "minilm"


def language_model(options: Models) -> LanguageModel | None:
    """The model that the options name, recorded if asked for; None = none.

    Raises:
        InputError: options that exclude each other, or half of a pair.
    """
    from holdfast.language import LocalModel, Recorder, Replayed

    named = {"--endpoint": options.endpoint, "--local": options.local, "--replay": options.replay}
    given = [option for option, value in named.items() if value is not None]
    if len(given) > 1:
        raise InputError(given[1], f"cannot be combined with {given[0]}")
    if options.endpoint is None and options.model is not None:
        raise InputError("--model", "needs --endpoint, the address of the model", options.model)
    if options.record is not None and given in ([], ["--replay"]):
        raise InputError("--record", "needs a model to record: --endpoint or --local")
    model: LanguageModel | None = None
    if options.replay is not None:
        model = Replayed(options.replay)
    elif options.endpoint is not None:
        model = _endpoint(options, options.endpoint)
    elif options.local is not None:
        model = LocalModel(options.local)
    return Recorder(model, options.record) if model is not None and options.record is not None else model


def _endpoint(options: Models, url: str) -> LanguageModel:
    from holdfast.language import OpenAICompatible
    from holdfast.language.endpoint import Prices
    from holdfast.language.transport import Patience

    if options.model is None:
        raise InputError("--endpoint", "needs --model, the name of the model there", url)
    if options.style not in ("chat", "completions"):
        raise InputError("--style", "must be chat or completions", options.style)
    return OpenAICompatible(
        url,
        options.model,
        options.key_env,
        style="chat" if options.style == "chat" else "completions",
        patience=Patience(timeout_s=options.request_timeout, retries=options.retries),
        requests_per_minute=options.per_minute,
        prices=Prices(*options.prices),
    )


def call_backends(options: Models, lm: LanguageModel | None) -> tuple[Mapper, Answerer | None]:
    """What answers the calls of programs: the language model; without one, or for `minilm`, the sentence encoder."""
    from holdfast.systems.binder.tool.answering import LanguageModelAnswerer, LanguageModelMapper
    from holdfast.systems.binder.tool.embedding import EmbeddingMapper
    from holdfast.systems.binder.tool.mappers import ReplayMapper

    labels = tuple(label.strip() for label in options.labels.split(",") if label.strip())
    answerer = None if lm is None else LanguageModelAnswerer(lm)
    if options.mapper == LOCAL_MAPPER or (options.mapper is None and lm is None):
        return EmbeddingMapper(labels=labels or None), answerer
    if labels:
        raise InputError("--labels", "are for the sentence encoder; add --mapper minilm", options.labels)
    if options.mapper is None and lm is not None:
        return LanguageModelMapper(lm), answerer
    path = Path(str(options.mapper))
    if not path.is_file():
        raise InputError("--mapper", "must be minilm, or a JSON file of known answers", str(path))
    return ReplayMapper.from_file(path), answerer


def executor_of(models: Models, work: Work, lm: LanguageModel | None) -> Executor:
    """What runs programs.

    Raises:
        InputError: options that exclude each other; a cache that is something else.
    """
    from holdfast.systems.binder.tool.executor import Executor

    if work.max_cost is not None and not any(models.prices):
        raise InputError("--max-cost", "needs --prices, or nothing costs anything", work.max_cost)
    mapper, answerer = call_backends(models, lm)
    return Executor(engine=work.engine, mapper=mapper, answerer=answerer, cache=work.cache, limits=work.limits)


@contextmanager
def kept(record: Path | None, cache: Path | None) -> Iterator[None]:
    """Where the block stops half-way, say where the work is that was paid for.

    Args:
        record, cache: files that answers are written to.
    """
    nothing = "nothing is kept; --cache keeps answers of calls"
    with verbs.on_stop(lambda: f"kept: {places}" if (places := _places(record, cache)) else nothing):
        try:
            yield
        except HoldfastError:
            if places := _places(record, cache):
                verbs.say(f"Kept: {places}.")
            raise


def _places(record: Path | None, cache: Path | None) -> str:
    from holdfast.language import AnswerCache

    places = []
    if record is not None and record.is_file() and record.stat().st_size:
        places.append(f"answers in {record} (--replay reads them)")
    if cache is not None and cache.is_file() and (known := len(AnswerCache(cache))):
        answers = verbs.counted(known, "answer")
        places.append(f"{answers} of calls in {cache}, which the same command does not ask for again")
    return "; ".join(places)


__all__ = ["LOCAL_MAPPER", "call_backends", "executor_of", "kept", "language_model"]
