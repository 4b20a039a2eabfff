"""Predictors of changing streams on your own files: `holdfast ptw predict`, `changes`, `simulate`, `regret`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.errors import InputError

if TYPE_CHECKING:
    import numpy as np

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Predict streams of symbols whose frequencies change: probabilities, code lengths, change points.",
)
OPTIONS = {
    name: f"--{name}" for name in ("model", "alphabet", "depth", "prune", "limit", "decay", "window", "column", "kind")
}
OPTIONS |= {"T": "--length", "B": "--count", "beta": "--beta", "generator": "--seed", "series": "INPUT"}

Input = Annotated[str, typer.Argument(help="Text (digits, or symbols with separators), csv or npy; - is the input.")]
Column = Annotated[str | None, typer.Option(help="Column of a csv with header.")]
Alphabet = Annotated[int, typer.Option(help="Number of symbols: 0 ... alphabet - 1.")]
Depth = Annotated[str | None, typer.Option(help="ptw: horizon of 2^depth symbols; auto = unlimited.")]
Prune = Annotated[float | None, typer.Option(help="lin: drop starts below e^-prune of the heaviest; default 30.")]
Limit = Annotated[int | None, typer.Option(help="lin: starts kept at most; default 4096.")]
Decay = Annotated[float | None, typer.Option(help="decayed-kt: factor of the counts per symbol; default 0.95.")]
Window = Annotated[int | None, typer.Option(help="window-kt: symbols remembered; default 32.")]


@app.command()
def predict(
    input_: Annotated[str, typer.Argument(metavar="INPUT", help=Input.__metadata__[0].help)],
    model: Annotated[str, typer.Option(help="ptw, lin, kt, decayed-kt, window-kt, or a folder of a network.")] = "ptw",
    out: Annotated[str, typer.Option(help="The csv to write; - is the output, row by row.")] = "-",
    column: Column = None,
    alphabet: Alphabet = 2,
    depth: Depth = None,
    prune: Prune = None,
    limit: Limit = None,
    decay: Decay = None,
    window: Window = None,
) -> None:
    """Predict each symbol from those before it, as they come.

    Writes t (from 1), p1 (probability of a 1, before it was seen), code_length_bits, and p_change (probability that the
    symbol starts a segment, given it and all before). Memory does not grow with the input.

    Examples:

    - `holdfast ptw predict bits.txt --out probs.csv`

    - `tail -f events | holdfast ptw predict - --model lin`
    """
    from holdfast.systems.nonstationary_meta.predictor import open_stream
    from holdfast.systems.nonstationary_meta.reading import read_symbols

    if out != "-" and Path(out).suffix.lower() != ".csv":
        raise InputError("--out", "must end in .csv, or be -", out)
    with _options():
        settings = {"depth": _depth(depth), "prune": prune, "decay": decay, "window": window}
        stream = open_stream(model, limit=_limit(model, limit), alphabet=alphabet, **settings)
        pieces = read_symbols(input_, stream.alphabet, column=column)
        if input_ != "-":
            pieces = _begun(pieces)  # a file that cannot be read is no reason for a header
        _hint()
        with _writer(out) as write, _bar("Predicting", input_) as progress:
            _header(write, stream.alphabet)
            for x in pieces:
                for begin in range(0, len(x), 4096):
                    _rows(write, stream, x[begin : begin + 4096])
                progress(stream.t)
    bits = abs(stream.log_marginal) / 0.6931471805599453
    rate = f", {bits / stream.t:.4g} per symbol" if stream.t else ""
    _say(f"{_count(stream.t, 'symbol')}, {bits:,.6g} bits{rate}")


@app.command()
def changes(
    input_: Annotated[str, typer.Argument(metavar="INPUT", help=Input.__metadata__[0].help)],
    model: Annotated[
        str, typer.Option(help="lin (changes anywhere), or ptw (faster; adds auxiliary changes).")
    ] = "lin",
    out: Annotated[Path | None, typer.Option(help="csv of the segments; none = print them.")] = None,
    posterior: Annotated[Path | None, typer.Option(help="csv with the probability of a start at every symbol.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Figure to write: .png, .svg or .pdf.")] = None,
    column: Column = None,
    alphabet: Alphabet = 2,
    depth: Annotated[int | None, typer.Option(help="ptw: horizon of 2^depth symbols.")] = None,
    prune: Prune = None,
    limit: Limit = None,
) -> None:
    """Find where a finished sequence changed: the most probable segments, and how sure each start is.

    Example: `holdfast ptw changes bits.txt --out segments.csv --figure changes.svg`
    """
    import numpy as np
    import pandas as pd

    from holdfast.systems.nonstationary_meta.change_figure import draw_changes
    from holdfast.systems.nonstationary_meta.frames import segment_posterior, segment_table
    from holdfast.systems.nonstationary_meta.reading import read_symbols

    _check_paths(figure, {"--out": out, "--posterior": posterior})
    with _options():
        pieces = list(read_symbols(input_, alphabet, column=column))
        x = np.concatenate([np.empty(0, np.int64), *pieces])
        with _bar("Segmenting", input_) as progress:
            settings: dict[str, Any] = {"depth": depth, "prune": prune, "limit": _limit(model, limit)}
            if model == "lin":
                settings["progress"] = lambda done, steps: progress(done // 3) if done % 3000 == 0 else None
            found = segment_posterior(x, model, alphabet=alphabet, **settings)
    table = segment_table(found)
    if out is None:
        typer.echo(table.to_string(index=False, float_format=lambda v: f"{v:.4g}") if len(table) else "no symbols")
    else:
        _write_table(table, out)
    if posterior is not None:
        _write_table(pd.DataFrame({"t": np.arange(1, len(x) + 1), "p_start": found.start_probs}), posterior)
    if figure is not None:
        draw_changes(figure, found)
    _say(f"{_count(len(x), 'symbol')} in {_count(len(table), 'segment')}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Where to: .npz (x, theta), .csv, or .txt (one sequence).")],
    kind: Annotated[str, typer.Option(help="ptw, ptw_shared, lin, regular, random or static.")] = "ptw",
    length: Annotated[int, typer.Option(help="Symbols per sequence.")] = 256,
    count: Annotated[int, typer.Option(help="Number of sequences.")] = 1,
    beta: Annotated[tuple[float, float], typer.Option(help="Of the Beta distribution of P(1).")] = (0.5, 0.5),
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
) -> None:
    """Draw sequences whose probability of a 1 changes, with the truth beside them.

    Example: `holdfast ptw simulate --kind lin --length 1000 --count 20 --out sequences.npz`
    """
    from holdfast.systems.nonstationary_meta.simulated import write_sequences
    from holdfast.systems.nonstationary_meta.sources import PiecewiseBernoulli

    with _options():
        x, theta = PiecewiseBernoulli(kind, length, beta, seed).sample(count)
        write_sequences(out, x, theta)
    _say(f"{out}: {_count(count, 'sequence')} of {_count(length, 'symbol')}")


@app.command()
def regret(
    sequences: Annotated[Path, typer.Argument(help="npz or csv with x and theta, as simulate writes them.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A name as of predict or folder of a network; several. [default: ptw lin kt]"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="csv of the mean cumulative regret at every symbol.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Figure to write: .png, .svg or .pdf.")] = None,
) -> None:
    """Compare predictors with the truth: expected regret in nats, summed over a sequence.

    Example: `holdfast ptw regret sequences.npz --model ptw --model kt --model model/ --figure regret.svg`
    """
    import numpy as np
    import pandas as pd

    from holdfast.systems.nonstationary_meta.change_figure import draw_regret
    from holdfast.systems.nonstationary_meta.predictor import open_predictor
    from holdfast.systems.nonstationary_meta.regret import expected_regret
    from holdfast.systems.nonstationary_meta.simulated import read_sequences

    _check_paths(figure, {"--out": out})
    with _options():
        x, theta = read_sequences(sequences)
        rows: dict[str, np.ndarray] = {}
        for name in model or ("ptw", "lin", "kt"):
            rows[Path(name).name or name] = np.asarray(
                expected_regret(open_predictor(name).log_probs(x), theta)
            ).cumsum(1)
    curves = pd.DataFrame({"t": np.arange(1, x.shape[1] + 1), **{name: each.mean(0) for name, each in rows.items()}})
    for name, each in sorted(rows.items(), key=lambda row: row[1][:, -1].mean()):
        last = each[:, -1]
        error = f" ± {last.std(ddof=1) / len(last) ** 0.5:.3f}" if len(last) > 1 else ""
        typer.echo(f"{name:<12} {last.mean():8.3f}{error} nats per sequence")
    if out is not None:
        _write_table(curves, out)
    if figure is not None:
        draw_regret(figure, curves)


# -------------------------------------------------------------------------------------------------------------- writing
Write = Callable[[str], object]


@contextmanager
def _writer(out: str) -> Iterator[Write]:
    """A function that writes text: to the output at once, or to a file that appears when all is written."""
    if out == "-":

        def write(text: str) -> None:
            sys.stdout.write(text)
            sys.stdout.flush()  # a reader at the other end sees each row when it is there

        yield write
        return
    from holdfast.files import replacing

    with replacing(Path(out)) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file.write


def _header(write: Write, alphabet: int) -> None:
    names = ["p1"] if alphabet == 2 else [f"p{s}" for s in range(alphabet)]
    write(",".join(["t", *names, "code_length_bits", "p_change"]) + "\n")


def _rows(write: Write, stream: Any, x: np.ndarray) -> None:
    from holdfast.systems.nonstationary_meta.frames import columns_of

    start = stream.t
    columns = columns_of(stream.extend(x), x, start)
    line = ",".join(["%d", *["%.8g"] * (len(columns) - 1)]) + "\n"
    text = "".join(line % row for row in zip(*(values.tolist() for values in columns.values()), strict=True))
    write(text.replace("nan", ""))  # models without segments leave p_change empty


def _check_paths(figure: Path | None, tables: dict[str, Path | None]) -> None:
    """Refuse names of files that could not be written, before the work is done."""
    from holdfast.systems.nonstationary_meta.change_figure import check_suffix

    if figure is not None:
        check_suffix(figure)
    for option, path in tables.items():
        if path is not None and path.suffix.lower() not in (".csv", ".parquet"):
            raise InputError(option, "must end in .csv or .parquet", str(path))


def _write_table(table: Any, out: Path) -> None:
    from holdfast.files import replacing

    with replacing(out) as temporary:
        if out.suffix.lower() == ".csv":
            table.to_csv(temporary, index=False, float_format="%.8g")
        else:
            table.to_parquet(temporary, index=False)


def _begun(pieces: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same pieces, the first of which has been read."""
    first = list(itertools.islice(pieces, 1))
    return itertools.chain(first, pieces)


# ------------------------------------------------------------------------------------------------------------- speaking
def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _hint() -> None:
    from holdfast.systems.nonstationary_meta.compiled import compiled

    if compiled() is None:
        _say("hint: pip install 'holdfast[fast]' brings numba, with which this is several times as fast")


def _limit(model: str, limit: int | None) -> int | None:
    """Without one, LIN's memory grows with the length of a segment."""
    return 4096 if limit is None and model == "lin" else limit


def _depth(text: str | None) -> int | str | None:
    """A number where it is one; anything else is judged by the predictor."""
    return int(text) if text is not None and text.isdigit() else text


@contextmanager
def _options() -> Iterator[None]:
    """Errors about arguments, said in terms of the command's options."""
    try:
        yield
    except InputError as e:
        name = OPTIONS.get(e.argument)
        if name is None:
            raise
        raise InputError(name, e.rule, e.received) from e


@contextmanager
def _bar(what: str, path: str) -> Iterator[Callable[[int], None]]:
    """A count of symbols on a terminal; nothing elsewhere, nor where input or output use the terminal."""
    if path == "-" or not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f} symbols"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(what)
        yield lambda done: display.update(task, completed=done)


def _say(text: str) -> None:
    typer.echo(text, err=True)


__all__ = ["app"]
