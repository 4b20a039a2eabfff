"""The kind of claim that prices an arm in samples of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.errors import InputError
from holdfast.experiment.claims import Measured, Region
from holdfast.experiment.claims.claim import known, over_cells, unique
from holdfast.fields import check_kind
from holdfast.systems.augmentation_worth.method.rates import log2_rate

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, RecordTable


@dataclass(frozen=True)
class ExchangeRate(Measured):
    """log2 of what an arm's runs are worth in samples of a reference arm, averaged over sizes; one per replicate.

    Each replicate is read against its own reference curve, falling and linear in log n between sizes. A reading is
    never infinite: errors below the curve count as its largest size, errors above it as its smallest.

    Attributes:
        arm, reference: names of arms; the reference runs at more sizes.
        places: sizes n at which the arm is read.
        target: where the mean must lie; 0 = no gain.
        than: an arm whose log2 rate is taken away; "" = none.
        there: a metric of another test set, by which the same rate is read and taken away; "" = none.
        sizes: the swept parameter that holds sizes.
    """

    arm: str
    reference: str = field(kw_only=True)
    places: tuple[int, ...] = field(kw_only=True)
    target: Region = field(kw_only=True)
    than: str = field(default="", kw_only=True)
    there: str = field(default="", kw_only=True)
    sizes: str = field(default="n", kw_only=True)

    asks = "worth more"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.target, Region, "target")
        if not self.places:
            raise InputError("places", "must name at least one size", self.places)

    @property
    def arms(self) -> tuple[str, ...]:
        return unique((self.arm, self.reference), (self.than,) if self.than else ())

    @property
    def metrics(self) -> tuple[str, ...]:
        return unique((self.metric,), (self.there,) if self.there else ())

    @property
    def region(self) -> Region:
        return self.target

    def reads(self) -> dict[str, tuple[Any, ...]]:
        return {**super().reads(), self.sizes: tuple(self.places)}

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        def cell(problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
            rate = partial(self._rates, table, problem, point)
            found = [rate(self.arm, self.metric)]
            found += [rate(self.than, self.metric)] if self.than else []
            found += [rate(self.arm, self.there)] if self.there else []
            common = set(found[0]).intersection(*found[1:])
            return {r: found[0][r] - sum(other[r] for other in found[1:]) for r in common}

        return over_cells(self, table, cell, swept=(self.sizes,))

    def _rates(
        self, table: RecordTable, problem: str, point: Mapping[str, Any], arm: str, metric: str
    ) -> dict[int, Any]:
        def curve(of: str, places: Sequence[Any]) -> dict[int, Any]:
            swept = [table.values(metric, of, problem, {**point, self.sizes: n}) for n in places]
            return {
                r: np.stack(np.broadcast_arrays(*(np.asarray(s[r], float) for s in swept)), -1)
                for r in set(swept[0]).intersection(*swept[1:])
            }

        sizes = sorted(table.swept(problem, (self.reference,))[self.sizes])
        reference, runs = curve(self.reference, sizes), curve(arm, self.places)
        return {r: log2_rate(sizes, reference[r], self.places, runs[r]).mean(-1) for r in runs if r in reference}

    def unit(self, experiment: Experiment) -> str:
        return "log2 of the rate"

    def sentence(self) -> str:
        over = f" minus that of {self.than}" if self.than else f" minus that by {self.there}" if self.there else ""
        return (
            f"{self.arm}: log2 exchange rate against {self.reference}{over}, {self.target.words()}"
            f" ({self.where()}, n = {', '.join(map(str, self.places))})"
        )

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        known("sizes", self.sizes, experiment.points)
        if self.there:
            known("there", self.there, experiment.metrics)
        for place in self.places:
            if place not in experiment.points[self.sizes]:
                raise InputError("places", f"must be of {list(experiment.points[self.sizes])}", place)


__all__ = ["ExchangeRate"]
