"""Do deep and narrow nets learn tasks better than shallow ones that store as much?   arXiv 2109.10686

    holdfast run scale_efficiently --scale demo     about five minutes of one core
    holdfast run scale_efficiently --scale small    last measured: ledger/scale_efficiently/small.json

Nets of about 23,000 weights learn statements of 1,028 invented facts (5,079 bits): upstream is what they do not know of
a fact, in nats. Then they are trained on half of the questions of two steps and asked the rest: downstream. The world
was meant to be so large that a net of half the size stores less, without which shape cannot be judged: on pilots, by
.036 nats, where the claims require .05. The learning rate is chosen for every shape on pilots, three each, by the
upstream loss; a third of it serves downstream.

Cost: a replicate of all arms takes 60 CPU seconds on an idle machine, twice that on a busy one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from holdfast.data.batches import Batches
from holdfast.experiment import (
    All,
    Arm,
    Better,
    Cost,
    Differs,
    Experiment,
    Measurement,
    Metric,
    NotTestable,
    NoWorse,
    Run,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.randomness import seeded
from holdfast.systems.scale_efficiently.net import WordModel
from holdfast.systems.scale_efficiently.problems import FactQuestions, Lines
from holdfast.training import fit

RATES, PART = (6e-3, 3e-3, 1.2e-2), 4096


@dataclass(frozen=True)
class Steps(Scale):
    """How much work.

    Attributes:
        people: in the world.
        upstream, downstream: steps of Adam; batch: lines a step.
    """

    people: int = 200
    upstream: int = 900
    downstream: int = 300
    batch: int = 128


@dataclass(frozen=True)
class Shape:
    """A net.

    Attributes:
        depth, width: of the transformer.
        lr: of Adam upstream.
        pretrained: False is asked without having read a statement.
    """

    depth: int
    width: int
    lr: float = RATES[0]
    pretrained: bool = True


def warmed(done: float) -> float:
    """Factor of the learning rate: a twentieth of the steps up, then down to 0."""
    return min(1.0, 0.05 + 20 * done) * (1 - done)


def taught(model: WordModel, lines: Lines, steps: int, run: Run, name: str) -> None:
    """Training on lines."""
    arrays = {"line": torch.from_numpy(lines.line), "place": torch.from_numpy(lines.place)}
    batches = Batches(arrays, min(run.scale.batch, len(lines.line)), run.seed(name))
    fit(model, batches, steps=steps, seed=run.seed(name), schedule=warmed)


@torch.inference_mode()
def asked(model: WordModel, lines: Lines) -> tuple[float, float]:
    """Mean nats, and the share of words that are told right, in %."""
    nats, right = [], []
    for start in range(0, len(lines.line), PART):
        line, place = (torch.from_numpy(x[start : start + PART]) for x in (lines.line, lines.place))
        logits, truth = model.logits(line, place), line.gather(1, place[:, None])[:, 0]
        nats.append(torch.nn.functional.cross_entropy(logits, truth, reduction="none").double().numpy())
        right.append((logits.argmax(1) == truth).numpy())
    return float(np.concatenate(nats).mean()), 100 * float(np.concatenate(right).mean())


def trial(run: Run[Shape, FactQuestions, Steps]) -> Iterator[Measurement]:
    """What the shape stores, and how well it answers."""
    shape, scale = run.arm, run.scale
    facts = run.problem.draw(run.rng("split, world"), scale.people)
    with seeded(run.seed("init")):
        model = WordModel(facts.words, shape.depth, shape.width, lr=shape.lr)
    size = sum(value.numel() for value in model.parameters())
    yield Scalar("weights", size)
    if shape.pretrained:
        taught(model, facts.statements, scale.upstream, run, "upstream")
    nats = asked(model, facts.statements)[0]
    yield Scalar("nats a fact", nats)
    yield Scalar("bits stored", facts.bits - facts.count * nats / math.log(2))
    model.lr = shape.lr / 3
    taught(model, facts.train, scale.downstream, run, "downstream")
    yield Scalar("two-step accuracy", asked(model, facts.test)[1])
    yield Scalar("accuracy in training", asked(model, facts.train)[1])
    lines = scale.batch * (scale.upstream * shape.pretrained + scale.downstream)
    yield Cost("FLOPs", 6.0 * size * lines * facts.statements.line.shape[1])


# ------------------------------------------------------------------------------------------------------ declarations
SHALLOW, DEEP, HALF, ASPECT, ANY = "shallow", "deep", "half-size", "aspect ratio", "between"
UNREAD, OTHER = "deep, without pre-training", "shallow, other seeds"
WORLD = "facts"


def _shape(depth: int, width: int, about: str) -> Arm:
    return Arm(Shape(depth, width), space={"lr": RATES}, about=about)


ARMS = {
    SHALLOW: _shape(2, 24, "2 blocks of width 24"),
    DEEP: _shape(7, 14, "7 blocks of width 14: as many weights"),
    HALF: _shape(2, 16, "2 blocks of width 16: half as many weights"),
    ASPECT: _shape(1, 30, "the rule that width over depth is near 100: 1 block of width 30"),
    ANY: _shape(4, 18, "the rule that shape is nothing: 4 blocks of width 18 are as good as any"),
    UNREAD: Arm(Shape(7, 14, pretrained=False), tuned_as=DEEP, about="broken: has read no statement"),
    OTHER: Arm(Shape(2, 24), tuned_as=SHALLOW, reseed=1, about="control: the same worlds, other seeds"),
}
UP: dict[str, Any] = {"metric": "nats a fact", "on": WORLD}
DOWN: dict[str, Any] = {"metric": "two-step accuracy", "on": WORLD}
CAPACITY = Better(SHALLOW, than=HALF, margin=0.05, **UP)


def _headline(deep: str, **options: Any) -> All:
    return All(
        Better(deep, than=SHALLOW, margin=5, **DOWN), NoWorse(SHALLOW, than=deep, margin=0.05, **UP),
        requires=(CAPACITY,), **options,
    )  # fmt: skip


CLAIMS = (
    _headline(
        DEEP, role="headline", scope="nets of 23,000 weights in worlds of invented facts",
        text="deep is better than shallow downstream by at least 5 points, shallow no worse upstream by .05 nats",
        published="none as such; the paper says: shape matters downstream and hardly upstream",
        source="abstract",
    ),
    NotTestable(
        "redesigned models have 50 % fewer parameters, train 40 % faster and match T5-base on SuperGLUE and GLUE",
        reason="pre-training of hundreds of millions of weights on C4",
    ),
    All(
        NoWorse(DEEP, than=SHALLOW, margin=0.05, **UP), NoWorse(SHALLOW, than=DEEP, margin=0.05, **UP),
        requires=(CAPACITY,), text="deep and shallow are within .05 nats of each other upstream: shape is nothing",
    ),
    Better(DEEP, than=ASPECT, margin=5, requires=(CAPACITY,), **DOWN),
    Better(DEEP, than=ANY, requires=(CAPACITY,), **DOWN),
    Better(SHALLOW, than=HALF, requires=(CAPACITY,), **DOWN),
    _headline(UNREAD, role="control", expect="not found", text="the same for a deep net that was not pre-trained"),
    Differs(SHALLOW, OTHER, role="control", expect="not found", **UP),
    Better(SHALLOW, than=UNREAD, margin=1, role="control", expect="found", **UP),
)  # fmt: skip

experiment = Experiment(
    question="Do deep and narrow nets learn tasks better than shallow ones that store as much?",
    problems={WORLD: FactQuestions()},
    arms=ARMS,
    metrics={
        "nats a fact": Metric("nats", higher_is_better=False, about="what is not known of a fact: the upstream loss"),
        "bits stored": Metric("bits", about="of what it takes to know all facts"),
        "two-step accuracy": Metric("%", about="questions that nothing was trained on: downstream"),
        "accuracy in training": Metric("%", about="questions that were trained on"),
        "weights": Metric(higher_is_better=False, about="of the net, embedding included"),
    },
    scales={
        "smoke": Steps(people=12, upstream=4, downstream=3, batch=16, replicates=1, arms=(SHALLOW, DEEP, UNREAD)),
        "demo": Steps(arms=(SHALLOW, DEEP, HALF, UNREAD)),
        "small": Steps(),
        "full": Steps(status="not yet run: C4 and SuperGLUE; see the page"),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning("nats a fact", problem=WORLD, configurations=3, pilots=2),
    benefit="two-step accuracy",
)  # fmt: skip

__all__ = ["experiment", "trial"]
