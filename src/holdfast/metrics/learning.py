"""Whether a fit has learned anything, as far as that can be seen without labels of the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from holdfast.metrics.chance import AgainstChance, at_best

MOST = 2048  # images of each kind that are looked at; more would tell nothing new


@dataclass(frozen=True)
class Learning:
    """What a fitted model does with the images that it was fitted on.

    Attributes:
        labelled: right answers on the labelled images themselves, against naming their most frequent class.
        target: right answers on the target at best, if its classes are as frequent as those of the labelled images (or
            as `target_prior` says).
        top: the class given to most target images.
        top_share: to what share of them.
    """

    labelled: AgainstChance
    target: AgainstChance
    top: str
    top_share: float

    @classmethod
    def of(
        cls,
        classes: np.ndarray,
        labels: np.ndarray,
        on_labelled: np.ndarray,
        on_target: np.ndarray,
        prior: np.ndarray | None = None,
    ) -> Learning:
        """From the names of the classes (K,), and from indices: labels (N,), predictions (N,) and on the target (M,).

        Args:
            classes: their names.
            labels: of labelled images.
            on_labelled: what is predicted for these.
            on_target: what is predicted for target images.
            prior: class frequencies of the target, (K,); None = those of the labels.
        """
        shares = np.bincount(labels, minlength=len(classes)) / len(labels)
        predicted = np.bincount(on_target, minlength=len(classes))
        top = int(predicted.argmax())
        right = AgainstChance(int((on_labelled == labels).sum()), len(labels), float(shares.max()))
        best = at_best(predicted, shares if prior is None else prior)
        return cls(right, best, str(classes[top]), float(predicted[top] / len(on_target)))

    def doubts(self) -> Iterator[str]:
        """A sentence for each sign that nothing was learned; none where there is no such sign."""
        if not self.labelled.beaten:
            yield (
                f"The model is right on {self.labelled.share:.0%} of the labelled images themselves, chance is "
                f"{self.labelled.chance:.0%}: it has learned nothing."
            )
        if not self.target.beaten:
            yield (
                f"The model gives {self.top_share:.0%} of the target images the class {self.top!r}, which is right on "
                f"{self.target.share:.0%} of them at best, chance is {self.target.chance:.0%}: it has learned nothing "
                "about the target."
            )


def some_rows(n: int) -> np.ndarray:
    """All rows of n, or `MOST` of them from the first to the last: labelled images often come class by class."""
    return np.linspace(0, n - 1, min(n, MOST)).astype(int)


__all__ = ["MOST", "Learning", "some_rows"]
