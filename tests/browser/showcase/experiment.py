"""Which estimate of a centre is best where outliers are common? A second per scale.

Its run has verdicts of every kind, curves, a swept parameter, costs, tuned arms, failed trials and every kind of
artifact; some of the texts hold markup, as data of users may.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from PIL import Image, ImageDraw

from holdfast.experiment import (
    Arm,
    Artifact,
    Cost,
    Curve,
    Experiment,
    Measurement,
    Metric,
    Problem,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.experiment.claims import Better, Differs, NoWorse, Ordered
from holdfast.experiment.run import Run

HEAVY, NORMAL = "heavy tails", "normal errors, without a single outlier in them"


@dataclass(frozen=True)
class Samples(Problem):
    """Samples from Student's t, centred at 0."""

    degrees: float
    source: ClassVar[Literal["generated"]] = "generated"

    def draw(self, rng: np.random.Generator, count: int, size: int) -> np.ndarray:
        return rng.standard_t(self.degrees, (count, size))

    def describe(self) -> str:
        return f"samples from Student's t with {self.degrees:g} degrees of freedom"


@dataclass(frozen=True)
class Trimmed:
    """Mean of what is left when a share is cut off on either side: 0 is the mean, almost 1/2 the median."""

    cut: float
    fails_at: tuple[int, ...] = ()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        k = min(int(self.cut * x.shape[1]), (x.shape[1] - 1) // 2)
        return np.sort(x, 1)[:, k : x.shape[1] - k].mean(1)


@dataclass(frozen=True)
class Counted(Scale):
    count: int = 200


def trial(run: Run) -> Iterator[Measurement]:
    if run.replicate in run.arm.fails_at:
        raise ValueError(f"no estimate of <b>{run.problem}</b>: the sample is empty & so is this & that")
    x = run.problem.draw(run.rng("split"), run.scale.count, 4 * run.point["size"])
    x = x + 0.02 * run.rng("init").normal()
    sizes = np.unique(np.linspace(3, x.shape[1], 12, dtype=int))
    errors = [float(np.abs(run.arm(x[:, :n])).mean()) for n in sizes]
    yield Curve("error along the sample", sizes.tolist(), errors, "measurements")
    yield Scalar("error", errors[-1])
    yield Scalar("validation error", float(np.abs(run.arm(x[: len(x) // 2])).mean()))
    yield Cost("comparisons", float(x.size * np.log2(x.shape[1]) * (1 + run.arm.cut)))
    if run.replicate % 50 == 0 and run.point["size"] == 4 and isinstance(run.problem, Samples):
        yield from _artifacts(run, x)


def _artifacts(run: Run, x: np.ndarray) -> Iterator[Measurement]:
    counts = np.histogram(run.arm(x), 40)[0]
    frames = []
    for share in (0.25, 0.5, 1.0):
        frame = Image.new("L", (320, 160), 255)
        for i, n in enumerate(counts):
            height = int(150 * share * n / counts.max())
            ImageDraw.Draw(frame).rectangle((8 * i, 160 - height, 8 * i + 6, 160), fill=80)
        frames.append(frame)
    frames[-1].save(run.dir / "estimates.png")
    frames[0].save(run.dir / "estimates.gif", save_all=True, append_images=frames[1:], duration=300)
    (run.dir / "formula.txt").write_text("c(x) = 1/(n - 2k) · sum of x_(k+1) .. x_(n-k),   k = <share> n & no more\n")
    lines = [f"if x < {t:.3f}: n_{i} = n_{i} + 1" for i, t in enumerate(np.linspace(-4, 4, 700))]
    (run.dir / "program.txt").write_text("\n".join(lines))
    (run.dir / "outline.dxf").write_text("0\nSECTION\n0\nENDSEC\n0\nEOF\n")
    yield Artifact("estimates", "estimates.png", "image", "where the estimates lie")
    yield Artifact("estimates, growing", "estimates.gif", "image", "the same, in three steps")
    yield Artifact("formula", "formula.txt", "text", "what was computed <i>here</i>")
    yield Artifact("program", "program.txt", "text", "longer than what is quoted")
    yield Artifact("outline", "outline.dxf", "file", "a drawing")


experiment = Experiment(
    question="Which estimate of a centre is best where outliers are common & errors are <large>?",
    problems={HEAVY: Samples(2.0), NORMAL: Samples(60.0)},
    arms={
        "mean": Arm(Trimmed(0.0), about="the mean: <em>all</em> of the sample"),
        "mean, other seeds": Arm(Trimmed(0.0), reseed=1, about="the mean against itself"),
        "median": Arm(Trimmed(0.5)),
        "trimmed mean": Arm(Trimmed(0.2), space={"cut": (0.1, 0.2, 0.3, 0.4)}, about="20 % cut off, or as tuned"),
        "fragile": Arm(Trimmed(0.45, fails_at=(1002, 1005, 1009)), about="fails now and then"),
    },
    metrics={
        "error": Metric(higher_is_better=False, about="mean distance from the centre"),
        "validation error": Metric(higher_is_better=False),
    },
    scales={
        "smoke": Counted(count=10, replicates=1, points={"size": (4,)}),
        "demo": Counted(count=60, arms=("mean", "median", "fragile"), problems=(HEAVY,)),
        "small": Counted(),
    },
    points={"size": (2, 4, 8, 16)},
    claims=[
        Better("median", than="mean", metric="error", on=HEAVY, role="headline", published="twice as close"),
        Better("median", than="mean", metric="error", on=NORMAL),
        NoWorse("median", than="trimmed mean", metric="error", on=HEAVY, margin=0.0005),
        Better("fragile", than="mean", metric="error", on=HEAVY),
        Better(
            "trimmed mean",
            than="mean",
            metric="error",
            on=HEAVY,
            requires=(Better("median", than="mean", metric="error", on=NORMAL),),
        ),
        Ordered("trimmed mean", "median", "mean", metric="error", on=HEAVY),
        Differs("mean", "mean, other seeds", metric="error", on=HEAVY, role="control", expect="not found"),
    ],
    tuning=Tuning("validation error", HEAVY, configurations=4),
    trial=trial,
)
