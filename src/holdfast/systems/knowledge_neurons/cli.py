"""Knowledge neurons of your own model: `holdfast knowledge-neurons find`, `effect`, `edit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from holdfast import verbs

app = verbs.Verbs("Find the neurons a language model keeps a fact in, see what happens without them, edit them.")
Model = Annotated[Path, typer.Option(help="Folder of a masked or causal language model in Hugging Face's layout.")]
MultiToken = Annotated[bool, typer.Option("--multi-token", help="Take answers of several tokens, one after the other.")]
SHOWN = 12


@app.verb(named={"folder": "--model"})
def find(
    model: Model,
    facts: Annotated[Path, typer.Option(help='Facts, {"prompts": [...{mask}...], "answer", "relation"} a line.')],
    out: Annotated[Path, typer.Option("-o", "--out", help="Neurons to write, .json.")] = Path("neurons.json"),
    t: Annotated[float, typer.Option(min=0, max=1, help="Coarse sets: share of the largest attribution.")] = 0.2,
    p: Annotated[float, typer.Option(min=0, max=1, help="Share of prompts a neuron must be coarse in.")] = 0.7,
    fixed: Annotated[bool, typer.Option("--fixed", help="Keep p; default: move it to 2 to 5 neurons a fact.")] = False,
    steps: Annotated[int, typer.Option(min=1, help="Points of the integral.")] = 20,
    rule: Annotated[
        Literal["left", "right", "midpoint", "trapezoid", "ends"], typer.Option(help="Where they lie.")
    ] = "left",
    batch: Annotated[int, typer.Option(min=1, help="Most rows of a pass.")] = 640,
    ffn: Annotated[list[str] | None, typer.Option(help="Path of a layer's last projection; repeatable.")] = None,
    multi_token: MultiToken = False,
    figure: Annotated[Path | None, verbs.figure_out("Figure of where they lie")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Find every fact's knowledge neurons: integrated gradients of the answer's probability, over all wordings.

    Example: `holdfast knowledge-neurons find --model bert/ --facts facts.jsonl -o neurons.json`
    """
    from holdfast.files import write_text
    from holdfast.systems.knowledge_neurons.tool.figures import places_figure
    from holdfast.systems.knowledge_neurons.tool.files import neurons_document, read_facts
    from holdfast.systems.knowledge_neurons.tool.model import load
    from holdfast.verbs.tables import check_apart

    check_apart((facts,), out=out, figure=figure)
    rows = read_facts(facts)
    kn = load(
        model, steps=steps, rule=rule, batch_size=batch, multi_token=multi_token, ffn="auto" if ffn is None else ffn
    )
    with verbs.progress("attributing", quiet) as show:
        sets = kn.find_all(rows, t, p, None if fixed else (2, 5), progress=show)
    gone = kn.effect(rows, sets)
    about = {"layers": kn.shape[0], "neurons_of_a_layer": kn.shape[1], "t": t, "p": p, "steps": steps, "rule": rule}
    write_text(out, neurons_document(rows, sets, about))
    if figure is not None:
        verbs.write_figure(places_figure(sets, kn.shape[0]), figure)
    _show(gone, "without their neurons, %")
    per = sum(map(len, sets)) / len(sets)
    verbs.say(f"{out}: {verbs.counted(len(rows), 'fact')}, {per:.1f} neurons each of {kn.shape[0] * kn.shape[1]:,}")
    unsure = int((gone["before"] < 0.1).sum())
    if unsure:
        verbs.say(f"{verbs.counted(unsure, 'fact')} the model gives less than 10 %: it does not know them")


@app.verb(named={"folder": "--model"})
def effect(
    model: Model,
    neurons: Annotated[Path, typer.Option(help="File that `find` wrote.")],
    factor: Annotated[float, typer.Option(help="The neurons are multiplied by it: 0 suppresses, 2 doubles.")] = 0.0,
    out: Annotated[Path | None, verbs.table_out("Table to write", "-o", "--out")] = None,
    multi_token: MultiToken = False,
) -> None:
    """Say what the answers' probabilities become, of each fact and of one of another relation.

    Example: `holdfast knowledge-neurons effect --model bert/ --neurons neurons.json --factor 2 -o effect.csv`
    """
    from holdfast.systems.knowledge_neurons.tool.files import read_neurons
    from holdfast.systems.knowledge_neurons.tool.model import load

    kn = load(model, multi_token=multi_token)
    facts, sets = read_neurons(neurons, *kn.shape)
    found = kn.effect(facts, sets, factor)
    if out is not None:
        verbs.write_table(out, found)
    _show(found, f"neurons times {factor:g}, change in %")
    verbs.say(f"mean change {found['change'].mean():+.1f} %, of another relation {found['other'].mean():+.1f} %")


@app.verb(named={"folder": "--model", "new_answer": "--new", "path": "--undo"})
def edit(
    model: Model,
    neurons: Annotated[Path, typer.Option(help="File that `find` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the edited model.")],
    fact: Annotated[int, typer.Option(min=1, help="Which fact of the file, from 1.")] = 1,
    new: Annotated[str | None, typer.Option(help="The new answer; without it the neurons are set to 0.")] = None,
    lam1: Annotated[float, typer.Option(min=0, help="How much of the old answer is taken.")] = 1.0,
    lam2: Annotated[float, typer.Option(min=0, help="How much of the new one is added.")] = 8.0,
    direction: Annotated[
        Literal["embedding", "gradient"], typer.Option(help="The word's embedding, or what raises it most.")
    ] = "embedding",
) -> None:
    """Write another answer into a fact's neurons, or erase them; say what it did to other facts.

    The folder also gets edit.safetensors, the changed vectors, old and new.

    Example: `holdfast knowledge-neurons edit --model bert/ --neurons neurons.json --new Rome --out edited/`
    """
    from holdfast.errors import InputError
    from holdfast.files import replacing_folder
    from holdfast.systems.knowledge_neurons.tool.changes import erase, evaluate_edit, update
    from holdfast.systems.knowledge_neurons.tool.files import read_neurons
    from holdfast.systems.knowledge_neurons.tool.model import load

    if out.resolve() == model.resolve() or out.exists():
        raise InputError("--out", "must be a folder that is not there yet", str(out))
    kn = load(model)
    facts, sets = read_neurons(neurons, *kn.shape)
    if fact > len(facts):
        raise InputError("--fact", f"must be at most {len(facts)}", fact)
    asked, chosen = facts[fact - 1], sets[fact - 1]
    before = kn.probabilities([asked])[0].mean()
    if new is None:
        done = erase(kn, chosen)
    else:
        done = update(kn, asked, chosen, new, lam1, lam2, direction=direction)
    after = kn.probabilities([asked])[0].mean()
    with replacing_folder(out) as folder:
        kn.model.save_pretrained(folder)
        kn.tokenizer.save_pretrained(folder)
        done.save(folder / "edit.safetensors")
    verbs.say(f"{out}: {verbs.counted(len(chosen), 'value vector')} changed")
    verbs.say(f"probability of {asked.answer!r}: {float(before):.3f} before, {float(after):.3f} after")
    if new is not None:
        report = evaluate_edit(done, asked, new, facts)
        verbs.show_table(list(report), [[round(value, 2) for value in report.values()]], "the edit, % and perplexity")


def _show(table: Any, title: str) -> None:
    rows = table.head(SHOWN).round(3).values.tolist()
    verbs.show_table(list(table.columns), rows, f"{title}, {len(rows)} of {len(table)} facts")


__all__ = ["app"]
