"""Tracks in a user's table: a row per body and time, in any order; all bodies at the same times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.readers.records import Records, read_records
from holdfast.data.readers.roles import Role
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.series.derivatives import finite_difference_acceleration
from holdfast.data.synthetic.bodies import check_tracks
from holdfast.errors import InputError

LIGHT = 173.14  # AU per day
DAY = np.timedelta64(1, "D")
TOO_FAR = 0.1  # relative difference of accelerations by two orders, beyond which times are too far apart


@dataclass(frozen=True, eq=False)
class TrackTable:
    """Tracks of a table.

    Attributes:
        t: (T,) increasing; dates are days since the first.
        bodies: (N,) ids, in the order in which the table has them.
        pos: (T, N, D).
        vel: (T, N, D) or None.
        notes: what was decided in reading, and what looks wrong.
    """

    t: np.ndarray
    bodies: tuple[str, ...]
    pos: np.ndarray
    vel: np.ndarray | None
    notes: tuple[str, ...]


def read_tracks(
    path: str | Path,
    time: str,
    body: str,
    position: Sequence[str],
    velocity: Sequence[str] = (),
    options: TableOptions | None = None,
    least: int = 3,
    moving: bool = False,
) -> TrackTable:
    """Read tracks from a table.

    Args:
        path: of a table that `read_table` reads.
        time, body: columns of times (numbers or dates) and of ids.
        position, velocity: columns, two or three; no velocity = from positions.
        options: what the user said about the table.
        least: times that there must be.
        moving: whether every body must be in more than one place.

    Raises:
        InputError: a column that is not there, not of numbers or has cells without a value; a body twice at a time, or
            missing at one (says which and when); one body only; too few times; two bodies in one place.
    """
    if not 2 <= len(position) <= 3:
        raise InputError("--pos", "must name 2 or 3 columns", ",".join(position))
    if velocity and len(velocity) != len(position):
        raise InputError("--vel", f"must name {len(position)} columns, as --pos does", ",".join(velocity))
    roles = [Role("time", "time"), Role("id"), Role("position", "number", several=True)]
    columns: dict[str, list[str]] = {"time": [time], "id": [body], "position": list(position)}
    if velocity:
        roles.append(Role("velocity", "number", several=True))
        columns["velocity"] = list(velocity)
    rows = read_records(path, roles, columns, options, option="--time, --id, --pos or --vel")
    times = rows["time"]
    if times.dtype.kind == "M":
        times = (times - times.min()) / DAY
    bodies = list(dict.fromkeys(str(name) for name in rows["id"]))
    t, row_t = np.unique(np.asarray(times, dtype=np.float64), return_inverse=True)
    known = {name: place for place, name in enumerate(bodies)}
    place = np.array([known[str(name)] for name in rows["id"]])
    order = _whole(rows, t, row_t, bodies, place)
    if len(t) < least:
        raise InputError(str(path), f"must have at least {least} times", f"{len(t)}")

    def cube(role: str) -> np.ndarray:
        frame = rows.frame(role)[list(columns[role])].to_numpy(dtype=np.float64)
        return frame[order].reshape(len(t), len(bodies), -1)

    pos, vel = check_tracks(cube("position"), "--pos", t, bodies), cube("velocity") if velocity else None
    if not np.isfinite(pos).all() or (vel is not None and not np.isfinite(vel).all()):
        raise InputError(
            "--pos" if not np.isfinite(pos).all() else "--vel", "must be finite numbers", "NaN or infinity"
        )
    still = ~np.ptp(pos, 0).any(-1)
    if moving and still.any():
        rule = "must change for every body, or its mass cannot be told"
        raise InputError("--pos", rule, f"{bodies[int(still.argmax())]} never moves")
    return TrackTable(t, tuple(bodies), pos, vel, (*rows.notes, *suspicions(t, bodies, pos, vel)))


def _whole(rows: Records, t: np.ndarray, row_t: np.ndarray, bodies: Sequence[str], place: np.ndarray) -> np.ndarray:
    """The row of each time and body, (T * N,), where each is there once."""
    cell = row_t * len(bodies) + place
    counts = np.bincount(cell, minlength=len(t) * len(bodies))
    if (counts > 1).any():
        twice = int((counts > 1).argmax())
        where = np.flatnonzero(cell == twice)
        what = f"{bodies[twice % len(bodies)]} at {t[twice // len(bodies)]:.10g}, {rows.place(where[1])}"
        raise InputError("--time", "must not have a body twice at a time", what)
    if (counts == 0).any():
        gone = int((counts == 0).argmax())
        what = (
            f"no {bodies[gone % len(bodies)]} at {t[gone // len(bodies)]:.10g}; {(counts == 0).sum():,} missing in all"
        )
        raise InputError("--time", "must be the same for all bodies", what)
    return np.argsort(cell)


def suspicions(t: np.ndarray, bodies: Sequence[str], pos: np.ndarray, vel: np.ndarray | None) -> list[str]:
    """What looks wrong about tracks: units that do not belong together, times too far apart for accelerations.

    Example:
        >>> t = np.arange(5.0)
        >>> x = np.stack([0 * t, 1e8 * t], 1)[..., None] * np.ones(3)
        >>> suspicions(t, ["sun", "mars"], x, None)[0][:40]
        'mars is faster than light if this is AU '
    """
    said: list[str] = []
    if len(t) < 2:
        return said
    moved = np.linalg.norm(np.diff(pos, axis=0), axis=-1) / np.diff(t)[:, None]
    speed = moved.max(0) if vel is None else np.linalg.norm(vel, axis=-1).max(0)
    if (speed > LIGHT).any():
        body = bodies[int(speed.argmax())]
        said.append(
            f"{body} is faster than light if this is AU and days ({speed.max():.3g} a day): kilometres, or seconds?"
        )
    if vel is not None and (moved.max(0) > 2 * speed).any():
        which = int((moved.max(0) / np.maximum(speed, 1e-300)).argmax())
        said.append(
            f"{bodies[which]} moves {moved[:, which].max():.3g} per time, its velocity is at most {speed[which]:.3g}: "
            "positions, velocities and times look like different units"
        )
    if len(t) > 6:
        fine, rough = (finite_difference_acceleration(t, pos, vel, order=order) for order in (4, 2))
        size = np.square(fine).sum(-1).mean(0)
        off = np.sqrt(np.square(fine - rough).sum(-1).mean(0) / np.where(size > 0, size, np.inf))
        if (off > TOO_FAR).any():
            worst = int(off.argmax())
            said.append(
                f"times are too far apart for accelerations of {bodies[worst]}: two orders of differences are "
                f"{100 * off[worst]:.0f} % apart"
            )
    return said


__all__ = ["TrackTable", "read_tracks", "suspicions"]
