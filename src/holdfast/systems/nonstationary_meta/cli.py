"""Predictors of changing streams on your own files: `holdfast ptw predict`, `changes`, `simulate`, `regret`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Predict streams of symbols whose frequencies change: probabilities, code lengths, change points.")
PREDICTORS = "holdfast.systems.nonstationary_meta.tool.predictors"
PRUNE = verbs.Parameters(f"{PREDICTORS}:LINPredictor").default("prune")
DECAY = verbs.Parameters(f"{PREDICTORS}:DecayedKTPredictor").default("decay")
WINDOW = verbs.Parameters(f"{PREDICTORS}:WindowKTPredictor").default("window")
LIMIT = 4096  # without one, LIN's memory would grow with the length of a segment
SOURCE = verbs.Parameters("holdfast.systems.nonstationary_meta.tool.sources:PiecewiseBernoulli")
INPUT = typer.Argument(metavar="INPUT", help="Text (digits, or with separators), a table or npy; - is the input.")


@dataclass(frozen=True)
class Symbols:
    """How the input is read, and by what; what is not given is the model's own."""

    column: Annotated[str | None, typer.Option(help="Column of a table.")] = None
    names: Annotated[
        str | None,
        typer.Option("--symbols", help="Words for symbols 0, 1, ..., with commas: fail,pass. They set the alphabet."),
    ] = None
    alphabet: Annotated[int, typer.Option(help="Number of symbols: 0 ... alphabet - 1.")] = 2
    depth: Annotated[str | None, typer.Option(help="ptw: horizon of 2^depth symbols; auto = unlimited.")] = None
    prune: Annotated[
        float | None, typer.Option(help=f"lin: drop starts below e^-prune of the heaviest; default {PRUNE:g}.")
    ] = None
    limit: Annotated[int | None, typer.Option(help=f"lin: starts kept at most; default {LIMIT}.")] = None

    @property
    def words(self) -> tuple[str, ...]:
        from holdfast.data.readers.symbol_words import parse_names

        return parse_names(self.names)

    def reading(self, options: Any) -> dict[str, Any]:
        """As readers take them."""
        return {"column": self.column, "names": self.words, "options": options, "note": verbs.say}

    def settings(self, model: str) -> dict[str, Any]:
        """As predictors take them: a depth is a number where it is one, anything else is judged by them."""
        depth = int(self.depth) if self.depth is not None and self.depth.isdigit() else self.depth
        limit = LIMIT if self.limit is None and model == "lin" else self.limit
        return {"alphabet": len(self.words) or self.alphabet, "depth": depth, "prune": self.prune, "limit": limit}


@app.verb(named={"series": "input_"})
def predict(
    input_: Annotated[str, INPUT],
    symbols: Symbols,
    reading: verbs.Reading,
    model: Annotated[str, typer.Option(help="ptw, lin, kt, decayed-kt, window-kt, or a folder of a network.")] = "ptw",
    out: Annotated[str, typer.Option(help="The csv to write; - is the output, row by row.")] = "-",
    decay: Annotated[
        float | None, typer.Option(help=f"decayed-kt: factor of the counts per symbol; default {DECAY:g}.")
    ] = None,
    window: Annotated[int | None, typer.Option(help=f"window-kt: symbols remembered; default {WINDOW}.")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Predict each symbol from those before it, as they come.

    Writes t (from 1), p1 (probability of a 1, before it was seen), code_length_bits, and p_change (probability that the
    symbol starts a segment, given it and all before). Memory does not grow with a text or a pipe.

    Examples:

    - `holdfast ptw predict bits.txt --out probs.csv`

    - `tail -f events | holdfast ptw predict - --model lin`
    """
    from holdfast.data.readers.symbols import read_symbols
    from holdfast.systems.nonstationary_meta.tool.prediction_csv import write_predictions
    from holdfast.systems.nonstationary_meta.tool.predictors import open_stream

    stream = open_stream(model, **symbols.settings(model), decay=decay, window=window)
    pieces = read_symbols(input_, stream.alphabet, **symbols.reading(reading))
    rows_shown = out == "-" and sys.stdout.isatty()  # a bar would run through them
    with verbs.progress("Symbols predicted", quiet or rows_shown or input_ == "-") as show:
        write_predictions(stream, pieces, out, show, at_once=input_ == "-")
    bits = abs(stream.log_marginal) / 0.6931471805599453
    rate = f", {bits / stream.t:.4g} per symbol" if stream.t else ""
    verbs.say(f"{verbs.counted(stream.t, 'symbol')}, {bits:,.6g} bits{rate}")


@app.verb(named={"series": "input_"})
def changes(
    input_: Annotated[str, INPUT],
    symbols: Symbols,
    reading: verbs.Reading,
    model: Annotated[str, typer.Option(help="lin (changes anywhere), or ptw (faster; cuts at halves).")] = "lin",
    time: Annotated[str | None, typer.Option(help="Column with the times; else it is looked for.")] = None,
    min_length: Annotated[int, typer.Option(help="Shorter segments are joined to a neighbour; 1 = none.")] = 5,
    min_mass: Annotated[float, typer.Option(help="Smallest p_change that a segment begins with; 0 = any.")] = 0.5,
    out: Annotated[Path | None, verbs.table_out("Table of the segments; none = print them")] = None,
    posterior: Annotated[Path | None, verbs.table_out("Table with the probability of a start at every symbol")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Find where a finished sequence changed: the most probable segments, and how sure each start is.

    Writes start, end, length, start_time, end_time (where the file has times), the frequencies, p_start (a segment
    starts exactly there), p_change (there is a change between it and the segment before, at any place), joined (how
    many short or doubtful segments were joined to neighbours in it).

    Example: `holdfast ptw changes bits.txt --out segments.csv --figure changes.svg`
    """
    import numpy as np

    from holdfast.data.readers.symbols import read_timed_symbols
    from holdfast.systems.nonstationary_meta.tool.figures import changes_figure
    from holdfast.systems.nonstationary_meta.tool.tables import said_of_joined, segment_posterior, segment_table

    settings = symbols.settings(model)
    x, times = read_timed_symbols(input_, settings["alphabet"], time=time, **symbols.reading(reading))
    with verbs.progress("Segmenting", quiet) as show:
        some = (lambda done, steps: None if done % 3000 else show(done, steps)) if model == "lin" else None
        found = segment_posterior(x, model, **settings, progress=some)
    found, joined = found.joined(min_length, min_mass)
    table = segment_table(found, joined, times=times)
    if out is not None:
        verbs.write_table(out, table)
    elif len(table):
        verbs.show_table(table.columns, table.itertuples(index=False))
    else:
        verbs.show("no symbols")
    if posterior is not None:
        beside = {} if times is None else {"time": times}
        verbs.write_table(posterior, {"t": np.arange(1, len(x) + 1), **beside, "p_start": found.start_probs})
    if figure is not None:
        verbs.write_figure(changes_figure(found), figure)
    if joined:
        verbs.say(said_of_joined(joined, times))
    verbs.say(f"{verbs.counted(len(x), 'symbol')} in {verbs.counted(len(table), 'segment')}")


@app.verb(named={"B": "--count", "generator": "--seed"})
def simulate(
    out: Annotated[Path, typer.Option(help="Where to: .npz (x, theta), .csv, or .txt (one sequence).")],
    settings: Annotated[dict[str, Any], SOURCE.options("kind", "beta", length="T")],
    count: Annotated[int, typer.Option(help="Number of sequences.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
) -> None:
    """Draw sequences whose probability of a 1 changes, with the truth beside them.

    Example: `holdfast ptw simulate --kind lin --length 1000 --count 20 --out sequences.npz`
    """
    from holdfast.systems.nonstationary_meta.tool.sequence_files import write_sequences
    from holdfast.systems.nonstationary_meta.tool.sources import PiecewiseBernoulli

    write_sequences(out, *PiecewiseBernoulli(**settings, generator=seed).sample(count))
    length = verbs.counted(settings["T"], "symbol")
    verbs.say(f"{out}: {verbs.counted(count, 'sequence')} of {length}")


@app.verb()
def regret(
    sequences: Annotated[Path, typer.Argument(help="npz or csv with x and theta, as simulate writes them.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A name as of predict or folder of a network; several. [default: ptw lin kt]"),
    ] = None,
    out: Annotated[Path | None, verbs.table_out("Table of the mean cumulative regret at every symbol")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
) -> None:
    """Compare predictors with the truth: expected regret in nats, summed over a sequence.

    Example: `holdfast ptw regret sequences.npz --model ptw --model kt --model model/ --figure regret.svg`
    """
    from holdfast.data.readers.true_sequences import read_sequences
    from holdfast.systems.nonstationary_meta.tool.comparison import regret_curves
    from holdfast.systems.nonstationary_meta.tool.figures import regret_figure

    curves, totals = regret_curves(model or ("ptw", "lin", "kt"), *read_sequences(sequences))
    for name, mean, error in totals:
        about = "" if error is None else f" ± {error:.3f}"
        verbs.show(f"{name:<12} {mean:8.3f}{about} nats per sequence")
    if out is not None:
        verbs.write_table(out, curves)
    if figure is not None:
        verbs.write_figure(regret_figure(curves), figure)


__all__ = ["app"]
