"""AdaMatch as a classifier: fit on labelled images of one domain and unlabelled images of another, then predict."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.baselines.adabn import adabn
from holdfast.baselines.erm import ERM, ERMSettings
from holdfast.data.augment import LearntTransform, Shift, Transform
from holdfast.data.ctaugment import CTAugmentSettings
from holdfast.data.domain_arrays import DomainArrays
from holdfast.data.domain_stream import DomainStream
from holdfast.data.image_arrays import as_images
from holdfast.devices import check_device, torch_threads
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.layers.norm import batch_norms
from holdfast.losses.alignment import Alignment
from holdfast.metrics.learning import Learning, some_rows
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.adamatch.method import AdaMatch, AdaMatchSettings, cosine_lr
from holdfast.systems.adamatch.tool.backbones import BACKBONES, make_network, strong_augmentation
from holdfast.training import EMA, Checkpoints, Learner, Trained, fit
from holdfast.training.inference import forward_in_batches
from holdfast.validation import (
    check_array,
    check_choice,
    check_fraction,
    check_integer,
    check_same_length,
)

SMALL_LR = 0.2 / 32  # per image of a batch up to 32, for a network that starts from nothing and has a thousand steps
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


class AdaMatchClassifier(Estimator):
    """Classifier for images of a domain without labels, trained with labelled images of another domain.

    - Unsupervised domain adaptation: `fit(Xs, ys, Xt)`.
    - With a few labelled target images: `fit(Xs, ys, Xt, Xt_labeled, yt_labeled)`.
    - Semi-supervised learning: `fit(X_labelled, y, X_unlabelled)`.

    The same settings serve all three. Predictions are made with the average of the weights over training.

    Args:
        backbone: "small" (24,000 parameters, for images of about 16x16), "wrn28-2", "wrn28-4", "wrn34-2" or "wrn40-2".
            Or a torch module that maps images `(N, C, H, W)` to logits `(N, K)`; a copy of it is trained, from its
            weights. It should have batch norm: without, one of the method's three parts does nothing (a warning says
            so).
        num_classes: K. None = the classes that occur in ys; a number means that labels are 0 .. K-1.
        uratio: unlabelled target images per labelled source image in a batch.
        batch: labelled source images in a batch.
        steps: optimiser steps.
        weak: augmentation that does not change the class. None = a shift by 1/16 of the side. Add `Mirror()` where a
            mirrored image is the same class (not for digits or text).
        strong: augmentation applied after the weak one. None = affine maps, brightness and a cut-out square; for
            "small" gentler ones, and a quarter of the images with light and dark exchanged; for colour images and
            other backbones `CTAugmentSettings()`.
        target_prior: class frequencies of the target, if known: K numbers in the order of `classes_`, or class ->
            number. Without it the target is taken to have those of the source, which hurts where it has not.
        settings: everything else of the method. None = the paper's, with averages that suit the number of steps, and
            for "small" a learning rate that suits short runs, 0.2 (less for a batch below 32).
        ema: decay of the average of the weights; shorter in short runs.
        precision: "32-true", "bf16-mixed" or "16-mixed" (CUDA only), of training; predictions are made in float32.
        device: "auto" (CUDA if there is one), "cpu", "cuda", "cuda:1", ...
        seed: of initialisation, order and augmentation.
        target_statistics: predictions are made with batch-norm statistics of Xt (AdaBN). False = the paper's, those of
            source and target batches together.

    Attributes:
        classes_: (K,) the labels, in ascending order.
        network_: the network with averaged weights, on which predictions are based.
        aligner_: class marginals of the predictions on both domains (`p_src`, `p_tgt`); None without alignment.
        image_shape_: (C, H, W) of the training images.
        history_: name -> (steps, values) of loss, source, target, mask_rate (share of target images that are confident
            enough to be learnt from) and threshold.
        learning_: whether it is better than guessing on the labelled images themselves, and whether it gives more than
            one class to the target: `list(model.learning_.doubts())` is empty if so.

    Images are `(N, C, H, W)`, or `(N, H, W)` for grey: floating-point in [0, 1] or uint8.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.adamatch import AdaMatchClassifier
        >>> rng = np.random.default_rng(0)
        >>> ys = rng.integers(0, 2, 40)
        >>> Xs = rng.random((40, 8, 8)) * 0.4 + 0.6 * ys[:, None, None]          # bright or dark
        >>> Xt = rng.random((40, 8, 8)) * 0.2 + 0.4 * rng.integers(0, 2, (40, 1, 1))
        >>> model = AdaMatchClassifier(steps=5, batch=8).fit(Xs, np.array(["dark", "bright"])[ys], Xt)
        >>> model.classes_.tolist(), model.predict_proba(Xt).shape
        (['bright', 'dark'], (40, 2))
    """

    tags = Tags(
        classifier=True,
        image_input=True,
        arrays=("Xs", "Xt"),
        labels=("ys",),
        outputs=("predict", "predict_proba"),
        tolerance=1e-4,
    )

    moved: ClassVar[Mapping[str, str]] = {
        f"holdfast.systems.adamatch.ctaugment:{name}": f"holdfast.data.ctaugment:{name}"
        for name in ("CTAugmentSettings", "HalfCutout")
    }

    def __init__(
        self,
        backbone: str | nn.Module = "small",
        num_classes: int | None = None,
        uratio: int = 3,
        batch: int = 32,
        steps: int = 1000,
        weak: Transform | None = None,
        strong: Transform | LearntTransform | None = None,
        target_prior: Sequence[float] | Mapping[Any, float] | None = None,
        settings: AdaMatchSettings | None = None,
        ema: float = 0.999,
        precision: str = "32-true",
        device: str = "auto",
        seed: int = 0,
        target_statistics: bool = True,
    ) -> None:
        self.backbone, self.num_classes = backbone, num_classes
        self.uratio, self.batch, self.steps = uratio, batch, steps
        self.weak, self.strong = weak, strong
        self.target_prior, self.settings, self.ema = target_prior, settings, ema
        self.precision, self.device, self.seed = precision, device, seed
        self.target_statistics = target_statistics

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        Xs: Any,
        ys: Any,
        Xt: Any,
        Xt_labeled: Any = None,
        yt_labeled: Any = None,
        *,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train.

        Args:
            Xs: labelled source images.
            ys: their labels, `(N,)` whole numbers or strings.
            Xt: unlabelled target images, at least `uratio * batch` of them.
            Xt_labeled, yt_labeled: a few target images with labels (also put into Xt if that is wanted).
            progress: called with (steps done, steps).
            checkpoint: folder for the state of the training, saved ten times in all; the same call continues from it.

        Raises:
            InputError: an argument breaks a rule; it is named, and nothing has been learned.
            Diverged: the loss became NaN or infinite; names the step.
        """
        if not isinstance(self.target_statistics, bool):
            raise InputError("target_statistics", "must be True or False", self.target_statistics)
        given = self._given(Xs, ys, Xt, Xt_labeled, yt_labeled)
        settings = self._settings(given.shape, given.classes)
        learner = AdaMatch(self._network(given.shape, len(given.classes)), len(given.classes), settings)
        trained = self._train(learner, given, progress, checkpoint)
        self._forget()
        self.classes_, self.image_shape_, self.history_ = given.classes, given.shape, trained.history
        averaged: Any = trained.averaged
        self.network_ = averaged.net
        self.aligner_ = averaged.criterion.aligner
        rows = some_rows(len(given.source))
        if self.target_statistics:  # each kind of images by its own statistics
            self.network_ = self._adapted(averaged.net, given.source)
        on_source = self.predict_proba(given.source[rows]).argmax(1)
        if self.target_statistics:
            self.network_ = self._adapted(averaged.net, given.target)
        on_target = self.predict_proba(given.target[some_rows(len(given.target))]).argmax(1)
        prior = None if self.target_prior is None else np.asarray(self._prior(self.classes_))
        self.learning_ = Learning.of(self.classes_, given.labels[rows], on_source, on_target, prior)
        return self

    def baselines(
        self,
        Xs: Any,
        ys: Any,
        Xt: Any,
        Xt_labeled: Any = None,
        yt_labeled: Any = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Self]:
        """What can be had without the method, to compare with: to be called with the data of `fit`, after it.

        Returns:
            Fitted classifiers. "source only": the same network, augmentation, learning rate and number of steps on the
            labelled images alone. "AdaBN": that, with batch-norm statistics of Xt; only if the network has batch norm.
        """
        self.check_fitted()
        given = self._given(Xs, ys, Xt, Xt_labeled, yt_labeled)
        s = self._settings(given.shape, given.classes)
        alone = ERMSettings(s.lr, s.momentum, s.weight_decay, s.weak, s.strong)
        learner = ERM(self._network(given.shape, len(given.classes)), len(given.classes), alone)
        averaged: Any = self._train(learner, given, progress, None).averaged
        nets = {"source only": averaged.net}
        if batch_norms(averaged.net):
            nets["AdaBN"] = self._adapted(averaged.net, given.target)
        found = {name: copy.copy(self) for name in nets}
        for name, model in found.items():
            model.network_ = nets[name]
        return found

    def _train(
        self,
        learner: Learner,
        given: DomainArrays,
        progress: Callable[[int, int], None] | None,
        checkpoint: str | Path | None,
    ) -> Trained:
        stream = DomainStream(
            (given.source, torch.from_numpy(given.labels)),
            given.target,
            given.labelled,
            batch=self.batch,
            ratio=self.uratio,
            seed=self.seed,
        )
        # Threads that wait for each other make steps of a small network ten times slower on a machine with other work.
        with torch_threads(1 if self.backbone == "small" else torch.get_num_threads()):
            return fit(
                learner,
                stream,
                steps=self.steps,
                seed=self.seed,
                schedule=cosine_lr,
                ema=EMA(self.ema),
                precision=self.precision,
                device=self._device(),
                checkpoints=None if checkpoint is None else Checkpoints(checkpoint, every=max(1, self.steps // 10)),
                on_step=progress,
                log_every=max(1, self.steps // 100),
            )

    def _given(self, Xs: Any, ys: Any, Xt: Any, Xt_labeled: Any, yt_labeled: Any) -> DomainArrays:
        self._check_settings()
        few = (Xt_labeled, yt_labeled)
        return DomainArrays.of((Xs, ys), Xt, few, num_classes=self.num_classes, batch=self.batch, uratio=self.uratio)

    def _adapted(self, net: nn.Module, target: Tensor) -> nn.Module:
        """The network with batch-norm statistics of the target; itself where there is nothing to adapt."""
        if len(target) < 2 or not batch_norms(net):
            return net
        place = self._device()
        return adabn(net.to(place), target.to(place))

    def _check_settings(self) -> None:
        if not isinstance(self.backbone, nn.Module):
            check_choice(self.backbone, BACKBONES, "backbone")
        for name in ("uratio", "batch", "steps"):
            check_integer(getattr(self, name), name, low=1)
        check_integer(self.seed, "seed", low=0)
        check_fraction(self.ema, "ema", one=False)
        check_choice(self.precision, PRECISIONS, "precision")
        for name in ("weak", "strong"):
            part = getattr(self, name)
            if part is not None and not (callable(part) or (name == "strong" and hasattr(part, "build"))):
                raise InputError(name, "must be a transform: called with images and a generator", part)
        if self.settings is not None and not isinstance(self.settings, AdaMatchSettings):
            raise InputError("settings", "must be AdaMatchSettings or None", self.settings)

    def _settings(self, shape: tuple[int, int, int], classes: np.ndarray) -> AdaMatchSettings:
        """The method's settings with those of the classifier filled in."""
        channels, side = shape[0], min(shape[1:])
        # Averages that remember longer than the run would mostly hold the uniform marginal they start from.
        short = Alignment(ema=EMA(0.999).over(self.steps), window=min(128, max(1, self.steps // 8)))
        small = self.backbone == "small"
        given = self.settings or AdaMatchSettings(
            align=short,
            weak=Shift(min(side - 1, max(1, side // 16))),
            strong=CTAugmentSettings() if channels == 3 and not small else strong_augmentation(side, small),
            lr=SMALL_LR * min(self.batch, 32) if small else AdaMatchSettings.lr,
        )
        align = given.align
        if self.target_prior is not None:
            align = dataclasses.replace(align or short, mode="prior", prior=self._prior(classes))
        return dataclasses.replace(
            given,
            align=align,
            weak=self.weak or given.weak,
            strong=given.strong if self.strong is None else self.strong,
        )

    def _prior(self, classes: np.ndarray) -> tuple[float, ...]:
        prior = self.target_prior
        if isinstance(prior, Mapping):
            if set(prior) != set(classes.tolist()):
                raise InputError("target_prior", f"must name every class: {classes.tolist()}", sorted(prior, key=str))
            prior = [prior[c] for c in classes.tolist()]
        p = np.asarray(check_array(prior, str(len(classes)), name="target_prior", dtype="float64"))
        if (p <= 0).any():
            raise InputError("target_prior", "must be positive for every class", p.tolist())
        return tuple((p / p.sum()).tolist())

    def _network(self, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        with seeded(derived_seed(self.seed, "init")):
            return make_network(self.backbone, shape, num_classes, self.steps)

    def _build(self) -> Mapping[str, Any]:
        align = self._settings(self.image_shape_, self.classes_).align
        parts: dict[str, Any] = {"network_": self._network(self.image_shape_, len(self.classes_))}
        return parts if align is None else {**parts, "aligner_": align.build(len(self.classes_))}

    def _device(self) -> str:
        if not isinstance(self.device, str) or self.device != "auto":
            return str(check_device(self.device))
        return "cuda" if torch.cuda.is_available() else "cpu"

    # ------------------------------------------------------------------------------------------------------- predicting
    def predict_proba(self, X: Any, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """Class probabilities of images, `(N, K)` float32; columns in the order of `classes_`."""
        self.check_fitted()
        channels, height, width = self.image_shape_
        x = as_images(X, "X", {"C": channels, "H": height, "W": width})
        logits = forward_in_batches(self.network_.to(self._device()), x, on_step=progress)
        return logits.float().softmax(1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each image, `(N,)`, as it was called in ys."""
        p = self.predict_proba(X)
        return self.classes_[p.argmax(1)]

    def score(self, X: Any, y: Any) -> float:
        """Share of images whose predicted class is y, in [0, 1]."""
        self.check_fitted()
        labels, _ = encode_labels(y, name="y", classes=self.classes_)
        p = self.predict_proba(X)
        check_same_length(X=p, y=labels)
        return float((p.argmax(1) == labels).mean())

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        ys = np.arange(12) % 2
        Xs = (rng.random((12, 1, 8, 8)) + ys[:, None, None, None]) / 2
        data = {"Xs": Xs, "ys": ys, "Xt": rng.random((12, 1, 8, 8))}
        return Example(data, rng.random((4, 1, 8, 8)), {"steps": 3, "batch": 4, "uratio": 2, "device": "cpu"})


__all__ = ["BACKBONES", "AdaMatchClassifier"]
