"""The stages that arms share: encoders trained once per replicate, sentences embedded once per run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from holdfast.baselines.bct import bct_loss
from holdfast.baselines.classifier import EncoderTraining, train_classifier
from holdfast.data.images import embed, labels_of, of_classes
from holdfast.encoders.bags_of_words import hashed_ngram_svd, tfidf_svd
from holdfast.encoders.sentences import SentenceEncoder
from holdfast.randomness import derived_seed
from holdfast.systems.fct.problems import ClassGrowth, GrowthParts, TextIndex
from holdfast.systems.fct.tool.sideinfo import SideInfo
from holdfast.validation import check_integer


def class_growth(
    problem: ClassGrowth, split: int, seed: int, training: EncoderTraining, rows: int | None, files: str, device: str
) -> dict[str, Tensor]:
    """The old model, trained on its classes, and the new one, trained on all; both on the images to fit on.

    Args:
        problem: the images.
        split: seed of their division.
        seed: of both trainings.
        training: how encoders are trained.
        rows: as in `divided`.
        files: the state of the files behind the problem; it is not used, but a stage of other files is another stage.
        device: where they are trained.

    Returns:
        "<part>/old", "<part>/new", "<part>/labels" of fit, validation and test, and the classifiers "old classifier"
        (K_old, D) and "new classifier" (K, D).
    """
    parts = divided(problem, split, rows)
    old = train_classifier(
        problem.encoder,
        of_classes(parts.fit, problem.old_classes),
        problem.old_classes,
        training,
        seed=derived_seed(seed, "old"),
        device=device,
    )
    new = train_classifier(
        problem.encoder, parts.fit, problem.classes, training, seed=derived_seed(seed, "new"), device=device
    )
    found = {"old classifier": old.classifier.weight, "new classifier": new.classifier.weight}
    for name, images in vars(parts).items():
        found[f"{name}/old"], found[f"{name}/new"] = embed(old.encoder, images), embed(new.encoder, images)
        found[f"{name}/labels"] = labels_of(images)
    return found


def side_information(
    problem: ClassGrowth, split: int, seed: int, side: SideInfo, rows: int | None, files: str, workers: int, device: str
) -> dict[str, Tensor]:
    """Side-information of all parts, its encoder trained on the old model's images: "fit", "validation", "test"."""
    parts = divided(problem, split, rows)
    images = of_classes(parts.fit, problem.old_classes)
    encoder = side.train(images, problem.encoder, seed=derived_seed(seed, "side"), device=device, workers=workers)
    return {name: embed(encoder, images) for name, images in vars(parts).items()}


def backward_compatible(
    problem: ClassGrowth,
    split: int,
    seed: int,
    training: EncoderTraining,
    old_classifier: list[list[float]],
    weight: float,
    rows: int | None,
    files: str,
    device: str,
) -> dict[str, Tensor]:
    """Embeddings by a new model trained to be compatible with the old classifier: "fit", "validation", "test".

    It starts from the weights of the new model without that constraint and sees the same batches.
    """
    parts = divided(problem, split, rows)
    frozen = torch.tensor(old_classifier, device=device)
    penalty = partial(
        _influence, frozen=frozen, known=torch.arange(len(frozen), device=device), weight=weight, training=training
    )
    model = train_classifier(
        problem.encoder,
        parts.fit,
        problem.classes,
        training,
        seed=derived_seed(seed, "new"),
        device=device,
        penalty=penalty,
    )
    return {name: embed(model.encoder, images) for name, images in vars(parts).items()}


def _influence(
    features: Tensor, labels: Tensor, *, frozen: Tensor, known: Tensor, weight: float, training: EncoderTraining
) -> Tensor:
    return bct_loss(features, labels, frozen, known, weight, training.smoothing)


def divided(problem: ClassGrowth, split: int, rows: int | None = None) -> GrowthParts:
    """The images of a replicate; where `rows` is given only so many to fit on, and a quarter of that in other parts."""
    parts = problem.split(np.random.default_rng(split))
    if rows is None:
        return parts
    check_integer(rows, "rows", low=48)
    few = max(12, rows // 4)
    return GrowthParts(
        parts.fit.subset(range(rows)), parts.validation.subset(range(few)), parts.test.subset(range(few))
    )


def sentences(problem: TextIndex, files: str, dim: int, device: str) -> dict[str, Tensor]:
    """Embeddings of all sentences by both models, and the side-information: "old", "new", "side/n-grams".

    The bags of words get their vocabulary and their SVD from all sentences, as an index of these sentences would have.
    """
    texts = problem.sentences()
    made: Mapping[str, np.ndarray] = {
        "old": tfidf_svd(texts, dim),
        "new": SentenceEncoder(device=device).encode(texts),
        "side/n-grams": hashed_ngram_svd(texts, dim),
    }
    return {name: torch.from_numpy(array) for name, array in made.items()}


__all__ = ["backward_compatible", "class_growth", "divided", "sentences", "side_information"]
