"""A library of experts on your own files: `holdfast experts add`, `route`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("A library of small experts on one frozen model: add tasks, find the expert for new texts.")
TRAINING = verbs.Parameters("holdfast.systems.expert_lms.tool.experts:Training")
NAMED = {"name": "--name", "train_data": "task", "choices": "--choices", "n_stored": "--stored", "vote": "--vote"}
Library = Annotated[Path, typer.Argument(help="Folder of the library.")]
Model = Annotated[Path | None, typer.Option(help="A language model's folder; default: the packaged sentence encoder.")]


@app.verb(named=NAMED | {"folder": "library"})
def add(
    library: Library,
    task: Annotated[Path, typer.Argument(help='Labelled rows, {"input", "choices", "target"} a line.')],
    name: Annotated[str, typer.Option(help="What the expert is called; new in the library.")],
    settings: Annotated[dict[str, Any], TRAINING.options("steps", "batch", "lr", "seed")],
    stored: Annotated[int, typer.Option(help="Texts kept to find the expert by.")] = 100,
    model: Model = None,
    where: Annotated[
        str, typer.Option(help="Layers of --model that get adapters, as a regular expression.")
    ] = r"DenseReluDense$",
    quiet: verbs.Quiet = False,
) -> None:
    """Train an expert on a task and put it into the library, which is made where there is none.

    No other expert changes. P3's fields (inputs_pretokenized, answer_choices, targets_pretokenized) are read, too.

    Example: `holdfast experts add lib/ task.jsonl --name invoices`
    """
    from holdfast.data.readers.choice_rows import read_choice_rows
    from holdfast.systems.expert_lms.tool.store import check_replaceable, load, opened, save

    check_replaceable(library)
    rows = read_choice_rows(task, name="task")
    found = load(library, model=model) if library.exists() and any(library.iterdir()) else opened(model, where)
    with verbs.progress("training", quiet) as show:
        found.add_task(name, rows, stored, settings, {"file": task.name, "rows": len(rows)}, progress=show)
    save(found, library)
    verbs.say(f"{library}: {verbs.counted(len(found.experts), 'expert')}, the last {name!r} of {len(rows):,} rows")


@app.verb(named=NAMED | {"folder": "library", "inputs": "texts", "top_k": "--top-k", "n_queries": "--queries"})
def route(
    library: Library,
    texts: Annotated[Path, typer.Argument(help="New texts of one kind: a line each, or .jsonl with their choices.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Answers: .jsonl, .csv, .tsv or .parquet.")],
    choices: Annotated[str, typer.Option(help="Choices of every text, as no,yes, where the file has none.")] = "",
    expert: Annotated[str | None, typer.Option(help="This one answers; default: the one that is found.")] = None,
    queries: Annotated[int, typer.Option(help="The first so many texts vote.")] = 32,
    vote: Annotated[str, typer.Option(help="majority, mean_similarity or centroid.")] = "majority",
    top_k: Annotated[int, typer.Option(help="Nearest stored texts that decide a text's vote.")] = 1,
    fallback: Annotated[str, typer.Option(help="Who answers if no expert is sure: base, mt or expert.")] = "base",
    model: Model = None,
) -> None:
    """Find the expert for texts of one kind, and answer them.

    Example: `holdfast experts route lib/ new.txt --choices "negative,positive" -o answers.jsonl`
    """
    import json

    from holdfast.data.readers.choice_rows import read_choice_rows
    from holdfast.files import write_text
    from holdfast.systems.expert_lms.tool.store import load
    from holdfast.verbs.tables import check_apart, check_table

    if out.suffix.lower() != ".jsonl":
        check_table(out)
    check_apart((texts,), out=out)
    given = tuple(part.strip() for part in choices.split(",") if part.strip())
    rows = read_choice_rows(texts, choices=given, labelled=False, name="texts")
    found = load(library, model=model)
    inputs, options = [row.input for row in rows], [row.choices for row in rows]
    where = found.route(inputs, options, queries, top_k, vote)
    answers = found.predict(inputs, options, expert or where, fallback)
    alone = expert is None and bool(where.abstain) and fallback != "expert"
    used = expert or (fallback if alone else where.expert)
    columns = {"input": inputs, "answer": answers, "expert": [used] * len(rows)}
    if out.suffix.lower() == ".jsonl":
        lines = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        write_text(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    else:
        verbs.write_table(out, columns)
    votes = sorted(where.votes.items(), key=lambda item: -item[1])
    verbs.show_table(["expert", "votes"], [list(item) for item in votes if item[1]], "who is found")
    if where.abstain:
        verbs.say(f"not sure: {where.abstain}")
    verbs.say(f"{out}: {verbs.counted(len(rows), 'answer')} by {used!r}")


@app.verb(named=NAMED | {"folder": "library", "tasks": "TASKS"})
def report(
    library: Library,
    tasks: Annotated[list[Path], typer.Argument(help="Labelled tasks that no expert was trained on, .jsonl each.")],
    out: Annotated[Path | None, verbs.table_out("Table to write", "-o", "--out")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
    model: Model = None,
) -> None:
    """Does finding an expert pay? Accuracy of the base, a random, the found and the best expert on labelled tasks.

    Example: `holdfast experts report lib/ hotels.jsonl books.jsonl -o report.csv --figure report.svg`
    """
    from holdfast.data.readers.choice_rows import read_choice_rows
    from holdfast.systems.expert_lms.tool.evaluation import evaluate_routing, routing_figure
    from holdfast.systems.expert_lms.tool.store import load
    from holdfast.verbs.tables import check_apart

    check_apart(tasks, out=out, figure=figure)
    rows = {path.stem: read_choice_rows(path, name="tasks") for path in tasks}
    table = evaluate_routing(load(library, model=model), rows)
    if out is not None:
        verbs.write_table(out, table.reset_index(names="task"))
    if figure is not None:
        verbs.write_figure(routing_figure(table), figure)
    shown = table.drop(columns="mt") if table["mt"].isna().all() else table
    verbs.show_table(["task", *shown.columns], shown.reset_index().round(1).values.tolist(), "accuracy, %")


__all__ = ["app"]
