"""Laws from your own tracks: `holdfast orbital_mechanics fit`, `simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Find the law by which bodies act on each other, and their masses, from their tracks.")
FIT = verbs.Parameters("holdfast.systems.orbital_mechanics.tool.discovery:discover_law")
SETTINGS = FIT.options("equivariance", "steps", "batch", "lr", "scalar_lr", "seed", "device")
MOTION = verbs.Parameters("holdfast.data.synthetic.bodies:simulate")
NAMED = {"t": "--time", "pos": "--pos", "vel": "--vel", "x0": "--start", "v0": "--start"}

Time = Annotated[str, typer.Option(help="Column of times: numbers, or dates (days since the first).")]
Body = Annotated[str, typer.Option("--id", help="Column that tells the bodies apart.")]
Position = Annotated[str, typer.Option("--pos", help="Columns of the position: x,y or x,y,z.")]
Velocity = Annotated[str, typer.Option("--vel", help="Columns of the velocity, if there are any: vx,vy,vz.")]


@app.verb(named=NAMED)
def fit_(
    tracks: Annotated[Path, typer.Argument(help="A table (csv, tsv, parquet, ...): a row per body and time.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the law.")],
    settings: Annotated[dict[str, Any], SETTINGS],
    reading: verbs.Reading,
    time: Time = "t",
    body: Body = "body",
    pos: Position = "x,y,z",
    vel: Velocity = "",
    regressor: Annotated[
        str, typer.Option(help="operon (symbolic regression), or power (the nearest power law, no search).")
    ] = "operon",
    quiet: verbs.Quiet = False,
) -> None:
    """Find the law between bodies and their masses, and write them as law.json, with formulas and a figure.

    A free power law comes first, in seconds; then the network's law, as a formula, with masses and their errors. All
    bodies must be there at all times; times may be unequally spaced, but close enough to tell accelerations.

    Example: `holdfast orbital_mechanics fit tracks.csv --time t --id body --pos x,y,z -o law/`
    """
    from holdfast.baselines.pairwise import fit_power_law
    from holdfast.data.readers.tracks import read_tracks
    from holdfast.files import replacing_folder
    from holdfast.systems.orbital_mechanics.tool import lawfolder
    from holdfast.systems.orbital_mechanics.tool.discovery import check_regressor, discover_law, prepare

    lawfolder.check_law_folder(out)
    check_regressor(regressor)
    table = read_tracks(tracks, time, body, _names(pos), _names(vel), reading, moving=True)
    for note in table.notes:
        verbs.say(f"{tracks}: {note}")
    x, a = prepare(table.t, table.pos, table.vel)
    power = fit_power_law(x, a)
    verbs.show(f"free power law: {lawfolder.words_of(power.law)}, accelerations to {100 * power.error:.2g} %")
    with verbs.progress("Training", quiet) as show:
        found = discover_law(table.t, x, acc=a, power=power, regressor=regressor, progress=show, **settings)
    r, m_i, m_j = found.rows.exponents()
    verbs.show(f"network: F ~ r^{r:.4g} m_i^{m_i:.4g} m_j^{m_j:.4g}, as a formula: {lawfolder.words_of(found.law)}")
    masses = lawfolder.masses_columns(found, table.bodies, power)
    rows = [list(row) for row in zip(*masses.values(), strict=True)]
    verbs.show_table(list(masses), rows, title=_title(found))
    if lost := lawfolder.missed(found, table.bodies):
        verbs.say(
            f"the network misses accelerations of {lost}: its law may be wrong; try another --seed, or more --steps"
        )
    with replacing_folder(out) as folder:
        lawfolder.write_law(folder, found, table.bodies)
        verbs.write_table(folder / "pareto.csv", lawfolder.pareto_columns(found))
        verbs.write_figure(lawfolder.draw(found, table.bodies), folder / "law.svg")
    verbs.say(f"{out}: law.json, pareto.csv ({verbs.counted(len(found.pareto), 'formula')}) and law.svg")


@app.verb(named=NAMED)
def simulate(
    law: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    start: Annotated[Path, typer.Option(help="A table of tracks; the motion goes on from its last time.")],
    until: Annotated[float, typer.Option(help="Time to end at, in the units of the tracks (dates: days).")],
    settings: Annotated[dict[str, Any], MOTION.options("integrator", "step")],
    reading: verbs.Reading,
    out: Annotated[Path, verbs.table_out("Table to write", "--out", "-o")] = Path("simulated.csv"),
    points: Annotated[int, typer.Option(help="Times to write, equally spaced.", min=2)] = 100,
    time: Time = "t",
    body: Body = "body",
    pos: Position = "x,y,z",
    vel: Velocity = "",
) -> None:
    """Let bodies move on by a law: a row per body and time, with position and velocity.

    Without --vel, velocities at the last time come from the positions before it.

    Example: `holdfast orbital_mechanics simulate law/ --start tracks.csv --until 400 -o sim.csv`
    """
    import numpy as np

    from holdfast.data.readers.tracks import read_tracks
    from holdfast.data.series.derivatives import last_velocity
    from holdfast.data.synthetic.bodies import simulate as move
    from holdfast.errors import InputError
    from holdfast.systems.orbital_mechanics.tool import lawfolder

    known, bodies, masses = lawfolder.read_law(law)
    table = read_tracks(start, time, body, _names(pos), _names(vel), reading, least=1 if vel else 3)
    for note in table.notes:
        verbs.say(f"{start}: {note}")
    if set(table.bodies) != set(bodies):
        odd = sorted(set(table.bodies) ^ set(bodies))
        raise InputError(
            "--start", f"must have the bodies of the law: {', '.join(bodies)}", f"different: {', '.join(odd)}"
        )
    if not until > table.t[-1]:
        raise InputError("--until", f"must be after the last time of the tracks, {table.t[-1]:.10g}", until)
    v0 = last_velocity(table.t, table.pos) if table.vel is None else table.vel[-1]
    order = [bodies.index(name) for name in table.bodies]
    t = np.linspace(table.t[-1], until, points)
    x, v = move(known, masses[order], table.pos[-1], v0, t, **settings)
    columns: dict[str, Any] = {time: np.repeat(t, len(bodies)), body: list(table.bodies) * points}
    for names, values in ((_names(pos), x), (_names(vel) or [f"v{name}" for name in _names(pos)], v)):
        columns |= {name: values[..., k].ravel() for k, name in enumerate(names)}
    verbs.write_table(out, columns)
    verbs.say(f"{out}: {len(bodies)} bodies at {points} times up to {until:g}")


def _names(columns: str) -> list[str]:
    return [name.strip() for name in columns.split(",") if name.strip()]


def _title(found: Any) -> str:
    if found.refit is None:
        return "Masses: the network's, since the force is not proportional to both; up to a common factor"
    return f"Masses, fitted again with the law: accelerations to {100 * found.refit.error:.2g} %"


__all__ = ["app"]
