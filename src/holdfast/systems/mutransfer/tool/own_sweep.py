"""A sweep over a user's own model in processes, resumable, with verdicts and a page: `holdfast mutransfer sweep`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from holdfast import verbs
from holdfast.errors import HoldfastError
from holdfast.files import write_json
from holdfast.systems.mutransfer.tool.sweep import TransferSweep


def run_sweep(out: Path, model: Mapping[str, Any], seeds: int, jobs: int | None) -> tuple[TransferSweep, int]:
    """Run `holdfast run mutransfer --on` on a model; a repeated call goes on where the last one stopped.

    Args:
        out: folder; the run is in `run` inside it.
        model: what `read_own` reads.
        seeds: runs per width and rate.
        jobs: processes; None = one per core.

    Returns:
        What was found, and the exit code of the run.

    Raises:
        typer.Exit: the run was refused; it has said why.
        HoldfastError: every run failed.
    """
    import pandas as pd

    spec = out / "model.json"
    write_json(spec, dict(model))
    command = [sys.executable, "-m", "holdfast", "run", "mutransfer", "--on", str(spec), "--scale", "small"]
    command += ["--replicates", str(seeds), "--out", str(out / "run"), "--json"]
    done = subprocess.run([*command, *(["--jobs", str(jobs)] if jobs else [])], stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        raise typer.Exit(done.returncode or 1)
    rows = [
        {"arm": r["arm"], **r["point"], "seed": r["replicate"], "loss": r["scalars"]["training loss"]}
        for r in json.loads(done.stdout)["records"]
        if r["status"] == "ok"
    ]
    if not rows:
        raise HoldfastError(f"every run failed; see the page in {out / 'run'}")
    return TransferSweep.of(pd.DataFrame(rows)), done.returncode


def write_sweep(found: TransferSweep, out: Path) -> None:
    """Write losses.csv, sweep.svg and sweep.png into a folder."""
    verbs.write_table(out / "losses.csv", found.frame)
    verbs.write_figures(found.figure(), out / "sweep")


__all__ = ["run_sweep", "write_sweep"]
