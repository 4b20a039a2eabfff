"""The solar system: JPL's DE421 from a package, and files of JPL's Horizons service."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.horizons import read_horizons
from holdfast.errors import InputError, MissingExtra
from holdfast.experiment import DataSource, Problem
from holdfast.systems.orbital_mechanics.tool.derivatives import finite_difference_acceleration
from holdfast.validation import check_integer

AU_KM = 149_597_870.6996262
BODIES = ("sun", "mercury", "venus", "earth", "moon", "mars", "jupiter", "saturn", "uranus", "neptune")
CONSTANTS = {
    "sun": "GMS", "mercury": "GM1", "venus": "GM2", "mars": "GM4", "jupiter": "GM5", "saturn": "GM6", "uranus": "GM7",
    "neptune": "GM8", "pluto": "GM9",
}  # fmt: skip
SPLIT = 2_453_000.0  # Julian date: epochs before are trained on, later ones tested on
STEP = 0.02  # days between the velocities that accelerations come from


@dataclass(frozen=True, eq=False)
class Tracks:
    """Bodies at epochs, from the barycentre.

    Attributes:
        jd: (T,) Julian dates, increasing.
        pos, vel, acc: (T, N, 3) in AU, AU/day, AU/day^2.
    """

    jd: np.ndarray
    pos: np.ndarray
    vel: np.ndarray
    acc: np.ndarray

    def at(self, rows: np.ndarray) -> Tracks:
        """Some of the epochs."""
        return Tracks(self.jd[rows], self.pos[rows], self.vel[rows], self.acc[rows])

    def split(self, share: float = 0.1) -> tuple[Tracks, Tracks, Tracks]:
        """Train, validation (the last `share` of the training span) and test."""
        before = np.flatnonzero(self.jd < SPLIT)
        held = round(share * len(before))
        return (
            self.at(before[: len(before) - held]),
            self.at(before[len(before) - held :]),
            self.at(np.flatnonzero(self.jd >= SPLIT)),
        )


@lru_cache(maxsize=1)
def _ephemeris() -> Any:
    try:
        import de421
        from jplephem.ephem import Ephemeris
    except ImportError as error:
        raise MissingExtra(error.name or "jplephem", "science") from None
    return Ephemeris(de421)


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


class Bodies(Problem):
    """Tracks of bodies whose masses are known but not told. Subclasses are frozen dataclasses."""

    redrawn: ClassVar[bool] = True

    @abstractmethod
    def load(self, rng: np.random.Generator, epochs: int) -> Tracks:
        """Tracks at epochs of this replicate, drawn from its stream "split"."""

    @abstractmethod
    def masses(self) -> np.ndarray:
        """(N,) G times mass, to compare with."""

    @abstractmethod
    def onward(self, years: float) -> Tracks:
        """A start in the test span and what followed, to compare roll-outs with; accelerations are not filled in."""


@dataclass(frozen=True)
class SolarSystem(Bodies):
    """Sun, Moon and eight planets at random epochs of DE421, 1980 to 2010."""

    first: float = 2_444_239.5
    last: float = 2_455_197.5

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = "pip install 'holdfast[science]' (jplephem and de421)"

    def load(self, rng: np.random.Generator, epochs: int) -> Tracks:
        check_integer(epochs, "epochs", low=20)
        jd = np.sort(rng.uniform(self.first, self.last, epochs))
        pos, vel = load_de421(BODIES, jd)
        return Tracks(jd, pos, vel, acceleration_de421(BODIES, jd))

    def masses(self) -> np.ndarray:
        return gm_de421()

    def onward(self, years: float) -> Tracks:
        jd = SPLIT + np.linspace(0, 365.25 * years, 9)
        pos, vel = load_de421(BODIES, jd)
        return Tracks(jd, pos, vel, np.zeros_like(pos))

    def describe(self) -> str:
        return "Sun, Moon and eight planets by DE421, random epochs 1980-2010, tested after 2003"

    def available(self) -> bool:
        try:
            _ephemeris()
        except MissingExtra:
            return False
        return True


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


@dataclass(frozen=True)
class Horizons(FileProblem, Bodies):
    """The paper's 31 bodies: Sun, planets and large moons, a vector table of each from Horizons at the same dates.

    `gm.csv` beside them has a line `file name,G times mass in AU^3/day^2` per body.
    """

    folder: str = "horizons"

    how_to_get: ClassVar[str] = (
        "ssd.jpl.nasa.gov/horizons: ephemeris type VECTORS, centre @0, output units AU-D, CSV format, every 30 min, "
        "a file <body>.txt each, and gm.csv with lines `body,GM`; public domain"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.folder) / "gm.csv",)

    def _gm(self) -> dict[str, float]:
        (file,) = self.found()
        found = {}
        for number, line in enumerate(file.read_text(encoding="utf-8").split(), start=1):
            name, _, value = line.partition(",")
            try:
                found[name] = float(value)
            except ValueError:
                raise InputError(f"{file}, line {number}", "must be a body, a comma and its GM", line) from None
        return found

    def _tracks(self) -> Tracks:
        folder = self.found()[0].parent
        jd, pos, vel = load_horizons([folder / f"{name}.txt" for name in self._gm()])
        return Tracks(jd, pos, vel, finite_difference_acceleration(jd, vel=vel))

    def load(self, rng: np.random.Generator, epochs: int) -> Tracks:
        tracks = self._tracks()
        return tracks.at(np.sort(rng.choice(len(tracks.jd), min(epochs, len(tracks.jd)), replace=False)))

    def masses(self) -> np.ndarray:
        return np.array(list(self._gm().values()))

    def onward(self, years: float) -> Tracks:
        tracks = self._tracks()
        later = np.flatnonzero((tracks.jd >= SPLIT) & (tracks.jd <= SPLIT + 365.25 * years))
        return tracks.at(later[:: max(1, len(later) // 8)])

    def describe(self) -> str:
        return "31 bodies by JPL Horizons"


__all__ = [
    "BODIES",
    "Bodies",
    "Horizons",
    "SolarSystem",
    "Tracks",
    "acceleration_de421",
    "gm_de421",
    "load_de421",
    "load_horizons",
]
