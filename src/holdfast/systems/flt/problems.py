"""Problems: points with charges in a cube, a user's table of sets, molecules (OC20), text (WikiText).

OC20's LMDB files hold pickles, which holdfast does not read. The user converts them, with the OCP project's own reader,
to a table with a row per atom: columns `sid, x, y, z, atomic_number, y_relaxed` (the energy, the same in every row of a
system), as `train.parquet` and `val_id.parquet`; docs/systems/flt.md has the script.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.data.characters import shipped_text
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.point_sets import PointSets, pad_sets, read_points, side_of_cube
from holdfast.errors import InputError
from holdfast.experiment import DataSource, Problem

FEWEST = 8  # sets of a user's table that is to be divided
UNKNOWN = "<unk>"


@dataclass(frozen=True, eq=False)
class Parts:
    """One replicate of sets of points.

    Attributes:
        train, validation, test: divided by sets.
        test_id: names of the test's sets.
        larger: sets that fill more space than any in training, or None.
    """

    train: PointSets
    validation: PointSets
    test: PointSets
    test_id: tuple[str, ...]
    larger: PointSets | None = None


class PointProblem(Problem):
    """A number to predict for every point of a set."""

    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        """Parts with `train` sets for training and `held` each for validation and test, as far as there are so many."""
        raise NotImplementedError


@dataclass(frozen=True)
class KernelMeans(PointProblem):
    """N points uniform in the unit cube with charges -1 or +1: predict sum_j K(r_i - r_j) c_j / sum_j K(r_i - r_j).

    K(z) = exp(-|z|^2 / (2 length^2)), the point itself included. Every replicate draws sets of its own.

    Attributes:
        size: N.
        length: of K.
        larger: side of the cube of the sets that measure whether what was learned carries over; N is the same.
    """

    size: int = 64
    length: float = 0.25
    larger: float = 1.5
    source: ClassVar[DataSource] = "generated"
    redrawn: ClassVar[bool] = True

    def describe(self) -> str:
        return f"{self.size} charges in a cube; predict their mean under a Gaussian of length {self.length:g}"

    def sets(self, rng: np.random.Generator, count: int, side: float = 1.0) -> PointSets:
        """`count` sets, targets included."""
        r = torch.from_numpy(rng.random((count, self.size, 3))).float() * side
        c = torch.from_numpy(rng.choice([-1.0, 1.0], (count, self.size))).float()
        y = [kernel_mean(a, b, self.length) for a, b in zip(r.split(256), c.split(256), strict=True)]
        real = torch.ones(count, self.size, dtype=torch.bool)
        return PointSets(r - r.mean(1, keepdim=True), c[..., None], torch.cat(y), real)

    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        learned, tuned, tested = (self.sets(rng, count) for count in (train, held, held))
        return Parts(learned, tuned, tested, tuple(map(str, range(held))), self.sets(rng, held, self.larger))


def kernel_mean(r: Tensor, c: Tensor, length: float) -> Tensor:
    """(S, N) from positions (S, N, d) and charges (S, N)."""
    weights = (-torch.cdist(r, r).square() / (2 * length**2)).exp()
    return (weights @ c[..., None])[..., 0] / weights.sum(2)


@dataclass(frozen=True)
class OwnSets(FileProblem, PointProblem):
    """A user's table: a quarter of its sets is the test, the same in every replicate, an eighth for tuning.

    Attributes:
        path: of the table.
        set, target: columns.
        pos: columns of the position.
    """

    path: str
    set: str
    pos: tuple[str, ...]
    target: str
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = "give a table with a row per point: its set, position, target, and other numbers"

    @property
    def paths(self) -> tuple[Path, ...]:
        return (Path(self.path),)

    def describe(self) -> str:
        return f"{self.path}: {self.target} of points at {', '.join(self.pos)}, in sets by {self.set}"

    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        """All sets of the test; four fifths of the others, drawn anew, for training."""
        sets, names = _scaled(self.path, self.set, self.pos, self.target)
        if len(sets) < FEWEST:
            raise InputError(f"{self.path}, {self.set}", f"must name at least {FEWEST} sets", f"{len(sets)}")
        order = np.random.default_rng(0).permutation(len(sets))
        test, tuning, rest = np.split(order, [len(sets) // 4, len(sets) // 4 + max(1, len(sets) // 8)])
        chosen = rng.permutation(rest)[: max(2, len(rest) * 4 // 5)]
        return Parts(sets[chosen], sets[tuning], sets[test], tuple(names[test].astype(str)))


@dataclass(frozen=True)
class Molecules(FileProblem, PointProblem):
    """OC20 IS2RE after its conversion: the relaxed energy of a system, predicted at every atom of it."""

    folder: str = "oc20_is2re"
    how_to_get: ClassVar[str] = (
        "convert the LMDB files of OC20 IS2RE (CC BY 4.0, opencatalystproject.org) as docs/systems/flt.md says, into "
        "oc20_is2re/train.parquet and oc20_is2re/val_id.parquet in the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(f"{self.folder}/{name}.parquet") for name in ("train", "val_id"))

    def describe(self) -> str:
        return "OC20 IS2RE: relaxed energies of adsorbates on surfaces"

    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        columns: tuple[Any, ...] = ("sid", ("x", "y", "z"), "y_relaxed")
        (sets, _), (test, names) = (_scaled(str(path), *columns) for path in self.found())
        order = rng.permutation(len(sets))
        tuning = max(1, len(sets) // 20)
        return Parts(sets[order[tuning:]], sets[order[:tuning]], test, tuple(names.astype(str)))


def _scaled(path: str, set: str, pos: Sequence[str], target: str) -> tuple[PointSets, np.ndarray]:
    """Sets with positions of the spread of a unit cube, numbers and target standardised."""
    table = read_points(path, set, pos, target)
    assert table.y is not None
    spread = np.where(table.x.std(0) > 0, table.x.std(0), 1.0)
    sets, names, _ = pad_sets(table.ids, table.pos, (table.x - table.x.mean(0)) / spread, table.y)
    side = side_of_cube(sets)
    y = ((sets.y - float(table.y.mean())) / (float(table.y.std()) or 1.0)) * sets.real
    return PointSets(sets.pos / side, sets.x, y, sets.real), names


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> OwnSets:
    """The user's table for `holdfast run flt --on points.csv --column set=id --column pos=x,y,z --column target=y`."""
    if len(paths) != 1:
        raise InputError("--on", "must name one table", ", ".join(map(str, paths)))
    for role in ("set", "pos", "target"):
        if role not in columns:
            raise InputError("--column", f"must say {role}=COLUMN", ", ".join(columns) or "nothing")
    pos = tuple(name.strip() for name in columns["pos"].split(","))
    problem = OwnSets(str(paths[0]), columns["set"], pos, columns["target"])
    problem.load(np.random.default_rng(0), 1, 1)  # so that what is wrong with the table is said before any trial
    return problem


# ---------------------------------------------------------------------------------------------------------------- text
class TextProblem(Problem):
    """The next token of a text."""

    @abstractmethod
    def texts(self) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        """Ids (n,) int64 of text for training, validation and test, and the size of the vocabulary."""


@dataclass(frozen=True)
class Characters(TextProblem):
    """What ships with scikit-learn, character by character: small enough to see that the language model works.

    Attributes:
        held: characters of validation and of test.
    """

    held: int = 2000
    source: ClassVar[DataSource] = "package"

    def describe(self) -> str:
        return "the next character of descriptions of data sets"

    def texts(self) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        ids, alphabet = shipped_text()
        return (ids[: -2 * self.held], ids[-2 * self.held : -self.held], ids[-self.held :]), len(alphabet)


@dataclass(frozen=True)
class WikiText(FileProblem, TextProblem):
    """WikiText-103 (or -2) as published: wiki.train.tokens and its companions, words between spaces.

    Attributes:
        folder: under HOLDFAST_DATA.
        words: most frequent words that are told apart; the rest is <unk>.
    """

    folder: str = "wikitext-103"
    words: int = 50_000
    how_to_get: ClassVar[str] = (
        "wikitext-103-v1.zip (Merity et al. 2016, CC BY-SA 3.0), unpacked into wikitext-103/ in the folder that "
        "HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(f"{self.folder}/wiki.{part}.tokens") for part in ("train", "valid", "test"))

    def describe(self) -> str:
        return "WikiText: the next word"

    def texts(self) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        """The vocabulary is the training part's."""
        parts = [read_words(path) for path in self.found()]
        names, counts = np.unique(parts[0], return_counts=True)
        kept = names[np.lexsort((names, -counts))[: self.words]]
        vocabulary = np.unique(np.append(kept, [UNKNOWN, "<eos>"]))
        unknown = int(np.searchsorted(vocabulary, UNKNOWN))

        def ids(words: np.ndarray) -> Tensor:
            place = np.searchsorted(vocabulary, words).clip(max=len(vocabulary) - 1)
            return torch.from_numpy(np.where(vocabulary[place] == words, place, unknown))

        train, valid, test = map(ids, parts)
        return (train, valid, test), len(vocabulary)


def read_words(path: Path) -> np.ndarray:
    """Words between spaces, `<eos>` at the end of every line that has any.

    Raises:
        InputError: no text in UTF-8, or no words.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(str(path), "must be text in UTF-8", str(error)) from error
    words = [word for line in lines if line.split() for word in (*line.split(), "<eos>")]
    if not words:
        raise InputError(str(path), "must hold words between spaces", "none")
    return np.array(words)


__all__ = [
    "Characters",
    "KernelMeans",
    "Molecules",
    "OwnSets",
    "Parts",
    "PointProblem",
    "TextProblem",
    "WikiText",
    "kernel_mean",
    "own",
    "read_words",
]
