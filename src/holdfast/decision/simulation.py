"""How often the rule of decision errs, by simulation.

`python -m holdfast.decision.simulation docs/verdicts.md` prints it there.

Every scenario draws many experiments whose true effect is known, takes them through the looks with the very functions
that `decide` uses (`t_interval`, `Region`, `Looks`), and counts wrong verdicts.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from holdfast.decision.intervals import t_interval, t_quantile
from holdfast.decision.looks import Looks
from holdfast.errors import InputError
from holdfast.experiment.claims.regions import Region
from holdfast.files import write_text

EXPERIMENTS, SERIES = 50_000, 4_000
TWO_LOOKS = Looks((8, 16))
SEED = 7
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"
Draw = Callable[[np.random.Generator, int, int], np.ndarray]  # (rng, experiments, replicates) -> effects of mean 0


class Outcome(NamedTuple):
    """Per experiment `(experiments,)`: +1 holds, -1 does not hold, 0 undecided; the final interval; replicates used."""

    verdict: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    n: np.ndarray


def procedure(values: np.ndarray, region: Region, looks: Looks, overlap: float = 0.0) -> Outcome:
    """The rule for one sampled claim, for many experiments at once.

    Args:
        values: `(experiments, replicates)`, as many replicates as the last look needs, or more.
        region: what the claim asks for.
        looks: when it is judged.
        overlap: as in `t_interval`.

    Example:
        >>> import numpy as np
        >>> values = np.stack([np.linspace(4, 6, 16), np.linspace(-9, 9, 16)])
        >>> outcome = procedure(values, Region.at_least(0), Looks((8, 16)))
        >>> outcome.verdict.tolist(), outcome.n.tolist()
        ([1, -1], [8, 8])
    """
    verdict = np.zeros(len(values), int)
    lo, hi = np.empty((2, len(values)))
    n = np.zeros(len(values), int)
    for size in looks.sizes:
        open_ = np.flatnonzero(verdict == 0)
        interval = t_interval(values[open_, :size], looks.confidence, overlap)
        lo[open_], hi[open_], n[open_] = interval.lo, interval.hi, size
        inside, outside = region.contains(interval.lo, interval.hi), region.excludes(interval.lo, interval.hi)
        verdict[open_] = inside.astype(int) - outside.astype(int)
    return Outcome(verdict, lo, hi, n)


# ------------------------------------------------------------------------------------------------------ scenarios
def normal(rng: np.random.Generator, experiments: int, replicates: int) -> np.ndarray:
    """Standard normal effects."""
    return rng.standard_normal((experiments, replicates))


def exponential(rng: np.random.Generator, experiments: int, replicates: int) -> np.ndarray:
    """Exponential effects, skewness 2, shifted to mean 0; sd 1."""
    return rng.standard_exponential((experiments, replicates)) - 1


def lognormal(rng: np.random.Generator, experiments: int, replicates: int) -> np.ndarray:
    """Log-normal effects with sigma = 1, skewness 6.2, brought to mean 0 and sd 1."""
    drawn = np.exp(rng.standard_normal((experiments, replicates)))
    return (drawn - math.exp(0.5)) / math.sqrt((math.e - 1) * math.e)


@dataclass(frozen=True)
class Collapsing:
    """Normal effects, of which a share falls `depth` standard deviations lower; shifted to mean 0."""

    share: float = 0.15
    depth: float = 10.0

    def __call__(self, rng: np.random.Generator, experiments: int, replicates: int) -> np.ndarray:
        fallen = rng.random((experiments, replicates)) < self.share
        return normal(rng, experiments, replicates) - self.depth * (fallen - self.share)


@dataclass(frozen=True)
class Resplit:
    """Replicates that split one pool again and again, n_test cases for testing and n_train for the rest.

    Two test sets drawn from one pool share a part n_test / (n_test + n_train) of their cases, so that means over them
    are correlated by as much: the assumption behind the correction of Nadeau and Bengio. Mean 0, sd 1.
    """

    n_test: int = 1
    n_train: int = 1

    def __call__(self, rng: np.random.Generator, experiments: int, replicates: int) -> np.ndarray:
        shared = self.n_test / (self.n_test + self.n_train)
        pool = normal(rng, experiments, 1)
        return math.sqrt(shared) * pool + math.sqrt(1 - shared) * normal(rng, experiments, replicates)


@dataclass(frozen=True)
class Scenario:
    """One row of the table of error rates."""

    name: str
    draw: Draw
    looks: Looks = TWO_LOOKS
    overlap: float = 0.0


SCENARIOS = (
    Scenario("normal, looks at 8 and 16", normal),
    Scenario("normal, one look at 16 (arms that may collapse)", normal, Looks((16,))),
    Scenario("normal, one look at 6 (slow scales)", normal, Looks((6,))),
    Scenario("skewed (exponential), looks at 8 and 16", exponential),
    Scenario("very skewed (log-normal), looks at 8 and 16", lognormal),
    Scenario("15 % of replicates collapse, looks at 8 and 16 (what the rule forbids)", Collapsing()),
    Scenario("15 % of replicates collapse, one look at 16 (what the rule does)", Collapsing(), Looks((16,))),
    Scenario("halves of one pool, corrected", Resplit(1, 1), overlap=1.0),
    Scenario("halves of one pool, not corrected (what the rule forbids)", Resplit(1, 1)),
    Scenario("a tenth of one pool for testing, corrected", Resplit(1, 9), overlap=1 / 9),
)


@dataclass(frozen=True)
class Rates:
    """Shares of experiments. At the margin: true effect exactly on the edge of a one-sided region."""

    holds: float
    does_not_hold: float
    coverage: float
    mean_n: float


def rates(scenario: Scenario, effect: float = 0.0, experiments: int = EXPERIMENTS, seed: int = SEED) -> Rates:
    """How often each verdict comes out when the true effect lies `effect` above the edge of "at least 0".

    At effect 0 both verdicts are wrong: the open region does not contain its edge, and an effect arbitrarily little
    above it would make "does not hold" wrong just as often. `coverage` is that of the interval finally printed.
    """
    values = scenario.draw(np.random.default_rng(seed), experiments, scenario.looks.sizes[-1]) + effect
    outcome = procedure(values, Region.at_least(0.0), scenario.looks, scenario.overlap)
    covered = (outcome.lo <= effect) & (effect <= outcome.hi)
    return Rates(
        holds=float(np.mean(outcome.verdict == 1)),
        does_not_hold=float(np.mean(outcome.verdict == -1)),
        coverage=float(np.mean(covered)),
        mean_n=float(outcome.n.mean()),
    )


def series_coverage(
    horizon: int, block: int, cases: int, experiments: int = SERIES, confidence: float = 0.95, seed: int = SEED
) -> float:
    """Coverage of the interval for deterministic arms on a series, over errors that overlap by horizon - 1 steps.

    Errors of forecasts h steps ahead are moving averages of h shocks. The standard error of the moving-block bootstrap
    of a mean needs no draws: it is the spread of the means of all blocks, over the root of the number drawn.
    """
    rng = np.random.default_rng(seed)
    shocks = np.cumsum(np.pad(rng.standard_normal((experiments, cases + horizon - 1)), ((0, 0), (1, 0))), axis=1)
    errors = (shocks[:, horizon:] - shocks[:, :-horizon]) / math.sqrt(horizon)  # (experiments, cases)
    sums = np.cumsum(np.pad(errors, ((0, 0), (1, 0))), axis=1)
    blocks = (sums[:, block:] - sums[:, :-block]) / block
    se = blocks.std(axis=1) * math.sqrt(block / cases / (1 - block / cases))
    half = t_quantile(confidence, cases // block - 1) * se
    return float(np.mean(np.abs(errors.mean(axis=1)) <= half))


# ---------------------------------------------------------------------------------------------------------- tables
def error_table(experiments: int = EXPERIMENTS) -> str:
    """Markdown: errors and coverage per scenario, the true effect lying exactly at the margin."""
    rows = []
    for scenario in SCENARIOS:
        r = rates(scenario, experiments=experiments)
        rows.append([scenario.name, _percent(r.holds), _percent(r.does_not_hold), _percent(r.coverage)])
    return _markdown(["replicates", 'false "holds"', 'false "does not hold"', "coverage of the interval"], rows)


def power_table(experiments: int = EXPERIMENTS, steps: Sequence[float] = (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3)) -> str:
    """Markdown: how often "holds" comes out, for normal effects this many standard deviations above the margin."""
    rows = []
    for step in steps:
        two, six = rates(SCENARIOS[0], step, experiments), rates(SCENARIOS[2], step, experiments)
        split = rates(Scenario("", Resplit(1, 1), overlap=1.0), step, experiments)
        rows.append([f"{step:g}", _percent(two.holds), f"{two.mean_n:.1f}", _percent(six.holds), _percent(split.holds)])
    heads = ["effect beyond the margin, in sd", "looks at 8 and 16", "replicates used", "one look at 6"]
    return _markdown([*heads, "halves of one pool, 8 and 16"], rows)


def series_table() -> str:
    """Markdown: coverage of the interval over cases of a series, by block length."""
    settings = [(12, 1, 240), (12, 12, 240), (12, 24, 240), (12, 12, 1200), (12, 24, 1200), (12, 48, 1200)]
    rows = [[str(c), str(h), str(b), _percent(series_coverage(h, b, c))] for h, b, c in settings]
    return _markdown(["cases", "horizon", "block", "coverage of a 95 % interval"], rows)


def section(experiments: int = EXPERIMENTS) -> str:
    """The generated part of docs/verdicts.md."""
    error = math.sqrt(0.05 * 0.95 / experiments)
    return "\n\n".join(
        [
            f"### Errors when the true effect lies exactly at the margin\n\n{experiments:,} simulated experiments per"
            f" row, so that 5 % is known to ±{_percent(2 * error)}.",
            error_table(experiments),
            '### Power: how often "holds" comes out when it is true\n\nNormal replicates; sd is that of the effect over'
            " replicates.",
            power_table(experiments),
            f"### Deterministic arms on a series\n\nErrors of forecasts 12 steps ahead; {SERIES:,} series per row.",
            series_table(),
        ]
    )


def rewrite(path: Path, experiments: int = EXPERIMENTS) -> bool:
    """Replace the text between the markers of a Markdown file by fresh tables; whether anything changed.

    Raises:
        InputError: the file lacks the markers.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(str(path), f"must contain {BEGIN} and {END}", "neither or one of them")
    new = f"{before}{BEGIN}\n{section(experiments)}\n{END}{after}"
    if new == text:
        return False
    write_text(path, new)
    return True


def _percent(share: float, decimals: int = 1) -> str:
    return f"{100 * share:.{decimals}f} %"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["docs/verdicts.md"]:
        print(f"{name}: {'rewritten' if rewrite(Path(name)) else 'up to date'}")
