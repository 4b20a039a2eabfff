"""Probes of your own model: `holdfast probe run`, `compare`, `list`, `show`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from holdfast import verbs
from holdfast.systems.chatgpt_failures.tool.options import Questions, Spent, Subject

app = verbs.Verbs("Where a language model fails, how often, and whether another version fails more.")
NAMED = {"base_url": "--endpoint", "api_key_env": "--key-env", "folder": "--local"}
RUN = typer.Argument(help="Folder of a run.")
SHOWN, ROUGH_TOKENS = 10, 60


@contextmanager
def advised(advice: Callable[[], str]) -> Iterator[None]:
    """Say how to go on where the endpoint or the budget ends a run."""
    from holdfast.errors import HoldfastError, InputError

    try:
        yield
    except HoldfastError as error:
        if not isinstance(error, InputError):
            verbs.say(advice())
        raise


@app.verb(named=NAMED)
def run(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for outcomes and report.")],
    subject: Subject,
    questions: Questions,
    spent: Spent,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run programs of answers, in a sandbox; otherwise they are skipped.")
    ] = False,
    resume: verbs.Resume = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Put the questions to a model, and write how often it fails, by category and family.

    Example: `holdfast probe run --endpoint http://localhost:8000/v1 --model qwen -o a/`
    """
    from holdfast.sandbox.functions import call_function
    from holdfast.systems.chatgpt_failures.tool.reports import HEADS, write_report
    from holdfast.systems.chatgpt_failures.tool.running import run as run_suite

    suite = questions.suite()
    asked = subject.asked(suite)
    signs = sum(len(turn.content) for case in suite.cases for ask in case.asks for turn in ask)
    size = f"about {signs // 4:,} tokens in and {len(suite.cases) * ROUGH_TOKENS:,} or more out"
    verbs.say(f"{verbs.counted(len(suite.cases), 'case')}, {size}")
    again = lambda: f"outcomes so far are in {out}: the same command with --resume goes on"  # noqa: E731
    with verbs.on_stop(again), advised(again), verbs.progress("Cases", quiet) as show:
        result = run_suite(
            suite, asked, out, resume=resume, limits=spent.limits(), temperature=subject.temperature,
            max_tokens=subject.answer_tokens, at_once=subject.at_once, progress=partial(show),
            programs=call_function if allow_code else None,
        )  # fmt: skip
    found = write_report(result, out)
    verbs.show_table(list(HEADS), [row.cells() for row in found.rows if not row.family], f"Probes of {found.of}")
    verbs.say(found.memorised())
    verbs.say(f"{out}: report.md, report.json and report.svg; holdfast probe show {out} shows what failed")


@app.verb()
def compare(
    before: Annotated[Path, RUN],
    after: Annotated[Path, RUN],
    fail_on: Annotated[str, typer.Option(help="regressed: exit code 2 if a category fails more; never.")] = "never",
    alpha: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="Chance of any verdict where nothing changed.")
    ] = 0.05,
    intersect: Annotated[bool, typer.Option("--intersect", help="Of two suites, the cases in both.")] = False,
    soft: Annotated[bool, typer.Option("--soft", help="Count families judged by phrases, too.")] = False,
    as_json: verbs.Json = False,
) -> None:
    """Say in which categories one of two runs fails more: McNemar's exact test by category, Holm over categories.

    Example: `holdfast probe compare a/ b/ --fail-on regressed`
    """
    from dataclasses import asdict

    from holdfast.systems.chatgpt_failures.tool.reports import compare as compare_runs
    from holdfast.systems.chatgpt_failures.tool.running import RunResult
    from holdfast.validation import check_choice

    check_choice(fail_on, ("never", "regressed"), "--fail-on")
    found = compare_runs(RunResult.read(before), RunResult.read(after), alpha, intersect=intersect, soft=soft)
    if as_json:
        verbs.show_json([asdict(change) for change in found])
    else:
        heads = ["category", "pairs", "broken", "mended", "points", "from", "to", "p (Holm)", "verdict"]
        rows = [
            [c.category, c.pairs, c.broken, c.mended, *(100 * x for x in (c.difference, c.low, c.high)), c.adjusted,
             c.verdict] for c in found
        ]  # fmt: skip
        verbs.show_table(heads, rows, f"from {before} to {after}")
    worse = [change.category for change in found if change.verdict == "regressed"]
    verbs.say(f"regressed: {', '.join(worse) or 'no category'}")
    if worse and fail_on == "regressed":
        raise typer.Exit(2)


@app.verb("list")
def list_(
    questions: Questions,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help='Write the questions: JSON lines {"id": ..., "messages": [...]}.')
    ] = None,
) -> None:
    """List the families of questions; or write the questions, for a program of your own to answer.

    Example: `holdfast probe list -o questions.jsonl`
    """
    import json
    from dataclasses import asdict

    from holdfast.files import write_text
    from holdfast.systems.chatgpt_failures.families import FAMILIES

    suite = questions.suite()
    if out is not None:
        asks = [(n, ask) for case in suite.cases for n, ask in zip(case.ask_ids(), case.asks, strict=True)]
        lines = [json.dumps({"id": name, "messages": [asdict(turn) for turn in ask]}) for name, ask in asks]
        write_text(out, "\n".join(lines) + "\n")
        verbs.say(f"{out}: {verbs.counted(len(lines), 'question')}")
        return
    number = {f.name: sum(case.family == f.name for case in suite.cases) for f in FAMILIES}
    rows = [
        [f.category, f.subcategory, f.name, number[f.name], "soft" if f.soft else f.checker, f.tag]
        for f in FAMILIES if number[f.name]
    ]  # fmt: skip
    verbs.show_table(["category", "part", "family", "cases", "judged by", "in the public archive"], rows, "Families")


@app.verb()
def show(
    folder: Annotated[Path, RUN],
    case: Annotated[str | None, typer.Argument(help="Id of a case; default: some that failed.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this family.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Failed cases shown.")] = SHOWN,
) -> None:
    """Show a case with question, right answer and what the model said; or a list of those that failed.

    Example: `holdfast probe show a/`
    """
    from holdfast.systems.chatgpt_failures.tool.reports import case_text, failed_cases
    from holdfast.systems.chatgpt_failures.tool.running import RunResult

    result = RunResult.read(folder)
    if case is not None:
        verbs.show(case_text(result, case))
        return
    found = failed_cases(result, family)
    heads = ["id", "category", "family", "outcome", "right", "given"]
    verbs.show_table(heads, found[:rows], f"failed: {min(rows, len(found))} of {len(found)}")


__all__ = ["app"]
