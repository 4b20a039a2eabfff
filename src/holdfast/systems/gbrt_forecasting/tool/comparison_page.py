"""The page of a comparison of forecasters: one HTML file that needs nothing else."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from holdfast import verbs
from holdfast.data.series.panel import describe
from holdfast.files import write_text
from holdfast.report import wording
from holdfast.report.html import render_page
from holdfast.report.svg import LIGHT
from holdfast.systems.gbrt_forecasting.tool.comparison import Comparison
from holdfast.systems.gbrt_forecasting.tool.comparison_figures import drawings, future_figures
from holdfast.systems.gbrt_forecasting.tool.contenders import TREES

PACKAGE = "holdfast.systems.gbrt_forecasting.tool"
NOMINAL = 0.8
FILES = {  # beside the page
    "table.csv": "the table above",
    "backtest.csv": "every forecast of the past, beside what came",
    "forecast.csv": "the best forecaster's forecasts of the future",
}
# key, heading, what it is, whether smaller values come first when sorted
COLUMNS = (
    ("mase", "MASE", "mean absolute error over the mean absolute change over a season, in the past of each series"),
    ("mae", "MAE", "mean absolute error"),
    ("rmse", "RMSE", "root of the mean squared error"),
    ("wape", "WAPE %", "sum of absolute errors over sum of absolute values"),
    ("worse", "above the best", "how much larger the error is than that of the best, with its 95 % interval"),
    ("wins", "wins %", "share of forecasts with the smallest error of all"),
    ("coverage", "in band %", "share of values inside the band that should hold 80 % of them"),
    ("width", "band width", "mean width of the band, as a multiple of the best forecaster's"),
    ("fit_seconds", "fit CPU s", "processor time of fitting, bands included, all cores together"),
    ("cpu_seconds", "all CPU s", "processor time of fitting and forecasting; statistical models do both at once"),
)


def cells(comparison: Comparison) -> list[dict[str, Any]]:
    """The table as text: a dict per forecaster with name, about and a (text, value) pair per column."""
    table = comparison.table()
    about = {entry.name: entry.about for entry in comparison.entries}
    smallest = {key: table[key].min() for key in ("mase", "mae", "rmse", "wape")}
    rows = []
    for name, row in table.iterrows():
        found: dict[str, Any] = {"name": str(name), "about": about[str(name)]}
        for key, _, _ in COLUMNS:
            text = _text(key, row)
            found[key] = {"text": text, "value": _value(row[key]), "best": row[key] == smallest.get(key)}
        rows.append(found)
    return rows


def _text(key: str, row: pd.Series) -> str:
    value = float(row[key])
    if not np.isfinite(value):
        return wording.NONE
    if key == "worse":
        if value == 0 and not np.isfinite(row["worse_low"]):
            return "best"
        interval = f" [{row['worse_low']:+.0%}, {row['worse_high']:+.0%}]" if np.isfinite(row["worse_low"]) else ""
        return f"{value:+.0%}{interval}"
    if key in ("wape", "wins", "coverage"):
        return f"{100 * value:.1f}" if key == "wape" else f"{100 * value:.0f}"
    if key == "width":
        return f"{value:.2f}"
    return f"{value:.1f}" if key.endswith("seconds") and value >= 0.1 else f"{value:.3g}"


def _value(value: float) -> float | str:
    return float(value) if np.isfinite(value) else ""


def facts(comparison: Comparison, source: str) -> dict[str, str]:
    """What was compared, in words."""
    many, freq = describe(comparison.bench.panel).split(", ")[0], str(comparison.bench.panel.clock)
    return {
        "data": source,
        "series": many,
        "values": f"{len(comparison.bench.panel.y):,}",
        "frequency": freq,
        "horizon": f"{comparison.bench.horizon} steps",
        "window": f"{comparison.bench.lookback} steps",
        "season": f"{comparison.bench.season} steps" if comparison.bench.season > 1 else "none",
        "forecasts": f"{len(comparison.errors()):,} (of each series at {cutoffs_text(comparison)})",
    }


def cutoffs_text(comparison: Comparison) -> str:
    """ "3 cutoffs", or "one cutoff"."""
    return "one cutoff" if comparison.bench.cutoffs == 1 else f"{comparison.bench.cutoffs} cutoffs"


def steps_text(comparison: Comparison) -> str:
    """ "DLinear=900,LSTM=400", as the option --steps takes it."""
    return ",".join(f"{name}={count}" for name, count in comparison.steps.items())


def render(comparison: Comparison, source: str, command: str = "", ahead: pd.DataFrame | None = None) -> str:
    """The page as HTML.

    Args:
        source: what the data are called.
        command: that makes the page again.
        ahead: forecasts of the future, by the best; with them the page draws these, and links the tables beside it.
    """
    return render_page(
        f"{PACKAGE}:comparison.html.j2",
        style=("theme.css", "page.css", f"{PACKAGE}:comparison.css"),
        script="page.js",
        source=source,
        verdict=comparison.verdict(),
        facts=facts(comparison, source),
        columns=COLUMNS,
        rows=cells(comparison),
        notes=comparison.notes,
        figures=[drawing.picture() for drawing in drawings(comparison)],
        future=[] if ahead is None else [drawing.picture() for drawing in future_figures(comparison, ahead)],
        files=FILES if ahead is not None else {},
        best=comparison.best.called,
        cutoffs=comparison.bench.cutoffs,
        nominal=NOMINAL,
        horizon=comparison.bench.horizon,
        trees=TREES,
        steps=steps_text(comparison),
        command=command,
    )


def write_all(found: Comparison, ahead: pd.DataFrame, source: str, out: Path) -> None:
    """Page, tables and figures of a comparison in a folder; each whole or not at all.

    Args:
        ahead: forecasts of the future, by the best.
        source: what the data are called.
        out: the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    past = pd.concat([entry.backtest.frame.assign(model=entry.name) for entry in found.entries], ignore_index=True)
    for name, frame in zip(FILES, (found.table().reset_index(), past, ahead), strict=True):
        verbs.write_table(out / name, frame)
    write_text(out / "comparison.html", render(found, source, _again(found), ahead))
    for drawing in (*drawings(found, LIGHT), *future_figures(found, ahead, LIGHT)):
        write_text(out / "figures" / f"{drawing.name}.svg", drawing.svg(standalone=True))


def _again(found: Comparison) -> str:
    """The command that gives the same numbers on any machine: this one, with the steps that the networks took."""
    given = sys.argv[1:]
    return f"holdfast {shlex.join(given if '--steps' in given else [*given, '--steps', steps_text(found)])}"


def as_json_has_it(found: Comparison) -> dict[str, Any]:
    """The comparison for JSON."""
    facts = {name: getattr(found.bench, name) for name in ("horizon", "lookback", "season", "cutoffs")}
    facts |= {"steps": found.steps, "notes": found.notes}
    rows = found.table().reset_index().to_dict("records")
    return {"verdict": found.verdict(), "series": found.bench.panel.count, **facts, "forecasters": rows}


def show_comparison(found: Comparison) -> None:
    """The table, with as many columns as the terminal has room for, and the verdict."""
    shown = {key: heading for key, heading, _ in COLUMNS}
    rows = cells(found)
    for drop in ("", "cpu_seconds", "width", "wins", "wape", "rmse", "mae", "coverage"):
        shown.pop(drop, None)
        heads = ["forecaster", *shown.values()]
        table = [[row["name"], *(row[key]["text"] for key in shown)] for row in rows]
        if verbs.fits(heads, table):
            break
    verbs.show_table(heads, table, f"{found.bench.horizon} steps ahead from {cutoffs_text(found)}, best first")
    verbs.show(found.verdict())


__all__ = ["COLUMNS", "as_json_has_it", "cells", "facts", "render", "show_comparison", "write_all"]
