"""The solar system as a problem: DE421 inside a package, and the paper's bodies from files of Horizons."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from holdfast.data.ephemerides import (
    BODIES,
    acceleration_de421,
    de421_installed,
    gm_de421,
    load_de421,
    load_horizons,
)
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.series.derivatives import finite_difference_acceleration
from holdfast.errors import InputError
from holdfast.experiment import DataSource, Problem
from holdfast.validation import check_integer

SPLIT = 2_453_000.0  # Julian date: epochs before are trained on, later ones tested on


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
        return de421_installed()


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


__all__ = ["Bodies", "Horizons", "SolarSystem", "Tracks"]
