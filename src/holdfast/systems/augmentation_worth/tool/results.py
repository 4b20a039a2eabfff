"""A table of results (arm, n, seed, test set, error) to exchange rates and their figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from holdfast.data.readers.records import read_records
from holdfast.data.readers.roles import Mapped, Role
from holdfast.data.readers.tables.options import TableOptions
from holdfast.errors import InputError
from holdfast.systems.augmentation_worth.method.rates import ScalingCurve, check_sizes, exchange_rate, predicted
from holdfast.validation import check_choice

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ROLES = (
    Role("arm", also=("augmentation", "method")),
    Role("n", "number", also=("size", "samples")),
    Role("error", "number", also=("test_error",)),
    Role("seed", required=False, also=("run",)),
    Role("test_set", required=False, also=("test", "dataset")),
)
Unit = Literal["auto", "percent", "share"]
CENSORED = {-1: "at most", 0: "", 1: "at least"}


@dataclass(frozen=True, eq=False)
class Results:
    """Runs that were read.

    Attributes:
        runs: arm, n, test_set, error (a share in (0, 1]); one row per run.
        notes: what was decided in reading, one line each.
    """

    runs: pd.DataFrame
    notes: tuple[str, ...]


def read_results(path: Path, columns: Mapped = (), unit: Unit = "auto", reading: TableOptions | None = None) -> Results:
    """Read a table with a row for every run and test set.

    Args:
        path: a table of any format.
        columns: which column has which role, where names differ. Seed and test_set may be absent.
        unit: of the errors; "auto" takes them for percent if any is above 1.
        reading: what the user said about the table.

    Raises:
        InputError: no row, errors not above 0 or above 1 (100 %), sizes not above 0, the same run twice.
    """
    import pandas as pd

    check_choice(unit, ("auto", "percent", "share"), "unit")
    found = read_records(path, ROLES, columns, reading)
    if not len(found):
        raise InputError(str(path), "must have at least one row", "none")
    n, error = (np.asarray(found[role], np.float64) for role in ("n", "error"))
    if bad := np.flatnonzero(~(np.isfinite(n) & (n > 0))).tolist():
        raise InputError(found.place(bad[0]), "must have a size n above 0", float(n[bad[0]]))
    percent = unit == "percent" or (unit == "auto" and bool((error > 1).any()))
    top = 100.0 if percent else 1.0
    if bad := np.flatnonzero(~((error > 0) & (error <= top))).tolist():
        rule = f"must have an error above 0 and at most {top:g} ({'percent' if percent else 'a share'})"
        raise InputError(found.place(bad[0]), rule, float(error[bad[0]]))
    tests = found["test_set"] if "test_set" in found else ["test"] * len(n)
    runs = pd.DataFrame({"arm": found["arm"], "n": n, "test_set": tests, "error": error / top})
    again = runs.drop(columns="error").assign(seed=found["seed"]).duplicated()
    if "seed" in found and again.any():
        raise InputError(found.place(int(again.argmax())), "must not repeat a run (arm, n, seed, test_set)")
    said = f"errors are read as {'percent' if percent else 'shares'}"
    return Results(runs, (*found.notes, said if unit != "auto" else f"{said} (--unit)"))


@dataclass(frozen=True, eq=False)
class Priced:
    """What the augmented runs of one test set are worth.

    Attributes:
        test_set: its name.
        law, monotone: the reference's curve by either reading.
        rates: columns test_set, arm, n, runs, error, n_eff, extra, rate, lo, hi, censored (monotone reading), and
            law_rate, law_lo, law_hi, extrapolated (power law).
        notes: warnings, one line each.
    """

    test_set: str
    law: ScalingCurve
    monotone: ScalingCurve
    rates: pd.DataFrame
    notes: tuple[str, ...]


def priced(runs: pd.DataFrame, reference: str, n_boot: int = 1000, seed: int = 0) -> Iterator[Priced]:
    """Exchange rates of every arm at every size, test set by test set, each with its own reference curve.

    Args:
        runs: of `read_results`.
        reference: the arm without augmentation.
        n_boot: bootstrap draws.
        seed: of the draws.

    Raises:
        InputError: a test set without the reference, or with too few of its sizes; no other arm.
    """
    arms = sorted(set(runs["arm"]))
    if reference not in arms:
        raise InputError("reference", f"must be one of the arms {', '.join(map(str, arms))}", reference)
    if len(arms) == 1:
        raise InputError("arm", "must have another arm than the reference to be priced", reference)
    for name, here in runs.groupby("test_set", sort=True):
        plain = here[here["arm"] == reference]
        if plain.empty:
            raise InputError("reference", f"must have runs on every test set, and has none on {name}", reference)
        check_sizes(np.unique(plain["n"]), f"{reference} on {name}")
        law, monotone = (
            ScalingCurve.fit(plain["n"], plain["error"], form, n_boot, seed) for form in ("power_offset", "monotone")
        )
        yield Priced(str(name), law, monotone, *_rates(str(name), here, reference, law, monotone, seed, set(arms)))


def _rates(
    name: str, here: pd.DataFrame, reference: str, law: ScalingCurve, monotone: ScalingCurve, seed: int, arms: set[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    import pandas as pd

    parts = []
    for arm, rows in here[here["arm"] != reference].groupby("arm", sort=True):
        n, error = rows["n"].to_numpy(), rows["error"].to_numpy()
        read, by_law = (exchange_rate(curve, n, error, seed=seed + 1) for curve in (monotone, law))
        read.insert(0, "test_set", name)
        read.insert(1, "arm", arm)
        read.insert(3, "runs", [int((n == one).sum()) for one in read["n"]])
        read["censored"] = [CENSORED[int(code)] for code in read.pop("extrapolated")]
        for column in ("rate", "lo", "hi"):
            read[f"law_{column}"] = by_law[column]
        read["extrapolated"] = by_law["extrapolated"] != 0
        if (n == np.round(n)).all():
            read["n"] = read["n"].astype(int)
        parts.append(read)
    empty = ["test_set", "arm", "n", "runs", "error", "n_eff", "extra", "rate", "lo", "hi", "censored"]
    rates = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=empty)
    notes = []
    if absent := sorted(arms - set(here["arm"])):
        notes.append(f"{name}: no run of {', '.join(absent)}")
    first, last = monotone.predict(monotone.sizes[[0, -1]])
    if last >= first * (1 - 1e-9):
        notes.append(f"{name}: the error of {reference} never falls with more data, so nothing can be priced here")
    elif monotone.rises:
        notes.append(f"{name}: the error of {reference} rises somewhere with more data; the falling curve levels it")
    if len(rates):
        for code, words in (("at least", "below all"), ("at most", "above all")):
            if count := int((rates["censored"] == code).sum()):
                notes.append(f"{name}: errors {words} of {reference}'s: {count} of {len(rates)}; {code} the rate shown")
        if count := int(rates["extrapolated"].sum()):
            never = int(np.isinf(rates["law_rate"]).sum())
            notes.append(
                f"{name}: the power law extrapolates {count} of {len(rates)} rates, {never} to no size at all"
                f" (its error never falls below {100 * law.params['b']:.2f} %)"
            )
        plain = here.loc[here["arm"] == reference, "n"].value_counts()
        if single := [who for who, runs in ((reference, plain), ("other arms", rates["runs"])) if (runs == 1).any()]:
            notes.append(f"{name}: single runs (of {' and '.join(single)}) show no spread: bands are too narrow")
    return rates, tuple(notes)


def rates_figure(found: Sequence[Priced], runs: pd.DataFrame, reference: str) -> Figure:
    """For each test set the errors with both reference curves and their bands, and below it the rates."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8 * len(found) + 1.5, 7), layout="constrained")
    axes = figure.subplots(2, len(found), squeeze=False, sharex="col")
    colours = {arm: f"C{k + 1}" for k, arm in enumerate(sorted(set(runs["arm"]) - {reference}))}
    for (upper, lower), one in zip(axes.T, found, strict=True):
        here = runs[runs["test_set"] == one.test_set]
        sizes = one.law.sizes
        grid = np.geomspace(sizes[0], sizes[-1], 60)
        for curve, colour, name in ((one.monotone, "#2a6f97", "falling curve"), (one.law, "#c1121f", "power law")):
            low, high = np.percentile(predicted(curve.draws, grid), [2.5, 97.5], axis=0)
            upper.fill_between(grid, 100 * low, 100 * high, color=colour, alpha=0.15, linewidth=0)
            upper.plot(grid, 100 * curve.predict(grid), color=colour, linewidth=1.2, label=f"{reference}, {name}")
        plain = here[here["arm"] == reference]
        upper.plot(plain["n"], 100 * plain["error"], ".", color="0.3", markersize=4)
        for arm, rows in one.rates.groupby("arm", sort=True):
            colour = colours[arm]
            upper.plot(rows["n"], 100 * rows["error"], "o-", color=colour, markersize=4, label=str(arm))
            # A bar without a limit ends at the last size that was measured.
            ends = np.maximum(rows["lo"], sizes[0] / rows["n"]), np.minimum(rows["hi"], sizes[-1] / rows["n"])
            bars = np.maximum(np.stack([rows["rate"] - ends[0], ends[1] - rows["rate"]]), 0)
            lower.errorbar(rows["n"], rows["rate"], bars, color=colour, marker="o", markersize=4, capsize=2)
            law = rows[np.isfinite(rows["law_rate"])]
            lower.plot(law["n"], law["law_rate"], "x", color=colour)
            for code, mark in (("at least", "^"), ("at most", "v")):
                cut = rows[rows["censored"] == code]
                lower.plot(cut["n"], cut["rate"], mark, color=colour, markersize=10, fillstyle="none")
        lower.axhline(1, color="0.6", linewidth=1, linestyle=":")
        upper.set(xscale="log", yscale="log", title=one.test_set, ylabel="error, %")
        lower.set(yscale="log", xlabel="training samples n", ylabel="exchange rate")
        upper.legend(fontsize=7)
        lower.set_title("dots: falling curve, crosses: power law, triangles: censored", fontsize=8)
        for axis in (upper, lower):
            for scale in (axis.yaxis, axis.xaxis):
                scale.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("{x:g}")
            axis.spines[["top", "right"]].set_visible(False)
    return figure


__all__ = ["ROLES", "Priced", "Results", "priced", "rates_figure", "read_results"]
