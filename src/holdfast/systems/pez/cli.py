"""Prompts for texts, images, long prompts and labels: `holdfast pez invert`, `distill`, `classify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Find a few real tokens that a model reads as a text, an image, a long prompt, or a task.")
SEARCH = verbs.Parameters("holdfast.systems.pez.tool.inverters:Inverter")
SETTINGS = SEARCH.options("method", "steps", "lr", "weight_decay", "restarts", "seed", "weight", "whole_words")
CLASSIFIER = verbs.Parameters("holdfast.systems.pez.tool.classify:PromptClassifier")
TUNED = CLASSIFIER.options("template", "prompt_len", "steps", "lr", "restarts", "seed", "batch", "every", "fluency")
NAMED = {
    "target": "--text", "prompt_len": "--len", "blocklist": "--block", "prompt": "prompt", "lm": "--lm",
    "encoder": "--model", "folder": "--model", "clip": "--clip", "vectors": "--vectors", "images": "--image",
    "verbalizer": "--words", "texts": "table", "labels": "table",
}  # fmt: skip

Out = Annotated[Path, typer.Option("-o", "--out", help="Prompts to write, .json.")]
Length = Annotated[int, typer.Option("--len", min=1, help="Tokens of the prompt.")]
Block = Annotated[Path | None, typer.Option(help="Words that prompts must not say, one a line.")]
Model = Annotated[Path | None, typer.Option(help="A sentence encoder's folder; default: the packaged one.")]


@app.verb(named=NAMED)
def invert(
    settings: Annotated[dict[str, Any], SETTINGS],
    text: Annotated[list[str] | None, typer.Option(help="A text to be said in other tokens; repeatable.")] = None,
    file: Annotated[Path | None, typer.Option(help="Such texts, one a line.")] = None,
    vectors: Annotated[Path | None, typer.Option(help="Vectors of the encoder, (N, E): .npy.")] = None,
    image: Annotated[Path | None, typer.Option(help="An image, or a folder of images; with --clip.")] = None,
    clip: Annotated[Path | None, typer.Option(help="Folder of a CLIP in Hugging Face's layout.")] = None,
    length: Length = 8,
    together: Annotated[bool, typer.Option(help="One prompt for all targets: what they have in common.")] = False,
    block: Block = None,
    model: Model = None,
    out: Out = Path("prompt.json"),
    quiet: verbs.Quiet = False,
) -> None:
    """Find a prompt for each text, vector or image.

    Example: `holdfast pez invert --text "a red bicycle in the rain" --len 8 -o prompt.json`
    """
    from holdfast.systems.pez.tool.files import inverter, targets_of

    found = inverter(model, clip, settings, block)
    names, targets = targets_of(found, text or (), file, vectors, image)
    with verbs.progress("searching", quiet) as show:
        results = found.invert_each([targets] if together else targets, length, show)
    _write(out, ["all of them"] if together else names, results)


@app.verb(named=NAMED)
def distill(
    prompt: Annotated[Path, typer.Argument(help="A text file with the long prompt.")],
    settings: Annotated[dict[str, Any], SETTINGS],
    length: Annotated[int | None, typer.Option("--len", min=1, help="Tokens of the short one.")] = None,
    ratio: Annotated[float, typer.Option(help="Or its tokens per token of the long one.")] = 0.3,
    clip: Annotated[Path | None, typer.Option(help="Folder of a CLIP in Hugging Face's layout.")] = None,
    block: Block = None,
    model: Model = None,
    out: Out = Path("prompt.json"),
    quiet: verbs.Quiet = False,
) -> None:
    """Find a shorter prompt that the encoder reads as a long one.

    Example: `holdfast pez distill prompt.txt --len 12 -o short.json`
    """
    from holdfast.data.readers.lines import read_lines
    from holdfast.systems.pez.tool.files import inverter
    from holdfast.systems.pez.tool.inverters import distill as shortened

    whole = " ".join(read_lines(prompt, "prompt"))
    found = inverter(model, clip, settings, block)
    with verbs.progress("searching", quiet) as show:
        result = shortened(whole, ratio, found, length, show)
    _write(out, [whole], [result])


@app.verb(named=NAMED)
def classify(
    table: Annotated[Path, typer.Argument(help="Rows with a text and a label.")],
    lm: Annotated[Path, typer.Option(help="Folder of a causal language model in Hugging Face's layout.")],
    settings: Annotated[dict[str, Any], TUNED],
    reading: verbs.Reading,
    words: Annotated[str, typer.Option(help="What says the labels, as negative=terrible,positive=great.")] = "",
    column: Annotated[list[str] | None, verbs.column_roles("text", "label")] = None,
    out: Out = Path("prompt.json"),
    quiet: verbs.Quiet = False,
) -> None:
    """Find a prompt that makes a language model say the label.

    Example: `holdfast pez classify train.csv --lm gpt2/ --words "no=bad,yes=good" -o prompt.json`
    """
    from holdfast.systems.pez.tool.classify import PromptClassifier
    from holdfast.systems.pez.tool.files import labelled, words_of

    texts, labels = labelled(table, column or (), reading)
    model = PromptClassifier(lm, verbalizer=words_of(words), **settings)
    with verbs.progress("searching", quiet) as show:
        model.fit(texts, labels, show)
    _write(out, [f"{table.name}: {', '.join(model.classes_)}"], [model.result_], accuracy=model.accuracy_)
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in model.accuracy_.items())
    verbs.say(f"accuracy on held-out rows: {shares}")


def _write(out: Path, names: list[str], results: list[Any], **more: Any) -> None:
    from holdfast.errors import InputError
    from holdfast.files import write_json

    if out.suffix.lower() != ".json":
        raise InputError("--out", "must end in .json", str(out))
    rows = [{"target": name} | result.as_json() for name, result in zip(names, results, strict=True)]
    write_json(out, {"prompts": rows} | more)
    shown = [[n[:40], r.text, round(r.retokenized_score, 3), "yes" if r.stable else "no"]
             for n, r in zip(names, results, strict=True)]  # fmt: skip
    verbs.show_table(["target", "prompt", "score as text", "same tokens again"], shown[:10])
    verbs.say(f"{out}: {verbs.counted(len(rows), 'prompt')}")


__all__ = ["app"]
