"""Does one recipe label a new domain from another domain's labels?   arXiv 2106.04732

    holdfast run adamatch --scale demo     under 3 minutes on 2 cores
    holdfast run adamatch --scale small    about 25 minutes on 2 cores; last measured: ledger/adamatch/small.json

Every arm sees the same data, initialisation and order of batches in a replicate, trains for the same number of steps
with the paper's learning-rate schedule, and is evaluated with the average of its weights. A fixed fifth of the target's
images ("validation") is labelled for tuning alone: on pilot replicates every arm chooses among equally many
configurations by its accuracy there. No target label is used in a final replicate but for measuring.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.baselines.adabn import adabn
from holdfast.baselines.dann import DANN, DANNSettings
from holdfast.baselines.erm import ERM, ERMSettings
from holdfast.baselines.fixmatch import FixMatch, FixMatchSettings
from holdfast.data.digits import Mnist5k, UciDigits
from holdfast.data.domainnet import DomainNet
from holdfast.data.domains import DomainPair, DomainProblem, SemiSupervised
from holdfast.data.own_domains import OwnDomains
from holdfast.data.shifts import LabelShift
from holdfast.experiment import (
    FIRST_FINAL_REPLICATE,
    Arm,
    Artifact,
    Curve,
    Experiment,
    Measurement,
    Metric,
    PerUnit,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.experiment.claims import Better, Differs, NoWorse, Ordered
from holdfast.experiment.run import Run
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.layers.wide_resnet import wide_resnet
from holdfast.losses.alignment import Alignment
from holdfast.randomness import seeded
from holdfast.report.mistakes import draw_mistakes
from holdfast.systems.adamatch.method import (
    AdaMatch,
    AdaMatchSettings,
    FixedThreshold,
    NoInterpolation,
    cosine_lr,
)
from holdfast.training import EMA, fit
from holdfast.training.inference import forward_in_batches
from holdfast.training.learner import Learner


# ------------------------------------------------------------------------------------------------------------- arms
def as_trained(net: nn.Module, images: Tensor) -> nn.Module:
    """The network itself; the target's images are not used."""
    return net


@dataclass(frozen=True)
class Recipe:
    """One arm: a learner, what of it is tuned, and what happens to the network after training.

    Attributes:
        learner: class of the learner, made from (network, number of classes, settings).
        settings: of the learner.
        lr, weight_decay: enter the settings; kept apart because they are tuned.
        target_labels: target images per class whose labels the arm is given.
        finish: (network, unlabelled target images) -> network that is evaluated.
    """

    learner: type[Learner]
    settings: Any
    lr: float = 0.03
    weight_decay: float = 1e-3
    target_labels: int = 0
    finish: Callable[[nn.Module, Tensor], nn.Module] = as_trained

    def build(self, net: nn.Module, num_classes: int) -> Learner:
        """The learner around a network."""
        make: Callable[..., Learner] = self.learner
        return make(net, num_classes, dataclasses.replace(self.settings, lr=self.lr, weight_decay=self.weight_decay))


# Averages of the paper remember thousands of batches; in runs of hundreds they would hold the uniform start.
SHORT = Alignment(ema=0.99, window=50)
ADAMATCH = AdaMatchSettings(align=SHORT)
# On pilots 0.01 was too slow for every arm, and so was learning the augmentation (CTAugment) in so few steps.
RATES = (0.03, 0.1, 0.3)
SPACE: Mapping[str, Sequence[Any]] = {"lr": RATES, "weight_decay": (1e-3, 1e-4)}
PAIRS = ("mnist->digits", "digits->mnist", "mnist->digits, label shift", "mnist->digits, uncropped")
FEW = ("digits, 4 labels per class", "digits, 25 labels per class")


def _arm(learner: type[Learner], settings: Any, problems: tuple[str, ...], about: str, **rest: Any) -> Arm:
    recipe = {k: rest.pop(k) for k in ("target_labels", "finish") if k in rest}
    return Arm(Recipe(learner, settings, **recipe), space=SPACE, problems=problems, about=about, **rest)


def _ablation(about: str, *more: str, **change: Any) -> Arm:
    return _arm(AdaMatch, dataclasses.replace(ADAMATCH, **change), ("mnist->digits", *more), about)


EVERYWHERE = (*PAIRS, *FEW, "domainnet real->clipart")
ARMS = {
    "source only": _arm(
        ERM, ERMSettings(), (*PAIRS, "domainnet real->clipart"), "trained on the labelled source alone, two views"
    ),
    "supervised only": _arm(ERM, ERMSettings(), FEW, "trained on the labelled images alone, two views"),
    "AdaBN": _arm(ERM, ERMSettings(), PAIRS, "source only, batch-norm statistics of the target", finish=adabn),
    "FixMatch+": _arm(
        FixMatch,
        FixMatchSettings(align=dataclasses.replace(SHORT, mode="labels")),
        ("mnist->digits", "digits->mnist"),
        "pseudo-labels above 0.9, aligned to the labels' marginal",
    ),
    "DANN": dataclasses.replace(
        _arm(DANN, DANNSettings(), ("mnist->digits", "digits->mnist"), "adversarial features", may_collapse=True),
        space={"lr": RATES, "settings": (DANNSettings(weight=1.0), DANNSettings(weight=0.1))},
    ),
    "AdaMatch": _arm(AdaMatch, ADAMATCH, EVERYWHERE, "the paper's method"),
    "AdaMatch - interpolation": _ablation("without random logit interpolation", interpolate=NoInterpolation()),
    "AdaMatch - alignment": _ablation("without distribution alignment", PAIRS[2], align=None),
    "AdaMatch - relative threshold": _ablation("threshold fixed at 0.9", threshold=FixedThreshold(0.9)),
    "AdaMatch, 1 label": _arm(
        AdaMatch, ADAMATCH, ("mnist->digits",), "with 1 labelled target image per class", target_labels=1
    ),
    "AdaMatch, 5 labels": _arm(
        AdaMatch, ADAMATCH, ("mnist->digits",), "with 5 labelled target images per class", target_labels=5
    ),
    "AdaMatch, other seeds": Arm(
        Recipe(AdaMatch, ADAMATCH),
        tuned_as="AdaMatch",
        problems=("mnist->digits",),
        reseed=1,
        about="control: the same on the same data, other initialisation and batches",
    ),
}


# --------------------------------------------------------------------------------------------------------- one trial
@dataclass(frozen=True)
class Steps(Scale):
    """Training budget.

    Attributes:
        steps: optimiser steps.
        batch: labelled source images per batch.
        ratio: unlabelled target images per labelled one.
        net: "small" or a name in `holdfast.layers.wide_resnet.ARCHITECTURES`.
        ema: decay of the average of the weights.
        workers: processes that decode images, for problems too large to hold in memory.
    """

    steps: int = 400
    batch: int = 32
    ratio: int = 2
    net: str = "small"
    ema: float = 0.98
    workers: int = 0


def trial(run: Run[Recipe, DomainProblem, Steps]) -> Iterator[Measurement]:
    """Train the arm's learner on the problem's split and measure it on the target's test images."""
    arm, scale = run.arm, run.scale
    data = run.problem.training(
        run.rng("split"),
        target_labels=arm.target_labels,
        batch=scale.batch,
        ratio=scale.ratio,
        seed=run.seed("batches"),
        workers=scale.workers,
        device=run.device,
    )
    with seeded(run.seed("init")):
        net = _network(scale.net, data.test_x.shape[1], len(data.classes))
    watch = _Watch(run, net, data.test_x, data.test_y)
    trained = fit(
        arm.build(net, len(data.classes)),
        data.stream,
        steps=scale.steps,
        seed=run.seed("augment"),
        schedule=cosine_lr,
        ema=EMA(scale.ema),
        device=run.device,
        on_step=watch,
        log_every=max(1, scale.steps // 40),
    )
    final = arm.finish(trained.averaged.net, data.adapt_x)  # type: ignore[arg-type]
    logits = forward_in_batches(final, data.test_x)
    right = (logits.argmax(1) == data.test_y).float()
    validation = forward_in_batches(final, data.validation_x).argmax(1) == data.validation_y
    yield Scalar("target accuracy", 100 * float(right.mean()))
    yield Scalar("validation accuracy", 100 * float(validation.float().mean()))
    yield Curve("target accuracy, last weights", watch.steps, watch.accuracy)
    for name, (steps, values) in trained.history.items():
        if name in ("source", "target", "mask_rate"):
            yield Curve(CURVES[name], steps, values)
    if run.problem.fixed_test:
        yield PerUnit("target accuracy", right.tolist(), data.test_id.tolist())
    if run.replicate == FIRST_FINAL_REPLICATE:
        caption = draw_mistakes(run.dir / "mistakes.png", data.test_x, data.test_y, logits, data.classes)
        yield Artifact("most confident mistakes", "mistakes.png", "image", caption)


CURVES = {"source": "loss on labelled images", "target": "loss on pseudo-labels", "mask_rate": "share pseudo-labelled"}


def _network(name: str, channels: int, num_classes: int) -> nn.Module:
    if name == "small":
        return SmallConvNet(channels, num_classes)
    return wide_resnet(name, in_channels=channels, num_classes=num_classes)


class _Watch:
    """Follows the accuracy on the test images during training: for the curves only, nothing is selected by it."""

    def __init__(self, run: Run, net: nn.Module, x: Tensor, y: Tensor) -> None:
        self._run, self._net, self._x, self._y = run, net, x, y
        self.steps: list[int] = []
        self.accuracy: list[float] = []

    def __call__(self, done: int, total: int) -> None:
        self._run.step(done, total)
        if done % max(1, total // 10) == 0:
            with torch.random.fork_rng(devices=[]):
                correct = forward_in_batches(self._net, self._x).argmax(1) == self._y
            self.steps.append(done)
            self.accuracy.append(100 * float(correct.float().mean()))


# -------------------------------------------------------------------------------------------------------- the claims
def own(paths: Sequence[Path], columns: Mapping[str, str]) -> OwnDomains:
    """The user's source and target folders as a problem."""
    return OwnDomains.of(paths)


ACCURACY: dict[str, Any] = {"metric": "target accuracy", "on": "mnist->digits"}
CLAIMS = (
    Better(
        "AdaMatch",
        than="source only",
        margin=3,
        role="headline",
        scope="MNIST (5,000 images, digits cropped to their size in the target) -> UCI digits, 24,000 weights",
        published="nearly doubles the prior best accuracy on DomainNet, from scratch",
        source="abstract",
        **ACCURACY,
    ),
    Better("AdaMatch", than="AdaBN", **ACCURACY),
    NoWorse("AdaMatch", than="FixMatch+", margin=1, published="better", source="abstract", **ACCURACY),
    Better("AdaMatch", than="DANN", published="better", source="abstract", **ACCURACY),
    Better("AdaMatch", than="AdaMatch - interpolation", **ACCURACY),
    Better("AdaMatch", than="AdaMatch - alignment", **ACCURACY),
    Better("AdaMatch", than="AdaMatch - relative threshold", **ACCURACY),
    Ordered(
        "AdaMatch, 5 labels",
        "AdaMatch, 1 label",
        "AdaMatch",
        published="+6.1 % with one label per class, +13.6 % with five (DomainNet)",
        source="abstract",
        **ACCURACY,
    ),
    Better("AdaMatch", than="source only", metric="target accuracy", on="digits->mnist"),
    Better("AdaMatch", than="supervised only", metric="target accuracy", on=FEW[0]),
    Better("AdaMatch", than="supervised only", metric="target accuracy", on=FEW[1]),
    Better(
        "AdaMatch - alignment",
        than="AdaMatch",
        text="alignment hurts where the target's classes are not as frequent as the source's",
        metric="target accuracy",
        on=PAIRS[2],
    ),
    Better(
        "AdaMatch",
        than="source only",
        text="AdaMatch helps even where digits differ in size (uncropped)",
        metric="target accuracy",
        on=PAIRS[3],
    ),
    Better("AdaMatch, 5 labels", than="source only", role="control", expect="found", **ACCURACY),
    Differs("AdaMatch", "AdaMatch, other seeds", role="control", expect="not found", **ACCURACY),
)

experiment = Experiment(
    question="Can one recipe label a new domain from another domain's labels?",
    problems={
        "mnist->digits": DomainPair(Mnist5k(), UciDigits()),
        "digits->mnist": DomainPair(UciDigits(), Mnist5k()),
        "mnist->digits, label shift": DomainPair(Mnist5k(), UciDigits(), target_shift=LabelShift((0, 1, 2, 3, 4), 0.2)),
        "mnist->digits, uncropped": DomainPair(Mnist5k(crop=False), UciDigits()),
        "digits, 4 labels per class": SemiSupervised(UciDigits(), per_class=4),
        "digits, 25 labels per class": SemiSupervised(UciDigits(), per_class=25),
        "domainnet real->clipart": DomainNet(),
    },
    arms=ARMS,
    metrics={
        "target accuracy": Metric("%", about="on the target's test images"),
        "validation accuracy": Metric("%", about="on the target images set aside for tuning"),
    },
    scales={
        "smoke": Steps(steps=3, batch=8, replicates=1, arms=("source only", "AdaMatch"), problems=("mnist->digits",)),
        "demo": Steps(arms=("source only", "AdaMatch"), problems=("mnist->digits",)),
        "small": Steps(problems=(*PAIRS, *FEW)),
        "full": Steps(
            steps=2**17,
            batch=64,
            ratio=3,
            net="wrn34-2",
            ema=0.999,
            workers=8,
            arms=("source only", "AdaMatch"),
            problems=("domainnet real->clipart",),
            slow=True,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(metric="validation accuracy", problem="mnist->digits", configurations=6, pilots=2),
    own=own,
    benefit="target accuracy",
)
