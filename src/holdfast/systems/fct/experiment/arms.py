"""The arms of the experiment: what stands for queries and for the gallery once the new model has arrived."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from holdfast.baselines.classifier import EncoderTraining
from holdfast.data.augment import Transform
from holdfast.experiment import Measurement, Run, Scalar, Scale
from holdfast.systems.fct.experiment.embeddings import Part, Vectors, scores
from holdfast.systems.fct.experiment.stages import backward_compatible
from holdfast.systems.fct.tool.maps import FittedMap, MapFitter, Procrustes, Ridge
from holdfast.systems.fct.tool.sideinfo import DIGIT_VIEWS
from holdfast.systems.fct.tool.training import TransformTraining
from holdfast.systems.fct.tool.transform import MLP

Pair = tuple[Tensor, Tensor]  # what represents the queries and the gallery, (N, D) both
MEASURED = ("validation", "test")


@dataclass(frozen=True)
class Budget(Scale):
    """How much is trained.

    Attributes:
        training: of the old, the new and the backward-compatible encoder.
        side_epochs, side_batch: of encoders of side-information.
        views: what SimCLR does to an image.
        epochs, batch, inner: of h, `inner` is the width of its mixer.
        dim: length of the bags of words in text problems.
        rows: rows to fit on, a quarter of that to measure on; None = all. Texts always use all.
        kept: share of the epochs of h in which batch norm uses its running statistics.
    """

    training: EncoderTraining = field(default_factory=EncoderTraining)
    side_epochs: int = 25
    side_batch: int = 256
    views: Transform = DIGIT_VIEWS
    epochs: int = 40
    batch: int = 256
    inner: int = 128
    dim: int = 64
    rows: int | None = None
    kept: float = 0.5


class Recipe(ABC):
    """One arm. Subclasses are frozen dataclasses."""

    @abstractmethod
    def represent(self, run: GrowthRun, data: Vectors) -> dict[str, Pair]:
        """Queries and gallery of the validation and the test part."""

    def measure(self, run: GrowthRun, data: Vectors) -> Iterator[Measurement]:
        """What retrieval with them is worth; "validation score" is mAP where there are labels, else recall@10."""
        pairs = self.represent(run, data)
        for name, value in scores(data.test, *pairs["test"], data.metric).items():
            yield Scalar(name, value)
        held = scores(data.validation, *pairs["validation"], data.metric)
        yield Scalar("validation score", held.get("mAP", held["recall@10"]))


GrowthRun = Run[Recipe, Any, Budget]  # problems of several kinds, see `declared.trial`


@dataclass(frozen=True)
class AsTheyAre(Recipe):
    """Embeddings as the models give them: queries by one of them, the gallery by one of them."""

    query: Literal["old", "new"]
    gallery: Literal["old", "new"]

    def represent(self, run: GrowthRun, data: Vectors) -> dict[str, Pair]:
        return {p: (getattr(part, self.query), getattr(part, self.gallery)) for p, part in measured(data).items()}


@dataclass(frozen=True)
class BackwardCompatible(Recipe):
    """A new model trained under `bct_loss`, against the old gallery or its own.

    Attributes:
        gallery: whose embeddings the gallery holds.
        weight: of the influence loss.
    """

    gallery: Literal["old", "new"]
    weight: float = 1.0

    def represent(self, run: GrowthRun, data: Vectors) -> dict[str, Pair]:
        assert data.old_classifier is not None
        new = run.stage(
            "backward compatible",
            backward_compatible,
            problem=run.problem,
            split=run.seed("split"),
            seed=run.seed("split: encoders"),
            training=run.scale.training,
            old_classifier=data.old_classifier.tolist(),
            weight=self.weight,
            rows=run.scale.rows,
            files=run.problem.fingerprint(),
            device=run.device,
        )
        return {p: (new[p], part.old if self.gallery == "old" else new[p]) for p, part in measured(data).items()}


class Migrated(Recipe):
    """The gallery is taken to the new model's space by a map that was fitted on pairs; queries are the new model's.

    Attributes:
        side: which side-information the map is given beside the old embedding, or None.
        without_old: give it the side-information alone.
    """

    side: str | None
    without_old: bool

    @abstractmethod
    def fitter(self, scale: Budget, uncertainty: bool = False) -> MapFitter:
        """The way the map is fitted."""

    def fit(self, run: GrowthRun, data: Vectors, name: str = "init") -> FittedMap:
        """The map, with initialisation and order of batches from the stream `name`."""
        old, side = self.inputs(data.fit)
        return self.fitter(run.scale).fit(
            old, data.fit.new, side, seed=run.seed(name), device=run.device, progress=run.step
        )

    def inputs(self, part: Part) -> tuple[Tensor, Tensor | None]:
        """What the map gets: (old, side)."""
        side = None if self.side is None else part.side[self.side]
        return (side, None) if self.without_old and side is not None else (part.old, side)

    def migrate(self, fitted: FittedMap, part: Part) -> Tensor:
        """The gallery in the new space."""
        with torch.no_grad():
            return fitted(*self.inputs(part))

    def represent(self, run: GrowthRun, data: Vectors) -> dict[str, Pair]:
        fitted = self.fit(run, data)
        return {p: (part.new, self.migrate(fitted, part)) for p, part in measured(data).items()}


@dataclass(frozen=True)
class Linear(Migrated):
    """Ridge regression.

    Attributes:
        penalty: see `holdfast.systems.fct.tool.maps.Ridge`; None = by leaving one pair out at a time.
    """

    side: str | None = None
    penalty: float | None = None
    without_old: bool = False

    def fitter(self, scale: Budget, uncertainty: bool = False) -> MapFitter:
        return Ridge(self.penalty)


@dataclass(frozen=True)
class Rotated(Migrated):
    """Orthogonal Procrustes with one scale."""

    side: str | None = None
    without_old: bool = False

    def fitter(self, scale: Budget, uncertainty: bool = False) -> MapFitter:
        return Procrustes()


@dataclass(frozen=True)
class Transformed(Migrated):
    """The paper's h.

    Attributes:
        lr, weight_decay: of Adam.
        inner: width of the mixer; None = as the scale says.
    """

    side: str | None = None
    lr: float = 2e-3
    weight_decay: float = 2**-15
    without_old: bool = False
    inner: int | None = None

    def fitter(self, scale: Budget, uncertainty: bool = False) -> MLP:
        training = TransformTraining(scale.epochs, scale.batch, self.lr, self.weight_decay, frozen_norm=scale.kept)
        return MLP(self.inner or scale.inner, training, uncertainty)


@dataclass(frozen=True)
class Chosen(Recipe):
    """Of several settings of one kind of map the best on the validation part: tuning inside the trial.

    Attributes:
        candidates: tried in this order; the first of equals is taken.
    """

    candidates: tuple[Migrated, ...]

    def represent(self, run: GrowthRun, data: Vectors) -> dict[str, Pair]:
        tried = [candidate.represent(run, data) for candidate in self.candidates]
        held = [scores(data.validation, *pairs["validation"], data.metric)["recall@10"] for pairs in tried]
        return tried[held.index(max(held))]


def measured(data: Vectors) -> Mapping[str, Part]:
    """The parts that are measured on."""
    return {name: getattr(data, name) for name in MEASURED}


__all__ = ["AsTheyAre", "BackwardCompatible", "Budget", "Chosen", "GrowthRun", "Linear", "Migrated", "Recipe"]
__all__ += ["Rotated", "Transformed", "measured"]
