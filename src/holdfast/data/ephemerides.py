"""Tracks of Sun, Moon and planets: JPL's DE421 from a package, and files of JPL's Horizons service."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.horizons import read_horizons
from holdfast.errors import InputError, MissingExtra

AU_KM = 149_597_870.6996262
BODIES = ("sun", "mercury", "venus", "earth", "moon", "mars", "jupiter", "saturn", "uranus", "neptune")
CONSTANTS = {
    "sun": "GMS", "mercury": "GM1", "venus": "GM2", "mars": "GM4", "jupiter": "GM5", "saturn": "GM6", "uranus": "GM7",
    "neptune": "GM8", "pluto": "GM9",
}  # fmt: skip
STEP = 0.02  # days between the velocities that accelerations come from


@lru_cache(maxsize=1)
def _ephemeris() -> Any:
    try:
        import de421
        from jplephem.ephem import Ephemeris
    except ImportError as error:
        raise MissingExtra(error.name or "jplephem", "science") from None
    return Ephemeris(de421)


def de421_installed() -> bool:
    """Whether jplephem and de421 are installed."""
    try:
        _ephemeris()
    except MissingExtra:
        return False
    return True


def load_de421(
    bodies: Sequence[str] = BODIES, jd: Any = 2_451_545.0, offset: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities from the solar system's barycentre, by JPL's DE421.

    Args:
        bodies: of `BODIES` and "pluto"; the outer planets are the barycentres of planet and moons.
        jd: (T,) Julian dates (barycentric dynamical time), of the years 1900 to 2199.
        offset: days that are added to every date without loss of digits.

    Returns:
        (T, N, 3) in AU and AU/day.

    Raises:
        MissingExtra: jplephem or de421 is not installed.
        InputError: a body that it does not have, or a date outside.
    """
    ephemeris = _ephemeris()
    dates = np.atleast_1d(np.asarray(jd, dtype=np.float64))
    if not ((dates + offset >= ephemeris.jalpha) & (dates + offset <= ephemeris.jomega)).all():
        rule = f"must be Julian dates between {ephemeris.jalpha} and {ephemeris.jomega}"
        raise InputError("jd", rule, f"{dates.min():.10g} to {dates.max():.10g}")

    def of(name: str) -> np.ndarray:
        return np.stack([part.T for part in ephemeris.position_and_velocity(name, dates, offset)])

    found = []
    for body in bodies:
        if body not in (*BODIES, "pluto"):
            raise InputError("bodies", f"must be of {', '.join(BODIES)}, pluto", body)
        if body in ("earth", "moon"):  # the first is the barycentre of both, the second from the Earth to the Moon
            share = 1 / (1 + ephemeris.EMRAT)
            found.append(of("earthmoon") + of("moon") * (-share if body == "earth" else 1 - share))
        else:
            found.append(of(body))
    km, km_day = np.stack(found, 2)
    return km / AU_KM, km_day / AU_KM


def gm_de421(bodies: Sequence[str] = BODIES) -> np.ndarray:
    """G times mass (N,) in AU^3/day^2: the constants that DE421 was integrated with."""
    ephemeris = _ephemeris()
    share = 1 / (1 + ephemeris.EMRAT)
    both = {"earth": (1 - share) * ephemeris.GMB, "moon": share * ephemeris.GMB}
    return np.array([both[b] if b in both else getattr(ephemeris, CONSTANTS[b]) for b in bodies], dtype=np.float64)


def acceleration_de421(bodies: Sequence[str], jd: np.ndarray) -> np.ndarray:
    """Accelerations (T, N, 3) by the fourth-order central difference of velocities 0.02 days apart."""
    v = {k: load_de421(bodies, jd, k * STEP)[1] for k in (-2, -1, 1, 2)}
    return (8 * (v[1] - v[-1]) - (v[2] - v[-2])) / (12 * STEP)


def load_horizons(paths: str | Path | Sequence[str | Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks from vector tables of Horizons (CSV format), one file per body, all at the same dates.

    Args:
        paths: of a file, or of several.

    Returns:
        Julian dates (T,), positions and velocities (T, N, 3) in the files' units.

    Raises:
        InputError: files of different dates or units, or no file; what `read_horizons` raises.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if not files:
        raise InputError("paths", "must name at least one file", "none")
    tables = [read_horizons(path) for path in files]
    for path, table in zip(files, tables, strict=True):
        if table.units != tables[0].units:
            raise InputError(str(path), f"must be in {tables[0].units}, as {files[0]}", table.units)
        if not np.array_equal(table.jd, tables[0].jd):
            raise InputError(
                str(path), f"must have the {len(tables[0].jd)} dates of {files[0]}", f"{len(table.jd)} others"
            )
    return tables[0].jd, np.stack([t.pos for t in tables], 1), np.stack([t.vel for t in tables], 1)


__all__ = ["BODIES", "acceleration_de421", "de421_installed", "gm_de421", "load_de421", "load_horizons"]
