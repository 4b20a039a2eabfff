"""Suspicious translations in your own files: `holdfast nmt-hallucinations score`, `evaluate`, `translate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from holdfast import verbs

app = verbs.Verbs("Find translations that have little to do with their source, judge such scores, translate again.")
Model = Annotated[Path | None, typer.Option(help="Folder of the translation model, in Hugging Face's layout.")]
Device = Annotated[str | None, typer.Option(help="Where the model runs; default: CUDA where there is one.")]
MOST = 10
CUT = 60


@app.verb()
def score(
    reading: verbs.Reading,
    table: Annotated[Path | None, typer.Argument(help="A table with columns src and mt, and maybe ref.")] = None,
    src: Annotated[Path | None, typer.Option(help="Sources, one a line, in place of a table.")] = None,
    mt: Annotated[Path | None, typer.Option(help="Translations, one a line.")] = None,
    ref: Annotated[Path | None, typer.Option(help="References, one a line: adds chrF.")] = None,
    out: Annotated[Path, verbs.table_out("Table of scores", "--out", "-o")] = Path("scores.tsv"),
    model: Model = None,
    device: Device = None,
    column: Annotated[list[str] | None, verbs.column_roles("src", "mt", "ref")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Score every translation; higher is more suspicious. No model is needed; with one its probabilities are used too.

    Example: `holdfast nmt-hallucinations score --src a.de --mt b.en -o scores.tsv`
    """
    import numpy as np

    from holdfast.systems.nmt_hallucinations.tool.files import SUSPICION, read_texts, scored
    from holdfast.verbs.tables import check_apart

    check_apart((table, src, mt, ref), out=out)
    texts = read_texts(table, {"src": src, "mt": mt, "ref": ref}, column or (), reading)
    with verbs.progresses(quiet) as show:
        columns = scored(texts, model, device, partial(show, "Forced decoding"))
    verbs.write_table(out, columns)
    worst = np.argsort(-columns[SUSPICION], kind="stable")[:MOST]
    rows = [
        [int(i) + 1, round(float(columns[SUSPICION][i]), 3), texts["src"][i][:CUT], texts["mt"][i][:CUT]] for i in worst
    ]
    verbs.show_table(["row", SUSPICION, "source", "translation"], rows, "most suspicious")
    verbs.say(f"{out}: {verbs.counted(len(texts['mt']), 'translation')}; suspicion is the mean rank of five detectors")


@app.verb()
def evaluate(
    annotated: Annotated[Path, typer.Argument(help="Table with labels: 1 where the row is a hallucination.")],
    scores: Annotated[Path, typer.Argument(help="Table of scores of the same rows: a column for each detector.")],
    reading: verbs.Reading,
    label: Annotated[
        list[str] | None, typer.Option(help="Column of labels; repeatable; default: the corpus's.")
    ] = None,
    protocol: Annotated[
        Literal["all", "per_type", "whole"],
        typer.Option(help="Which rows are negative: all others; without any hallucination; all others, by type."),
    ] = "all",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Report to write: .md or .json.")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
    json: verbs.Json = False,
) -> None:
    """Say how well scores find what people called hallucinations: AUROC, false alarms, precision at 90 % recall.

    Example: `holdfast nmt-hallucinations evaluate annotated_corpus.csv scores.tsv`
    """
    from holdfast.errors import InputError
    from holdfast.files import replacing
    from holdfast.metrics.detector_report import evaluate_detectors
    from holdfast.systems.nmt_hallucinations.tool.files import read_labels, read_scores

    if out is not None and out.suffix not in (".md", ".json"):
        raise InputError("--out", "must end in .md or .json", str(out))
    report = evaluate_detectors(read_scores(scores), read_labels(annotated, label or (), reading), protocol)
    if out is not None:
        with replacing(out) as temporary:
            temporary.write_text(report.to_markdown() if out.suffix == ".md" else report.to_json(), encoding="utf-8")
    if figure is not None:
        verbs.write_figure(report.figure(), figure)
    if json:
        verbs.show(report.to_json())
    else:
        verbs.show_table(list(report.HEADS), report.table(), f"protocol: {protocol}")


@app.verb()
def translate(
    sources: Annotated[Path, typer.Argument(help="Sources, one a line.")],
    model: Annotated[Path, typer.Option(help="Folder of the translation model, in Hugging Face's layout.")],
    out: Annotated[Path, verbs.table_out("Table of translations", "--out", "-o")] = Path("translated.tsv"),
    clean: Annotated[Path | None, typer.Option(help="Clean sources that set the threshold. Default: SOURCES.")] = None,
    quantile: Annotated[float, typer.Option(min=0, max=1, help="Share of these that is not flagged.")] = 0.99,
    n: Annotated[int, typer.Option("-n", min=1, help="Translations under dropout of what is flagged.")] = 10,
    beam: Annotated[int, typer.Option(min=1, help="Width of the beam search.")] = 5,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest translation.")] = 256,
    device: Device = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Translate; what the model itself finds improbable is translated again under dropout, and the best is kept.

    Example: `holdfast nmt-hallucinations translate in.de --model opus-mt-de-en/ -o out.tsv`
    """
    from holdfast.data.readers.lines import read_lines
    from holdfast.systems.nmt_hallucinations.method.mitigation import DeHallucinator
    from holdfast.systems.nmt_hallucinations.tool.files import LocalTranslator

    lines = read_lines(sources, "SOURCES")
    held = lines if clean is None else read_lines(clean, "--clean")
    translator = LocalTranslator(model, beam=beam, max_tokens=max_tokens, device=device)
    with verbs.progresses(quiet) as show:
        translator.progress = partial(show, "Sentences")
        tool = DeHallucinator(translator, n=n, threshold=f"quantile:{quantile}").fit(held)
        results = tool.translate(lines)
    first = [r.candidates[-1][0] if r.flagged else r.text for r in results]
    verbs.write_table(out, {
        "src": lines, "mt": [r.text for r in results], "flagged": [r.flagged for r in results],
        "score": [r.score for r in results], "first": first,
    })  # fmt: skip
    flagged, changed = sum(r.flagged for r in results), sum(a != r.text for a, r in zip(first, results, strict=True))
    verbs.say(f"{out}: {verbs.counted(len(lines), 'translation')}, {flagged} flagged, {changed} replaced")
    if clean is None:
        verbs.say(f"threshold {tool.threshold_:.3g}: of these sources themselves; --clean takes others")


__all__ = ["app"]
