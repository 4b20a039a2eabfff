"""RP-DRO as a classifier: fit on rows with labels, predict, and see which rows the adversary weighted up."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.devices import check_device, torch_threads
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.layers.perceptron import classifier
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.rp_dro.method.game import RPDRO, RatioAdversary, SelfNormalised, batch_log_ratios
from holdfast.systems.rp_dro.method.selection import ByRow, MinMaxValidation
from holdfast.systems.rp_dro.tool.inputs import Numbers, Texts, holds_text
from holdfast.training import Checkpoints, fit
from holdfast.training.inference import forward_in_batches
from holdfast.validation import check_fraction, check_integer, check_positive, check_same_length

CLIP = 10.0  # of each player's gradient
INACTIVE, NEARLY_ONE = 0.01, 0.5  # nats of mean batch KL: at most; within so much of log n
TELLING_STEPS = 100  # a shorter training says nothing about the adversary, which starts at uniform ratios


class RPDROClassifier(Estimator):
    """Classifier for data with a shortcut that nobody has named: trained against an adversary that weights up examples
    the classifier fails on, as far as they have something in common.

    Rows are numbers (N, F), or texts: a list of N strings. Both players are small networks of the same kind.

    Args:
        tau: weight of the penalty on the adversary, on the scale of cross-entropies: large = the plain mean, small =
            only the hardest examples. Try 0.03, 0.1, 0.3 and 1.
        alpha: share of the reweighted loss in what is minimised; the rest is the plain mean.
        self_normalised: lam of ratios kept near mean 1 by a penalty. None = normalised over each batch, the paper's.
        steps: optimiser steps.
        batch: rows per step.
        lr: learning rate of the classifier; falls linearly to 0.
        adversary_lr: learning rate of the adversary; stays.
        hidden: width of both networks.
        words: most frequent words that texts are known by.
        device: "auto" (CUDA if there is one), "cpu", "cuda", "cuda:1", ...
        seed: of initialisation and order.

    Attributes:
        classes_: (K,) the labels, in ascending order.
        model_, adversary_: the networks.
        inputs_: how rows become what networks take.
        columns_: what the columns of X are called, if fit was told.
        history_: name -> (steps, values) of loss, adversary loss, mean loss, kl, ess and max_ratio of the batches.
        best_step_: steps that the classifier was trained for: all, or with validation rows those of the minmax choice.
        adversaries_: (E, N_val) log-ratios of the list that chose, or None.
        doubts_: what is wrong with the adversary, in words; empty if nothing is.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.rp_dro import RPDROClassifier
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(200, 2))
        >>> model = RPDROClassifier(steps=50, batch=32).fit(X, X[:, 0] + 0.1 * X[:, 1] > 0)
        >>> model.predict_proba(X).shape, round(float(model.example_weights(X, X[:, 0] > 0).mean()), 3)
        ((200, 2), 1.0)
    """

    tags = Tags(classifier=True, labels=("y",), outputs=("predict", "predict_proba"), tolerance=1e-4)

    def __init__(
        self,
        tau: float = 0.3,
        alpha: float = 1.0,
        self_normalised: float | None = None,
        steps: int = 1000,
        batch: int = 64,
        lr: float = 1e-3,
        adversary_lr: float = 3e-4,
        hidden: int = 64,
        words: int = 8000,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.tau, self.alpha, self.self_normalised = tau, alpha, self_normalised
        self.steps, self.batch, self.lr, self.adversary_lr = steps, batch, lr, adversary_lr
        self.hidden, self.words, self.device, self.seed = hidden, words, device, seed

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        X: Any,
        y: Any,
        X_val: Any = None,
        y_val: Any = None,
        *,
        columns: Sequence[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train.

        Args:
            X: (N, F) finite numbers, or N strings.
            y: (N,) labels, whole numbers or strings, of at least two classes.
            X_val, y_val: rows to choose a checkpoint on, looked at after every pass, without groups (minmax). None =
                the weights after the last step.
            columns: what the columns of X are called, or the one of texts; kept for who reads a table to predict.
            progress: called with (steps done, steps).
            checkpoint: folder for the state of the training, saved ten times in all; the same call continues from it.

        Raises:
            InputError: an argument breaks a rule; it is named, and nothing has been learned.
            Diverged: the loss became NaN or infinite; names the step.

        Warns:
            The adversary did nothing, or collapsed on single examples; see `doubts_`.
        """
        self._check_settings()
        inputs = Texts.of(X, self.words) if holds_text(X) else Numbers.of(X)
        x, (labels, classes) = inputs.tensor(X), encode_labels(y)
        rows = check_same_length(X=x, y=labels)
        batch = min(self.batch, rows)
        place = self._device()
        validation = None
        if X_val is not None or y_val is not None:
            for name, given in (("X_val", X_val), ("y_val", y_val)):
                if given is None:
                    raise InputError(name, "must be given too where the other one of X_val and y_val is", None)
            validation = self._validation(inputs, classes, X_val, y_val, max(1, rows // batch))
        learner = RPDRO(*self._players(inputs, len(classes)), **self._game(), validation=validation)
        # Threads that wait for each other make steps of a small network slower on a machine with other work.
        with torch_threads(1):
            trained = fit(
                learner,
                Batches({"x": x, "y": torch.from_numpy(labels)}, batch, derived_seed(self.seed, "batches")),
                steps=self.steps,
                seed=self.seed,
                clip=CLIP,
                device=place,
                checkpoints=None if checkpoint is None else Checkpoints(checkpoint, every=max(1, self.steps // 10)),
                on_step=progress,
                log_every=max(1, self.steps // 200),
            )
        self._forget()
        self.classes_, self.inputs_, self.history_ = classes, inputs, trained.history
        self.columns_ = None if columns is None else tuple(columns)
        self.best_step_, self.adversaries_ = self.steps, None
        if validation is not None and validation.best_weights:
            learner.model.load_state_dict(validation.best_weights)
            self.best_step_ = validation.best_step
            listed = validation.selector.log_ratios
            self.adversaries_ = torch.stack(listed).numpy() if listed else np.zeros((0, len(validation.y)))
        self.model_, self.adversary_ = learner.model.eval(), learner.adversary.eval()
        self.doubts_ = adversary_doubts(*trained.history["kl"], batch, max(1, rows // batch))
        for doubt in self.doubts_:
            warnings.warn(doubt, stacklevel=2)
        return self

    def _validation(self, inputs: Numbers | Texts, classes: np.ndarray, X: Any, y: Any, every: int) -> MinMaxValidation:
        x, (labels, _) = inputs.tensor(X, "X_val"), encode_labels(y, name="y_val", classes=classes)
        check_same_length(X_val=x, y_val=labels)
        return MinMaxValidation(x, torch.from_numpy(labels), min(every, self.steps))

    def _check_settings(self) -> None:
        for name in ("tau", "lr", "adversary_lr"):
            check_positive(getattr(self, name), name)
        check_fraction(self.alpha, "alpha")
        if self.self_normalised is not None:
            check_positive(self.self_normalised, "self_normalised")
        for name, low in (("steps", 1), ("batch", 2), ("hidden", 1), ("words", 3), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)

    def _game(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in ("tau", "alpha", "lr", "adversary_lr")}
        return given if self.self_normalised is None else {**given, "normalise": SelfNormalised(self.self_normalised)}

    def _players(self, inputs: Numbers | Texts, num_classes: int) -> tuple[nn.Module, RatioAdversary]:
        with seeded(derived_seed(self.seed, "init")):
            model = classifier(inputs.backbone(self.hidden), num_classes)
            return model, RatioAdversary(inputs.backbone(self.hidden), num_classes)

    def _build(self) -> Mapping[str, Any]:
        model, adversary = self._players(self.inputs_, len(self.classes_))
        return {"model_": model, "adversary_": adversary}

    def _device(self) -> str:
        if not isinstance(self.device, str) or self.device != "auto":
            return str(check_device(self.device))
        return "cuda" if torch.cuda.is_available() else "cpu"

    # ------------------------------------------------------------------------------------------------------- predicting
    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, K) float32, columns in the order of `classes_`."""
        self.check_fitted()
        logits = forward_in_batches(self.model_.to(self._device()), self._tensor(X))
        return logits.softmax(1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, (N,)."""
        p = self.predict_proba(X)
        return self.classes_[p.argmax(1)]

    def score(self, X: Any, y: Any) -> float:
        """Share of rows whose predicted class is y, in [0, 1]."""
        p = self.predict_proba(X)
        labels, _ = encode_labels(y, classes=self.classes_)
        check_same_length(X=p, y=labels)
        return float((p.argmax(1) == labels).mean())

    def example_weights(self, X: Any, y: Any) -> np.ndarray:
        """The adversary's ratio of each row with its label, (N,) float64 with mean 1 over the rows given."""
        self.check_fitted()
        x = self._tensor(X)
        labels, _ = encode_labels(y, classes=self.classes_)
        check_same_length(X=x, y=labels)
        raw = forward_in_batches(ByRow(self.adversary_.to(self._device()), torch.from_numpy(labels)), x)
        return batch_log_ratios(raw.double()).exp().numpy()

    @property
    def reads_text(self) -> bool:
        """Whether rows are texts."""
        return isinstance(self.inputs_, Texts)

    def _tensor(self, X: Any) -> Tensor:
        return self.inputs_.tensor(X)

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        y = np.arange(12) % 2
        X = rng.normal(size=(12, 3)) + y[:, None]
        return Example(
            {"X": X, "y": y}, rng.normal(size=(4, 3)), {"steps": 3, "batch": 4, "hidden": 4, "device": "cpu"}
        )


def adversary_doubts(steps: Any, kls: Any, batch: int, per_pass: int) -> list[str]:
    """What the mean KL of the last pass says: an adversary that does nothing, or one that sits on single examples.

    Args:
        steps, kls: where the batches' KL was recorded, and its values.
        batch: rows per step.
        per_pass: steps per pass.

    Example:
        >>> adversary_doubts([100, 200], [0.0, 0.001], batch=64, per_pass=20)[0][:27]
        'the adversary was inactive:'
        >>> adversary_doubts([100, 200], [0.3, 0.4], batch=64, per_pass=20)
        []
    """
    last = steps[-1]
    if last < TELLING_STEPS:
        return []
    mean = float(np.mean([kl for step, kl in zip(steps, kls, strict=True) if step > last - per_pass]))
    told = f"the KL of its ratios was {mean:.2g} in the last pass, of at most {math.log(batch):.2f}"
    if mean < INACTIVE:
        return [f"the adversary was inactive: {told}; all examples counted alike (lower tau, or a larger adversary_lr)"]
    if mean > math.log(batch) - NEARLY_ONE:
        return [f"the adversary collapsed on single examples: {told} (raise tau, or lower adversary_lr)"]
    return []


__all__ = ["RPDROClassifier", "adversary_doubts"]
