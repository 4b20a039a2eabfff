"""Binder on your own tables: `holdfast binder ask`, `run`, `eval`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs
from holdfast.systems.binder.tool.options import Models, Output, Work

app = verbs.Verbs(
    "Ask a table what SQL alone cannot answer; programs are untrusted, and run where they can touch nothing."
)
BINDER = verbs.Parameters("holdfast.systems.binder.tool.asking:Binder")
# What errors call the settings of models and tables, and the options that they come from here.
NAMED = {"base_url": "--endpoint", "api_key_env": "--key-env", "folder": "--local", "sheet": "--part"}
FILE = "csv, tsv, txt, parquet, xlsx, jsonl, sqlite, db or duckdb file."
PART = typer.Option(help="Table or sheet, where the file has several.")


@app.verb(named=NAMED)
def ask(
    table: Annotated[Path, typer.Argument(help=FILE)],
    question: Annotated[str, typer.Argument(help="In plain words.")],
    output: Output,
    models: Models,
    settings: Annotated[dict[str, Any], BINDER.options("temperature", "vote", samples="n_samples")],
    work: Work,
    reading: verbs.Reading,
    part: Annotated[str | None, PART] = None,
    column: Annotated[str | None, typer.Option(help="Column whose meaning is asked about (without a model).")] = None,
    statement: Annotated[bool, typer.Option("--statement", help="Check a statement: 1 = true, 0 = false.")] = False,
    exemplars: Annotated[str | None, typer.Option(help="Your own examples: a file of JSON lines.")] = None,
) -> None:
    """Ask a question about a table.

    Without a language model, questions that count, add, average, compare or list rows of some meaning are understood.

    Example: `holdfast binder ask sales.csv "how many orders went to coastal cities?"`
    """
    from holdfast.systems.binder.tool.asking import Binder
    from holdfast.systems.binder.tool.backends import executor_of, kept, language_model
    from holdfast.systems.binder.tool.display import show_answer, write_outputs
    from holdfast.systems.binder.tool.inputs import read_own

    data = read_own(table, part, reading)
    lm = language_model(models)
    shots = exemplars or ("statements" if statement else "questions")
    with executor_of(models, work, lm) as executor, kept(models.record, work.cache):
        binder = Binder(lm, shots, executor=executor, limits=work.limits, **settings)
        with verbs.progresses(output.silent) as show:
            executor.progress = partial(show, "Cells asked about")
            answer = binder.ask(question, data, column=column, progress=partial(show, "Programs run"))
    write_outputs(answer, answer.result, output)
    show_answer(answer, output)


@app.verb(named=NAMED)
def run(
    program: Annotated[str, typer.Argument(help="A file with the program, or the program itself.")],
    table: Annotated[Path, typer.Option(help=FILE)],
    output: Output,
    models: Models,
    work: Work,
    reading: verbs.Reading,
    part: Annotated[str | None, PART] = None,
) -> None:
    """Run a program with calls on a table.

    Example: `holdfast binder run program.sql --table sales.csv --mapper minilm`
    """
    from holdfast.systems.binder.tool.backends import executor_of, kept, language_model
    from holdfast.systems.binder.tool.display import show_result, write_outputs
    from holdfast.systems.binder.tool.inputs import read_own, read_program_text

    text = read_program_text(program)
    data = read_own(table, part, reading)
    with (
        executor_of(models, work, language_model(models)) as executor,
        kept(models.record, work.cache),
        verbs.progress("Cells asked about", output.silent) as executor.progress,
    ):
        result = executor.run(text, data)
    write_outputs(result, result, output)
    show_result(result, output)


@app.verb("eval")
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Lines of question id and values, separated by tabs.")],
    gold: Annotated[Path, typer.Argument(help="A .tagged file of WikiTableQuestions.")],
    as_json: verbs.Json = False,
) -> None:
    """Score answers to WikiTableQuestions: by the official evaluation, and by the looser one of the paper's figures.

    Example: `holdfast binder eval preds.tsv pristine-unseen-tables.tagged`
    """
    from holdfast.systems.binder.tool.scoring import score

    found = score(predictions, gold)
    if as_json:
        verbs.show_json(found.as_json())
        return
    verbs.show(f"{found.predicted:,} of {found.questions:,} questions have a prediction; the others count as wrong")
    for name, right in (("official evaluation", found.official), ("looser scorer", found.looser)):
        verbs.show(f"{name:<20} {100 * right / found.questions:.1f} %  ({right:,} of {found.questions:,})")


__all__ = ["app"]
