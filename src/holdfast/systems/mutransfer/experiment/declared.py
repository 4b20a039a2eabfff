"""Does the best learning rate of a narrow network stay the best of a wide one?   arXiv 2203.03466

    holdfast run mutransfer --scale demo     about 3 minutes on 2 cores
    holdfast run mutransfer --scale small    last measured: ledger/mutransfer/small.json

Width and learning rate are swept; every arm trains the same architecture on the same batches with Adam, from the same
draw of weights. All arms coincide at the base width. No arm has a search space: the sweep over the rate is the tuning,
and all arms get the same one (u-muP's rates are counted from one 2^5 higher, because its weights are
that much larger).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.data.batches import Batches
from holdfast.experiment import Arm, Curve, Experiment, Measurement, Metric, Scalar, Scale
from holdfast.experiment.claims import Differs, Parabola, Region, ShiftOfArgmin
from holdfast.experiment.claims.comparisons import Near
from holdfast.experiment.claims.scales import Log2
from holdfast.experiment.run import Run
from holdfast.layers.modes import evaluating
from holdfast.randomness import seeded
from holdfast.systems.mutransfer.experiment.claims import CheaperTransfer, WiderIsBetter
from holdfast.systems.mutransfer.experiment.on_own_model import on_own_model
from holdfast.systems.mutransfer.method.rules import SP, GlobalRate, MuP, NoReadoutMultiplier, Parametrization, UMuP
from holdfast.systems.mutransfer.problems import DigitsCoordinates, DigitsMLP, Task, TextTransformer, TokenFile
from holdfast.systems.mutransfer.tool.coordcheck import coord_check
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization
from holdfast.systems.mutransfer.tool.report import MuReport
from holdfast.training import Diverged, fit
from holdfast.training.batch_loss import Batch, default_loss, first_of, mean_loss, rows_of, to_device
from holdfast.training.learner import Learner

WIDTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
RATES = tuple(2.0**k for k in range(-15, -1))
BASE = 32


@dataclass(frozen=True)
class Recipe:
    """One arm: a parametrization, and how many octaves above the declared rates its own rates lie."""

    rule: Parametrization
    octaves: int = 0


@dataclass(frozen=True)
class Sweep(Scale):
    """Training budget.

    Attributes:
        steps, batch: of each training run.
        base: width at which all arms are the same.
        check_steps: of the coordinate check.
    """

    steps: int = 60
    batch: int = 32
    base: int = BASE
    check_steps: int = 4


class Trainee(Learner):
    """A parametrized model and Adam."""

    def __init__(self, model: nn.Module, report: MuReport, lr: float, pairs: bool = True) -> None:
        super().__init__()
        self.model = model
        self._report, self._lr, self._pairs = report, lr, pairs

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return default_loss(self.model, (batch["x"], batch["y"]) if self._pairs else batch), {}

    def optimizers(self) -> list[Optimizer]:
        return [self._report.optimizer(torch.optim.Adam, self.model, self._lr)]


def trial(run: Run[Recipe, Task, Sweep]) -> Iterator[Measurement]:
    """Train the problem's model at one width and rate; or the coordinate check over several widths."""
    arm, scale, problem = run.arm, run.scale, run.problem
    if isinstance(problem, DigitsCoordinates):
        yield from _coordinates(run, arm, scale, problem)
        return
    data = problem.data()
    mu = MuParametrization.from_builder(problem.build, scale.base, rule=arm.rule)
    with seeded(run.seed("init")):
        model = problem.build(int(run.point["width"]))
        report = mu.apply(model)
    model = model.to(run.device)
    at_first = _loss_on(data, model)
    pairs, rows = isinstance(data, tuple), min(problem.batch or scale.batch, len(first_of(data)))
    try:
        trained = fit(
            Trainee(model, report, run.point["rate"] * 2**arm.octaves, pairs),
            Batches(dict(zip("xy", data, strict=True)) if pairs else data, rows, run.seed("batches")),
            steps=scale.steps,
            seed=run.seed("augment"),
            device=run.device,
            log_every=max(1, scale.steps // 20),
            on_step=run.step,
        )
        loss = _loss_on(data, cast(Trainee, trained.learner).model)
        steps, values = trained.history["loss"]
        yield Curve("loss of the batch", steps, values)
    except Diverged:
        loss = math.inf
    # What diverged is no failure here but the end of the range of rates: it counts as ten times the untrained loss.
    yield Scalar("training loss", min(loss if math.isfinite(loss) else math.inf, 10 * at_first))


def _loss_on(data: Batch, model: nn.Module, targets: int = 8192) -> float:
    """Mean loss over the training data, or evenly spaced rows of it with about so many targets."""
    y = data[1] if isinstance(data, tuple) else data.get("labels", first_of(data))
    every = max(1, round(len(y) / max(1, targets // y[0].numel())))
    device = next(model.parameters()).device
    with evaluating(model):
        return mean_loss(model, to_device(rows_of(data, slice(None, None, every)), device), piece=256)


def _coordinates(run: Run, arm: Recipe, scale: Sweep, problem: DigitsCoordinates) -> Iterator[Measurement]:
    x, y = problem.data()
    rows = torch.from_numpy(run.rng("batches").permutation(len(x))[:64])
    widths = problem.check_widths
    with seeded(run.seed("init")):
        check = coord_check(
            problem.build,
            widths,
            (x[rows], y[rows]),
            mu=MuParametrization.from_builder(problem.build, widths[0], rule=arm.rule),
            lr=run.point["rate"] * 2**arm.octaves,
            steps=scale.check_steps,
            seeds=1,
            first_seed=run.seed("init"),
            device=run.device,
        )
    slopes = check.slopes[check.slopes["leaf"] & (check.slopes["step"] == 2)]
    yield Scalar("output slope", float(slopes["change"].iloc[-1]))
    yield Scalar("largest hidden slope", float(slopes["change"].iloc[:-1].abs().max()))


LOSS: dict[str, Any] = {"metric": "training loss", "of": "rate", "along": "width", "start": 32}
DIGITS: dict[str, Any] = {**LOSS, "on": "digits, MLP", "end": 512}
FAR: dict[str, Any] = {**LOSS, "on": "digits, wide MLP", "end": 1024}
TEXT: dict[str, Any] = {**LOSS, "on": "text, transformer", "end": 128}
SMOOTH: dict[str, Any] = {"optimum": Parabola(values=Log2())}
SLOPE: dict[str, Any] = {"on": "digits, coordinates", "at": {"width": 64, "rate": 2.0**-7}}
CLAIMS = (
    ShiftOfArgmin(
        "muP",
        target=Region.within(1.5),
        role="headline",
        scope="60 steps of Adam on 1,797 digits, widths 32 to 512",
        published="the best learning rate stays where it is from width 128 to 8,192",
        source="figure 1 and section 6",
        **DIGITS,
        **SMOOTH,
    ),
    ShiftOfArgmin("SP", target=Region.at_most(-3), **DIGITS, **SMOOTH),
    ShiftOfArgmin("muP", target=Region.within(1.5), **FAR, **SMOOTH),
    ShiftOfArgmin("u-muP", target=Region.within(1.5), **DIGITS, **SMOOTH),
    ShiftOfArgmin("muP - readout multiplier", target=Region.at_most(-1), **DIGITS, **SMOOTH),
    CheaperTransfer("muP", than="SP", margin=math.log2(1.5), **DIGITS),
    CheaperTransfer("muP", than="global 1/m", **DIGITS),
    WiderIsBetter("muP", margin=math.log2(1.05), published="wider is always better", source="section 8", **DIGITS),
    ShiftOfArgmin("muP", target=Region.within(0.75), **TEXT, **SMOOTH),
    ShiftOfArgmin("SP", target=Region.at_most(-1), **TEXT, **SMOOTH),
    CheaperTransfer("muP", than="SP", **TEXT),
    WiderIsBetter("muP", margin=math.log2(1.05), **TEXT),
    Near("muP", to=0.0, margin=0.25, metric="output slope", **SLOPE),
    Near("muP", to=0.0, margin=0.15, metric="largest hidden slope", **SLOPE),
    Near(
        "SP",
        to=1.5,
        margin=0.6,
        metric="output slope",
        role="control",
        expect="found",
        text="SP's outputs grow with the width after one step",
        **SLOPE,
    ),
    Differs(
        "muP",
        "muP, other seeds",
        metric="training loss",
        on="digits, one MLP",
        role="control",
        expect="not found",
    ),
)


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> Experiment:
    """The experiment on the model that the user's JSON file names."""
    return on_own_model(experiment, paths)


EVERYWHERE = ("digits, MLP", "digits, wide MLP", "text, transformer", "digits, coordinates")
experiment = Experiment(
    question="Does the best learning rate of a narrow network stay the best of a wide one?",
    problems={
        "digits, MLP": DigitsMLP((32, 128, 512), tuple(2.0**k for k in range(-13, -1))),
        "digits, wide MLP": DigitsMLP((32, 1024), tuple(2.0**k for k in range(-13, -1))),
        "digits, one MLP": DigitsMLP((32,), (2.0**-6,)),
        "text, transformer": TextTransformer((32, 64, 128), tuple(2.0**k for k in range(-12, -2)), batch=8),
        "digits, coordinates": DigitsCoordinates((64,), (2.0**-7,)),
        "wikitext, transformer": TokenFile(WIDTHS[2:], tuple(2.0**k for k in range(-15, -4))),
    },
    arms={
        "SP": Arm(
            Recipe(SP()),
            problems=(*EVERYWHERE, "wikitext, transformer"),
            about="PyTorch's parametrization, one rate for all tensors",
        ),
        "muP": Arm(
            Recipe(MuP()), problems=(*EVERYWHERE, "digits, one MLP", "wikitext, transformer"), about="the paper's rule"
        ),
        "global 1/m": Arm(
            Recipe(GlobalRate()), problems=("digits, MLP", "digits, coordinates"), about="SP, every rate over m"
        ),
        "muP - readout multiplier": Arm(
            Recipe(NoReadoutMultiplier()),
            problems=("digits, MLP", "digits, coordinates"),
            about="muP with one mistake: an ordinary readout",
        ),
        "u-muP": Arm(
            Recipe(UMuP(), octaves=5),
            problems=("digits, MLP", "digits, coordinates"),
            about="unit variance, all scaling in multipliers; rates counted from 2^5 higher",
        ),
        "muP, other seeds": Arm(
            Recipe(MuP()),
            reseed=1,
            problems=("digits, one MLP",),
            about="control: the same with other weights and batches",
        ),
    },
    metrics={
        "training loss": Metric(
            "nats", higher_is_better=False, about="mean over the training data after the last step"
        ),
        "output slope": Metric(
            "", higher_is_better=False, about="of log |change of the outputs| over log width after one step"
        ),
        "largest hidden slope": Metric("", higher_is_better=False, about="the same, of the worst hidden layer"),
    },
    scales={
        "smoke": Sweep(
            replicates=1,
            steps=2,
            check_steps=2,
            arms=("SP", "muP"),
            problems=("digits, MLP", "digits, coordinates"),
            points={"width": (32, 64), "rate": (2.0**-7,)},
        ),
        "demo": Sweep(
            arms=("SP", "muP"),
            problems=("digits, MLP",),
            points={"width": (32, 512), "rate": RATES},
        ),
        "small": Sweep(
            problems=("digits, MLP", "digits, wide MLP", "digits, one MLP", "text, transformer", "digits, coordinates")
        ),
        "full": Sweep(
            steps=5000,
            batch=64,
            base=128,
            arms=("SP", "muP"),
            problems=("wikitext, transformer",),
            slow=True,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    points={"width": WIDTHS, "rate": RATES},
    own=own,
    benefit="training loss",
)
