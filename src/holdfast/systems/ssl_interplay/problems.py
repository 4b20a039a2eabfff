"""Inputs, views of them, and targets: the sphere with cyclic shifts, half moons, digits, and a user's arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from holdfast.data.digits import uci_digits
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.arrays import read_named
from holdfast.data.splits import fixed_test, training_rows
from holdfast.errors import InputError
from holdfast.experiment import Problem


@dataclass(frozen=True, eq=False)
class Task:
    """What a replicate learns from, and with.

    Attributes:
        views: (n, m, d) float64, m views of each of n inputs without labels.
        probe, validation, test: (N, d), rows with targets: to fit the probe, to choose lambdas, to measure.
        probe_y, validation_y, test_y: name -> (N, c).
    """

    views: np.ndarray
    probe: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    probe_y: dict[str, np.ndarray]
    validation_y: dict[str, np.ndarray]
    test_y: dict[str, np.ndarray]


class Interplay(Problem):
    """Inputs with views and targets. `kernel` names one of the method's; `width` is its sigma."""

    k: int
    kernel: str
    width: float

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Task:
        """One replicate."""


@dataclass(frozen=True)
class Sphere(Interplay):
    """Points on a sphere, views shifted cyclically by one place, and two targets of different smoothness.

    y1 = mean over shifts of 0, 1 and -1 places of C_1(x_0): of degree 1, not invariant. y3 = mean over all shifts of
    C_3(x_0): of degree 3 and invariant. C are Gegenbauer polynomials with alpha = d / 2 - 1.

    Attributes:
        dim: d.
        train, validation, test: inputs with views and labels; rows to choose by; rows to measure on.
    """

    dim: int = 8
    train: int = 300
    validation: int = 850
    test: int = 850
    k: int = 20
    kernel: str = "ntk"
    width: float = 1.0
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator) -> Task:
        x = rng.normal(size=(self.train + self.validation + self.test, self.dim))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        y = {"y1": gegenbauer_mean(x, 1, (0, 1, -1))[:, None], "y3": gegenbauer_mean(x, 3, range(self.dim))[:, None]}
        ends = np.cumsum([self.train, self.validation])
        parts: Any = np.split(x, ends)
        targets: Any = [{name: np.split(v, ends)[i] for name, v in y.items()} for i in range(3)]
        views = np.stack([parts[0], np.roll(parts[0], 1, 1), np.roll(parts[0], -1, 1)], 1)
        return Task(views, *parts, *targets)

    def describe(self) -> str:
        return f"{self.train} points on a sphere in {self.dim} dimensions, views shifted cyclically"


def gegenbauer_mean(x: np.ndarray, degree: int, shifts: range | tuple[int, ...]) -> np.ndarray:
    """Mean over cyclic shifts of C_degree^(d / 2 - 1) of the first coordinate, (N,) of (N, d)."""
    from scipy.special import eval_gegenbauer

    alpha = x.shape[1] / 2 - 1
    return np.asarray(np.mean([eval_gegenbauer(degree, alpha, np.roll(x, s, 1)[:, 0]) for s in shifts], 0))


@dataclass(frozen=True)
class HalfMoons(Interplay):
    """Two half circles, one shifted up; which quarter of the circle a point is from. Views are points with noise.

    Attributes:
        inputs: that have views.
        labels: most rows with labels; metrics use the first 30 and all.
        noise: of the points, and of each view.
    """

    inputs: int = 300
    labels: int = 300
    test: int = 500
    noise: float = 0.1
    k: int = 5
    kernel: str = "exponential"
    width: float = 0.2
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator) -> Task:
        x, _ = self._points(self.inputs, rng)
        views = x[:, None] + self.noise * rng.normal(size=(len(x), 2, 2))
        parts: Any = [self._points(size, rng) for size in (self.labels, self.labels, self.test)]
        targets: Any = [{"quarter": y} for _, y in parts]
        return Task(views, *(p for p, _ in parts), *targets)

    def _points(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        angle = rng.uniform(0, 2 * np.pi, n)
        x = np.stack([np.cos(angle), np.sin(angle)], 1)
        x[x[:, 0] > 0, 1] += 1
        return x + self.noise * rng.normal(size=x.shape), np.eye(4)[(angle / (np.pi / 2)).astype(int)]

    def describe(self) -> str:
        return f"two half moons in four quarters, {self.inputs} inputs with noisy views"


@dataclass(frozen=True)
class Digits(Interplay):
    """UCI digits: views are shifted by up to a pixel, with noise; 50 rows with labels; a fixed test part."""

    inputs: int = 800
    labels: int = 50
    views: int = 3
    noise: float = 0.1
    k: int = 32
    kernel: str = "rbf"
    width: float = 2.0
    source: ClassVar[Literal["package"]] = "package"
    fixed_test: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator) -> Task:
        images, y = uci_digits()
        held, tested, others = fixed_test(y, 400, 200)
        drawn = training_rows(y, others, self.inputs, rng)
        labelled = training_rows(y, drawn, self.labels, rng)
        flat, onehot = images.flatten(1).double().numpy(), np.eye(10)[y.numpy()]
        views = self.shifted(images[drawn, 0].double().numpy(), rng)
        parts = [index.numpy() for index in (labelled, held, tested)]
        targets: Any = [{"digit": onehot[i]} for i in parts]
        return Task(views, *(flat[i] for i in parts), *targets)

    def shifted(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n, m, 64) views of (n, 8, 8) images."""
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), (1, 2))
        at = rng.integers(0, 3, (2, len(images), self.views))
        views = windows[np.arange(len(images))[:, None], at[0], at[1]].reshape(len(images), self.views, -1)
        return np.asarray(views + self.noise * rng.normal(size=views.shape))

    def describe(self) -> str:
        return f"{self.inputs} UCI digits with {self.views} shifted views, {self.labels} labels"


@dataclass(frozen=True)
class ReluFeatures(Problem):
    """Random relu features of points with three views: a linear network psi = Phi W, trained or solved."""

    inputs: int = 100
    features: int = 60
    k: int = 6
    reg: float = 0.02
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """(n, 3, D) features of the views."""
        x = rng.normal(size=(self.inputs, 1, 8)) + 0.3 * rng.normal(size=(self.inputs, 3, 8))
        return np.asarray(np.maximum(x @ rng.normal(size=(8, self.features)), 0) / np.sqrt(self.features))

    def describe(self) -> str:
        return f"{self.features} random relu features of {self.inputs} inputs with three views"


@dataclass(frozen=True)
class Arrays(FileProblem, Interplay):
    """Arrays of the user's: X (N, d), groups (N,), y (N,) whole numbers; a row per view, equal groups are one input.

    Inputs are divided: half have views and no label, of the others a quarter each fits the probe and chooses lambdas,
    the rest is measured.
    """

    path: str = "ssl_interplay/arrays.npz"
    k: int = 32
    kernel: str = "rbf"
    width: float = 0.0
    how_to_get: ClassVar[str] = (
        "write X (N, d), groups (N,) and y (N,) of any set with views, such as patch features of CIFAR-10, with "
        "numpy.savez to ssl_interplay/arrays.npz in the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        path = Path(self.path)
        return (path if path.is_absolute() else data_folder(self.path),)

    def draw(self, rng: np.random.Generator) -> Task:
        (path,) = self.found()
        given = read_named(path, ("X", "groups", "y"))
        x, groups, y = (given[name] for name in ("X", "groups", "y"))
        if x.ndim != 2 or any(v.shape != (len(x),) for v in (groups, y)):
            raise InputError(str(path), "must hold X (N, d), groups (N,) and y (N,)", [v.shape for v in (x, groups, y)])
        _, first, of, counts = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
        if counts.min() != counts.max() or counts[0] < 2 or len(first) < 20:
            rule = "must have the same number of views, 2 or more, of each of 20 inputs or more"
            raise InputError(f"{path}, groups", rule, f"{counts.min()} to {counts.max()} views of {len(first)} inputs")
        classes, labels = np.unique(y, return_inverse=True)
        order = rng.permutation(len(first))
        half, eighth = len(first) // 2, len(first) // 8
        seen = np.argsort(of, kind="stable").reshape(len(first), -1)[order[:half]]
        parts = [first[part] for part in np.split(order[half:], [eighth, 2 * eighth])]
        onehot = np.eye(len(classes))[labels]
        x = x.astype(np.float64)
        rows: Any = [x[i] for i in parts]
        targets: Any = [{"class": onehot[i]} for i in parts]
        return Task(x[seen], *rows, *targets)

    def describe(self) -> str:
        return f"{Path(self.path).name}: rows with views and labels"


def own_arrays(paths: Sequence[Path]) -> Arrays:
    """The user's npz file as a problem."""
    if len(paths) != 1 or paths[0].suffix != ".npz":
        raise InputError("--on", "must be one .npz file with X (N, d), groups (N,) and y (N,)", [p.name for p in paths])
    return Arrays(str(paths[0].resolve()))


__all__ = [
    "Arrays", "Digits", "HalfMoons", "Interplay", "ReluFeatures", "Sphere", "Task", "gegenbauer_mean", "own_arrays",
]  # fmt: skip
