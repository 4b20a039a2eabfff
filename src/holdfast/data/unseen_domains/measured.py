"""How well somebody answers for the unseen domains of a world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from holdfast.data.unseen_domains.worlds import Part, World, by_domain
from holdfast.experiment import Curve, Measurement, Metric, PerUnit, Scalar


@dataclass(frozen=True)
class WorstDomain(Metric):
    """The lowest of the accuracies of the domains; a case is an image, with one number for each of them."""

    def of_mean(self, mean: Any) -> Any:
        return mean.min(axis=-1)


def measured(predict: Callable[[Part], Tensor], world: World, fixed_test: bool) -> Iterator[Measurement]:
    """Accuracy in % of the worst and of the mean test domain, and of the mean validation domain.

    Where numbers are predicted: the root mean squared error, mean over test domains. Cases of a fixed test set are the
    world's, with a number for each domain ("worst accuracy"), or single rows.
    """
    outputs, test = predict(world.test), world.test
    if not world.num_classes:
        yield Scalar("mean error", float(by_domain((outputs - test.y).square().mean(1), test.domain).sqrt().mean()))
        return
    right = (outputs.argmax(1) == test.y).float()
    accuracy = 100 * by_domain(right, test.domain)
    yield Scalar("worst accuracy", float(accuracy.min()))
    yield Scalar("mean accuracy", float(accuracy.mean()))
    yield Curve("accuracy", range(len(accuracy)), accuracy.tolist(), "unseen domain")
    held = (predict(world.validation).argmax(1) == world.validation.y).float()
    yield Scalar("validation accuracy", 100 * float(by_domain(held, world.validation.domain).mean()))
    if world.cases is not None:
        per_image = right.view(len(accuracy), -1).T
        yield PerUnit("worst accuracy", per_image.tolist(), world.cases)
        yield PerUnit("mean accuracy", per_image.mean(1).tolist(), world.cases)
    elif fixed_test:
        yield PerUnit("mean accuracy", right.tolist(), range(len(right)))


__all__ = ["WorstDomain", "measured"]
