"""What a trial yields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Scalar:
    """One number of a trial, under the name of a declared `Metric`."""

    name: str
    value: float


@dataclass(frozen=True)
class Curve:
    """A metric along something: `y[i]` at `x[i]`. `x_label` carries the unit of x ("step")."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    x_label: str = "step"


@dataclass(frozen=True)
class PerUnit:
    """One value per case (row of a test set, series, file): lets verdicts be bootstrapped over cases.

    Where the metric needs several numbers of each case, such as score and label, `values` holds a short tuple a case,
    or an array (cases, numbers).
    """

    name: str
    values: Sequence[float] | Sequence[Sequence[float]]
    units: Sequence[int | str]


@dataclass(frozen=True)
class Artifact:
    """A file the trial wrote under `run.dir`: an image, formula, program. `caption` is shown with it."""

    name: str
    file: str
    kind: Literal["image", "text", "file"]
    caption: str = ""


@dataclass(frozen=True)
class Cost:
    """What a trial consumed besides seconds and peak bytes, which the runner measures: tokens, calls, money."""

    name: str
    value: float


Measurement = Scalar | Curve | PerUnit | Artifact | Cost

__all__ = ["Artifact", "Cost", "Curve", "Measurement", "PerUnit", "Scalar"]
