"""The arms, and what a trial measures of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.baselines.moco import MoCo
from holdfast.data.batches import Batches, LoaderBatches
from holdfast.data.readers.image_rows import ImageRows
from holdfast.data.readers.images import ImageFiles
from holdfast.data.synthetic.leaves import LEVELS, Redraw, World
from holdfast.encoders.resnet import ResNetEncoder
from holdfast.experiment import Measurement, Run, Scalar, Scale
from holdfast.layers.perceptron import Perceptron
from holdfast.metrics.clusters import neighbour_accuracy, purity
from holdfast.metrics.detectors import auroc
from holdfast.randomness import seeded
from holdfast.systems.hcsc.experiment.levels import T, tree_levels
from holdfast.systems.hcsc.method.learner import HCSCLearner
from holdfast.systems.hcsc.method.prototypes import PrototypeTree
from holdfast.systems.hcsc.method.selection import HCSCLoss, instance_keep_prob, prototype_keep_prob, responsibilities
from holdfast.systems.hcsc.problems import VIEWS, Leaves, Photographs
from holdfast.training import fit
from holdfast.training.inference import forward_in_batches

NEIGHBOURS = 10
MOCO: dict[str, Any] = {"m": 0.99, "temperature": T, "momentum": 0.9, "weight_decay": 1e-4}


@dataclass(frozen=True)
class Steps(Scale):
    """How much work.

    Attributes:
        epochs: of training; warmup: those of them without a tree.
        batch: images a step; queue: keys that wait; queries: images whose pairs with the queue are judged.
        lr: of all arms; workers: processes that decode photographs.
    """

    epochs: int = 15
    warmup: int = 4
    batch: int = 128
    queue: int = 1024
    queries: int = 512
    lr: float = 0.06
    workers: int = 0


# ---------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class Judge:
    """Levels of clusters on MoCo's encoder, made by `levels`: the drop probability is the score."""

    levels: Any = tree_levels


@dataclass(frozen=True)
class Cosine:
    """The cosine of query and item is the score. The query is a view, as in the loss, or the image, as for clusters."""

    view: bool = False


@dataclass(frozen=True)
class Train:
    """An encoder trained with prototypes.

    Attributes:
        levels: features, clusters per level and a seed -> a tree.
        instances, prototypes: whether negatives of each kind are selected; oracle: instances by their true classes.
        depth: levels used, from the finest.
    """

    levels: Any = tree_levels
    instances: bool = True
    prototypes: bool = True
    oracle: bool = False
    depth: int = 3


@dataclass(frozen=True)
class PlainMoCo:
    """MoCo, without prototypes."""


# ----------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Any, Any, Steps]) -> Iterator[Measurement]:
    """How well an arm finds false negatives, or how good the encoder is that it trains."""
    if isinstance(run.problem, Photographs):
        yield from photographs(run)
        return
    world = run.problem.draw(run.rng("split"))
    if isinstance(run.arm, Train):
        learner = learner_of(run.arm, world, run)
        train(learner, world, run.scale, run.seed("batches"), run.seed("loss"), run.step)
        yield from accuracies(encoded(learner, world.train), encoded(learner, world.test), world.y, world.test_y)
        return
    made = run.stage("MoCo", moco_stage, problem=run.problem, scale_=run.scale, seed=run.seed("split"))
    if isinstance(run.arm, PlainMoCo):
        yield from accuracies(made["train"], made["test"], world.y, world.test_y)
    elif isinstance(run.arm, Cosine):
        q = made["views"] if run.arm.view else made["features"][made["queries"]]
        yield from areas([(q @ made["queue"].T).numpy()] * 3, made, world)
    else:
        tree = run.arm.levels(made["features"], run.problem.counts, run.seed("init") % 2**31)
        yield from judged(tree, made, world)


def train(learner: MoCo, world: World, scale: Steps, order: int, seed: int, show: Any = None) -> None:
    """Train on the world's images, in an order of its own seed."""
    data = Batches({"x": world.train}, scale.batch, order, index="index")
    fit(learner, data, steps=scale.epochs * len(data), seed=seed, on_step=show)


def encoder_of(world: World) -> nn.Module:
    """The fixed rendering and two layers that learn, 64 features."""
    net = nn.Sequential(world.render, Perceptron(world.render.w2.shape[1], 128), nn.Linear(128, 64), nn.ReLU())
    net.dim = 64  # type: ignore[assignment]
    return net


def encoded(learner: MoCo, x: Tensor) -> Tensor:
    """The encoder's features, length 1."""
    return F.normalize(forward_in_batches(learner.encoder, x), dim=1)


def moco_stage(problem: Leaves, scale_: Steps, seed: int) -> dict[str, Tensor]:
    """MoCo's encoder, and what is judged on it: a stage, shared by arms.

    "train", "test": features of the encoder; "features" (N, D): of the key encoder with its head; "queue" (Q, D) and
    "index" (Q,): as training left them; "queries" (B,): rows; "views" (B, D): their queries.
    """
    world, seed_ = problem.draw(np.random.default_rng(seed)), seed % 2**31
    with seeded(seed_):
        learner = MoCo(encoder_of(world), Redraw(), queue=scale_.queue, lr=scale_.lr, **MOCO)
    train(learner, world, scale_, seed_, seed_)
    generator = torch.Generator().manual_seed(seed_)
    queries = torch.randperm(len(world.train), generator=generator)[: scale_.queries]
    with torch.no_grad():
        views = learner.projector(learner.encoder(Redraw()(world.train[queries], generator)))
    return {
        "train": encoded(learner, world.train), "test": encoded(learner, world.test),
        "features": F.normalize(forward_in_batches(learner.followers, world.train), dim=1),
        "queue": learner.queue.keys.clone(), "index": learner.queue.index.clone(),
        "queries": queries, "views": F.normalize(views, dim=1),
    }  # fmt: skip


# --------------------------------------------------------------------------------------------- finding false negatives
def pairs_of(made: Mapping[str, Tensor], world: World) -> tuple[list[np.ndarray], np.ndarray]:
    """Per level (B, Q) whether query and item have the same class; and which pairs are of different images."""
    queries, index = made["queries"], made["index"]
    same = [(world.y[queries, level][:, None] == world.y[index, level]).numpy() for level in range(3)]
    return same, ((queries[:, None] != index) & (index >= 0)).numpy()


def areas(scores: Sequence[np.ndarray], made: Mapping[str, Tensor], world: World) -> Iterator[Measurement]:
    """Areas under the ROC curve of scores (B, Q) per level."""
    same, counted = pairs_of(made, world)
    found = [auroc(score[counted], s[counted]) for score, s in zip(scores, same, strict=True)]
    yield Scalar("AUC", float(np.mean(found)))
    for name, value in zip(LEVELS, found, strict=True):
        yield Scalar(f"AUC, {name}", value)


def judged(tree: PrototypeTree, made: Mapping[str, Tensor], world: World) -> Iterator[Measurement]:
    """Areas of the drop probabilities, how much more often own classes are dropped, and the purity of the clusters."""
    drops = [
        responsibilities(made["queue"], tree, level).T[assign[made["queries"]]].numpy()
        for level, assign in enumerate(tree.assign)
    ]
    yield from areas(drops, made, world)
    same, counted = pairs_of(made, world)
    for level, name in enumerate(LEVELS):
        own, others = (drops[level][counted & pairs].mean() for pairs in (same[level], ~same[level]))
        yield Scalar(f"log2 ratio, {name}", float(np.log2(own / others)))
        yield Scalar(f"purity, {name}", purity(tree.assign[level], world.y[:, level]))


# ------------------------------------------------------------------------------------------------------------- training
class Levels(HCSCLearner):
    """HCSC with other levels of clusters, or with instances selected by true classes (N, L)."""

    def __init__(self, levels: Any, truth: Tensor | None, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.levels, self.truth = levels, truth

    def make_tree(self, features: Tensor) -> PrototypeTree:
        return self.levels(features, self.n_clusters, self.seed)

    def keep(self, tree: PrototypeTree, index: Tensor) -> list[Tensor] | None:
        if self.truth is None:
            return super().keep(tree, index)
        mine, theirs, known = self.truth[index], self.truth[self.queue.index], self.queue.index >= 0
        return [1 - ((mine[:, level, None] == theirs[:, level]) & known).float() for level in range(len(tree))]


def learner_of(arm: Train, world: World, run: Run[Any, Leaves, Steps]) -> Levels:
    """The learner of an arm, with the weights that MoCo starts from."""
    keep = instance_keep_prob if arm.instances else None, prototype_keep_prob if arm.prototypes else None
    criterion = HCSCLoss(T, instance_keep=keep[0], prototype_keep=keep[1])
    with seeded(run.seed("split") % 2**31):
        return Levels(
            arm.levels, world.y if arm.oracle else None, encoder_of(world), Redraw(),
            n_clusters=run.problem.counts[: arm.depth], warmup=run.scale.warmup, criterion=criterion,
            queue=run.scale.queue, seed=run.seed("init") % 2**31, lr=run.scale.lr, **MOCO,
        )  # fmt: skip


def accuracies(train: Tensor, test: Tensor, y: Tensor, test_y: Tensor) -> Iterator[Measurement]:
    """Nearest-neighbour accuracy by cosine, per level (columns of y) and averaged."""
    found = [100 * neighbour_accuracy(train, test, y[:, i], test_y[:, i], NEIGHBOURS) for i in range(y.shape[1])]
    for name, value in zip(LEVELS, found, strict=False):
        yield Scalar(f"accuracy, {name}", value)
    yield Scalar("accuracy", float(np.mean(found)))


def photographs(run: Run[Any, Photographs, Steps]) -> Iterator[Measurement]:
    """Train on all images; the class of every 100th image by its nearest neighbours among those of the 1 % list."""
    paths, known = run.problem.images()
    images, scale = ImageRows(paths, run.problem.side), run.scale
    data = LoaderBatches(images, scale.batch, run.seed("batches"), index="index", workers=scale.workers)
    with seeded(run.seed("init") % 2**31):
        encoder = ResNetEncoder(run.problem.depths)
        learner = HCSCLearner(
            encoder, VIEWS, (encoder.dim, 128), n_clusters=run.problem.n_clusters, queue=run.scale.queue, m=0.999,
            temperature=T, lr=run.scale.lr, warmup=run.scale.warmup if isinstance(run.arm, Train) else run.scale.epochs,
        )  # fmt: skip
    fit(learner, data, steps=run.scale.epochs * len(data), device=run.device, on_step=run.step)
    test = [path for path in paths[::100] if path not in set(known)]
    names = sorted({path.parent.name for path in paths})
    y = [torch.tensor([[names.index(path.parent.name)] for path in part]) for part in (known, test)]
    x = [encoded(learner, ImageFiles(part, size=run.problem.side, mode="RGB").read()) for part in (known, test)]
    yield from accuracies(*x, *y)
