"""Ways to train on data with a shortcut, as arms of experiments: plain, reweighted, trained twice, told the groups.

All share a network, its start, the order of batches, AdamW, clipped gradients and rates that fall linearly to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.baselines.reweighted import KnownGroups, ReweightedERM, WorstCase, mean_loss, row_weights
from holdfast.baselines.robust import class_balanced_weights, jtt_weights
from holdfast.data.batches import Batches
from holdfast.data.shortcuts import CLASSES, GROUPS, Grouped, Shortcut
from holdfast.experiment import Run
from holdfast.layers.perceptron import classifier
from holdfast.randomness import seeded
from holdfast.training import Learner, Trained, fit
from holdfast.training.inference import forward_in_batches

CLIP = 10.0


@dataclass(frozen=True, eq=False)
class Task:
    """What an arm trains on: the run and its data."""

    run: Run[Any, Shortcut, Any]  # its scale says `steps` and `batch`
    data: Grouped

    def model(self) -> nn.Module:
        """A classifier with the start that all arms share."""
        with seeded(self.run.seed("init")):
            return classifier(self.run.problem.backbone(self.data), CLASSES)

    def fit(self, learner: Learner, steps: int, rows: Mapping[str, Tensor], falling: bool = True) -> Trained:
        """Train on rows; with `falling` the rates of all optimisers fall linearly to 0."""
        run = self.run
        return fit(
            learner,
            Batches(rows, run.scale.batch, run.seed("batches")),
            steps=steps,
            seed=run.seed("augment"),
            schedule=_falling if falling else None,
            clip=CLIP,
            device=run.device,
            on_step=run.step,
            log_every=max(1, steps // 40),
        )

    def rows(self, **more: Tensor) -> dict[str, Tensor]:
        """The training set, with columns of an arm's own."""
        return {"x": self.data.train.x, "y": self.data.train.y, **more}


def _falling(progress: float) -> float:
    return 1 - progress


class Method(Protocol):
    """What an arm does; gives the classifier, and what else is measured of it."""

    def train(self, task: Task) -> tuple[nn.Module, Trained]: ...


@dataclass(frozen=True)
class ERM:
    """Empirical risk minimisation."""

    lr: float = 1e-2
    weight_decay: float = 0.0

    def train(self, task: Task) -> tuple[nn.Module, Trained]:
        learner = ReweightedERM(task.model(), mean_loss, self.lr, self.weight_decay)
        return learner.net, task.fit(learner, task.run.scale.steps, task.rows())


@dataclass(frozen=True)
class ClassBalanced:
    """Every class counts the same."""

    lr: float = 1e-2
    weight_decay: float = 0.0

    def train(self, task: Task) -> tuple[nn.Module, Trained]:
        learner = ReweightedERM(task.model(), row_weights, self.lr, self.weight_decay)
        y = task.data.train.y
        weight = len(y) * class_balanced_weights(y, CLASSES)
        return learner.net, task.fit(learner, task.run.scale.steps, task.rows(weight=weight))


@dataclass(frozen=True)
class Worst:
    """The worst weights of every batch, by a rule that has no parameters to learn."""

    rule: Callable[[Tensor, float], Tensor]
    amount: float
    lr: float = 1e-2

    def train(self, task: Task) -> tuple[nn.Module, Trained]:
        learner = ReweightedERM(task.model(), WorstCase(self.rule, self.amount), self.lr)
        return learner.net, task.fit(learner, task.run.scale.steps, task.rows())


@dataclass(frozen=True)
class JTT:
    """Just train twice: what a short first training gets wrong counts `factor` times in the second."""

    factor: float = 50.0
    first: float = 0.2
    lr: float = 1e-3

    def train(self, task: Task) -> tuple[nn.Module, Trained]:
        train, steps = task.data.train, task.run.scale.steps
        scout = ReweightedERM(task.model(), mean_loss, self.lr)
        task.fit(scout, max(1, round(self.first * steps)), task.rows())
        wrong = forward_in_batches(scout.net, train.x).argmax(1) != train.y
        weight = len(wrong) * jtt_weights(wrong, self.factor)
        learner = ReweightedERM(task.model(), row_weights, self.lr)
        return learner.net, task.fit(learner, steps, task.rows(weight=weight))


@dataclass(frozen=True)
class GroupDRO:
    """Told the groups: drawn equally often, weights by their losses."""

    eta: float = 0.1
    lr: float = 1e-3

    def train(self, task: Task) -> tuple[nn.Module, Trained]:
        rng, g = task.run.rng("groups"), task.data.train.g.numpy()
        members = [np.flatnonzero(g == group) for group in np.unique(g)]
        most = max(map(len, members))
        drawn = [np.resize(rng.permutation(rows), most) for rows in members]  # each as often as the largest
        rows = torch.from_numpy(np.concatenate(drawn))
        columns = {name: column[rows] for name, column in task.rows(group=task.data.train.g).items()}
        learner = ReweightedERM(task.model(), KnownGroups(GROUPS, self.eta), self.lr)
        return learner.net, task.fit(learner, task.run.scale.steps, columns)


__all__ = ["ERM", "JTT", "ClassBalanced", "GroupDRO", "Method", "Task", "Worst"]
