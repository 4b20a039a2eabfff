"""Learning rate against loss at several widths: does the best rate of the narrow model serve the wide one?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from holdfast.data.own_batches import rows_to_train_on
from holdfast.errors import InputError
from holdfast.experiment.claims.optima import Parabola
from holdfast.experiment.claims.scales import Log2
from holdfast.own_model import built
from holdfast.randomness import seeded
from holdfast.systems.mutransfer.method.rules import SP, MuP, Parametrization
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization
from holdfast.training.batch_loss import Batch, default_loss, first_of, mean_loss, rows_of
from holdfast.training.processes import in_processes

if TYPE_CHECKING:
    import pandas as pd

Train = Callable[[nn.Module, Optimizer, int], float]
DOES_NOT_TRANSFER = (
    "Does not transfer: what regularises (dropout, weight decay), because it depends on the ratio of data to model; "
    "and the depth of post-LN networks. Rates transfer at the same optimiser, schedule's shape and number of steps."
)


@dataclass(frozen=True)
class TransferSweep:
    """Result of `transfer_sweep`.

    Attributes:
        frame: a row per run: arm, width, rate, seed, loss.
        best: a row per (arm, width): the best rate (the vertex of a parabola through the lowest point of the geometric
            mean over seeds and its neighbours; NaN where the lowest lies at the end of the grid) and its loss.
    """

    frame: pd.DataFrame
    best: pd.DataFrame

    @classmethod
    def of(cls, frame: pd.DataFrame) -> TransferSweep:
        """From rows with arm, width, rate, seed and loss."""
        import numpy as np
        import pandas as pd

        rows = []
        for (arm, width), cell in frame.groupby(["arm", "width"], sort=False):
            curve = np.exp(np.log(cell["loss"].clip(lower=1e-30)).groupby(cell["rate"]).mean()).sort_index()
            at = np.log2(curve.index.to_numpy(float))
            vertex = float(Parabola(values=Log2())(at, curve.to_numpy(float))) if len(at) > 2 else float("nan")
            rows.append(
                {"arm": arm, "width": width, "rate": 2.0**vertex, "grid": curve.idxmin(), "loss": float(curve.min())}
            )
        return cls(frame, pd.DataFrame(rows))

    def shift(self, arm: str) -> float:
        """Octaves by which the best rate moves from the narrowest to the widest model; NaN if one is off the grid."""
        import numpy as np

        mine = self.best[self.best["arm"] == arm].sort_values("width")["rate"].to_numpy(float)
        if not len(mine):
            raise InputError("arm", f"must be one of {list(dict.fromkeys(self.best['arm']))}", arm)
        return float(np.log2(mine[-1]) - np.log2(mine[0]))

    def recommend(self, arm: str = "muP") -> str:
        """The rate to train the wide model with, and how sure that is, in words."""
        import math

        mine = self.best[self.best["arm"] == arm].sort_values("width")
        if not len(mine):
            raise InputError("arm", f"must be one of {list(dict.fromkeys(self.best['arm']))}", arm)
        widest, moved = mine.iloc[-1], self.shift(arm)
        if math.isnan(moved):
            off = ", ".join(map(str, mine[mine["rate"].isna()]["width"]))
            return f"The lowest loss lies at the end of the grid at width {off}: sweep a wider range of rates."
        reach = f"from width {mine['width'].iloc[0]} to {widest['width']} the best rate moved by {moved:+.1f} octaves"
        if abs(moved) <= 1:
            return f"Use a base rate of {widest['rate']:.2g} at any width: {reach}. {DOES_NOT_TRANSFER}"
        return f"The rate does not transfer yet: {reach}. Run the coordinate check, or take a wider base model."

    def figure(self) -> Any:
        """Matplotlib figure: loss over rate, a curve per width, the optimum circled."""
        from holdfast.systems.mutransfer.tool.figures import sweep_figure

        return sweep_figure(self)


def transfer_sweep(
    build: Callable[[int], nn.Module],
    widths: Sequence[int],
    lrs: Sequence[float],
    data: Batch | None = None,
    *,
    train: Train | None = None,
    rules: Mapping[str, Parametrization] | None = None,
    optimizer: type[Optimizer] = torch.optim.Adam,
    steps: int = 100,
    batch: int = 32,
    seeds: int = 2,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> TransferSweep:
    """Train models of several widths at several rates, under muP and as they are.

    All runs with one seed see the same batches. For sweeps over processes, resumable and with verdicts, see
    `holdfast mutransfer sweep`.

    Args:
        build: width -> model; widths: the smallest is the base.
        lrs: base rates, an even logarithmic grid of at least three.
        data: (inputs, targets), or a dict of a model's arguments, that `steps` batches are drawn from; or give `train`.
        train: (model, optimiser, seed) -> final loss, in place of the built-in loop.
        rules: name -> parametrization; None = {"SP": SP(), "muP": MuP()}.
        optimizer, steps, batch, seeds: of the runs.
        jobs: runs at a time, each in a process with one thread. Builder, data and `train` are copied to them; results
            equal those of one process up to the order of sums in threads.
        progress: called with (done, total).
        options: of `MuParametrization`.

    Raises:
        InputError: fewer than two widths or three rates, neither or both of data and train, no job.

    Example:
        >>> x = torch.randn(256, 8)
        >>> y = (x[:, 0] > 0).long()
        >>> build = lambda width: nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 2))
        >>> sweep = transfer_sweep(build, [16, 32], [2.0**k for k in range(-9, 0, 2)], (x, y), steps=20, seeds=1)
        >>> len(sweep.frame), sorted(sweep.best["arm"].unique())
        (20, ['SP', 'muP'])
    """
    import pandas as pd

    widths, lrs = sorted(set(widths)), sorted(set(lrs))
    if len(widths) < 2:
        raise InputError("widths", "must be at least two", widths)
    if len(lrs) < 3 or lrs[0] <= 0:
        raise InputError("lrs", "must be at least three positive rates", lrs)
    if (data is None) == (train is None):
        raise InputError("data or train", "must be given, one of the two")
    if jobs < 1:
        raise InputError("jobs", "must be at least 1", jobs)
    train = train or _loop(rows_to_train_on(data, "data"), steps, batch)
    rules = rules or {"SP": SP(), "muP": MuP()}
    cells = list(itertools.product(rules, widths, lrs, range(seeds)))
    setups = {
        arm: MuParametrization.from_builder(build, widths[0], rule=rule, **options) for arm, rule in rules.items()
    }
    work = (partial(_run, build, setups[arm], width, lr, seed, optimizer, train) for arm, width, lr, seed in cells)
    losses = []
    for loss in in_processes(work, min(jobs, len(cells))):
        losses.append(loss)
        if progress is not None:
            progress(len(losses), len(cells))
    frame = pd.DataFrame(cells, columns=["arm", "width", "rate", "seed"]).assign(loss=losses)
    worst = frame["loss"][frame["loss"].notna() & (frame["loss"] < float("inf"))].max()
    frame["loss"] = frame["loss"].fillna(worst).clip(upper=worst)  # a run that diverged is as bad as the worst
    return TransferSweep.of(frame)


def _run(
    build: Callable[[int], nn.Module],
    mu: MuParametrization,
    width: int,
    lr: float,
    seed: int,
    optimizer: type[Optimizer],
    train: Train,
) -> float:
    """The final loss of one run."""
    with seeded(seed):
        model = built(build, width)
        report = mu.apply(model)
        return train(model, report.optimizer(optimizer, model, lr), seed)


def _loop(data: Batch, steps: int, batch: int) -> Train:
    """Plain training on batches that depend on the seed alone; the loss is that of the data (4,096 rows) at the end."""

    def train(model: nn.Module, optimizer: Optimizer, seed: int) -> float:
        rng, count = torch.Generator().manual_seed(seed), len(first_of(data))
        for _ in range(steps):
            rows = torch.randint(count, (min(batch, count),), generator=rng)
            loss = default_loss(model, rows_of(data, rows))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return mean_loss(model, rows_of(data, slice(4096)))

    return train


__all__ = ["TransferSweep", "transfer_sweep"]
