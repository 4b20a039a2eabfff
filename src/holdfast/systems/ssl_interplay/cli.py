"""Features without training: `holdfast ssl_interplay fit`, `transform`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs(
    "Make features of rows that come in views, such as recordings of the same session, without training a network."
)
MODEL = verbs.Parameters("holdfast.systems.ssl_interplay.estimator:KernelSSL")
SETTINGS = MODEL.options("beta", "gamma", "degree", "seed", components="n_components", landmarks="n_landmarks")
NAMED = {"X": "data", "groups": "--groups", "n_components": "--components", "n_landmarks": "--landmarks"}
EXACT = 5000  # rows up to which the whole kernel is used


@app.verb(named=NAMED)
def fit_(
    data: Annotated[Path, typer.Argument(help="Rows of numbers: .npy, .npz (x), or a table.")],
    groups: Annotated[Path, typer.Option(help="What each row is a view of: a table with a column `group`, or .npy.")],
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    settings: Annotated[dict[str, Any], SETTINGS],
    reading: verbs.Reading,
    kernel: Annotated[str, typer.Option(help="rbf, exponential, polynomial or ntk.")] = "rbf",
    reg: Annotated[
        float | None,
        typer.Option(
            help="lambda: small keeps what views agree on, large what is smooth. "
            "Default: the largest that leaves all features alive."
        ),
    ] = None,
    figure: Annotated[Path, verbs.figure_out("Figure of the spectrum")] = Path("spectrum.svg"),
    quiet: verbs.Quiet = False,
) -> None:
    """Find the features, and show which are alive. Up to 5,000 rows exactly, beyond with landmarks.

    Example: `holdfast ssl_interplay fit X.npy --groups g.csv -o m/`
    """
    from holdfast.data.readers.vectors import read_values, read_vectors
    from holdfast.systems.ssl_interplay.estimator import KernelSSL
    from holdfast.systems.ssl_interplay.tool.spectrum_figure import spectrum_figure

    x = read_vectors(data, reading)
    names = read_values(groups, "group", len(x), str(data), reading)
    method: Any = "exact" if len(x) <= EXACT else "nystroem"
    model = KernelSSL(kernel=kernel, reg=reg, method=method, **settings)
    with verbs.progresses(quiet) as show:
        model.fit(x, names, progress=partial(show, "Rows"))
    model.save(out)
    verbs.write_figure(spectrum_figure(model), figure)
    report = model.collapse_report()
    verbs.show_table(["", "value"], [[name, value] for name, value in report.items()], title="Features")
    how = "" if method == "exact" else f", through {len(model.points_)} landmarks"
    verbs.say(f"{out}: {model.n_active_} features of {verbs.counted(len(x), 'row')}{how}; {figure}: the spectrum")


@app.verb(named=NAMED)
def transform(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    data: Annotated[Path, typer.Argument(help="Rows with the columns that the model was fitted with.")],
    reading: verbs.Reading,
    out: Annotated[Path, verbs.array_out("Features to write", "--out", "-o")] = Path("embedding.npy"),
    spectrum: Annotated[Path, verbs.table_out("Table of the spectrum")] = Path("spectrum.csv"),
) -> None:
    """Write the features of rows, and the spectrum that they come from.

    Example: `holdfast ssl_interplay transform m/ new.npy -o embedding.npy`
    """
    from holdfast.data.readers.vectors import read_vectors
    from holdfast.systems.ssl_interplay.estimator import KernelSSL
    from holdfast.systems.ssl_interplay.tool.spectrum_figure import spectrum_table

    fitted = KernelSSL.load(model)
    found = fitted.transform(read_vectors(data, reading))
    verbs.write_array(out, found, names="feature")
    verbs.write_table(spectrum, spectrum_table(fitted))
    verbs.say(f"{out}: {found.shape[1]} features of {verbs.counted(len(found), 'row')}; {spectrum}: the spectrum")


__all__ = ["app"]
