"""The folder that `fit` writes: the law as JSON, formulas as a table, a figure. Reading it runs no code."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.baselines.pairwise import PowerFit
from holdfast.data.synthetic.bodies import Law, PowerLaw
from holdfast.errors import InputError
from holdfast.files import read_json, write_json
from holdfast.systems.orbital_mechanics.tool.discovery import LawResult
from holdfast.systems.orbital_mechanics.tool.symbolic import NAMES, FormulaLaw, best, evaluate

FILE = "law.json"
OURS = (FILE, "pareto.csv", "law.svg")


def words_of(law: Law) -> str:
    """A law as a line of text.

    Example:
        >>> words_of(PowerLaw())
        'F = m_i m_j r^-2'
    """
    if isinstance(law, PowerLaw):
        parts = [("m_i", law.m_i), ("m_j", law.m_j), ("r", law.r)]
        shown = [name if power == 1 else f"{name}^{power:.4g}" for name, power in parts if power]
        return f"F = {'-' if law.constant < 0 else ''}{' '.join(shown)}"
    assert isinstance(law, FormulaLaw)
    return f"F = {'-' if law.sign < 0 else ''}10^({law.formula})"


def write_law(folder: Path, result: LawResult, bodies: tuple[str, ...]) -> None:
    """Write `law.json`: formula, law, exponents, masses with standard errors, the free power law."""
    power = result.power
    write_json(
        folder / FILE,
        {
            "library": "holdfast",
            "law": {"kind": type(result.law).__name__, **asdict(result.law)},  # type: ignore[call-overload]
            "words": words_of(result.law),
            "formula": result.formula,
            "exponents": dict(zip(("r", "m_i", "m_j"), result.rows.exponents().tolist(), strict=True)),
            "bodies": list(bodies),
            "masses": result.scalars.tolist(),
            "sd": [None if np.isnan(sd) else sd for sd in result.sd.tolist()],
            "fit error": None if result.refit is None else result.refit.error,
            "network errors": result.network_errors.tolist(),
            "power law": asdict(power.law) | {"masses": power.masses.tolist(), "error": power.error},
        },
    )


def read_law(folder: Path) -> tuple[Law, tuple[str, ...], np.ndarray]:
    """The law, the bodies and their masses, of a folder that `write_law` wrote.

    Raises:
        InputError: no such folder, or its JSON is no law.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(str(folder), f"must be a folder with {FILE}, as fit writes it", "none there")
    found = read_json(path)
    try:
        said = dict(found["law"])
        kind = said.pop("kind")
        bodies, masses = tuple(str(name) for name in found["bodies"]), np.array(found["masses"], dtype=np.float64)
        law: Law = {"PowerLaw": PowerLaw, "FormulaLaw": FormulaLaw}[kind](**said)
        if isinstance(law, PowerLaw):
            PowerLaw(*(float(value) for value in asdict(law).values()))
        else:
            evaluate(str(said["formula"]), np.zeros((1, len(NAMES))))
    except InputError:
        raise
    except (KeyError, TypeError, ValueError):
        raise InputError(str(path), "must be a law, as fit writes it", "another kind of JSON") from None
    if masses.shape != (len(bodies),) or not np.isfinite(masses).all():
        raise InputError(str(path), f"must have a mass for each of its {len(bodies)} bodies", f"{masses.shape}")
    return law, bodies, masses


def check_law_folder(folder: Path, name: str = "--out") -> None:
    """Refuse to write over anything but an earlier law.

    Raises:
        InputError: names `name`.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(name, "must be a folder, not a file", str(folder))
    strange = sorted(p.name for p in folder.iterdir() if p.name not in OURS) if folder.exists() else []
    if strange:
        raise InputError(name, "must be new, empty or an earlier law", f"{folder}, with {', '.join(strange[:5])}")


def pareto_columns(result: LawResult) -> dict[str, list[Any]]:
    """The table of formulas."""
    chosen = best(result.pareto) if result.pareto else None
    columns = {name: [getattr(c, name) for c in result.pareto] for name in ("complexity", "loss", "score")}
    return columns | {"chosen": [c is chosen for c in result.pareto], "formula": [c.formula for c in result.pareto]}


def masses_columns(result: LawResult, bodies: tuple[str, ...], power: PowerFit) -> dict[str, list[Any]]:
    """Masses by body: fitted again, in units of the largest, by the network and by the free power law."""
    largest = int(np.abs(result.scalars).argmax())

    def shares(masses: np.ndarray) -> list[float]:
        return (masses / masses[largest]).tolist()

    return {
        "body": list(bodies),
        "mass": result.scalars.tolist(),
        "+-": result.sd.tolist(),
        f"of {bodies[largest]}'s": shares(result.scalars),
        "network": shares(result.network_masses),
        "free power law": shares(power.masses),
        "error of network": result.network_errors.tolist(),
    }


def missed(result: LawResult, bodies: tuple[str, ...], beyond: float = 0.1) -> str:
    """Bodies whose accelerations the network misses by more than `beyond`, worst first: a start that failed."""
    errors = result.network_errors
    return ", ".join(f"{bodies[n]} ({100 * errors[n]:.0f} %)" for n in np.argsort(-errors) if errors[n] > beyond)


def draw(result: LawResult, bodies: tuple[str, ...]) -> Any:
    """Left: the force that each edge learned, by distance, coloured by share. Right: masses and their errors."""
    from matplotlib.figure import Figure

    rows = result.rows
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    gamma, alpha, beta = rows.exponents()
    per = rows.log_f - alpha * rows.log_m_i - beta * rows.log_m_j
    some = np.random.default_rng(0).permutation(len(per))[:4000]
    some = some[np.argsort(rows.weights[some])]
    shown = left.scatter(
        rows.log_r[some], per[some], c=rows.weights[some], s=5, cmap="Greys", vmin=-0.2, vmax=1, rasterized=True
    )
    ends = np.array([rows.log_r.min(), rows.log_r.max()])
    level = np.average(per - gamma * rows.log_r, weights=rows.weights)
    left.plot(ends, level + gamma * ends, color="C3", lw=1, label=f"r^{gamma:.3f} m_i^{alpha:.3f} m_j^{beta:.3f}")
    left.set(xlabel="log10 r", ylabel="log10 |F| / (m_i^a m_j^b)", title="What the edges learned")
    left.legend(frameon=False)
    figure.colorbar(shown, ax=left, label="share of an acceleration").ax.set_ylim(0, 1)
    size = np.abs(result.scalars)
    right.errorbar(range(len(bodies)), size, yerr=np.nan_to_num(result.sd), fmt="o", color="C0", capsize=3)
    right.set_xticks(range(len(bodies)), bodies, rotation=60, ha="right")
    right.set(yscale="log", title="Masses", ylabel="size, +- standard error")
    return figure


__all__ = [
    "check_law_folder",
    "draw",
    "masses_columns",
    "missed",
    "pareto_columns",
    "read_law",
    "words_of",
    "write_law",
]
