"""How much data are augmentations worth?   arXiv 2210.06441

    holdfast run augmentation_worth --scale demo     three minutes on 2 cores
    holdfast run augmentation_worth --scale small    last measured: ledger/augmentation_worth/small.json

A replicate draws its training sets, and has a reference curve of its own over six sizes. Every training has the same
number of steps, at all sizes and in all arms; SGD with momentum, a cosine with a warm-up, one learning rate per arm,
tuned on pilots by the validation set (three rates each).

Cost: a replicate of all arms takes about 48 CPU seconds; tuning 80 once, 8 replicates 390, and 780 with a second look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.augment import Identity, Mirror, RandomAffine, Shift, Transform
from holdfast.data.batches import Batches
from holdfast.data.splits import training_rows
from holdfast.experiment import (
    Arm,
    Better,
    Experiment,
    LogRatio,
    Measurement,
    Metric,
    NotTestable,
    PerUnit,
    Run,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.experiment.claims import Region
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.augmentation_worth.experiment.exchange import ExchangeRate
from holdfast.systems.augmentation_worth.method.training import (
    CROSS,
    OrbitModel,
    flatness,
    gradient_noise,
    stored_copies,
)
from holdfast.systems.augmentation_worth.problems import CINIC_SIZES, DIGIT_SIZES, Cinic, Digits, Images
from holdfast.training import Learner, fit
from holdfast.training.inference import forward_in_batches
from holdfast.training.optim import sgd, warm_cosine

PLAIN = Identity()
PROBED = 400  # training images that flatness and gradient noise are measured on, at most
NO_GAIN, LEAST_GAIN = 0.0, math.log2(1.2)


# -------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class Steps(Scale):
    """Training budget: optimiser steps of every training, and images per step."""

    steps: int = 500
    batch: int = 32


@dataclass(frozen=True)
class Augmented:
    """Fresh draws of a transform in every batch.

    Attributes:
        transform: images and generator to images.
        lr: highest learning rate.
    """

    transform: Transform = PLAIN
    lr: float = 0.1

    def data(self, x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor, Transform]:
        """What is stored, and what is drawn anew in every batch."""
        return x, y, self.transform

    def network(self, net: nn.Module) -> nn.Module:
        """What is trained."""
        return net


@dataclass(frozen=True)
class Stored(Augmented):
    """Copies drawn once: the original and `rounds - 1` draws."""

    rounds: int = 4

    def data(self, x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor, Transform]:
        copies = stored_copies(x, self.transform, self.rounds, seed, original=True)
        return copies, y.repeat_interleave(self.rounds), PLAIN


@dataclass(frozen=True)
class Orbit(Augmented):
    """No augmentation: logits averaged over moves by one pixel, in training and after it."""

    def network(self, net: nn.Module) -> nn.Module:
        return OrbitModel(net, CROSS)


class Classifier(Learner):
    """Cross-entropy of augmented images."""

    def __init__(self, net: nn.Module, transform: Transform, lr: float) -> None:
        super().__init__()
        self.net, self.transform, self.lr = net, transform, lr

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return F.cross_entropy(self.net(self.transform(batch["x"], rng)), batch["y"]), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [sgd(self.net, lr=self.lr, momentum=0.9, weight_decay=5e-4)]


# --------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Augmented, Images, Steps]) -> Iterator[Measurement]:
    """Train the arm on n images, and test it on both test sets."""
    pool, arm, steps = run.problem.load(), run.arm, run.scale.steps
    rows = training_rows(pool.labels, torch.arange(len(pool.labels)), int(run.point["n"]), run.rng("split"))
    x, y = pool.images[rows], pool.labels[rows]
    stored, labels, transform = arm.data(x, y, derived_seed(run.seed("augment"), "stored"))
    with seeded(run.seed("init")):
        net = arm.network(run.problem.network())
    trained = fit(
        Classifier(net, transform, arm.lr),
        Batches({"x": stored, "y": labels}, run.scale.batch, run.seed("batches")),
        steps=steps,
        seed=run.seed("augment"),
        schedule=partial(warm_cosine, warmup=0.1),
        device=run.device,
        on_step=run.step,
        log_every=steps,
    )
    net = trained.learner.net  # type: ignore[assignment]
    for name, (images, truth) in (("error", pool.test), (SHIFTED, pool.shifted), ("validation error", pool.validation)):
        wrong = (forward_in_batches(net, images).argmax(1) != truth.to(run.device)).float().cpu()
        yield Scalar(name, 100 * float(wrong.mean()))
        if name != "validation error":
            yield PerUnit(name, wrong.int().tolist(), list(range(len(wrong))))
    probe = x[:PROBED].to(run.device), y[:PROBED].to(run.device)
    batches = zip(*(part.split(run.scale.batch) for part in probe), strict=True)
    directions = torch.Generator().manual_seed(run.seed("directions"))
    yield Scalar("flatness", flatness(net, F.cross_entropy, [probe], n_directions=3, generator=directions))
    yield Scalar("gradient noise", gradient_noise(net, F.cross_entropy, batches).std_norm)


# -------------------------------------------------------------------------------------------------- what is declared
DIGITS, SHIFTED = "digits", "error, shifted"
FEW, FEWER, ONE = (100, 200, 400), (100, 200), (200,)
RATES = (0.1, 0.05, 0.2)
AFFINE = RandomAffine(degrees=15.0, scale=(0.85, 1.15), shear=0.0, translate=0.075)
ON: dict[str, Any] = {"metric": "error", "on": DIGITS, "reference": "none"}


def _arm(method: Augmented, n: Sequence[int], about: str, **more: Any) -> Arm:
    problems = None if more.pop("everywhere", False) else (DIGITS,)
    points = {"n": (*n, *CINIC_SIZES)}
    return Arm(method, space={"lr": RATES}, points=points, problems=problems, about=about, **more)


ARMS = {
    "none": Arm(Augmented(), space={"lr": RATES}, about="the reference: no augmentation"),
    "affine": _arm(Augmented(AFFINE), FEW, "fresh turns, moves and sizes in every batch", everywhere=True),
    "hflip": _arm(Augmented(Mirror()), (200, 400), "mirrors half of the digits: breaks labels", everywhere=True),
    "affine, 4 stored": _arm(Stored(AFFINE), FEWER, "the originals and three copies each, drawn once"),
    "shift": _arm(Augmented(Shift(1)), ONE, "fresh moves by at most one pixel"),
    "orbit of shifts": _arm(Orbit(), ONE, "logits averaged over moves by one pixel, no augmentation"),
    "identity": Arm(
        Augmented(),
        tuned_as="none",
        reseed=1,
        points={"n": FEW},
        problems=(DIGITS,),
        about="broken: a transform that changes nothing (other start and batches than the reference)",
    ),
}

CLAIMS = (
    ExchangeRate(
        "affine",
        places=FEW,
        target=Region.at_least(LEAST_GAIN),
        role="headline",
        text="with fresh affine draws a digit is worth at least 1.2 (log2 rate, mean over n = 100, 200, 400)",
        scope="MNIST digits at 14x14, one pool, 500 steps; each replicate has its own reference curve up to 3,200",
        published="none; the paper says: augmentations can be worth thousands of samples in small data",
        source="abstract",
        **ON,
    ),
    ExchangeRate("identity", places=FEW, target=Region.at_least(LEAST_GAIN), role="control", expect="not found", **ON),
    ExchangeRate("hflip", places=(200, 400), target=Region.at_most(NO_GAIN), role="control", expect="found", **ON),
    ExchangeRate(
        "affine",
        places=FEW,
        target=Region.at_least(NO_GAIN),
        metric=SHIFTED,
        there="error",
        on=DIGITS,
        reference="none",
        text="affine draws, which show no noise, are worth more on noisy digits than on clean ones",
        scope="noise of 0.3 on the test digits; read against the reference's errors on the same noisy digits",
        published="inconsistent but diverse augmentations can be worth more than data out of distribution",
        source="abstract",
    ),
    ExchangeRate("affine", than="affine, 4 stored", places=FEWER, target=Region.at_least(NO_GAIN), **ON),
    ExchangeRate(
        "shift",
        than="orbit of shifts",
        places=ONE,
        target=Region.at_least(NO_GAIN),
        text="moving digits at random is worth more than a network whose logits are averaged over the moves",
        published="augmentations that encourage invariance can be worth more than invariance alone",
        source="abstract",
        **ON,
    ),
    Better(
        "affine",
        than="none",
        metric="flatness",
        on=DIGITS,
        compare=LogRatio(),
        text="affine draws lead to a flatter place (longer way to a training loss of 1)",
        published="augmentations flatten the loss landscape",
        source="abstract",
    ),
    Better(
        "affine",
        than="none",
        metric="gradient noise",
        on=DIGITS,
        compare=LogRatio(),
        text="gradients of batches differ more after training with affine draws",
        published="augmentations add stochasticity during training",
        source="abstract",
    ),
    NotTestable(
        text="On CINIC-10, tested on CIFAR-10 and CIFAR-10-C, the rates grow with n and then flatten",
        reason="60,000 steps for each of dozens of trainings of a residual network on 192,000 images need a GPU",
    ),
)

experiment = Experiment(
    question="How many more real images would have given the same test error as an augmentation?",
    problems={
        DIGITS: Digits(),
        "CINIC-10, CIFAR-10": Cinic(),
        "CINIC-10, noise": Cinic(shifted="gaussian_noise"),
    },
    arms=ARMS,
    metrics={
        "error": Metric("%", higher_is_better=False, about="on the test set"),
        SHIFTED: Metric("%", higher_is_better=False, about="on the test set of another distribution"),
        "validation error": Metric("%", higher_is_better=False, about="arms are tuned by it"),
        "flatness": Metric("", about="way to a training loss of 1 along filter-normalised directions"),
        "gradient noise": Metric("", about="norm of the deviation of batch gradients scaled to their weights"),
    },
    points={"n": (*DIGIT_SIZES, *CINIC_SIZES)},
    scales={
        "smoke": Steps(steps=3, batch=16, replicates=1, arms=("none", "affine"), problems=(DIGITS,), points={"n": FEW}),
        "pilots": Steps(steps=170, problems=(DIGITS,), points={"n": FEW}),
        "demo": Steps(arms=("none", "affine", "hflip", "identity"), problems=(DIGITS,)),
        "small": Steps(problems=(DIGITS,)),
        "full": Steps(
            steps=60_000,
            batch=128,
            arms=("none", "affine", "hflip"),
            problems=("CINIC-10, CIFAR-10", "CINIC-10, noise"),
            slow=True,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning("validation error", problem=DIGITS, configurations=3, pilots=2, scale="pilots"),
    benefit="error",
)
