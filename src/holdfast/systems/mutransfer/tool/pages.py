"""What the verbs write: the table of a report, the page, figures and tables of a coordinate check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import verbs
from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.report.document import Document, Grid, Section, write_document
from holdfast.report.svg import THEMED
from holdfast.systems.mutransfer.tool.coordcheck import CoordCheck
from holdfast.systems.mutransfer.tool.figures import coordinates

if TYPE_CHECKING:
    import pandas as pd

READING = (
    "Every layer's output is measured before any step and after each. Under a right parametrization its size does not "
    "depend on the width once training has begun: lines are flat. A line that rises will blow up in a wider model, one "
    "that falls stops learning there. Outputs may vanish before the first step, as the paper's zero-like readout does."
)


def check_page(check: CoordCheck, path: Path, *, subject: str, command: str) -> Path:
    """Write what a coordinate check found as one HTML file.

    Args:
        path: of the file; subject: what was checked; command: repeats it.
    """
    judged = check.slopes[check.slopes["leaf"]].reset_index(drop=True)
    wrong = {(finding.layer, finding.step) for finding in check.findings}
    marked = [i for i, row in enumerate(judged.itertuples()) if (row.layer, row.step) in wrong]
    table = judged.assign(steps=judged["step"] - 1)[["layer", "steps", "size", "change"]]
    table.columns = ["layer", "after steps", "slope of the size", "slope of the change"]
    findings = [f"Layer {finding}." for finding in check.findings] or ["No layer changes its size with the width."]
    said = check.verdict.partition(": ")[2] if check.passed else check.verdict.removeprefix("failed at ")
    widths = sorted(check.frame["width"].unique())
    page = Document(
        kind="coordinate check",
        title=f"{subject}: {said}" if check.passed else f"{subject}, layer {said}",
        good=check.passed,
        sections=(
            Section("What was found", words=findings),
            Section(
                "Activations over the width", words=(READING,), figures=(coordinates(check, THEMED, titled=False),)
            ),
            Section(
                "Slopes",
                words=(
                    "Of the logarithm of the mean |activation|, and of its change since the start, over log width.",
                ),
                tables=(Grid.of(table, "slopes of every layer after every step", marked),),
            ),
        ),
        command=command,
        facts={
            "widths": ", ".join(map(str, widths)),
            "models per width": str(check.frame["seed"].nunique()),
            "forward passes": str(int(check.frame["step"].max())),
        },
    )
    return write_document(page, path)


def write_check(check: CoordCheck, folder: Path, builder: str, rule: str, options: Mapping[str, Any]) -> None:
    """Write a coordinate check into a folder: check.html, check.svg, check.png, slopes.csv, activations.csv.

    Args:
        folder: made where there is none.
        builder, rule: what was checked.
        options: of the command that repeats it; what is None is left out.
    """
    given = {"rule": rule, "widths": ",".join(map(str, sorted(check.frame["width"].unique()))), **options}
    words = [f"--{name} {value}" for name, value in given.items() if value is not None]
    verbs.write_table(folder / "slopes.csv", check.slopes)
    verbs.write_table(folder / "activations.csv", check.frame)
    verbs.write_figures(check.figure(), folder / "check")
    command = " ".join(["holdfast mutransfer check", builder, *words])
    check_page(check, folder / "check.html", subject=f"{builder} under {rule}", command=command)


def write_report(frame: pd.DataFrame, path: Path) -> None:
    """Write the table of a report: .csv, .parquet, or .json (a list of rows).

    Raises:
        InputError: another ending.
    """
    if path.suffix.lower() == ".json":
        write_text(path, frame.to_json(orient="records", indent=1))
    elif path.suffix.lower() in (".csv", ".parquet", ".pq"):
        verbs.write_table(path, frame)
    else:
        raise InputError("out", "must end in .csv, .parquet or .json", str(path))


__all__ = ["check_page", "write_check", "write_report"]
