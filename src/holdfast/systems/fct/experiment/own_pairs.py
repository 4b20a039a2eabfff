"""A user's own pairs of embeddings, `holdfast run fct --on pairs.parquet`: which migrator suits them?"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from holdfast.data.groups import grouped
from holdfast.data.readers.listings import Listing
from holdfast.errors import InputError
from holdfast.experiment import Arm, Experiment, Problem
from holdfast.experiment.claims import Better, Claim
from holdfast.retrieval import check_directions, of_length_one
from holdfast.systems.fct.experiment.arms import AsTheyAre, Budget, Chosen, Linear, Migrated, Rotated, Transformed
from holdfast.systems.fct.experiment.embeddings import Vectors, rows_of, vectors_of
from holdfast.systems.fct.tool.fitters import default_batch, default_width
from holdfast.systems.fct.tool.pair_files import read_pair_columns
from holdfast.validation import check_present

MOST = 20_000  # pairs that are used; more would change the answer little and the time much
FEWEST = 60


@dataclass(frozen=True)
class OwnPairs(Problem):
    """Pairs of a parquet file (or a folder of them) or an npz: `old` and `new`, optionally `side`, `id` and `label`.

    Every replicate draws anew which rows are fitted on (60 %), chosen by (15 %) and measured on (25 %). Rows with the
    same id stay in one part, so that several vectors of one document are never on both sides.

    Attributes:
        path: the file.
        files: changes when the file does.

    Raises:
        InputError: on construction: the file cannot be read or holds no such columns, rows that do not fit together,
            values that are not finite, fewer than 60 pairs, rows of zeros where new embeddings have length 1.
    """

    path: str
    files: str = field(init=False, default="")
    source: ClassVar[Literal["file"]] = "file"
    how_to_get: ClassVar[str] = "give a parquet or npz file with columns old and new (and side, id, label)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        object.__setattr__(self, "files", _state(Path(self.path)))
        self.read()

    def read(self) -> Mapping[str, np.ndarray]:
        """The columns, of at most 20,000 rows that are spread evenly over the file."""
        return _some_rows(Path(self.path), self.files)

    def sizes(self) -> dict[str, int]:
        """Rows of each part."""
        total = len(self.read()["old"])
        test, held = round(0.25 * total), round(0.15 * total)
        return {"fit": total - test - held, "validation": held, "test": test}

    @property
    def resplit(self) -> tuple[int, int]:
        sizes = self.sizes()
        return sizes["test"], sizes["fit"]

    def available(self) -> bool:
        return os.path.exists(self.path)

    def fingerprint(self) -> str:
        return _state(Path(self.path)) if self.available() else ""

    def describe(self) -> str:
        pairs = self.read()
        side = f" with {pairs['side'].shape[1]} numbers of side-information" if "side" in pairs else ""
        return f"{len(pairs['old']):,} pairs, {pairs['old'].shape[1]} -> {pairs['new'].shape[1]} numbers{side}"

    def split(self, rng: np.random.Generator, rows: int | None = None) -> Vectors:
        """The replicate's parts; the distance is the cosine where all new embeddings have length 1.

        Args:
            rng: draws them.
            rows: most rows to fit on, half of that in other parts; None = all.
        """
        pairs = self.read()
        tensors = {name: torch.from_numpy(np.ascontiguousarray(pairs[name])) for name in ("old", "new")}
        if "side" in pairs:
            tensors["side/own"] = torch.from_numpy(np.ascontiguousarray(pairs["side"]))
        if "label" in pairs:
            classes = np.unique(check_present(pairs["label"], "label"), return_inverse=True)[1]
            tensors["labels"] = torch.from_numpy(classes.astype(np.int64))
        order, sizes = grouped(pairs.get("id"), len(pairs["old"]), self.sizes(), rng, least=12)
        divided = rows_of(tensors, order, sizes)
        if rows is not None:
            most = {"fit": rows, "validation": rows // 2, "test": rows // 2}
            divided = {name: tensor[: most[name.partition("/")[0]]] for name, tensor in divided.items()}
        return vectors_of(divided, "cosine" if of_length_one(pairs["new"]) else "l2")


def _state(path: Path) -> str:
    """Changes when a file is written to; "" where there is none."""
    if path.is_dir():
        files = tuple(sorted(part for part in path.iterdir() if part.is_file()))
        return Listing(path, files, None, ()).fingerprint() if files else ""
    return Listing(path.parent, (path,), None, ()).fingerprint() if path.is_file() else ""


@functools.lru_cache(maxsize=1)
def _some_rows(path: Path, state: str) -> Mapping[str, np.ndarray]:
    pairs = read_pair_columns(path, "--on")
    if len(pairs["old"]) < FEWEST:
        raise InputError(str(path), f"must hold at least {FEWEST} pairs", len(pairs["old"]))
    for name in ("old", "new") if of_length_one(pairs["new"]) else ():
        check_directions(pairs[name], f"{path}: {name}")
    rows = np.linspace(0, len(pairs["old"]) - 1, min(MOST, len(pairs["old"]))).round().astype(np.int64)
    return MappingProxyType({name: column[rows] for name, column in pairs.items()})


# ---------------------------------------------------------------------------------------------------- the experiment
NAME = "your data"
RATES = (2e-3, 5e-3)  # the first is what `fit` uses
PENALTIES = (None, 1.0)


def on_own_pairs(declared: Experiment, paths: Sequence[Path]) -> Experiment:
    """Every migrator that fits the vectors of a file, tuned on its validation part inside each trial.

    Raises:
        InputError: not exactly one path; what `OwnPairs` raises.
    """
    if len(paths) != 1:
        raise InputError("--on", "must be one parquet or npz file with old and new", " ".join(map(str, paths)))
    problem = OwnPairs(str(paths[0]))
    pairs = problem.read()
    same, side = pairs["old"].shape[1] == pairs["new"].shape[1], "side" in pairs
    arms = {"old/old": Arm(AsTheyAre("old", "old"), about="nothing changes: the old model alone")}
    if same:
        arms["raw new/old"] = Arm(AsTheyAre("new", "old"), about="new queries on the old gallery as it is")
        arms["procrustes"] = _chosen("a rotation and one scale", Rotated())
    arms["ridge"] = _chosen("a linear map", *(Linear(penalty=p) for p in PENALTIES))
    arms["mlp"] = _chosen("the paper's h", *(Transformed(lr=lr) for lr in RATES))
    if side:
        arms["ridge + side"] = _chosen(
            "a linear map with your side-information", *(Linear("own", p) for p in PENALTIES)
        )
        arms["mlp + side"] = _chosen("h with your side-information", *(Transformed("own", lr) for lr in RATES))
    width, fit = default_width(pairs["new"].shape[1]), problem.sizes()["fit"]  # h as `holdfast fct fit` would train it
    names = ("recall@10", "validation score", *(("mAP", "top-1", "top-5") if "label" in pairs else ()))
    scales = {
        "smoke": Budget(replicates=1, epochs=2, inner=16, rows=200),
        "demo": Budget(epochs=20, batch=default_batch(min(2000, fit)), inner=width, rows=2000),
        "small": Budget(epochs=20, batch=default_batch(fit), inner=width),
        "full": Budget(inner=2048, epochs=80, batch=1024, slow=True),
    }
    return dataclasses.replace(
        declared,
        question="Which migrator suits these vectors, and what recall is to be expected?",
        problems={NAME: problem},
        arms=arms,
        metrics={name: declared.metrics[name] for name in names},
        scales=scales,
        claims=_claims(same=same, side=side),
        tuning=None,
        own=None,
        benefit="recall@10",
    )


def _claims(*, same: bool, side: bool) -> tuple[Claim, ...]:
    asked: dict[str, Any] = {"metric": "recall@10", "on": NAME}
    claims: list[Claim] = [
        Better("mlp", than="ridge", role="headline", **asked),
        Better(
            "ridge", than="old/old", text="migrating by a linear map is better than staying with the old model", **asked
        ),
    ]
    if same:
        claims.append(Better("ridge", than="procrustes", **asked))
    if side:
        claims += [Better("mlp + side", than="mlp", **asked), Better("ridge + side", than="ridge", **asked)]
        claims.append(Better("mlp + side", than="ridge + side", **asked))
    return tuple(claims)


def _chosen(about: str, *candidates: Migrated) -> Arm:
    return Arm(Chosen(candidates), about=about)


__all__ = ["NAME", "OwnPairs", "on_own_pairs"]
