"""Binder on your own tables: `holdfast binder ask`, `run`, `eval`."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.console import bars
from holdfast.errors import HoldfastError, InputError
from holdfast.systems.binder.backends import call_backends, language_model
from holdfast.systems.binder.display import print_result
from holdfast.systems.binder.options import Models, Output, Work, taking

if TYPE_CHECKING:
    from holdfast.language import LanguageModel
    from holdfast.sql.table import SQLTable
    from holdfast.systems.binder.ask import Answer
    from holdfast.systems.binder.executor import Executor
    from holdfast.systems.binder.result import Result

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Ask a table what SQL alone cannot answer; programs are untrusted, and run where they can touch nothing.",
)
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Binder</title>
<meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}
body{font:15px sans-serif;margin:2em}td,th{padding:2px 10px;text-align:left}pre{white-space:pre-wrap}</style>
"""
TABLE = typer.Argument(help="csv, tsv, parquet, xlsx, sqlite, db or duckdb file.")
PART = typer.Option(help="Table or sheet, where the file has several.")


@app.command()
@taking(models=Models, work=Work, output=Output)
def ask(
    table: Annotated[Path, TABLE],
    question: Annotated[str, typer.Argument(help="In plain words.")],
    models: Models,
    work: Work,
    output: Output,
    part: Annotated[str | None, PART] = None,
    column: Annotated[str | None, typer.Option(help="Column whose meaning is asked about (without a model).")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Programs that vote.")] = 20,
    temperature: Annotated[float, typer.Option(min=0.0, help="Of sampling programs.")] = 0.4,
    vote: Annotated[str, typer.Option(help="simple, prob or biased.")] = "simple",
    statement: Annotated[bool, typer.Option("--statement", help="Check a statement: 1 = true, 0 = false.")] = False,
    exemplars: Annotated[str | None, typer.Option(help="Your own examples: a file of JSON lines.")] = None,
) -> None:
    """Ask a question about a table.

    Without a language model, questions that count, add, average, compare or list rows of some meaning are understood.

    Example: `holdfast binder ask sales.csv "how many orders went to coastal cities?"`
    """
    from holdfast.systems.binder.ask import Binder

    _check_out(output.out)
    data = _read(table, part)
    lm = language_model(models)
    shots = exemplars or ("statements" if statement else "questions")
    with _executor(models, work, lm) as executor, _kept(models.record, work.cache):
        binder = Binder(lm, shots, samples, temperature, vote, executor=executor, limits=work.limits)
        with bars(output.quiet or output.as_json) as show:
            executor.progress = functools.partial(show, "Cells asked about")
            answer = binder.ask(question, data, column=column, progress=functools.partial(show, "Programs run"))
    _write(answer, answer.result, output)
    if output.as_json:
        typer.echo(json.dumps(answer.to_json(), ensure_ascii=False, default=str))
    else:
        print_result(answer.result, answer.answer, answer.cost, output.rows, (*answer.notes, *_votes(answer)))


@app.command()
@taking(models=Models, work=Work, output=Output)
def run(
    program: Annotated[str, typer.Argument(help="A file with the program, or the program itself.")],
    table: Annotated[Path, typer.Option(help="csv, tsv, parquet, xlsx, sqlite, db or duckdb file.")],
    models: Models,
    work: Work,
    output: Output,
    part: Annotated[str | None, PART] = None,
) -> None:
    """Run a program with calls on a table.

    Example: `holdfast binder run program.sql --table sales.csv --mapper minilm`
    """
    _check_out(output.out)
    text = _program(program)
    data = _read(table, part)
    executor = _executor(models, work, language_model(models))
    with executor, _kept(models.record, work.cache), bars(output.quiet or output.as_json) as show:
        show("Programs run", 0, 1)
        executor.progress = functools.partial(show, "Cells asked about")
        result = executor.run(text, data)
    _write(result, result, output)
    if output.as_json:
        made = {str(n): result.columns[n].tolist() for n in result.columns.columns}
        shown = {"answer": result.answer, "program": result.program, "sql": result.sql, "columns": made}
        typer.echo(json.dumps({**shown, "cost": vars(result.cost)}, ensure_ascii=False, default=str))
    else:
        print_result(result, result.answer, result.cost, output.rows)


@app.command(name="eval")
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Lines of question id and values, separated by tabs.")],
    gold: Annotated[Path, typer.Argument(help="A .tagged file of WikiTableQuestions.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score answers to WikiTableQuestions: by the official evaluation, and by the looser one of the paper's figures.

    Example: `holdfast binder eval preds.tsv pristine-unseen-tables.tagged`
    """
    from holdfast.systems.binder.scoring import score

    found = score(predictions, gold)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    typer.echo(f"{found.predicted:,} of {found.questions:,} questions have a prediction; the others count as wrong")
    for name, right in (("official evaluation", found.official), ("looser scorer", found.looser)):
        typer.echo(f"{name:<20} {100 * right / found.questions:.1f} %  ({right:,} of {found.questions:,})")


# ------------------------------------------------------------------------------------------------------------- reading
def _read(path: Path, part: str | None) -> SQLTable:
    from holdfast.sql.table import SQLTable

    table = SQLTable.from_file(path, part=part)
    if len(table) == 0:
        raise InputError(str(path), "must have at least one row", f"{len(table.columns)} columns, 0 rows")
    return table


def _program(given: str) -> str:
    """A file's text, or the argument itself if it looks like a program."""
    if given.lstrip().upper().startswith(("SELECT", "WITH", "QA")) and not given.endswith((".sql", ".txt")):
        return given
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("program", "must be a readable file or a SELECT", f"{given} ({error})") from error


def _executor(models: Models, work: Work, lm: LanguageModel | None) -> Executor:
    from holdfast.language.cache import AnswerCache
    from holdfast.systems.binder.executor import Executor

    if work.max_cost is not None and not any(models.prices):
        raise InputError("--max-cost", "needs --prices, or nothing costs anything", work.max_cost)
    mapper, answerer = call_backends(models, lm)
    kept = None if work.cache is None else AnswerCache(work.cache)
    return Executor(engine=work.engine, mapper=mapper, answerer=answerer, cache=kept, limits=work.limits)


@contextmanager
def _kept(record: Path | None, cache: Path | None) -> Iterator[None]:
    """Where paid work is, if it stops half-way."""
    from holdfast.language.cache import AnswerCache

    try:
        yield
    except (HoldfastError, KeyboardInterrupt):
        places = []
        if record is not None and record.is_file() and record.stat().st_size:
            places.append(f"answers in {record} (--replay reads them)")
        if cache is not None and cache.is_file() and (known := len(AnswerCache(cache))):
            answers = f"{known:,} answer{'' if known == 1 else 's'} of calls"
            places.append(f"{answers} in {cache}, which the same command does not ask for again")
        if places:
            typer.echo(f"Kept: {'; '.join(places)}.", err=True)
        raise


# ------------------------------------------------------------------------------------------------------------- writing
def _check_out(out: Path | None) -> None:
    if out is not None and out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError("--out", "must end in .csv or .parquet", str(out))


def _write(shown: Answer | Result, result: Result, output: Output) -> None:
    from holdfast.files import replacing, write_text

    html, out = output.html, output.out
    if html is not None:
        write_text(html, f"{PAGE}{shown._repr_html_()}\n")
        typer.echo(f"{html}: the answer as a page", err=True)
    if out is not None:
        frame = result.to_frame()
        with replacing(out) as temporary:
            if out.suffix.lower() == ".csv":
                frame.to_csv(temporary)
            else:
                frame.to_parquet(temporary)
        typer.echo(f"{out}: {len(frame):,} rows with {len(result.columns.columns)} generated columns", err=True)


def _votes(answer: Answer) -> tuple[str, ...]:
    if len(answer.samples) < 2:
        return ()
    best = [f"{', '.join(map(str, values))}: {score:g}" for values, score in list(answer.scores.items())[:3]]
    return (f"votes of {len(answer.samples)} programs: " + "; ".join(best),)
