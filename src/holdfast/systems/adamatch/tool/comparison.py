"""AdaMatch beside what can be had without it: how often each is right, or, without labels of the target, how alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.readers.image_inputs import ImageInput
from holdfast.metrics.classification import Evaluation
from holdfast.systems.adamatch.tool.image_files import probabilities

if TYPE_CHECKING:
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier
    from holdfast.verbs.bars import ShowEach


@dataclass(frozen=True)
class Comparison:
    """A table with a row per model, and what its numbers mean."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    note: str

    @classmethod
    def on_labels(cls, classes: np.ndarray, true: np.ndarray, predicted: Mapping[str, np.ndarray]) -> Comparison:
        """From class indices (N,) of labelled target images, and what each model predicts for them."""
        rows = []
        for name, answers in predicted.items():
            right = Evaluation.of(classes, true, answers).accuracy
            low, high = right.interval
            rows.append((name, f"{right.value:.1%}", f"{low:.1%} to {high:.1%}"))
        note = (
            f"Measured on {len(true)} labelled target images; none of them may be among the images that were fitted on."
        )
        return cls(("model", "target accuracy", "95 % interval"), rows, note)

    @classmethod
    def without_labels(
        cls, labels: np.ndarray, on_labelled: Mapping[str, np.ndarray], on_target: Mapping[str, np.ndarray]
    ) -> Comparison:
        """From what each model predicts for the labelled images, whose classes are (N,), and for the target (M,).

        The models are compared with the first.
        """
        first = next(iter(on_target))
        rows = [
            (name, f"{(on_labelled[name] == labels).mean():.1%}", f"{(on_target[name] == on_target[first]).mean():.1%}")
            for name in on_target
        ]
        heads = ("model", "right on the labelled images it learned from", f"same class as {first} on the target")
        note = (
            "Without labels of the target nobody can say which of them is right there: none of these numbers is an "
            "accuracy on the target. Give some labelled target images with --target-labels."
        )
        return cls(heads, rows, note)


def compared(
    model: AdaMatchClassifier, data: Mapping[str, Any], test: tuple[ImageInput, np.ndarray] | None, show: ShowEach
) -> Comparison:
    """Train what the fitted model is compared with, and compare.

    Args:
        model: fitted on the data.
        data: the arguments of its fit.
        test: labelled target images and their classes' indices, if there are any.
        show: called with (what, done, total).
    """
    models = {"AdaMatch": model, **model.baselines(**data, progress=partial(show, "Training source only"))}
    if test is not None:
        images, true = test
        answers = {
            name: probabilities(one, images, partial(show, f"Predicting with {name}")).argmax(1)
            for name, one in models.items()
        }
        return Comparison.on_labels(model.classes_, true, answers)
    return Comparison.without_labels(
        data["ys"],
        {name: one.predict(data["Xs"]) for name, one in models.items()},
        {name: one.predict(data["Xt"]) for name, one in models.items()},
    )


__all__ = ["Comparison", "compared"]
