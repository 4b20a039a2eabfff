"""Arms of FastFill: the whole gallery is migrated at once, then row after row is embedded again. In which order?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch

from holdfast.experiment import Curve, Measurement, Scalar
from holdfast.retrieval import mean_average_precision
from holdfast.systems.fct.experiment.arms import GrowthRun, Pair, Recipe, Transformed, measured
from holdfast.systems.fct.experiment.embeddings import Part, Vectors
from holdfast.systems.fct.tool.backfill import (
    BackfillCurve,
    backfill_curve,
    oracle_order,
    random_order,
    uncertainty_order,
)
from holdfast.systems.fct.tool.maps import FittedMap
from holdfast.systems.fct.tool.training import TransformTraining
from holdfast.systems.fct.tool.transform import MLP, TransformMap
from holdfast.systems.fct.tool.uncertainty import Ensemble, ResidualNeighbours


class Order(ABC):
    """Which rows of a migrated gallery are embedded again first. Subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(self, filling: Filling, part: Part) -> np.ndarray:
        """Row numbers, those to be embedded first at the front."""


@dataclass(frozen=True, eq=False)
class Filling:
    """What an order may look at: the recipe, its run and data, and the fitted map."""

    recipe: Backfilled
    run: GrowthRun
    data: Vectors
    fitted: FittedMap
    others: list[FittedMap] = field(default_factory=list)

    def more(self, count: int) -> list[FittedMap]:
        """Further maps from other weights and in other orders, trained when first asked for."""
        while len(self.others) < count:
            self.others.append(self.recipe.fit(self.run, self.data, f"init, member {len(self.others)}"))
        return self.others[:count]


@dataclass(frozen=True)
class ByUncertainty(Order):
    """The error that the map's own head expects, largest first: FastFill."""

    def __call__(self, filling: Filling, part: Part) -> np.ndarray:
        fitted = cast(TransformMap, filling.fitted)
        with torch.no_grad():
            return uncertainty_order(fitted.expected_error(*filling.recipe.migration.inputs(part)))


@dataclass(frozen=True)
class AtRandom(Order):
    """No order: the baseline."""

    def __call__(self, filling: Filling, part: Part) -> np.ndarray:
        return random_order(len(part), filling.run.rng("split: order"))


@dataclass(frozen=True)
class ByTrueError(Order):
    """The error that was really made, largest first. Nobody can know it; it shows what is left to gain."""

    def __call__(self, filling: Filling, part: Part) -> np.ndarray:
        return oracle_order(filling.recipe.migration.migrate(filling.fitted, part), part.new)


@dataclass(frozen=True)
class ByNeighbours(Order):
    """The mean error of the nearest pairs of the validation part, which the map was not fitted to; needs no head.

    Attributes:
        k: how many of them.
    """

    k: int = 10

    def __call__(self, filling: Filling, part: Part) -> np.ndarray:
        migration, known = filling.recipe.migration, filling.data.validation
        errors = (migration.migrate(filling.fitted, known) - known.new).square().sum(1)
        near = ResidualNeighbours.of(_joined(migration, known), errors, self.k)
        return uncertainty_order(near(_joined(migration, part)))


@dataclass(frozen=True)
class ByDisagreement(Order):
    """How much several maps differ that were trained from other weights and in other orders; needs no head.

    Attributes:
        more: maps beside the one that migrates the gallery.
    """

    more: int = 3

    def __call__(self, filling: Filling, part: Part) -> np.ndarray:
        ensemble = Ensemble([filling.fitted, *filling.more(self.more)])
        with torch.no_grad():
            return uncertainty_order(ensemble.expected_error(*filling.recipe.migration.inputs(part)))


def _joined(migration: Transformed, part: Part) -> torch.Tensor:
    old, side = migration.inputs(part)
    return old if side is None else torch.cat([old, side], 1)


@dataclass(frozen=True)
class Backfilled(Recipe):
    """h, and the order in which its gallery is embedded again.

    Attributes:
        order: which rows come first.
        head: train h with FastFill's uncertainty head and loss; else with FCT's.
        side: side-information of h, or None.
        lr: of Adam.
        label_weight: of the cross-entropy of the new model's classifier in FastFill's loss.
    """

    order: Order = field(default_factory=ByUncertainty)
    head: bool = True
    side: str | None = None
    lr: float = 2e-3
    label_weight: float = 0.0

    @property
    def migration(self) -> Transformed:
        """The map as an arm of its own."""
        return Transformed(self.side, self.lr)

    def fit(self, run: GrowthRun, data: Vectors, name: str = "init") -> FittedMap:
        """The map, with initialisation and order of batches from the stream `name`."""
        scale = run.scale
        training = TransformTraining(
            scale.epochs, scale.batch, self.lr, frozen_norm=scale.kept, label_weight=self.label_weight
        )
        old, side = self.migration.inputs(data.fit)
        return MLP(scale.inner, training, self.head).fit(
            old,
            data.fit.new,
            side,
            labels=data.fit.labels,
            classifier=data.classifier,
            seed=run.seed(name),
            device=run.device,
            progress=run.step,
        )

    def represent(self, run: GrowthRun, data: Vectors) -> dict[str, Pair]:
        fitted = self.fit(run, data)
        return {p: (part.new, self.migration.migrate(fitted, part)) for p, part in measured(data).items()}

    def measure(self, run: GrowthRun, data: Vectors) -> Iterator[Measurement]:
        """The backfilling curve of mAP and its area; "validation score" is the area on the validation part."""
        filling = Filling(self, run, data, self.fit(run, data))
        found = {name: self.curve(filling, part) for name, part in measured(data).items()}
        yield Scalar("backfilling mAP", found["test"].area)
        yield Scalar("mAP", float(found["test"].values[0]))
        x, y = (100 * found["test"].fractions).tolist(), found["test"].values.tolist()
        yield Curve("mAP while backfilling", x, y, "% embedded again")
        yield Scalar("validation score", found["validation"].area)

    def curve(self, filling: Filling, part: Part) -> BackfillCurve:
        """mAP in percent after 0, 10, ..., 100 % of the rows were embedded again."""
        assert part.labels is not None, "the area under the backfilling curve needs labels"
        ids = np.arange(len(part))

        def score(gallery: np.ndarray) -> float:
            return 100 * mean_average_precision(
                part.new, gallery, part.labels, part.labels, query_ids=ids, gallery_ids=ids, metric=filling.data.metric
            )

        migrated = self.migration.migrate(filling.fitted, part)
        return backfill_curve(self.order(filling, part), migrated, part.new, score)


__all__ = ["AtRandom", "Backfilled", "ByDisagreement", "ByNeighbours", "ByTrueError", "ByUncertainty", "Filling"]
__all__ += ["Order"]
