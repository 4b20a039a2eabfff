"""Options that many verbs have, with the same words everywhere. What they name is checked before any work is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.verbs.arrays import check_array_file
from holdfast.verbs.figures import check_figure
from holdfast.verbs.tables import check_table

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run with the same options.")]


def table_out(what: str, *words: str) -> Any:
    """An option for a table to write: .csv, .tsv or .parquet; `words` as in `model_out`."""
    return typer.Option(*words, help=f"{what}: .csv, .tsv or .parquet.", callback=_checked(check_table))


def array_out(what: str, *words: str) -> Any:
    """An option for rows of numbers to write: .npy, .csv or .parquet; `words` as in `model_out`."""
    return typer.Option(*words, help=f"{what}: .npy, .csv or .parquet.", callback=_checked(check_array_file))


def figure_out(what: str, *words: str) -> Any:
    """An option for a figure to write: .png, .svg or .pdf; `words` as in `model_out`."""
    return typer.Option(*words, help=f"{what}: .png, .svg or .pdf.", callback=_checked(check_figure))


def model_out(*words: str, what: str = "Folder for the model.") -> Any:
    """An option for the folder of a model to write; nothing but a model is overwritten.

    Args:
        words: what the option is called, such as "--out", "-o"; none = as the verb's argument.
        what: its help.
    """

    def check(path: Path, name: str) -> None:
        from holdfast.estimator.modelfolder import check_replaceable

        check_replaceable(path)

    return typer.Option(*words, help=what, callback=_checked(check))


def _checked(check: Callable[[Path, str], None]) -> Callable[[typer.CallbackParam, Path | None], Path | None]:
    """What typer calls with the value of an option, while it reads the command line."""

    def callback(param: typer.CallbackParam, value: Path | None) -> Path | None:
        if value is not None:
            check(value, max(param.opts, key=len))
        return value

    return callback


__all__ = ["Json", "Quiet", "Resume", "array_out", "figure_out", "model_out", "table_out"]
